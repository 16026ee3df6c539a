"""The stages of a rollout, counted again from the log: what is honest holds, what is forged not.

The honest records are the real controller's, in a world in memory; that world holds each of its
own records against its numbers, too, whatever happens in it (``deployment_promises.py``).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.canary import CanaryCounts
from hallmark.api.packed import packed
from hallmark.policies.model_deployment.intent import intent_hash
from hallmark.policies.model_version.demands import read_demands
from hallmark.verification.links import State
from hallmark.verification.stages import stages_before
from tests.unit.controllers.test_deployment_canary import STRATEGY as CANARY, pass_step
from tests.unit.verification.stage_chains import (
    MANNERS,
    MIRRORED,
    STEP,
    Chain,
    Change,
    asks,
    broken,
    honest,
    in_steps,
    kept_in,
    looser,
    stage_in,
    watched,
)

__all__ = ["honest"]


@pytest.mark.parametrize("manner", MANNERS)
def test_each_stage_of_an_honest_promotion_is_counted_again(
    honest: dict[str, Chain], manner: str
) -> None:
    found = honest[manner]
    links = found.links()
    assert {link.state for link in links} == {State.HOLDS}
    assert [link.name for link in links] == [
        f"stage (record {place + 1})" for place in found.places()
    ]
    assert len(links) == {"a mirror": 1, "a mirror, then Pods": 4}.get(manner, 3)


# -- forged numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("forged", STEP)
@pytest.mark.parametrize("manner", ["Pods", "a route", "a mirror, then Pods"])
def test_a_step_whose_numbers_do_not_let_it_pass_is_found(
    honest: dict[str, Chain], manner: str, forged: str
) -> None:
    found = honest[manner]
    *steps, last = [place for place in found.places() if kept_in(found.records[place]).step]
    for place in steps:
        wrong = broken(found.forged(place, STEP[forged]).links())
        assert f"stage (record {place + 1})" in {link.name for link in wrong}
    links = broken(found.forged(last, STEP[forged]).links())
    assert bool(links) is (not forged.startswith("too few") and forged != "a shorter pause"), (
        "while all Pods start nothing is waited for"
    )


@pytest.mark.parametrize("forged", MIRRORED)
@pytest.mark.parametrize("manner", ["a mirror", "a mirror, then Pods"])
def test_a_mirror_whose_numbers_do_not_let_it_pass_is_found(
    honest: dict[str, Chain], manner: str, forged: str
) -> None:
    found = honest[manner]
    [place] = [n for n in found.places() if kept_in(found.records[n]).copies]
    wrong = broken(found.forged(place, MIRRORED[forged]).links())
    assert f"stage (record {place + 1})" in {link.name for link in wrong}
    assert any("do not let 'credit-v2' go on" in link.said for link in wrong)


# -- forged limits, and other numbers in their place ----------------------------------------------


OTHERS: dict[str, Change] = {
    "no steps are asked for": asks(type="BlueGreen", canary=None, bake="1s"),
    "no copies are asked for": asks(mirror=None, bake="1s"),
    "another version": lambda stage: stage.update(manifestDigest="sha256:" + "9" * 64),
    "other windows": lambda stage: stage["spec"]["drift"].update(window=777),
    "it ended before it began": lambda stage: stage.update(until="2001-01-01T00:00:00.000000Z"),
    "another step begins": lambda stage: stage.update(begins=7),
    "nothing ended": lambda stage: [stage.pop(part, None) for part in ("step", "copies")],
}


@pytest.mark.parametrize("forged", OTHERS)
@pytest.mark.parametrize("manner", MANNERS)
def test_what_is_of_something_else_is_found_in_each_record(
    honest: dict[str, Chain], manner: str, forged: str
) -> None:
    found = honest[manner]
    for place in found.places():
        wrong = broken(found.forged(place, OTHERS[forged]).links())
        assert f"stage (record {place + 1})" in {link.name for link in wrong}


@pytest.mark.parametrize(
    "limits",
    [
        {"minimumRows": 1},
        {"maxRejections": "1"},
        {"minimumRequests": 1},
        {"maxErrors": "1"},
        {"maxLatency": "500ms"},
    ],
    ids=str,
)
def test_forged_limits_are_not_those_of_the_intent(
    honest: dict[str, Chain], limits: dict[str, Any]
) -> None:
    found = honest["a mirror, then Pods"]
    for place in found.places():
        for block in ("canary", "mirror"):
            assert broken(found.forged(place, looser(block, **limits)).links())


def test_limits_that_nothing_can_count_are_found(honest: dict[str, Chain]) -> None:
    found = honest["a mirror"]
    [place] = found.places()
    wild = found.forged(place, looser("mirror", maxLatency="9h", maxScoreDifference="7"))
    demands = read_demands(wild.records[place].evidence)
    assert demands is not None
    assert demands.stage is not None
    intent = intent_hash(demands.stage.manifest_digest, demands.stage.spec)
    for number, record in enumerate(wild.records):
        if record.details.get("intent") == found.records[place].details["intent"]:
            wild = wild.at(number, details={**record.details, "intent": intent})
    wrong = [link.said for link in broken(wild.links()) if link.name.endswith(f"{place + 1})")]
    assert len(wrong) == 1
    assert "cannot be counted" in wrong[0]


@pytest.mark.parametrize("manner", MANNERS)
def test_the_numbers_of_another_stage_are_found(honest: dict[str, Chain], manner: str) -> None:
    found = honest[manner]
    stages = [place for place, record in enumerate(found.records) if stage_in(record)]
    for place in found.places():
        for other in {*stages} - {place}:
            replayed = found.at(place, evidence=found.records[other].evidence)
            assert broken(replayed.links()), (place, other)


@pytest.mark.parametrize("manner", MANNERS)
def test_a_stage_that_is_left_out_is_missed(honest: dict[str, Chain], manner: str) -> None:
    found = honest[manner]
    begun = [n for n, record in enumerate(found.records) if record.outcome == "started"]
    for place in begun:
        assert broken(found.without(place).links())


def test_the_steps_of_an_earlier_attempt_are_none_of_a_later_one(tmp_path: Path) -> None:
    world = watched(tmp_path, CANARY)
    pass_step(world)
    world.judge(2, approvals=())
    world.settle()
    earlier = len(world.ledger.records)
    world.judge(2)
    world.settle()
    found = in_steps(world)
    assert not broken(found.links())
    [replayed] = [place for place in found.places() if place < earlier]
    again = [place for place in found.places() if place > earlier]
    lines = list(found.lines())
    [promoted] = [n for n in again if lines[n].outcome == "promoted"]
    told = stages_before(lines, lines[promoted])
    assert [record.seq - 1 for record, _ in told] == again
    taken = found.at(again[0], evidence=found.records[replayed].evidence)
    assert broken(taken.links())
    assert broken(found.without(again[0]).links())


def test_counts_go_on_where_the_step_before_ended(honest: dict[str, Chain]) -> None:
    def change(stage: dict[str, Any]) -> None:
        for name in CanaryCounts.model_fields:
            stage["step"]["record"][name] = stage["step"]["record"]["fair"][name] = 0

    found = honest["Pods"]
    second = found.places()[1]
    assert "counts that go on" in broken(found.forged(second, change).links())[0].said


# -- demands ------------------------------------------------------------------------------------


def test_what_asked_for_less_than_was_demanded_then_is_found(honest: dict[str, Chain]) -> None:
    found = honest["Pods"]
    for place in found.places():
        demands = read_demands(found.records[place].evidence)
        assert demands is not None
        assert demands.rollout is not None
        floors = demands.rollout
        canary = floors.canary
        assert canary is not None
        stricter = floors.replace(canary=canary.replace(max_step=20))
        wire = demands.replace(rollout=stricter).to_wire()
        forged = found.at(place, evidence=packed(wire))
        assert "names other demands" in broken(forged.links())[0].said
        unknown = replace(forged, policies={})
        assert "Expected spec.strategy.canary.steps.weight" in broken(unknown.links())[0].said
        none = found.at(place, evidence=packed(demands.replace(rollout=None).to_wire()))
        assert "names other demands" in broken(none.links())[0].said


def test_each_record_of_a_stage_is_held_to_the_rules_of_the_policy(
    honest: dict[str, Chain],
) -> None:
    found = honest["Pods"]
    kept = [place for place, record in enumerate(found.records) if stage_in(record)]
    assert {"started", "promoted", "stable"} <= {found.records[n].outcome for n in kept}
    for place in kept:
        demands = read_demands(found.records[place].evidence)
        assert demands is not None
        none = found.at(place, evidence=packed(demands.replace(rollout=None).to_wire()))
        wrong = {link.name: link.said for link in broken(none.links())}
        assert "names other demands" in wrong[f"stage (record {place + 1})"]
