"""Features that cannot be watched are refused in a sentence; drift is never off without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hallmark.api.columns import FeatureType
from hallmark.api.drift import Drift
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.drift.counts import unwatchable, watched
from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World


def number(name: str, edges: list[float], counts: list[int]) -> BaselineFeature:
    return BaselineFeature(name=name, type=FeatureType.NUMBER, edges=edges, counts=counts)


INCOME = number("income", [1.0, 2.0], [400, 300, 300, 0])
AGE = number("age", [30.0], [500, 500, 0])
STILL = number("still", [], [1000, 0])
OFTEN_NULL = number("often_null", [], [600, 400])
PURPOSE = BaselineFeature(
    name="purpose", type=FeatureType.CATEGORY, categories=["home"], counts=[1000, 0, 0]
)
ALL = (INCOME, AGE, STILL, OFTEN_NULL, PURPOSE)


def baseline(*features: BaselineFeature) -> Baseline:
    return Baseline(rows=1000, features=list(features))


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (["nonexistent"], "'nonexistent' not among them; it has 'income', 'age', 'still'"),
        (["income", "Income"], "'Income' not among them"),
        (["income", "nonexistent"], "'nonexistent' not among them"),
        (["income "], "'income ' not among them"),
        (["still"], "'still' with one"),
        (["income", "still"], "'still' with one"),
        (["income"], ""),
        (["income", "age", "purpose"], ""),
        (["often_null"], ""),
        ([], ""),
    ],
    ids=str,
)
def test_which_features_can_be_watched(features: list[str], words: str) -> None:
    found = unwatchable(baseline(*ALL), Drift(features=features))
    assert (found is None) == (words == "")
    assert words in (found or "")


def test_a_version_in_which_nothing_ever_moves_cannot_be_watched() -> None:
    assert "'still' with one" in (unwatchable(baseline(STILL), Drift()) or "")


def test_many_features_are_not_all_listed() -> None:
    many = baseline(*(number(f"f{n}", [1.0], [1, 1, 0]) for n in range(256)))
    found = unwatchable(many, Drift(features=[f"g{n}" for n in range(200)])) or ""
    assert "and 195 more" in found
    assert "and 251 more" in found
    assert len(found) < 400


def test_without_any_named_feature_all_are_watched() -> None:
    named = Drift(features=["nonexistent"])
    assert watched(baseline(INCOME, AGE), named) == (INCOME, AGE)
    assert watched(baseline(INCOME, AGE), Drift(features=["age"])) == (AGE,)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def drift(*features: str) -> dict[str, Any]:
    return {"window": 100, "features": list(features)}


def serve(world: World, n: int, *features: BaselineFeature) -> None:
    world.seal(n, baseline=baseline(*features))
    world.settle()
    world.wait(11)
    world.settle()


def test_a_first_version_does_not_serve_without_drift(world: World) -> None:
    world.ask(drift=drift("nonexistent"))
    serve(world, 1, INCOME)
    assert world.serving == 0
    assert world.condition("Ready") == "False/InvalidSpec"
    assert world.condition("Stalled") == "True/InvalidSpec"
    assert "'nonexistent' not among them; it has 'income'" in world.message("Ready")
    world.ask(drift=drift("income"))
    world.settle()
    assert world.serving == 1


def test_it_is_said_before_anybody_approves(world: World) -> None:
    world.ask(drift=drift("nonexistent"))
    world.seal(1, approved=False)
    world.settle()
    assert world.condition("Ready") == "False/InvalidSpec"


def test_what_serves_goes_on_as_it_is_watched(world: World) -> None:
    serve(world, 1, INCOME)
    world.ask(drift=drift("nonexistent"))
    world.settle()
    assert world.serving == 1
    assert world.condition("Ready") == "False/InvalidSpec"
    world.traffic(SHIFTED)
    world.settle()
    assert world.condition("DriftDetected").startswith("True/"), "by what its Pods were told"


def test_a_next_version_without_the_feature_does_not_take_over(world: World) -> None:
    world.ask(drift=drift("age"))
    serve(world, 1, INCOME, AGE)
    assert world.serving == 1
    serve(world, 2, INCOME)
    assert world.serving == 1
    assert "ModelVersion 'credit-v2'" in world.message("Ready")
    assert "'age' not among them" in world.message("Ready")


def test_a_rollback_is_not_held_up_and_watches_what_there_is(world: World) -> None:
    serve(world, 1, INCOME)
    world.ask(drift=drift("age"))
    serve(world, 2, INCOME, AGE)
    assert world.serving == 2
    world.judge(2, revoked=True)
    world.settle()
    assert world.serving == 1, "a revocation waits for no feature"
    world.traffic(CALM)
    world.settle()
    assert world.condition("DriftDetected") == "False/NoDrift"
