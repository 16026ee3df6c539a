"""How closely a ModelPolicy demands that what serves is watched, so that no author switches it off.

One comparison for all fields: ``DEMANDS`` has a line for each floor, and a test misses none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import reduce

from pydantic.alias_generators import to_camel

from hallmark.api.common import parse_duration
from hallmark.api.drift_floors import DriftFloors
from hallmark.api.model_deployment import ModelDeploymentSpec, RollbackMode

_NAMED = 5
"""So many names a sentence has at most."""


def _measure(value: object) -> Decimal:
    """Return a number, or a duration in microseconds, whatever it is written in."""
    text = str(value)
    if text[-1].isalpha():
        return Decimal(parse_duration(text) // timedelta(microseconds=1))
    return Decimal(text)


def _at_most(floor: object, found: object) -> str:
    return "" if found is not None and _measure(found) <= _measure(floor) else f"at most {floor}"


def _at_least(floor: object, found: object) -> str:
    return "" if found is not None and _measure(found) >= _measure(floor) else f"at least {floor}"


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


@dataclass(frozen=True)
class Demand:
    """One field that a policy may demand something of.

    Attributes:
        floor: Where the floor is, below the policy's ``spec.drift``, by Python names.
        field: Where the field is, below the ModelDeployment's ``spec``, by Python names.
        lacking: Gets both values (the field's is None where its block is absent); returns what is
            expected, or nothing where it is met or not demanded.
    """

    floor: str
    field: str
    lacking: Callable[[object, object], str]

    @property
    def block(self) -> str:
        """The block that must be declared for the field to be there; empty where it always is."""
        block, _, field = self.floor.partition(".")
        return block if field else ""


DEMANDS = (
    Demand("max_threshold", "drift.threshold", _at_most),
    Demand("max_window", "drift.window", _at_most),
    Demand("max_consecutive", "drift.consecutive", _at_most),
    Demand("min_false_rollback_risk", "drift.false_rollback_risk", _at_least),
    Demand("features", "drift.features", _all_or_with),
    Demand("rejections.max_limit", "drift.rejections.limit", _at_most),
    Demand("rejections.max_minimum", "drift.rejections.minimum", _at_most),
    Demand("rejections.rollback", "drift.rejections.then", _rolls_back),
    Demand("probing.max_clients", "drift.probing.clients", _at_most),
    Demand("probing.rollback", "drift.probing.then", _rolls_back),
    Demand("requests.max_errors", "drift.requests.max_errors", _at_most),
    Demand("requests.max_latency", "drift.requests.max_latency", _at_most),
    Demand("requests.max_minimum", "drift.requests.minimum", _at_most),
    Demand("requests.rollback", "drift.requests.then", _rolls_back),
    Demand("feedback.min_accuracy", "drift.feedback.minimum_accuracy", _at_least),
    Demand("feedback.max_calibration_error", "drift.feedback.maximum_calibration_error", _at_most),
    Demand("feedback.max_window", "drift.feedback.window", _at_most),
    Demand("feedback.min_max_age", "drift.feedback.max_age", _at_least),
    Demand("feedback.min_false_rollback_risk", "drift.feedback.false_rollback_risk", _at_least),
    Demand("feedback.groups", "drift.feedback.groups", _with_all),
    Demand(
        "feedback.group_floor.min_accuracy",
        "drift.feedback.group_floor.minimum_accuracy",
        _at_least,
    ),
    Demand(
        "feedback.group_floor.max_minimum_outcomes",
        "drift.feedback.group_floor.minimum_outcomes",
        _at_most,
    ),
    Demand("feedback.rollback", "drift.feedback.then", _rolls_back),
    Demand("automatic_rollback", "rollback", _automatic),
)
BLOCKS = ("rejections", "probing", "requests", "feedback")
"""What a ModelDeployment may leave out as a whole."""


def below_floors(spec: ModelDeploymentSpec, floors: DriftFloors | None) -> Iterator[str]:
    """Yield a sentence for each demand that the spec does not meet."""
    if floors is None:
        return
    absent = [block for block in BLOCKS if _lacks(spec, floors, block)]
    for block in absent:
        asked = ", ".join(_asked(floors, block))
        expected = f"with {asked}" if asked else "declared"
        yield _sentence(f"drift.{block}", expected, block, "none")
    for demand in DEMANDS:
        if demand.block in absent:
            continue
        found = _at(spec, demand.field)
        if expected := _expected(demand, floors, found):
            yield _sentence(demand.field, expected, demand.floor, _shown(found))


def demanded(floors: DriftFloors) -> Iterator[str]:
    """Yield what is demanded of every ModelDeployment, in the fields' own names."""
    for demand in DEMANDS:
        if not demand.block and (expected := _expected(demand, floors, None)):
            yield f"spec.{_wire(demand.field)} {expected}"
    for block in BLOCKS:
        if getattr(floors, block) is not None:
            asked = ", ".join(_asked(floors, block))
            yield f"spec.drift.{block} {f'with {asked}' if asked else 'declared'}"


def _lacks(spec: ModelDeploymentSpec, floors: DriftFloors, block: str) -> bool:
    return getattr(floors, block) is not None and getattr(spec.drift, block) is None


def _asked(floors: DriftFloors, block: str) -> Iterator[str]:
    """Yield what is demanded of the fields of a block."""
    for demand in DEMANDS:
        if demand.block == block and (expected := _expected(demand, floors, None)):
            yield f"{_wire(demand.field).removeprefix(f'drift.{block}.')} {expected}"


def _expected(demand: Demand, floors: DriftFloors, found: object) -> str:
    floor = _at(floors, demand.floor)
    return "" if floor is None else demand.lacking(floor, found)


def _at(block: object, path: str) -> object:
    """Return the value at a path of attributes; None where one on the way is absent."""
    return reduce(lambda at, name: at and getattr(at, name), path.split("."), block)


def _wire(path: str) -> str:
    return ".".join(map(to_camel, path.split(".")))


def _shown(found: object) -> str:
    if isinstance(found, list):
        return "it without" if found else "none"
    return "none" if found is None else str(found)


def _sentence(field: str, expected: str, floor: str, found: str) -> str:
    return (
        f"Expected spec.{_wire(field)} {expected} (spec.drift.{_wire(floor)} of the ModelPolicy), "
        f"found {found}; nothing new is promoted. Watch more closely, or ask the platform engineer "
        f"for another demand."
    )
