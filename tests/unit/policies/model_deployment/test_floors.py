"""What a ModelPolicy demands of drift watching, and who does not meet it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from hallmark.api.drift import Drift
from hallmark.api.drift_floors import DriftFloors
from hallmark.policies.model_deployment.bounds import bounded
from hallmark.policies.model_deployment.floors import DRIFT, below_floors
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from tests.unit.policies.model_deployment.rollouts import NOW, deployment, policy, spec

# floor: (its value, what meets it just so in whatever spelling, what is closer, what is not close)
TABLE: dict[str, tuple[Any, list[Any], list[Any], list[Any]]] = {
    "maxThreshold": ("0.2", ["0.2", "0.200"], ["0.1", "0.199999999"], ["0.200000001", "1000"]),
    "maxWindow": (1000, [1000], [999, 100], [1001, 1000000]),
    "maxConsecutive": (2, [2], [1], [3, 5]),
    "minFalseRollbackRisk": ("0.001", ["0.001", "0.0010"], ["1", "0.01"], ["0.000999999"]),
    "features": (
        ["income", "age"],
        [["age", "income"]],
        [[], ["age", "income", "more"]],
        [["income"], ["ages", "incomes"]],
    ),
    "rejections.maxLimit": ("0.2", ["0.2", "0.20"], ["0.01"], ["0.200000001", "0.99"]),
    "rejections.maxMinimum": (500, [500], [100], [501]),
    "rejections.rollback": (True, ["Rollback"], [], ["Alert"]),
    "probing.maxClients": (2, [2], [1], [3]),
    "probing.rollback": (True, ["Rollback"], [], ["Alert"]),
    "requests.maxErrors": ("0.01", ["0.01", "0.010"], ["0"], ["0.010000001", "1", None]),
    "requests.maxLatency": (
        "100ms",
        ["100ms", "0.1s", "99ms1ms", "0.050s50ms"],
        ["99.999ms", "1ms"],
        ["100.001ms", "0.101s", "500ms", None],
    ),
    "requests.maxMinimum": (500, [500], [100], [501]),
    "requests.rollback": (True, ["Rollback"], [], ["Alert"]),
    "feedback.minAccuracy": ("0.8", ["0.8", "0.80"], ["0.9"], ["0.799999999", "0.1", None]),
    "feedback.maxCalibrationError": ("0.1", ["0.1", "0.10"], ["0.05"], ["0.100000001", None]),
    "feedback.maxWindow": (1000, [1000], [100], [1001]),
    "feedback.minMaxAge": (
        "720h",
        ["720h", "719h60m", "43200m"],
        ["2160h", "720h1ms"],
        ["719h59m59.999s", "1ms"],
    ),
    "feedback.minFalseRollbackRisk": ("0.01", ["0.01", "0.0100"], ["0.5"], ["0.009999999"]),
    "feedback.groups": (
        ["women", "men"],
        [["men", "women"]],
        [["men", "women", "others"]],
        [[], ["men"]],
    ),
    "feedback.groupFloor.minAccuracy": (
        "0.75",
        ["0.75", "0.750"],
        ["0.9"],
        ["0.749999999", None],
    ),
    "feedback.groupFloor.maxMinimumOutcomes": (100, [100], [30], [101, None]),
    "feedback.groupGap.max": ("0.1", ["0.1", "0.10"], ["0.05"], ["0.100000001", None]),
    "feedback.groupGap.maxMinimumOutcomes": (100, [100], [30], [101, None]),
    "feedback.rollback": (True, ["Rollback"], [], ["Alert"]),
    "automaticRollback": (True, ["Automatic"], [], ["Manual"]),
}
FIELDS = {".".join(map(to_camel, one.floor.split("."))): one for one in DRIFT.demands}
NEEDED: dict[str, dict[str, Any]] = {
    "requests": {"maxErrors": "0.5", "maxLatency": "500ms"},
    "groupFloor": {"minimumAccuracy": "0.01"},
    "groupGap": {"maximum": "0.01"},
}
"""What a block is none without."""
NEEDED_OF_POLICY = {"groupFloor": {"minAccuracy": "0.001"}, "groupGap": {"max": "0.9"}}


def leaves(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Yield every field of a model and its blocks, by its path."""
    for name, field in model.model_fields.items():
        parts = (field.annotation, *get_args(field.annotation))
        inner = [one for one in parts if isinstance(one, type)]
        block = next((one for one in inner if issubclass(one, BaseModel)), None)
        if block is None:
            yield f"{before}{name}"
        else:
            yield from leaves(block, f"{before}{name}.")


def nested(path: str, value: object, needed: Any = NEEDED) -> dict[str, Any]:  # noqa: ANN401
    """Return the document with a value at a path, and what its blocks need."""
    first, _, rest = path.partition(".")
    return {first: needed.get(first, {}) | nested(rest, value, needed) if rest else value}


