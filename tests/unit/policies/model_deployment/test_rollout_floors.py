"""What a ModelPolicy demands of rollouts, and who does not meet it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic.alias_generators import to_camel

from hallmark.api.canary import Canary, CanaryStep
from hallmark.api.model_deployment import ModelDeploymentSpec, Strategy
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.rollout_floors import CanaryFloors, RolloutFloors
from hallmark.policies.model_deployment.bounds import beyond_policy
from hallmark.policies.model_deployment.rollout_floors import ROLLOUT, faster_than_demanded
from hallmark.policies.model_deployment.shares import most_share, split
from tests.unit.policies.model_deployment.rollouts import policy, spec
from tests.unit.policies.model_deployment.test_floors import leaves, nested


def steps(*weights: int) -> list[dict[str, Any]]:
    return [{"weight": weight} for weight in weights]


def pauses(*lengths: str) -> list[dict[str, Any]]:
    return [{"weight": 10 * n, "pause": pause} for n, pause in enumerate(lengths, 1)]


SHARES: tuple[str, list[Any], list[Any], list[Any]] = (
    "0.05",
    ["0.05", "0.050"],
    ["0", "0.049999999"],
    ["0.050000001", "1"],
)
LATENCIES: tuple[str, list[Any], list[Any], list[Any]] = (
    "100ms",
    ["100ms", "0.1s", "99ms1ms"],
    ["99.999ms", "1ms"],
    ["100.001ms", "0.101s", "500ms", None],
)
LENGTHS: tuple[str, list[Any], list[Any], list[Any]] = (
    "1h",
    ["1h", "60m", "3600s", "59m60s"],
    ["1h1ms", "48h"],
    ["59m59.999s", "1ms", "0s"],
)
# floor: (its value, what meets it just so in whatever spelling, what is closer, what is not close)
TABLE: dict[str, tuple[Any, list[Any], list[Any], list[Any]]] = {
    "canary.maxFirstStep": (10, [steps(10, 50)], [steps(1), steps(5, 90)], [steps(11), steps(99)]),
    "canary.maxStep": (
        50,
        [steps(50), steps(10, 50), steps(50, 99)],
        [steps(25, 50, 75)],
        [steps(51), steps(10), steps(49), steps(10, 61), steps(10, 25, 49)],
    ),
    "canary.minPause": (
        "5m",
        [pauses("5m"), pauses("300s", "4m60s")],
        [pauses("1h", "5m")],
        [pauses("4m59.999s"), pauses("1h", "0s"), pauses("1ms", "1h")],
    ),
    "canary.minMinimumRows": (1000, [1000], [1001], [999, 1]),
    "canary.maxRejections": SHARES,
    "canary.minMinimumRequests": (100, [100], [10**9], [99, 1]),
    "canary.maxErrors": SHARES,
    "canary.maxLatency": LATENCIES,
    "canary.drift": (True, [True], [], [False]),
    "mirror.minPercent": (50, [50], [51, 100], [49, 1]),
    "mirror.minPause": LENGTHS,
    "mirror.minMinimumRows": (1000, [1000], [1001], [999, 1]),
    "mirror.maxDisagreement": SHARES,
    "mirror.maxScoreDifference": ("0.1", ["0.1", "0.10"], ["0.01"], ["0.100000001", "0.2", None]),
    "mirror.minMinimumRequests": (100, [100], [10**9], [99, 1]),
    "mirror.maxRejections": SHARES,
    "mirror.maxErrors": SHARES,
    "mirror.maxLatency": LATENCIES,
    "minBake": LENGTHS,
    "minKeepWarm": LENGTHS,
    "minCoolDown": (*LENGTHS[:3], [*LENGTHS[3], None]),
    "maxSwitchesPerDay": (3, [3], [1], [4, 9, None]),
    "manual": (True, [True], [], [False]),
}
FIELDS = {".".join(map(to_camel, one.floor.split("."))): one for one in ROLLOUT.demands}
MANY = 1000
"""Replicas with which each step has the share that it names, or nearly so."""


def asking(floor: str, value: object) -> ModelDeploymentSpec:
    """Return a spec with a value where a floor looks."""
    path = ".".join(map(to_camel, FIELDS[floor].field.split(".")))
    path = path.replace("steps.weight", "steps").replace("steps.pause", "steps")
    if value is None:
        path, _, _ = path.rpartition(".")
        value = {}
    wire: dict[str, Any] = nested(path, value, {})
    if floor.startswith("canary"):
        wire["strategy"]["type"] = "Canary"
    return spec(replicas=MANY, **wire)


def demanding(floors: object) -> ModelPolicySpec:
    under = policy().spec
    return under.replace(rollout=RolloutFloors.model_validate(floors) if floors else None)


def under(on: ModelDeploymentSpec, policy: ModelPolicySpec) -> Iterator[str]:
    return faster_than_demanded(on, policy.rollout, policy.deployments.max_replicas)


def told(on: ModelDeploymentSpec, floors: object) -> list[str]:
    return list(under(on, demanding(floors)))


def test_there_is_a_demand_and_a_line_of_the_table_for_each_floor() -> None:
    assert sorted(FIELDS) == sorted(TABLE)
    assert sorted(one.floor for one in ROLLOUT.demands) == sorted(leaves(RolloutFloors))
    assert {one.block for one in ROLLOUT.demands if one.block} == set(ROLLOUT.blocks)


def test_there_is_a_floor_for_each_field_that_can_be_weakened() -> None:
    # The type comes with its block, the policy's bounds have the deadline; who has the weights is
    # no weaker way.
    routes = {leaf for leaf in leaves(Strategy, "strategy.") if ".canary.route" in leaf}
    weakened = {*leaves(Strategy, "strategy."), "suspend"} - routes
    assert weakened - {"strategy.type", "strategy.progress_deadline"} == {
        one.field for one in ROLLOUT.demands
    }


@pytest.mark.parametrize("floor", TABLE)
def test_each_floor_is_met_by_itself_and_by_what_is_closer(floor: str) -> None:
    value, same, closer, not_close = TABLE[floor]
    for found in same + closer:
        assert told(asking(floor, found), nested(floor, value, {})) == [], found
    for found in same + closer + not_close:
        assert told(asking(floor, found), {"canary": None}) == []
        assert told(asking(floor, found), None) == []


@pytest.mark.parametrize("floor", TABLE)
def test_each_way_to_take_over_with_less_care_is_told(floor: str) -> None:
    value, _, _, not_close = TABLE[floor]
    field = ".".join(map(to_camel, FIELDS[floor].field.split(".")))
    for found in not_close:
        (said,) = told(asking(floor, found), nested(floor, value, {}))
        assert f"Expected spec.{field} " in said
        assert f"(spec.rollout.{floor} of the ModelPolicy), found " in said
        if isinstance(found, str | int) and not isinstance(found, bool):
            assert f"found {found}; nothing new is promoted" in said


@pytest.mark.parametrize("floor", [one for one in TABLE if "." in one])
def test_a_block_that_is_absent_is_told_once_with_all_that_it_needs(floor: str) -> None:
    block = floor.partition(".")[0]
    (said,) = told(spec(), nested(floor, TABLE[floor][0], {}))
    path = FIELDS[floor].field.removeprefix(f"strategy.{block}.")
    assert f"Expected spec.strategy.{block} with " in said
    assert ".".join(map(to_camel, path.split("."))) in said
    assert "found none; nothing new is promoted" in said


@pytest.mark.parametrize("block", ROLLOUT.blocks)
def test_an_empty_block_demands_that_there_is_one(block: str) -> None:
    (said,) = told(spec(), {block: {}})
    assert f"Expected spec.strategy.{block} declared (spec.rollout.{block} of" in said
    there: dict[str, Any] = {"canary": {"type": "Canary"}, "mirror": {"mirror": {}}}
    assert told(spec(strategy=there[block]), {block: {}}) == []
    demanded = RolloutFloors.model_validate({block: {}})
    assert list(ROLLOUT.demanded(demanded)) == [f"spec.strategy.{block} declared"]


def test_the_usual_steps_are_judged_where_a_canary_names_none() -> None:
    usual = spec(replicas=9, strategy={"type": "Canary"})
    assert told(usual, {"canary": {"maxFirstStep": 10, "maxStep": 50, "minPause": "5m"}}) == []
    (said,) = told(usual, {"canary": {"maxStep": 49}})
    assert "rising by at most 49 from step to step and to 100" in said
    assert "found 10, 25, 50;" in said


# -- whole Pods ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicas", "floors", "enough"),
    [
        pytest.param(9, {"maxFirstStep": 10}, None, id="nine Pods give a tenth"),
        pytest.param(8, {"maxFirstStep": 10}, 9, id="eight give more"),
        pytest.param(1, {"maxFirstStep": 10}, 9, id="one gives a half"),
        pytest.param(1, {"maxStep": 50}, None, id="a half is allowed"),
        pytest.param(0, {"maxFirstStep": 10}, None, id="no Pods give nothing"),
        pytest.param(15, {"maxFirstStep": 10}, None, id="the nearer share would be too much"),
    ],
)
def test_few_replicas_give_no_more_than_the_policy_lets_a_step_give(
    replicas: int, floors: dict[str, Any], enough: int | None
) -> None:
    on = spec(replicas=replicas, strategy={"type": "Canary", "canary": {"steps": steps(10, 50)}})
    found = told(on, {"canary": floors})
    assert bool(found) is (enough is not None)
    if enough is not None:
        share = round(100 / (1 + replicas))
        assert f"Expected spec.replicas of at least {enough}, so that step 1 gives" in found[0]
        assert f"found {replicas}, with which it gives {share} %" in found[0]


def test_replicas_above_what_the_policy_allows_give_no_smaller_share() -> None:
    on = spec(replicas=50, strategy={"type": "Canary", "canary": {"steps": steps(10, 50)}})
    strict = demanding({"canary": {"maxFirstStep": 10}})
    few = strict.replace(deployments=strict.deployments.replace(max_replicas=3))
    assert not list(under(on, strict))
    assert "found 3, with which it gives 25 %" in beyond_policy(on, few)[-1]


WEIGHTS = st.lists(st.integers(1, 99), min_size=1, max_size=10, unique=True).map(sorted)
FLOORS = st.builds(
    CanaryFloors,
    max_first_step=st.none() | st.integers(1, 99),
    max_step=st.none() | st.integers(10, 99),
)


@given(WEIGHTS, st.integers(0, 200), FLOORS)
def test_what_is_not_told_gives_in_no_step_more_than_the_policy_lets_it(
    weights: list[int], replicas: int, floors: CanaryFloors
) -> None:
    canary = Canary(steps=[CanaryStep(weight=weight) for weight in weights])
    on = spec(replicas=replicas, strategy={"type": "Canary", "canary": canary.to_wire()})
    found = told(on, {"canary": floors.to_wire()})
    shares = []
    for number, weight in enumerate(weights):
        most = most_share(canary, number, floors)
        shares.append((100 * split(weight, replicas, most).share, most))
    within = all(share <= most for share, most in shares)
    climbs = 100 - weights[-1] <= (floors.max_step or 100)
    named = all(weight <= most for weight, (_, most) in zip(weights, shares, strict=True))
    assert (found == []) is (within and climbs and named)


@given(st.integers(1, 99), st.integers(1, 300), st.integers(1, 100))
def test_a_limit_never_makes_a_share_greater(weight: int, replicas: int, most: int) -> None:
    free, bound = split(weight, replicas), split(weight, replicas, most)
    assert bound.share <= free.share
    assert bound == free or 100 * free.share > most
