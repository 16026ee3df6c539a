"""A run whose operator is killed at each write, while the policy, the store or a name changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from hallmark.api import names
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.cluster.kinds import (
    CONFIG_MAP,
    JOB,
    MODEL_VERSION,
    POD,
    TRAINING_RUN,
    Kind,
    Obj,
)
from tests.unit.controllers.deployment_world import FolderStores
from tests.unit.controllers.memory_cluster import Killed
from tests.unit.controllers.version_world import SPACE, SYSTEM, VersionWorld
from tests.unit.policies.training_run import runs

SEAL = names.seal_job_name(SPACE, runs.NAME, runs.UID)
NUMBERS = f"{runs.MODEL}-versions"
MOST_WRITES = 6
"""As many as the operator makes in any of these stories."""


class RunWorld(VersionWorld):
    """A run that was trained, and whose sealing Job has ended well."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        bundle = runs.bundle()
        place = folder / names.model_prefix(SPACE, runs.MODEL, bundle.digest)
        (place / "model.sigstore.json").write_text(bundle.signature)
        metadata = {"name": runs.NAME, "namespace": SPACE, "uid": runs.UID}
        wire = runs.trained().to_wire()
        created = {"creationTimestamp": "2026-06-01T11:00:00Z"}
        self.put_raw({**wire, "metadata": {**metadata, **created}})
        labels = {names.LABEL_RUN_UID: runs.UID}
        template = {"spec": {"containers": [{"image": "operator:1"}]}}
        complete = {"conditions": [{"type": "Complete", "status": "True"}]}
        seal = {"name": SEAL, "namespace": SYSTEM, "uid": "seal-uid", "labels": labels}
        self.put_raw(
            {**frame(JOB), "metadata": seal, "spec": {"template": template}, "status": complete}
        )
        ended = {"exitCode": 0, "message": bundle.sealed.to_bytes().decode()}
        owner = {"uid": "seal-uid", "controller": True}
        labels = {names.LABEL_JOB_NAME: SEAL}
        pod = {"name": "seal-1", "namespace": SYSTEM, "labels": labels, "ownerReferences": [owner]}
        status = {"containerStatuses": [{"image": "operator:1", "state": {"terminated": ended}}]}
        self.put_raw({**frame(POD), "metadata": pod, "status": status})

    async def work(self, looks: int = 3) -> None:
        """Look at the run some times, each time from what the cluster says."""
        for _ in range(looks):
            for obj in list(self.cluster.objects.values()):
                kind = dispatch_kind(obj)
                if kind is not None:
                    self.operator.cache.observe(kind, obj)
            await self.look(runs.NAME, TRAINING_RUN)

    def restart(self) -> None:
        """Start another operator, which knows what the cluster and the log say."""
        self.cluster.die_at = None
        self.operator = self._operator(FolderStores(self.folder))

    def last_outcome(self, event: AuditEvent) -> str:
        """Return what the log says last; empty where it says nothing."""
        said = [found for found in self.ledger.records.values() if found.event == event]
        return said[-1].outcome if said else ""


def frame(kind: Kind) -> Obj:
    return {"apiVersion": kind.api_version, "kind": kind.kind}


def dispatch_kind(obj: Obj) -> Kind | None:
    """Return the kind of an object that the version's world does not watch."""
    return next((kind for kind in (TRAINING_RUN, JOB, POD) if obj["kind"] == kind.kind), None)


def nothing(world: RunWorld) -> None:
    """Change nothing."""
    del world


def raise_the_floor(world: RunWorld) -> None:
    floor = {"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.99"}
    world.rule(gates=[floor])


def distrust(world: RunWorld) -> None:
    world.rule(signers=[{**runs.trusted().to_wire(), "revokedAt": "2026-05-01T00:00:00Z"}])


def mend(world: RunWorld) -> None:
    world.rule()


def take_the_name(world: RunWorld) -> None:
    world.put_raw({**frame(CONFIG_MAP), "metadata": {"name": NUMBERS, "namespace": SPACE}})


def free_the_name(world: RunWorld) -> None:
    world.remove(CONFIG_MAP, SPACE, NUMBERS)


Change = Callable[[RunWorld], None]


@pytest.mark.parametrize("die_at", range(1, MOST_WRITES + 1))
@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [
        (nothing, nothing),
        (nothing, raise_the_floor),
        (nothing, distrust),
        (raise_the_floor, mend),
        (distrust, mend),
        (take_the_name, raise_the_floor),
        (take_the_name, free_the_name),
    ],
    ids=lambda change: change.__name__.replace("_", " "),
)
async def test_the_log_says_what_became_of_a_run_wherever_the_operator_is_killed(
    tmp_path: Path, before: Change, meanwhile: Change, die_at: int
) -> None:
    world = RunWorld(tmp_path)
    before(world)
    await killed_at(world, die_at)
    meanwhile(world)
    await world.work()
    the_log_says_what_shows(world)


@pytest.mark.parametrize("writes", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1)])
@pytest.mark.parametrize(
    "changes",
    [
        (nothing, raise_the_floor, mend),
        (nothing, distrust, mend),
        (nothing, distrust, raise_the_floor),
        (raise_the_floor, mend, raise_the_floor),
        (distrust, mend, distrust),
        (nothing, distrust, mend, distrust, mend),
        (nothing, raise_the_floor, mend, distrust, mend),
    ],
    ids=lambda changes: ", ".join(change.__name__ for change in changes),
)
async def test_and_however_often_the_decision_became_another_one_meanwhile(
    tmp_path: Path, changes: tuple[Change, ...], writes: tuple[int, int]
) -> None:
    """The operator is killed after each of them, before it takes effect or later."""
    world = RunWorld(tmp_path)
    for number, change in enumerate(changes):
        change(world)
        if number < len(changes) - 1:
            await killed_at(world, writes[number % 2])
    await world.work()
    the_log_says_what_shows(world)
    before = list(world.ledger.records)
    await world.work()
    assert list(world.ledger.records) == before, "nothing is recorded anew"


async def killed_at(world: RunWorld, die_at: int) -> None:
    """Let the operator work until that write, and another one start."""
    world.cluster.die_at = world.cluster.writes + die_at
    with suppress(Killed):
        await world.work()
    world.restart()


def the_log_says_what_shows(world: RunWorld) -> None:
    is_sealed = (MODEL_VERSION.kind + MODEL_VERSION.api_version, SPACE, runs.NAME) in (
        world.cluster.objects
    )
    shown = world.shown(runs.NAME, TRAINING_RUN)["Ready"]
    assert shown.startswith("True/Sealed") is is_sealed
    sealed = world.last_outcome(AuditEvent.SEAL) == AuditOutcome.SEALED
    passed = world.last_outcome(AuditEvent.GATE) == AuditOutcome.PASSED
    assert (sealed and passed) is is_sealed
    if not is_sealed and "ForeignObject" not in shown:
        refused = {world.last_outcome(event) for event in (AuditEvent.SEAL, AuditEvent.GATE)}
        assert AuditOutcome.REFUSED in refused
