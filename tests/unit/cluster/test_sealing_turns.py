"""Whose turn it is to be sealed."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from hallmark.api import names
from hallmark.api.texts import timestamp
from hallmark.api.training_run import RunCondition, TrainingRun
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.gather.sealing import sealing_queue
from hallmark.cluster.kinds import JOB, MODEL_VERSION, POD, TRAINING_RUN, Kind, Obj
from hallmark.policies.training_run.decide import POLL_SECONDS, decide_run
from hallmark.policies.training_run.inputs import SealingJob
from hallmark.policies.training_run.turns import (
    MOST_COUNTED,
    MOST_SEALING,
    NOTHING_BEFORE,
    SealingQueue,
)
from hallmark.resources.jobs import sealing_labels
from tests.examples import examples
from tests.unit.policies.training_run import runs
from tests.unit.supply_chain.factories import NOW

SYSTEM = "hallmark-system"


@pytest.mark.parametrize("running", range(MOST_SEALING + 2))
@pytest.mark.parametrize("waiting", range(MOST_SEALING + 2))
def test_a_run_is_sealed_or_says_that_it_waits(running: int, waiting: int) -> None:
    queue = SealingQueue(running, waiting)
    decided = decide_run(runs.inputs(run=runs.trained(), sealing=queue))
    ready = next(found for found in decided.decision.conditions if found.type == "Ready")
    if running + waiting < MOST_SEALING:
        assert isinstance(decided.wanted, SealingJob)
        assert ready.reason == "Sealing"
    else:
        assert decided.wanted is None
        assert ready.reason == "SealingQueued"
        assert "namespace 'bank'" in ready.message
        assert decided.decision.requeue
        reasons = {found.type: found.status for found in decided.decision.conditions}
        assert reasons["Reconciling"] == "True"
        assert RunCondition.SEALED not in reasons


def test_what_is_being_sealed_waits_for_nobody() -> None:
    full = SealingQueue(MOST_SEALING, MOST_COUNTED)
    decided = decide_run(runs.inputs(run=runs.trained(), sealing=full, seal_job=runs.job()))
    assert decided.decision.conditions[0].reason == "Sealing"


def test_who_is_far_behind_is_looked_at_seldom() -> None:
    looks = [SealingQueue(0, waiting).look_again(POLL_SECONDS) for waiting in range(2000)]
    assert looks == sorted(looks)
    assert (looks[0], looks[-1]) == (POLL_SECONDS, POLL_SECONDS * (1 + MOST_COUNTED // 4))
    assert sum(1 / look for look in looks[:1000]) < 30, "looks per second of a thousand runs"


class World:
    """Trained runs of some namespaces, and their sealing Jobs, as the cache knows them."""

    def __init__(self) -> None:
        self.cache = ObjectCache()
        self.version = 0
        self.jobs: dict[str, Obj] = {}

    def put(self, kind: Kind, obj: Obj) -> None:
        """Take an object as it was watched."""
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.cache.observe(kind, obj)

    def run(self, space: str, number: int, **status: object) -> TrainingRun:
        """Make a trained run; a greater number is younger."""
        wire = runs.trained().to_wire()
        metadata = {
            "name": f"run-{number % 7}-{number}",
            "namespace": space,
            "uid": f"{space}-{number}",
            "generation": 1,
            "creationTimestamp": f"2026-06-01T{number // 3600:02}:{number // 60 % 60:02}:"
            f"{number % 60:02}Z",
        }
        obj = {**wire, "metadata": metadata, "status": {**wire["status"], **status}}
        self.put(TRAINING_RUN, obj)
        return TrainingRun.model_validate(obj)

    def seal(self, run: TrainingRun, *, ended: bool = False) -> None:
        """Make a run's sealing Job, or end it."""
        space, name, uid = run.metadata.namespace, run.metadata.name, run.metadata.uid
        conditions = [{"type": "Complete", "status": "True"}] if ended else []
        template = {"spec": {"containers": [{"image": "operator:1"}]}}
        self.put(
            JOB,
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {
                    "name": names.seal_job_name(space, name, uid),
                    "namespace": SYSTEM,
                    "uid": f"job-{uid}",
                    "labels": sealing_labels(space, name, uid),
                },
                "spec": {"template": template},
                "status": {"conditions": conditions},
            },
        )

    def start_pod(self, run: TrainingRun, namespace: str = SYSTEM, **metadata: str) -> None:
        """Let the Job controller make the Pod that seals a run."""
        space, name, uid = run.metadata.namespace, run.metadata.name, run.metadata.uid
        labels = sealing_labels(space, name, uid)
        made = {"name": f"seal-{uid}", "namespace": namespace, "uid": f"pod-{uid}", **metadata}
        self.put(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": {**made, "labels": labels}})

    def remove(self, kind: Kind, run: TrainingRun) -> None:
        """Delete a run, its sealing Job or its Pod."""
        space, name, uid = run.metadata.namespace, run.metadata.name, run.metadata.uid
        place = {
            TRAINING_RUN: (space, name),
            JOB: (SYSTEM, names.seal_job_name(space, name, uid)),
            POD: (SYSTEM, f"seal-{uid}"),
        }[kind]
        self.version += 1
        gone = {"namespace": place[0], "name": place[1], "resourceVersion": str(self.version)}
        self.cache.remove(kind, {"metadata": gone})

    def before(self, run: TrainingRun) -> SealingQueue:
        """Return what is before a run."""
        return sealing_queue(self.cache, SYSTEM, run, NOW)


@examples(100)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 40))
def test_in_any_order_of_looks_no_more_run_and_each_has_its_turn_by_age(
    seed: int, count: int
) -> None:
    """Several are looked at before any of their Jobs is seen; each look starts from the cluster."""
    drawn, world = random.Random(seed), World()  # noqa: S311 - not for secrets
    waiting = [world.run("author", number) for number in range(count)]
    other = world.run("bank", 0)
    sealing = list[TrainingRun]()
    order = list[str]()
    while waiting or sealing:
        assert world.before(other).is_open or other.metadata.uid in order, "no namespace waits"
        looked = drawn.sample(waiting, drawn.randint(0, len(waiting)))
        begun = [run for run in looked if world.before(run).is_open]
        for run in begun:
            world.seal(run)
            waiting.remove(run)
        sealing += begun
        assert len(sealing) <= MOST_SEALING
        order += [run.metadata.uid for run in begun]
        if sealing and drawn.random() < 0.7:
            ended = sealing.pop(drawn.randrange(len(sealing)))
            world.seal(ended, ended=True)
    ages = [int(uid.rpartition("-")[2]) for uid in order]
    # Who is not looked at keeps one place free, and no more.
    assert all(age - place < MOST_SEALING for place, age in enumerate(ages))
    assert len(order) == count


