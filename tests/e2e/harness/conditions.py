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

    def holds(self, obj: Object) -> bool:
        """Whether the object has the condition, for its newest generation."""
        current = condition(obj, self.type)
        return (
            current is not None
            and current["status"] == self.status
            and self.reason in {"", current["reason"]}
            and current.get("observedGeneration", 0) >= obj["metadata"].get("generation", 0)
        )


def condition(obj: Object, type_: str) -> Object | None:
    """Return the condition of a type, or None."""
    conditions = obj.get("status", {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == type_), None)


def status(obj: Object, type_: str) -> str:
    """Return the status of a condition; empty if there is none."""
    current = condition(obj, type_)
    return str(current["status"]) if current else ""


def message(obj: Object, type_: str) -> str:
    """Return the sentence of a condition; empty if there is none."""
    current = condition(obj, type_)
    return str(current.get("message", "")) if current else ""


def reason(obj: Object, type_: str) -> str:
    """Return the reason of a condition; empty if there is none."""
    current = condition(obj, type_)
    return str(current["reason"]) if current else ""


def table(obj: Object) -> str:
    """Return an object's conditions as lines for people."""
    conditions: Sequence[Object] = obj.get("status", {}).get("conditions") or []
    lines = [
        f"  {entry['type']:<14} {entry['status']:<8} {entry['reason']:<22} "
        f"{entry.get('message', '')}"
        for entry in conditions
    ]
    return "\n".join(lines) or "  (no conditions)"
