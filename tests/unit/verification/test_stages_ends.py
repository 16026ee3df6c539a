"""How stages end, counted again from the log: failures, people, bakes, and what is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.packed import packed
from hallmark.policies.model_version.demands import read_demands
from hallmark.verification.links import State
from hallmark.verification.stage_numbers import sentence
from hallmark.verification.stages import stages_before
from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World, with_candidate
from tests.unit.controllers.test_deployment_canary import BASE, STRATEGY as CANARY, pass_step
from tests.unit.controllers.test_deployment_mirror import STRATEGY as MIRROR, compared
from tests.unit.verification.stage_chains import (
    BY_BOUND,
    COPIES,
    MANNERS,
    PAIRS,
    STEP,
    Chain,
    Change,
    asks,
    broken,
    chain,
    honest,
    in_steps,
    shorter,
    stage_in,
    watched,
)

__all__ = ["honest"]


# -- failures -----------------------------------------------------------------------------------

FAILURES: dict[str, Callable[[World], None]] = {
    "it rejects rows": lambda world: world.report(2, CALM, refused=100),
    "its rows have drifted": lambda world: world.report(2, SHIFTED),
    "it fails requests": lambda world: world.report(2, CALM, failed=5),
    "it is slow": lambda world: world.report(2, CALM, slow=25),
    "it crashes": lambda world: world.crash(2),
}
DISAGREES: dict[str, Callable[[World], None]] = {
    "other labels": lambda world: compared(world, other=40),
    "other scores": lambda world: compared(world, apart=80),
    "it fails": lambda world: compared(world, failed=40),
    "it refuses": lambda world: compared(world, refused=40),
    "it is slow": lambda world: compared(world, late=80),
    "it crashes": lambda world: world.crash(2),
}


def whole_of_calm(chain: Chain, place: int) -> Chain:
    """Return the records with a failure's numbers in which nothing speaks against the version."""

    def change(stage: dict[str, Any]) -> None:
        if "step" in stage:
            step = stage["step"]
            step.update(all=step["fair"], crashed=None, drift="Inconclusive", counts=None, voters=0)
            for counts in (step["all"], step["fair"]):
                counts.update(dict.fromkeys(PAIRS.values(), 0))
        else:
            stage["copies"]["crashed"] = None
            record = stage["copies"]["record"]
            for counts in (record["all"], record["fair"]):
                counts.update(dict.fromkeys(COPIES.values(), 0))
                for of, found in BY_BOUND.items():
                    counts[found] = [0] * len(counts[of])

    return chain.forged(place, change)


@pytest.mark.parametrize("fails", FAILURES)
@pytest.mark.parametrize("number", [0, 1], ids=["in the first step", "in the second"])
def test_a_canarys_failure_follows_from_its_numbers(
    tmp_path: Path, number: int, fails: str
) -> None:
    world = with_candidate(tmp_path, CANARY, replicas=3)
    for _ in range(number):
        pass_step(world)
    FAILURES[fails](world)
    world.settle()
    check_failure(chain(world), "CanaryFailed")


@pytest.mark.parametrize("fails", DISAGREES)
def test_a_mirrors_failure_follows_from_its_numbers(tmp_path: Path, fails: str) -> None:
    world = with_candidate(tmp_path, MIRROR, replicas=3)
    DISAGREES[fails](world)
    world.settle()
    check_failure(chain(world), "MirrorFailed")


def check_failure(found: Chain, reason: str) -> None:
    assert {link.state for link in found.links()} == {State.HOLDS}
    [place] = found.places(reason)
    [wrong] = broken(whole_of_calm(found, place).links())
    assert wrong.name == f"stage (record {place + 1})"
    assert "speak against" in wrong.said
    other = {"CanaryFailed": "MirrorFailed", "MirrorFailed": "CanaryFailed"}[reason]
    assert broken(found.at(place, reason=other).links())


# -- people -------------------------------------------------------------------------------------


def let_through(folder: Path, *, demanded: bool) -> World:
    world = watched(folder, CANARY) if demanded else with_candidate(folder, CANARY, replicas=3)
    world.act("promote", "promote-1")
    world.settle()
    return world


def test_who_is_let_through_by_a_person_is_held_to_no_number(tmp_path: Path) -> None:
    world = let_through(tmp_path, demanded=False)
    assert world.serving == 2
    found = chain(world)
    assert [link.state for link in found.links()] == [State.HOLDS]
    [action] = [n for n, record in enumerate(found.records) if record.event == "action"]
    assert "a person promoted" in broken(found.without(action).links())[0].said
    promoted = found.places("Promoted")[-1]
    assert broken(found.forged(promoted, lambda stage: stage.update(released=False)).links())