def test_a_thousand_runs_of_one_author_hold_up_no_other_namespace() -> None:
    world = World()
    author = [world.run("author", number) for number in range(1000)]
    assert [run for run in author if world.before(run).is_open] == author[:MOST_SEALING]
    assert world.before(author[-1]) == SealingQueue(0, MOST_COUNTED)
    assert world.before(world.run("bank", 2000)) == NOTHING_BEFORE


def test_who_deletes_runs_that_are_sealed_has_no_more_of_them_at_the_same_time() -> None:
    """A Job goes with its run, at once; its Pod ends when it has heard of it."""
    world = World()
    next_one, other = world.run("author", 100), world.run("bank", 0)
    for number in range(MOST_SEALING):
        run = world.run("author", number)
        world.seal(run)
        world.start_pod(run)
        assert world.before(next_one).running == number + 1
        world.remove(TRAINING_RUN, run)
        assert world.before(next_one).running == number + 1, "by its Job"
        world.remove(JOB, run)
        assert world.before(next_one).running == number + 1, "by its Pod"
        world.start_pod(run, deletionTimestamp=timestamp(NOW + timedelta(seconds=30)))
        assert world.before(next_one).running == number + 1, "which is told to end"
    assert not world.before(next_one).is_open
    assert world.before(other) == NOTHING_BEFORE
    world.remove(POD, run)
    assert world.before(next_one).is_open


def test_a_pod_of_a_lost_node_and_one_that_is_elsewhere_hold_up_nobody() -> None:
    world = World()
    for number in range(MOST_SEALING):
        lost, forged = world.run("author", number), world.run("author", 10 + number)
        gone = timestamp(NOW - timedelta(seconds=1))
        world.start_pod(lost, deletionTimestamp=gone)
        world.start_pod(forged, "author")
        for run in (lost, forged):
            world.remove(TRAINING_RUN, run)
    assert world.before(world.run("author", 100)) == NOTHING_BEFORE


def test_the_job_of_a_run_that_has_its_name_now_is_another_ones() -> None:
    world = World()
    for number in range(MOST_SEALING):
        former = world.run("author", number)
        world.seal(former)
        world.remove(TRAINING_RUN, former)
    again = world.run("author", 0)
    again = again.replace(metadata=again.metadata.model_copy(update={"uid": "another"}))
    assert world.before(again).running == MOST_SEALING


@pytest.mark.parametrize(
    "status",
    [
        {"completionTime": "2026-06-01T12:00:00Z"},
        {"manifestDigest": None},
        {"conditions": [{"type": "Stalled", "status": "True"}]},
    ],
    ids=["has ended", "is not trained", "is stalled"],
)
def test_what_is_not_to_be_sealed_holds_up_nobody(status: dict[str, object]) -> None:
    world = World()
    for number in range(10):
        wire = runs.trained().to_wire()
        metadata = {"name": f"r{number}", "namespace": "bank", "uid": f"u{number}"}
        world.put(
            TRAINING_RUN, {**wire, "metadata": metadata, "status": {**wire["status"], **status}}
        )
    assert world.before(world.run("bank", 20)) == NOTHING_BEFORE


def test_nor_does_what_is_sealed_or_deleted() -> None:
    world = World()
    for number in range(5):
        sealed = world.run("bank", number).metadata
        version = {"name": sealed.name, "namespace": "bank", "uid": f"v{number}"}
        world.put(
            MODEL_VERSION,
            {"apiVersion": "hallmark.dev/v1alpha1", "kind": "ModelVersion", "metadata": version},
        )
    gone = runs.trained().to_wire()
    for number in range(5):
        metadata = {
            "name": f"gone{number}",
            "namespace": "bank",
            "uid": f"gone{number}",
            "deletionTimestamp": "2026-06-01T12:00:00Z",
        }
        world.put(TRAINING_RUN, {**gone, "metadata": metadata})
    assert world.before(world.run("bank", 20)) == NOTHING_BEFORE


def test_of_two_that_were_created_in_the_same_second_one_is_first() -> None:
    world = World()
    wire = runs.trained().to_wire()
    found = []
    for name in ("a", "b"):
        metadata = {
            "name": name,
            "namespace": "bank",
            "uid": name,
            "generation": 1,
            "creationTimestamp": "2026-06-01T11:00:00Z",
        }
        world.put(TRAINING_RUN, {**wire, "metadata": metadata})
        found.append(TrainingRun.model_validate({**wire, "metadata": metadata}))
    assert [world.before(run).waiting for run in found] == [0, 1]