def asking(floor: str, value: object) -> Any:  # noqa: ANN401 - a spec
    """Return a spec with a value where a floor looks."""
    path = ".".join(map(to_camel, FIELDS[floor].field.split(".")))
    if value is None:  # The block is there without it: the other one of two.
        block = {key: NEEDED["requests"][key] for key in NEEDED["requests"] if key not in path}
        return spec(drift={"requests": block} if "requests" in path else {"feedback": {}})
    return spec(**nested(path, value))


def floors(path: str, value: object) -> DriftFloors:
    """Return the floors with this one, and what its blocks need, which everything meets."""
    return DriftFloors.model_validate(nested(path, value, NEEDED_OF_POLICY))


def test_there_is_a_demand_and_a_line_of_the_table_for_each_floor() -> None:
    assert sorted(FIELDS) == sorted(TABLE)
    assert sorted(one.floor for one in DRIFT.demands) == sorted(leaves(DriftFloors))
    assert {one.block for one in DRIFT.demands if one.block} == set(DRIFT.blocks)


def test_there_is_a_floor_for_each_field_that_can_be_weakened() -> None:
    assert {*leaves(Drift, "drift."), "rollback"} == {one.field for one in DRIFT.demands}


@pytest.mark.parametrize("floor", TABLE)
def test_each_floor_is_met_by_itself_and_by_what_is_closer(floor: str) -> None:
    value, same, closer, not_close = TABLE[floor]
    for found in same + closer:
        assert list(below_floors(asking(floor, found), floors(floor, value))) == [], found
    for found in same + closer + not_close:
        assert list(below_floors(asking(floor, found), DriftFloors())) == []
        assert list(below_floors(asking(floor, found), None)) == []


@pytest.mark.parametrize("floor", TABLE)
def test_each_way_to_watch_less_closely_is_told(floor: str) -> None:
    value, _, _, not_close = TABLE[floor]
    field = ".".join(map(to_camel, FIELDS[floor].field.split(".")))
    for found in not_close:
        (said, *_) = reversed(list(below_floors(asking(floor, found), floors(floor, value))))
        assert f"Expected spec.{field} " in said
        assert f"(spec.drift.{floor} of the ModelPolicy)" in said
        shown = "none" if found in (None, []) else "it without" if floor == "features" else ""
        assert f"found {shown or (found if isinstance(found, str | int) else 'it without')}" in said


@pytest.mark.parametrize("floor", [one for one in TABLE if "." in one])
def test_a_block_that_is_absent_is_told_once_with_all_that_it_needs(floor: str) -> None:
    value, block = TABLE[floor][0], floor.partition(".")[0]
    (said,) = below_floors(spec(), floors(floor, value))
    name = FIELDS[floor].field.removeprefix(f"drift.{block}.")
    path = ".".join(map(to_camel, name.split(".")))
    assert f"Expected spec.drift.{block} with " in said
    assert f"{path} " in said
    assert "found none; nothing new is promoted" in said


@pytest.mark.parametrize("block", DRIFT.blocks)
def test_an_empty_block_demands_that_there_is_one(block: str) -> None:
    demand = DriftFloors.model_validate({block: {}})
    (said,) = below_floors(spec(), demand)
    assert f"Expected spec.drift.{block} declared" in said
    there = spec(drift={block: NEEDED.get(block, {})})
    assert list(below_floors(there, demand)) == []
    assert list(DRIFT.demanded(demand)) == [f"spec.drift.{block} declared"]


def test_everything_at_once_is_told_at_once_and_in_a_message_s_room() -> None:
    everything = DriftFloors.model_validate(
        {"maxThreshold": "0.1", "maxWindow": 100, "maxConsecutive": 1, "automaticRollback": True}
        | {block: {} for block in DRIFT.blocks}
    )
    beyond = list(below_floors(spec(rollback="Manual", drift={}), everything))
    assert len(beyond) == 8
    inputs = DeploymentInputs(deployment(), NOW, policy(), beyond=tuple(beyond))
    assert "4 more are told" in inputs.beyond_said
    assert len(inputs.beyond_said) < 2048
    assert len(list(DRIFT.demanded(everything))) == 8


def test_of_many_names_five_are_named() -> None:
    many = floors("feedback.groups", [f"group {number}" for number in range(9)])
    (said,) = below_floors(spec(drift={"feedback": {}}), many)
    assert "'group 0', 'group 1', 'group 2', 'group 3', 'group 4' and 4 more" in said


def test_what_is_below_is_said_of_the_object_and_changes_nothing_of_it() -> None:
    under = policy()
    strict = under.replace(spec=under.spec.replace(drift=floors("maxWindow", 1000)))
    on = deployment(drift={"window": 5000})
    fitted, beyond = bounded(on, strict)
    assert fitted.spec.drift == on.spec.drift
    assert len(beyond) == 1
    assert bounded(on, under)[1] == ()
