"""Records of rollouts to forge: honest ones, as the real controller writes them, and changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.packed import packed
from hallmark.api.texts import timestamp
from hallmark.audit.record import FIRST_PREVIOUS, AuditRecord, Record, build_record
from hallmark.policies.model_deployment.stage import Stage
from hallmark.policies.model_version.demands import Demands, read_demands
from hallmark.verification.links import Link, State
from hallmark.verification.stages import stage_links
from tests.unit.controllers import test_deployment_route as by_route
from tests.unit.controllers.deployment_seen import BASELINE
from tests.unit.controllers.deployment_world import World, with_candidate
from tests.unit.controllers.test_deployment_canary import STRATEGY as CANARY, pass_step
from tests.unit.controllers.test_deployment_mirror import STRATEGY as MIRROR, pass_mirror
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


def asks(**strategy: Any) -> Change:  # noqa: ANN401
    return lambda stage: stage["spec"]["strategy"].update(strategy)


def looser(block: str, **limits: Any) -> Change:  # noqa: ANN401
    def change(stage: dict[str, Any]) -> None:
        stage["spec"]["strategy"][block].setdefault("analysis", {}).update(limits)

    return change