def test_who_is_let_through_where_steps_are_demanded_is_held_to_all(tmp_path: Path) -> None:
    world = let_through(tmp_path, demanded=True)
    assert world.serving == 1
    found = in_steps(world)
    assert len(found.links()) == 3
    assert not broken(found.links())
    assert broken(found.forged(found.places()[0], STEP["bad rows"]).links())


def test_where_a_person_must_promote_it_is_on_record(tmp_path: Path) -> None:
    world = World(tmp_path, replicas=1, strategy=BASE, suspend=True)
    world.set_policy(rollout={"manual": True})
    for number in (1, 2):
        world.seal(number)
        world.settle()
        world.act("promote", f"promote-{number}")
        world.settle()
        assert world.serving == number
    found = chain(world)
    assert [link.said for link in found.links()] == ["none has ended"]
    for place, record in enumerate(found.records):
        if record.event == "action":
            assert "a person promoted" in broken(found.without(place).links())[0].said


# -- bake, and what is told -----------------------------------------------------------------------

EARLY: dict[str, Change] = {
    "too short": shorter,
    "since before it served": lambda stage: stage.update(since="2001-01-01T00:00:00.000000Z"),
    "of another version": lambda stage: stage.update(manifestDigest="sha256:" + "9" * 64),
    "a longer bake was asked for": asks(bake="1h"),
}


@pytest.mark.parametrize("forged", EARLY)
def test_what_became_stable_too_early_is_found(honest: dict[str, Chain], forged: str) -> None:
    found = honest["Pods"]
    baked = [n for n, record in enumerate(found.records) if record.outcome == "stable"]
    assert len(baked) == 2
    for place in baked:
        [wrong] = broken(found.forged(place, EARLY[forged]).links())
        assert wrong.name == f"stage (record {place + 1})"


@pytest.mark.parametrize("manner", MANNERS)
def test_what_was_counted_before_a_promotion_is_told(honest: dict[str, Chain], manner: str) -> None:
    lines = list(honest[manner].lines())
    first, second = (line for line in lines if line.outcome == "promoted")
    assert not list(stages_before(lines, first))
    told = [(record.seq - 1, sentence(stage)) for record, stage in stages_before(lines, second)]
    assert [place for place, _ in told] == honest[manner].places()
    assert any(" 0 failed" in said for _, said in told)


# -- what is not here -----------------------------------------------------------------------------


@pytest.mark.parametrize("manner", MANNERS)
def test_records_of_a_former_release_are_dashes(honest: dict[str, Chain], manner: str) -> None:
    found = honest[manner]
    stages = [place for place, record in enumerate(found.records) if stage_in(record)]
    former = found
    for place in stages:
        demands = read_demands(found.records[place].evidence)
        assert demands is not None
        gives = found.records[place].outcome == "promoted"
        told = packed(demands.replace(stage=None).to_wire()) if gives else ""
        former = former.at(place, evidence=told)
    links = former.links()
    assert {link.state for link in links} == {State.OPEN}
    assert len(links) == len(found.places())
    assert all("does not keep the numbers" in link.said for link in links)
    for place in stages:  # The operator was renewed in the middle.
        later = former
        for renewed in stages:
            if renewed >= place:
                later = later.at(renewed, evidence=found.records[renewed].evidence)
        assert not broken(later.links())


@pytest.mark.parametrize("manner", MANNERS)
def test_what_came_before_may_be_gone(honest: dict[str, Chain], manner: str) -> None:
    found = honest[manner]
    for kept in range(1, len(found.records)):
        rest = replace(found, records=found.records[kept:])
        assert not broken(rest.links(whole=False))


def test_without_the_baseline_drift_is_a_dash(honest: dict[str, Chain]) -> None:
    first, second, _ = honest["Pods"].links(baseline=False)
    assert (first.state, second.state) == (State.OPEN, State.OPEN)
    assert "cannot be made again" in first.said


def test_a_drift_verdict_that_its_counts_do_not_give_is_found(tmp_path: Path) -> None:
    world = with_candidate(tmp_path, CANARY, replicas=3)
    world.report(2, SHIFTED)
    world.settle()
    found = chain(world)
    [place] = found.places("CanaryFailed")
    denied = found.forged(place, lambda stage: stage["step"].update(drift="NoDrift"))
    assert "Pods drift" in broken(denied.links())[0].said
    [unproved] = found.links(baseline=False)
    assert unproved.state is State.OPEN
