"""The stages of a rollout, counted again from the log: what is honest holds, what is forged not.

The honest records are the real controller's, in a world in memory; that world holds each of its
own records against its numbers, too, whatever happens in it (``deployment_promises.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.canary import CanaryCounts
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.packed import packed
from hallmark.api.texts import timestamp
from hallmark.audit.record import FIRST_PREVIOUS, AuditRecord, Record, build_record
from hallmark.policies.model_deployment.intent import intent_hash
from hallmark.policies.model_deployment.stage import Stage
from hallmark.policies.model_version.demands import Demands, read_demands
from hallmark.verification.links import Link, State
from hallmark.verification.stages import sentence, stage_links, stages_before
from tests.unit.controllers import test_deployment_route as by_route
from tests.unit.controllers.deployment_seen import BASELINE, CALM, SHIFTED
from tests.unit.controllers.deployment_world import World, with_candidate
from tests.unit.controllers.test_deployment_canary import BASE, STRATEGY as CANARY, pass_step
from tests.unit.controllers.test_deployment_mirror import STRATEGY as MIRROR, compared, pass_mirror
from tests.unit.policies.model_deployment.rollouts import NOW

FLOORS = {"canary": {"maxStep": 50, "minPause": "20s", "drift": True}}
BOTH = {**CANARY, "mirror": MIRROR["mirror"]}
Change = Callable[[dict[str, Any]], object]
"""Changes a stage as it stands in a record, as JSON."""


@dataclass(frozen=True)
class Chain:
    """The records about one ModelDeployment."""

    records: tuple[Record, ...]
    policies: dict[str, ModelPolicySpec]

    def links(self, *, whole: bool = True, baseline: bool = True) -> list[Link]:
        """Return what the verifier finds."""
        lines = list(self.lines())
        digests = {line.details.get("manifestDigest", "") for line in lines}
        found = stage_links(
            lines,
            whole=whole,
            baselines=dict.fromkeys(digests, BASELINE) if baseline else {},
            policies=self.policies,
        )
        return list(found)

    def lines(self) -> Iterator[AuditRecord]:
        """Yield them as they stand in the log."""
        for seq, record in enumerate(self.records, 1):
            yield build_record(record, seq, timestamp(NOW), FIRST_PREVIOUS)

    def places(self, reason: str = "") -> list[int]:
        """Return where records are that end a stage, or those of a reason."""
        return [
            place
            for place, record in enumerate(self.records)
            if (stage := stage_in(record)) is not None
            and (record.reason == reason if reason else stage.step or stage.copies)
        ]

    def forged(self, place: int, change: Change) -> Chain:
        """Return the records with the numbers of one of them changed."""
        demands = read_demands(self.records[place].evidence)
        assert demands is not None
        wire = demands.to_wire()
        change(wire["stage"])
        return self.at(place, evidence=packed(Demands.model_validate(wire).to_wire()))

    def at(self, place: int, **fields: Any) -> Chain:  # noqa: ANN401
        """Return the records with fields of one of them changed."""
        changed = replace(self.records[place], **fields)
        return replace(self, records=(*self.records[:place], changed, *self.records[place + 1 :]))

    def without(self, place: int) -> Chain:
        """Return the records but for one."""
        return replace(self, records=(*self.records[:place], *self.records[place + 1 :]))


def stage_in(record: Record) -> Stage | None:
    demands = read_demands(record.evidence)
    return demands.stage if demands else None


def kept_in(record: Record) -> Stage:
    stage = stage_in(record)
    assert stage is not None
    return stage


def chain(world: World) -> Chain:
    policy = world.policy.spec
    return Chain(tuple(world.ledger.records.values()), {policy.digest: policy})


def watched(folder: Path, strategy: dict[str, Any]) -> World:
    """Return a world under a policy that demands steps, in which version 2 is on its way."""
    world = World(folder, replicas=3, strategy=strategy)
    world.set_policy(rollout=FLOORS)
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    world.seal(2)
    world.settle()
    return world


def in_steps(world: World) -> Chain:
    for _ in range(4):
        pass_step(world)
    assert world.serving == 2
    return chain(world)


def pods(folder: Path) -> Chain:
    return in_steps(watched(folder, CANARY))


def copies_first(folder: Path) -> Chain:
    world = watched(folder, BOTH)
    pass_mirror(world)
    return in_steps(world)


def copies(folder: Path) -> Chain:
    world = with_candidate(folder, MIRROR, replicas=3)
    pass_mirror(world)
    assert world.serving == 2
    return chain(world)


def route(folder: Path) -> Chain:
    world = by_route.started(folder)
    for _ in range(3):
        by_route.pass_step(world)
    assert world.serving == 2
    return chain(world)


MANNERS = {"Pods": pods, "a route": route, "a mirror": copies, "a mirror, then Pods": copies_first}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Chain]:
    return {name: made(tmp_path_factory.mktemp("world")) for name, made in MANNERS.items()}


def broken(links: list[Link]) -> list[Link]:
    return [link for link in links if link.state is State.BROKEN]


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

PAIRS = {"requests": "failed", "rows": "rejected", "timed": "late"}


def of_step(*, few: str = "", bad: str = "") -> Change:
    """Return a change after which too little of something came, or too much of it is bad."""

    def change(stage: dict[str, Any]) -> None:
        for counts in (stage["step"]["all"], stage["step"]["fair"]):
            if few:
                counts[few] = counts[PAIRS[few]] = 0
            if bad:
                counts[PAIRS[bad]] = counts[bad]

    return change


COPIES = {"requests": "failed", "taken": "refused", "rows": "other"}
BY_BOUND = {"timed": "late", "scored": "apart"}


def of_copies(*, few: str = "", bad: str = "") -> Change:
    def change(stage: dict[str, Any]) -> None:
        for counts in (stage["copies"]["record"]["all"], stage["copies"]["record"]["fair"]):
            parts = COPIES | BY_BOUND
            if few:
                nothing: Any = [] if few in BY_BOUND else 0
                counts[few] = counts[parts[few]] = nothing
            if bad:
                counts[parts[bad]] = counts[bad]

    return change


def crashes(part: str) -> Change:
    pod = {"name": "credit-0", "exitCode": 137, "endedAt": "2099-01-01T00:00:00.000000Z"}
    return lambda stage: stage[part].update(crashed=pod)


def shorter(stage: dict[str, Any]) -> None:
    stage["until"] = stage["since"]


STEP: dict[str, Change] = {
    **{f"too few {few}": of_step(few=few) for few in PAIRS},
    **{f"bad {bad}": of_step(bad=bad) for bad in PAIRS},
    "drift": lambda stage: stage["step"].update(drift="Drift"),
    "drift where no Pod had windows": lambda stage: stage["step"].update(
        drift="Drift", voters=0, counts=None
    ),
    "a crash": crashes("step"),
    "a shorter pause": shorter,
}
MIRRORED: dict[str, Change] = {
    **{f"too few {few}": of_copies(few=few) for few in COPIES | BY_BOUND},
    **{f"bad {bad}": of_copies(bad=bad) for bad in COPIES | BY_BOUND},
    "a crash": crashes("copies"),
    "a shorter pause": shorter,
}


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


def asks(**strategy: Any) -> Change:  # noqa: ANN401
    return lambda stage: stage["spec"]["strategy"].update(strategy)


def looser(block: str, **limits: Any) -> Change:  # noqa: ANN401
    def change(stage: dict[str, Any]) -> None:
        stage["spec"]["strategy"][block].setdefault("analysis", {}).update(limits)

    return change


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
