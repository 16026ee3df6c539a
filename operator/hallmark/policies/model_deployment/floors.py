"""What a ModelPolicy demands of a ModelDeployment's fields, so that no author asks for less.

One comparison for all fields: a part's ``demands`` have a line for each floor, and a test misses
none. Here is how closely what serves must be watched; ``rollout_floors.py`` has how new versions
take over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import reduce

from pydantic.alias_generators import to_camel

from hallmark.api.common import ApiModel
from hallmark.api.drift_floors import DriftFloors
from hallmark.api.model_deployment import ModelDeploymentSpec, RollbackMode
from hallmark.api.texts import parse_duration

_NAMED = 5
"""So many names a sentence has at most."""


def measure(value: object) -> Decimal:
    """Return a number, or a duration in microseconds, whatever it is written in."""
    text = str(value)
    if text[-1].isalpha():
        return Decimal(parse_duration(text) // timedelta(microseconds=1))
    return Decimal(text)


def at_most(floor: object, found: object) -> str:
    """Return what a number or a duration must be that is higher than the floor, or absent."""
    return "" if found is not None and measure(found) <= measure(floor) else f"at most {floor}"


def at_least(floor: object, found: object) -> str:
    """Return what a number or a duration must be that is lower than the floor, or absent."""
    return "" if found is not None and measure(found) >= measure(floor) else f"at least {floor}"


def is_true(floor: object, found: object) -> str:
    """Return that a field must be true, where that is demanded."""
    return "true" if floor and found is not True else ""


def _rolls_back(floor: object, found: object) -> str:
    return "Rollback" if floor and found != "Rollback" else ""


def _automatic(floor: object, found: object) -> str:
    automatic = RollbackMode.AUTOMATIC
    return automatic.value if floor and found is not automatic else ""


def _with_all(floor: object, found: object) -> str:
    names, held = _names(floor), _names(found)
    lacking = [name for name in names if name not in held]
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    return f"with {', '.join(map(repr, lacking[:_NAMED]))}{more}" if lacking else ""


def _all_or_with(floor: object, found: object) -> str:
    return "" if found == [] else _with_all(floor, found)


def _names(value: object) -> Sequence[str]:
    return value if isinstance(value, list) else []


def _shown(found: object) -> str:
    if isinstance(found, bool):
        return str(found).lower()
    return "none" if found is None else str(found)


def _shown_names(found: object) -> str:
    return "it without" if found else "none"


@dataclass(frozen=True)
class Demand:
    """One field that a policy may demand something of.

    Attributes:
        floor: Where the floor is, below the policy's part, by Python names.
        field: Where the field is, below the ModelDeployment's ``spec``, by Python names; through
            a list it is the list of all its elements' fields.
        lacking: Gets both values (the field's is None where its block is absent); returns what is
            expected, or nothing where it is met or not demanded.
        shown: Says what was found.
    """

    floor: str
    field: str
    lacking: Callable[[object, object], str]
    shown: Callable[[object], str] = _shown

    @property
    def block(self) -> str:
        """The block that must be declared for the field to be there; empty where it always is."""
        block, _, field = self.floor.partition(".")
        return block if field else ""


@dataclass(frozen=True)
class Part:
    """A part of a policy's spec that demands something of a ModelDeployment's.

    Attributes:
        name: Where it is, below the policy's ``spec``.
        demands: One for each floor.
        blocks: What a ModelDeployment may leave out as a whole: the floors' block, and where the
            field's is, below the ModelDeployment's ``spec``.
        advice: What an author does about it.
    """

    name: str
    demands: Sequence[Demand]
    blocks: Mapping[str, str]
    advice: str

    def beyond(self, spec: ModelDeploymentSpec, floors: ApiModel) -> Iterator[str]:
        """Yield a sentence for each demand that the spec does not meet."""
        absent = [
            block
            for block, field in self.blocks.items()
            if getattr(floors, block) is not None and _at(spec, field) is None
        ]
        for block in absent:
            asked = self._asked(floors, block)
            yield self.sentence(wire(self.blocks[block]), asked, block, "none")
        for demand in self.demands:
            if demand.block in absent:
                continue
            found = _at(spec, demand.field)
            if expected := _expected(demand, floors, found):
                yield self.sentence(wire(demand.field), expected, demand.floor, demand.shown(found))

    def demanded(self, floors: ApiModel) -> Iterator[str]:
        """Yield what is demanded of every ModelDeployment, in the fields' own names."""
        for demand in self.demands:
            if not demand.block and (expected := _expected(demand, floors, None)):
                yield f"spec.{wire(demand.field)} {expected}"
        for block, field in self.blocks.items():
            if getattr(floors, block) is not None:
                yield f"spec.{wire(field)} {self._asked(floors, block)}"

    def sentence(self, field: str, expected: str, floor: str, found: str) -> str:
        """Return that a field is not as expected because of a floor."""
        return (
            f"Expected spec.{field} {expected} (spec.{self.name}.{wire(floor)} of the "
            f"ModelPolicy), found {found}; nothing new is promoted. {self.advice}, or ask the "
            f"platform engineer for another demand."
        )

    def _asked(self, floors: ApiModel, block: str) -> str:
        """Return what is demanded of a block: its fields, or that there is one."""
        asked = ", ".join(self._asked_fields(floors, block))
        return f"with {asked}" if asked else "declared"

    def _asked_fields(self, floors: ApiModel, block: str) -> Iterator[str]:
        before = f"{wire(self.blocks[block])}."
        for demand in self.demands:
            if demand.block == block and (expected := _expected(demand, floors, None)):
                yield f"{wire(demand.field).removeprefix(before)} {expected}"


def _expected(demand: Demand, floors: ApiModel, found: object) -> str:
    floor = _at(floors, demand.floor)
    return "" if floor is None else demand.lacking(floor, found)


def _at(block: object, path: str) -> object:
    """Return the value at a path of attributes; None where one on the way is absent."""
    return reduce(_of, path.split("."), block)


def _of(block: object, name: str) -> object:
    if isinstance(block, list):
        return [_of(one, name) for one in block]
    return block and getattr(block, name)


def wire(path: str) -> str:
    """Return a path as it is written in an object."""
    return ".".join(map(to_camel, path.split(".")))


DEMANDS = (
    Demand("max_threshold", "drift.threshold", at_most),
    Demand("max_window", "drift.window", at_most),
    Demand("max_consecutive", "drift.consecutive", at_most),
    Demand("min_false_rollback_risk", "drift.false_rollback_risk", at_least),
    Demand("features", "drift.features", _all_or_with, _shown_names),
    Demand("rejections.max_limit", "drift.rejections.limit", at_most),
    Demand("rejections.max_minimum", "drift.rejections.minimum", at_most),
    Demand("rejections.rollback", "drift.rejections.then", _rolls_back),
    Demand("probing.max_clients", "drift.probing.clients", at_most),
    Demand("probing.rollback", "drift.probing.then", _rolls_back),
    Demand("requests.max_errors", "drift.requests.max_errors", at_most),
    Demand("requests.max_latency", "drift.requests.max_latency", at_most),
    Demand("requests.max_minimum", "drift.requests.minimum", at_most),
    Demand("requests.rollback", "drift.requests.then", _rolls_back),
    Demand("feedback.min_accuracy", "drift.feedback.minimum_accuracy", at_least),
    Demand("feedback.max_calibration_error", "drift.feedback.maximum_calibration_error", at_most),
    Demand("feedback.max_window", "drift.feedback.window", at_most),
    Demand("feedback.min_max_age", "drift.feedback.max_age", at_least),
    Demand("feedback.min_false_rollback_risk", "drift.feedback.false_rollback_risk", at_least),
    Demand("feedback.groups", "drift.feedback.groups", _with_all, _shown_names),
    Demand(
        "feedback.group_floor.min_accuracy",
        "drift.feedback.group_floor.minimum_accuracy",
        at_least,
    ),
    Demand(
        "feedback.group_floor.max_minimum_outcomes",
        "drift.feedback.group_floor.minimum_outcomes",
        at_most,
    ),
    Demand("feedback.group_gap.max", "drift.feedback.group_gap.maximum", at_most),
    Demand(
        "feedback.group_gap.max_minimum_outcomes",
        "drift.feedback.group_gap.minimum_outcomes",
        at_most,
    ),
    Demand("feedback.rollback", "drift.feedback.then", _rolls_back),
    Demand("automatic_rollback", "rollback", _automatic),
)
DRIFT = Part(
    "drift",
    DEMANDS,
    {block: f"drift.{block}" for block in ("rejections", "probing", "requests", "feedback")},
    "Watch more closely",
)
"""How closely traffic must be watched."""


def below_floors(spec: ModelDeploymentSpec, floors: DriftFloors | None) -> Iterator[str]:
    """Yield a sentence for each demand on watching that the spec does not meet."""
    return iter(()) if floors is None else DRIFT.beyond(spec, floors)
