"""The keeper: what stands outside the audit volume, whatever the volume and others do."""

from __future__ import annotations

import asyncio
import errno
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from hallmark.api import names
from hallmark.api.admission.words import audit_anchor
from hallmark.api.texts import timestamp
from hallmark.audit import AuditLog
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.files import head_path, log_files
from hallmark.audit.outside import BREAK_KEY, HEAD_KEY, is_pending
from hallmark.audit.verify import verify_log
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.evidence import EvidenceMemory
from hallmark.bundles.stores import Stores
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.cluster.kinds import CONFIG_MAP, Obj
from hallmark.controllers.event_queue import EventQueue
from hallmark.controllers.keeper import Keeper
from hallmark.controllers.queue import Outcome, WorkQueue
from hallmark.controllers.runtime import Operator, record
from hallmark.controllers.settings import Settings
from hallmark.errors import ArtifactError, HallmarkError
from tests.unit.audit.factories import KEY, PUBLIC, decided
from tests.unit.controllers.memory_cluster import MemoryCluster

SPACE = "hallmark-system"
REVOCATION = decided(
    "a revocation", event=AuditEvent.REVOKE, outcome=AuditOutcome.ACCEPTED, actor="rita"
)
PROMOTION = decided("a promotion")


class World:
    """An operator's audit log on a volume that can be full, and an API server in memory."""

    def __init__(self, folder: Path, **settings: Any) -> None:  # noqa: ANN401
        self.path = folder / "logs" / "secure_mlops.log"
        self.cluster = MemoryCluster()
        self.now = datetime(2026, 6, 1, 12, tzinfo=UTC)
        self.full = False
        self.settings = Settings(
            namespace=SPACE, audit_log=self.path, audit_seconds=0.01, **settings
        )
        self.start()

    def start(self) -> None:
        """Start a process."""

        async def nothing(_: object) -> Outcome:
            return Outcome.DONE

        stores = Stores(self.path)
        self.operator = Operator(
            settings=self.settings,
            cluster=self.cluster,
            cache=ObjectCache(),
            audit=AuditLog(self.path, KEY, clock=lambda: self.now, rotate_at=2500, sync=self._sync),
            queue=WorkQueue(cast("Any", nothing)),
            stores=stores,
            bundles=Bundles(stores),
            drift=DriftMonitor(),
            evidence=EvidenceMemory(),
            events=EventQueue(self.cluster),
            clock=lambda: self.now,
        )
        self.keeper = Keeper(self.operator)
        self.operator.outside, self.operator.hold = self.keeper, self.keeper.hold
        self.cluster.observe = self.operator.observe

    def _sync(self, _: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")

    async def begin(self) -> bool:
        """Do what a start does, once."""
        return await self.keeper._start()

    async def end(self, *, orderly: bool = True) -> None:
        """End the process."""
        if orderly:
            await self.keeper.close()
        self.operator.audit.close()

    async def again(self) -> None:
        """End it orderly, and start another one."""
        await self.end()
        self.start()
        assert await self.begin()

    async def anchor(self) -> Obj:
        """Return the anchor's ConfigMap."""
        found = await self.cluster.get(CONFIG_MAP, SPACE, names.AUDIT_ANCHOR)
        assert found is not None
        return found

    async def anchored(self) -> int:
        """Return the number of the record that is anchored."""
        return int(json.loads((await self.anchor())["data"][HEAD_KEY])["seq"])

    async def acknowledge(self, **changes: str) -> None:
        """Write what a person writes."""
        broken = self.operator.audit.broken
        assert broken is not None
        said = {"break": broken.id, "by": "ada", "reason": "Looked at it.", **changes}
        mark = {"annotations": {names.ANNOTATION_ACKNOWLEDGE: json.dumps(said)}}
        await self.cluster.merge(CONFIG_MAP, SPACE, names.AUDIT_ANCHOR, {"metadata": mark})

    def records(self) -> list[dict[str, Any]]:
        """Return the log."""
        return [
            json.loads(line)
            for file in log_files(self.path)
            for line in file.read_text().splitlines()
        ]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_the_anchor_is_there_before_the_first_record(world: World) -> None:
    assert await world.begin()
    assert await world.anchored() == 0
    assert world.operator.cache.get(CONFIG_MAP, SPACE, names.AUDIT_ANCHOR) is None
    await world.end(orderly=False)


async def test_without_the_api_server_no_log_is_begun(world: World) -> None:
    world.cluster.create = _refuse  # type: ignore[method-assign]
    assert not await world.begin()
    assert not world.keeper.started.is_set()
    await world.end(orderly=False)


async def _refuse(obj: Obj) -> Obj:
    raise HallmarkError(f"{obj['kind']} is refused.")


async def test_it_follows_the_log_and_writes_nothing_else(world: World) -> None:
    assert await world.begin()
    await record(world.operator, (PROMOTION,))
    before = world.cluster.writes
    await world.keeper.turn()
    assert await world.anchored() == 1
    await world.keeper.turn()
    assert world.cluster.writes == before + 1
    await world.end()


@pytest.mark.parametrize("orderly", [True, False])
async def test_a_restart_finds_the_log_whole(world: World, orderly: bool) -> None:
    assert await world.begin()
    await record(world.operator, (PROMOTION, REVOCATION))
    await world.end(orderly=orderly)
    world.start()
    assert await world.begin()
    assert world.operator.audit.broken is None
    assert await world.anchored() == 2
    await world.end()


async def test_a_cut_log_without_a_head_is_not_continued(world: World) -> None:
    assert await world.begin()
    await record(world.operator, (PROMOTION, REVOCATION))
    await world.end()
    world.path.write_bytes(world.path.read_bytes().splitlines(keepends=True)[0])
    head_path(world.path).unlink()
    world.start()
    assert await world.begin()
    assert "the first bad record is 2" in world.keeper.hold()
    shown = json.loads((await world.anchor())["data"][BREAK_KEY])
    assert shown["id"] in world.keeper.hold()
    await world.end()


async def broken(world: World) -> None:
    """Bring the world to a break."""
    assert await world.begin()
    await record(world.operator, (PROMOTION,))
    await world.end()
    world.path.write_bytes(b"")
    world.start()
    assert await world.begin()
    assert world.keeper.hold()


def install_policy(world: World) -> None:
    for obj in audit_anchor():
        obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
        world.cluster.put(obj)


async def test_a_person_acknowledges_a_break(world: World) -> None:
    await broken(world)
    install_policy(world)
    await world.acknowledge()
    await world.keeper.turn()
    assert world.keeper.hold() == ""
    said = next(each for each in world.records() if each["reason"] == "BreakAcknowledged")
    assert (said["actor"], said["message"]) == ("ada", "Looked at it.")
    await world.keeper.turn()
    assert BREAK_KEY not in (await world.anchor())["data"]
    await world.again()
    assert world.keeper.hold() == ""
    await world.end()


async def test_nobodys_word_counts_where_admission_does_not_vouch_for_it(world: World) -> None:
    await broken(world)
    await world.acknowledge()
    await world.keeper.turn()
    assert world.keeper.hold()
    await world.end()


@pytest.mark.parametrize(
    "said",
    [{"break": "0" * 12}, {"break": "all"}, {"reason": ""}, {"by": ""}],
    ids=["another break", "every break", "no reason", "nobody"],
)
async def test_what_names_not_this_break_changes_nothing(world: World, said: Any) -> None:  # noqa: ANN401
    await broken(world)
    install_policy(world)
    await world.acknowledge(**said)
    await world.keeper.turn()
    assert world.keeper.hold()
    await world.end()


async def change(world: World) -> None:
    patch = {"data": {HEAD_KEY: "{}"}}
    await world.cluster.merge(CONFIG_MAP, SPACE, names.AUDIT_ANCHOR, patch)


async def remove(world: World) -> None:
    found = await world.anchor()
    uid = found["metadata"]["uid"]
    await world.cluster.delete(CONFIG_MAP, SPACE, names.AUDIT_ANCHOR, uid)


@pytest.mark.parametrize("harm", [change, remove])
@pytest.mark.parametrize("grows", [True, False])
async def test_who_touches_the_anchor_while_the_operator_runs_is_recorded(
    world: World,
    harm: Any,  # noqa: ANN401 - one of the functions above
    grows: bool,
) -> None:
    assert await world.begin()
    await record(world.operator, (PROMOTION,))
    await world.keeper.turn()
    await harm(world)
    if grows:
        await record(world.operator, (REVOCATION,))
    else:
        world.now += timedelta(minutes=2)
    await world.keeper.turn()
    await world.keeper.turn()
    found = [each for each in world.records() if each["reason"] == "AnchorChanged"]
    assert len(found) == 1
    assert await world.anchored() == world.operator.audit.seq
    await world.again()
    assert world.keeper.hold() == ""
    await world.end()


@pytest.mark.parametrize("harm", [change, remove])
async def test_who_touches_the_anchor_while_the_operator_is_away_is_found(
    world: World,
    harm: Any,  # noqa: ANN401 - one of the functions above
) -> None:
    assert await world.begin()
    await record(world.operator, (PROMOTION,))
    await world.end()
    await harm(world)
    world.start()
    assert await world.begin()
    assert "anchor outside the volume" in world.keeper.hold()
    await world.end()


# -- a full disk ------------------------------------------------------------------------------


async def test_on_a_full_disk_decisions_wait_and_withdrawals_do_not(world: World) -> None:
    assert await world.begin()
    world.full = True
    with pytest.raises(ArtifactError, match="No space left on device"):
        await record(world.operator, (PROMOTION,))
    assert "No space left on device" in world.operator.audit.trouble
    await record(world.operator, (REVOCATION,))
    await record(world.operator, (REVOCATION,))
    assert any(map(is_pending, (await world.anchor())["data"]))
    assert world.records() == []
    await world.keeper.turn()
    world.full = False
    await world.keeper.turn()
    (written,) = world.records()
    assert (written["decisionId"], written["actor"]) == ("a revocation", "rita")
    assert written["details"]["decidedAt"].startswith("2026-06-01T12:00:00")
    assert not any(map(is_pending, (await world.anchor())["data"]))
    assert world.operator.audit.trouble == ""
    await world.end()


async def test_a_rollback_that_waits_outside_is_known_as_one_in_the_log_is(world: World) -> None:
    gave_way = replace(
        REVOCATION,
        event=AuditEvent.ROLLBACK,
        outcome=AuditOutcome.COMPLETED,
        kind="Deployment",
        reason="DriftRollback",
        details={"fromDigest": "sha256:1"},
    )
    assert await world.begin()
    world.full = True
    await record(world.operator, (gave_way,))
    moment = timestamp(world.now)
    for _ in range(2):
        found = world.operator.rolled_back(gave_way.namespace, "sha256:1")
        assert found is not None
        assert (found.time, found.reason) == (moment, "DriftRollback")
        world.full = False
        world.now += timedelta(hours=1)
        await world.keeper.turn()  # Now it is in the log, with the time of the decision.
    await world.again()
    found = world.operator.rolled_back(gave_way.namespace, "sha256:1")
    assert found is not None
    assert found.time == moment
    assert world.operator.rolled_back("elsewhere", "sha256:1") is None
    await world.end()


async def test_what_waits_outside_survives_the_process(world: World) -> None:
    assert await world.begin()
    world.full = True
    await record(world.operator, (REVOCATION,))
    await world.end(orderly=False)
    world.full = False
    world.start()
    assert await world.begin()
    await world.keeper.turn()
    assert [each["decisionId"] for each in world.records()] == ["a revocation"]
    await world.end()


async def test_a_disk_that_is_full_at_the_start_stops_no_withdrawal(world: World) -> None:
    assert await world.begin()
    await record(world.operator, (PROMOTION,))
    await world.end()
    with world.path.open("ab") as file:
        file.write(b"torn")
    world.full = True
    world.start()
    assert not await world.begin()
    await record(world.operator, (REVOCATION,))
    with pytest.raises(ArtifactError):
        await record(world.operator, (decided("another promotion"),))
    world.full = False
    assert await world.begin()
    await world.keeper.turn()
    assert [each["decisionId"] for each in world.records()][-1] == "a revocation"
    assert world.operator.audit.broken is None
    await world.end()


async def test_an_approval_beside_a_revocation_goes_with_it(world: World) -> None:
    assert await world.begin()
    world.full = True
    approval = decided("an approval", event=AuditEvent.APPROVE, outcome=AuditOutcome.ACCEPTED)
    await record(world.operator, (approval, REVOCATION))
    world.full = False
    await world.keeper.turn()
    assert [each["decisionId"] for each in world.records()] == ["an approval", "a revocation"]
    await world.end()


async def test_a_thousand_withdrawals_at_once_wait_outside(world: World) -> None:
    assert await world.begin()
    world.full = True
    many = [
        decided(f"revocation-{number}", event=AuditEvent.REVOKE, outcome=AuditOutcome.ACCEPTED)
        for number in range(1000)
    ]
    await asyncio.gather(*(record(world.operator, (each,)) for each in many))
    world.full = False
    await world.keeper.turn()
    assert {each["decisionId"] for each in world.records()} == {each.decision_id for each in many}
    await world.end()


async def test_who_is_cancelled_takes_nobody_elses_record_away(world: World) -> None:
    assert await world.begin()
    world.full = True
    held = asyncio.Event()
    merge = world.cluster.merge

    async def slow(*arguments: Any) -> Obj:  # noqa: ANN401
        held.set()
        await asyncio.sleep(0.2)
        return await merge(*arguments)

    world.cluster.merge = slow  # type: ignore[method-assign]
    first = asyncio.create_task(world.keeper.keep([REVOCATION]))
    other = decided("another", event=AuditEvent.REVOKE, outcome=AuditOutcome.ACCEPTED)
    await held.wait()
    second = asyncio.create_task(world.keeper.keep([other]))
    await asyncio.sleep(0)
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    world.full = False
    world.cluster.merge = merge  # type: ignore[method-assign]
    await world.keeper.turn()
    assert {each["decisionId"] for each in world.records()} == {"a revocation", "another"}
    await world.end()


async def test_what_may_wait_for_nothing_is_kept_whatever_it_is(world: World) -> None:
    assert await world.begin()
    world.full = True
    await record(world.operator, (decided("drift", event=AuditEvent.DRIFT),), at_once=True)
    assert any(map(is_pending, (await world.anchor())["data"]))
    await world.end(orderly=False)


async def test_nothing_takes_effect_that_is_recorded_nowhere(world: World) -> None:
    assert await world.begin()
    world.full = True
    world.cluster.merge = _refuse_merge  # type: ignore[method-assign]
    with pytest.raises(HallmarkError, match="refused"):
        await record(world.operator, (REVOCATION,))
    await world.end(orderly=False)


async def _refuse_merge(*_: object) -> Obj:
    raise HallmarkError("It is refused.")


# -- what is too old --------------------------------------------------------------------------


async def test_old_files_go_and_every_restart_finds_the_log_whole(tmp_path: Path) -> None:
    world = World(tmp_path, audit_retention_days=30)
    assert await world.begin()
    for number in range(12):
        await record(world.operator, (decided(f"old-{number}"),))
    world.now += timedelta(days=60)
    await record(world.operator, (PROMOTION,))
    before = len(log_files(world.path))
    await world.keeper.turn()
    assert len(log_files(world.path)) < before
    anchor = (await world.anchor())["data"][HEAD_KEY].encode()
    assert verify_log(world.path, PUBLIC, anchor).ok
    await world.again()
    assert world.keeper.hold() == ""
    await world.end()


async def test_with_no_retention_nothing_ever_goes(tmp_path: Path) -> None:
    world = World(tmp_path, audit_retention_days=0)
    assert await world.begin()
    for number in range(12):
        await record(world.operator, (decided(f"old-{number}"),))
    world.now += timedelta(days=9999)
    before = log_files(world.path)
    await world.keeper.turn()
    assert log_files(world.path) == before
    await world.end()
