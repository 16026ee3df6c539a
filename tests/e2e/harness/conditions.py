"""Reading conditions, and saying in a failure what was there instead."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.harness.api import Object


@dataclass(frozen=True)
class Expected:
    """A condition as a test writes it: `Ready=True`, or `Ready=False/GateFailed`.

    It holds only where the operator has seen the newest spec.
    """

    type: str
    status: str
    reason: str = ""

    @classmethod
    def parse(cls, text: str) -> "Expected":
        """Return the expectation that the text names."""
        type_, _, rest = text.partition("=")
        status, _, reason = rest.partition("/")
        return cls(type_, status, reason)

    def holds(self, found: Object) -> bool:
        """Tell whether the object has the condition, for its newest generation."""
        each = condition(found, self.type)
        return (
            each is not None
            and each["status"] == self.status
            and self.reason in {"", each["reason"]}
            and each.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
        )


def condition(found: Object, type_: str) -> Object | None:
    """Return the condition of a type, or None."""
    conditions = found.get("status", {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == type_), None)


def status(found: Object, type_: str) -> str:
    """Return the status of a condition; empty if there is none."""
    each = condition(found, type_)
    return str(each["status"]) if each else ""


def message(found: Object, type_: str) -> str:
    """Return the sentence of a condition; empty if there is none."""
    each = condition(found, type_)
    return str(each.get("message", "")) if each else ""


def reason(found: Object, type_: str) -> str:
    """Return the reason of a condition; empty if there is none."""
    each = condition(found, type_)
    return str(each["reason"]) if each else ""


def table(found: Object) -> str:
    """Return an object's conditions as lines for people."""
    conditions: Sequence[Object] = found.get("status", {}).get("conditions") or []
    lines = [
        f"  {each['type']:<14} {each['status']:<8} {each['reason']:<22} {each.get('message', '')}"
        for each in conditions
    ]
    return "\n".join(lines) or "  (no conditions)"
