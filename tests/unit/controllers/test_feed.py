"""A version is judged by the snapshot of OSV that is there now, whatever was there before."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.texts import timestamp
from hallmark.cluster.kinds import MODEL_VERSION
from hallmark.controllers.feed_watch import look
from hallmark.controllers.settings import Settings
from hallmark.supply_chain.vulnerabilities import Known
from tests.unit.controllers.version_world import SYSTEM, VersionWorld
from tests.unit.policies.model_version.ballots import RITA
from tests.unit.policies.training_run.runs import NAME, version
from tests.unit.supply_chain.osv_entries import affected, entry, events, snapshot

HARMLESS = entry("GHSA-0", affected("else"), modified="2026-01-01T00:00:00Z")
FLAW = entry("GHSA-9", affected("numpy", ranges=events(("introduced", "0"), ("fixed", "3.0"))))


class FeedWorld(VersionWorld):
    """A namespace under a policy that wants to know vulnerabilities, and a snapshot."""

    def __init__(self, folder: Path) -> None:
        """Make the world: a version, and a snapshot without a word on its packages."""
        self.osv = folder / "osv"
        settings = Settings(namespace=SYSTEM, osv=self.osv)
        super().__init__(folder / "store", settings=settings)
        self.seen: Known | None = None
        self.add(version())
        self.publish(HARMLESS)
        self.demand()
        self.start()

    def start(self) -> None:
        """Start a process of the operator."""
        self.operator = self._operator(self.operator.stores)
        self.seen = None

    def demand(self, **rules: Any) -> None:  # noqa: ANN401
        """Have the policy ask for known vulnerabilities."""
        found = {"vulnerabilities": rules}
        self.rule(approvers=[RITA.to_wire()], dependencies=found)

    def publish(self, *entries: dict[str, Any]) -> None:
        """Replace the snapshot."""
        shutil.rmtree(self.osv, ignore_errors=True)
        snapshot(self.osv, *entries, zipped=True)

    async def passed(self) -> str:
        """Let the operator look at the snapshot and settle; return PolicyPassed."""
        self.watch()
        self.seen = await look(self.operator, self.seen)
        await self.settle()
        return self.shown()["PolicyPassed"]

    @property
    def digest(self) -> object:
        """Of the snapshot by which the version was judged."""
        return self.get(MODEL_VERSION, NAME)["status"].get("feedDigest")


@pytest.fixture
def world(tmp_path: Path) -> FeedWorld:
    return FeedWorld(tmp_path)


async def test_a_version_that_was_fine_fails_when_the_snapshot_is_replaced(
    world: FeedWorld,
) -> None:
    assert await world.passed() == "True/PolicyPassed"
    before = world.digest
    world.publish(HARMLESS, FLAW)
    assert await world.passed() == "False/PackagesRefused"
    assert "GHSA-9 in 'numpy' 2.4.6, severity unknown, fixed in 3.0" in world.message(
        "PolicyPassed"
    )
    assert world.digest not in (None, before)
    world.publish(HARMLESS)
    assert await world.passed() == "True/PolicyPassed"
    assert world.digest == before


async def test_without_a_snapshot_nothing_passes(world: FeedWorld) -> None:
    assert await world.passed() == "True/PolicyPassed"
    shutil.rmtree(world.osv)
    assert await world.passed() == "False/PolicyFailed"
    assert "found no such folder" in world.message("PolicyPassed")


async def test_a_policy_that_does_not_ask_needs_no_snapshot(world: FeedWorld) -> None:
    shutil.rmtree(world.osv)
    world.rule(approvers=[RITA.to_wire()])
    assert await world.passed() == "True/PolicyPassed"
    assert world.digest is None


async def test_before_the_first_look_what_was_shown_stands(world: FeedWorld) -> None:
    await world.settle()
    assert world.shown()["PolicyPassed"] == "Unknown/Pending"
    assert await world.passed() == "True/PolicyPassed"
    world.start()
    await world.settle()
    assert world.shown()["PolicyPassed"] == "True/PolicyPassed"


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_exception_ends_by_itself(world: FeedWorld, restarted: bool) -> None:
    world.publish(HARMLESS, FLAW)
    until = timestamp(world.now + timedelta(minutes=10))
    excepted = {"package": "numpy", "id": "GHSA-9", "reason": "not reachable", "until": until}
    world.demand(exceptions=[excepted])
    assert await world.passed() == "True/PolicyPassed"
    if restarted:
        world.start()
        assert await world.passed() == "True/PolicyPassed"
    world.wait(599)
    await world.look()
    assert world.shown()["PolicyPassed"] == "True/PolicyPassed"
    world.wait(2)
    await world.look()
    await world.settle()
    assert world.shown()["PolicyPassed"] == "False/PackagesRefused"
    assert f"its exception ended {until}" in world.message("PolicyPassed")


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_snapshot_grows_too_old_by_itself(world: FeedWorld, restarted: bool) -> None:
    young = world.now - timedelta(minutes=5)
    world.publish(HARMLESS | {"modified": timestamp(young)})
    world.demand(maxFeedAge="10m")
    assert await world.passed() == "True/PolicyPassed"
    if restarted:
        world.start()
        assert await world.passed() == "True/PolicyPassed"
    world.wait(301)
    await world.look()
    await world.settle()
    assert world.shown()["PolicyPassed"] == "False/PolicyFailed"
    assert "modified in the last 10m" in world.message("PolicyPassed")


async def test_after_a_start_the_status_is_believed_under_the_same_snapshot_alone(
    world: FeedWorld,
) -> None:
    assert await world.passed() == "True/PolicyPassed"
    shutil.rmtree(world.folder)
    world.start()
    assert await world.passed() == "True/PolicyPassed", "nothing was read"
    world.publish(HARMLESS, FLAW)
    world.start()
    assert await world.passed() != "True/PolicyPassed"


async def test_a_snapshot_that_is_replaced_again_and_again_ends_in_the_verdict_of_the_last(
    world: FeedWorld,
) -> None:
    for number in range(4):
        world.publish(HARMLESS, *([FLAW] if number % 2 else []))
        world.watch()
        world.seen = await look(world.operator, world.seen)
        await world.look()
    assert await world.passed() == "False/PackagesRefused"
