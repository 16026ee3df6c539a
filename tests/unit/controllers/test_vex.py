"""A reviewer's word lifts a vulnerability of one version, and no longer than it stands."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.texts import timestamp
from hallmark.cluster.kinds import MODEL_APPROVAL
from tests.unit.controllers.test_feed import FLAW, HARMLESS, FeedWorld
from tests.unit.controllers.version_world import SPACE
from tests.unit.policies.model_version.ballots import RITA
from tests.unit.policies.model_version.test_words import NOT_AFFECTED, assessed

GOOD, REFUSED = "True/PolicyPassed", "False/PackagesRefused"
WORD = {**NOT_AFFECTED, "vulnerability": "ghsa-9"}


class VexWorld(FeedWorld):
    """A version with a known vulnerability, under a policy that listens to reviewers."""

    def __init__(self, folder: Path) -> None:
        """Make the world."""
        super().__init__(folder)
        self.publish(HARMLESS, FLAW)
        self.demand(vex={})

    async def verdict(self) -> str:
        """Let the operator hear what was said, and judge by it."""
        await self.passed()
        return await self.passed()

    def hear(self, name: str = "word", **changes: Any) -> None:  # noqa: ANN401
        """Let rita say that it does no harm."""
        self.say(assessed(name, **{"assessment": WORD, **changes}))


@pytest.fixture
def world(tmp_path: Path) -> VexWorld:
    return VexWorld(tmp_path)


async def test_a_word_lifts_a_vulnerability_and_is_shown(world: VexWorld) -> None:
    assert await world.verdict() == REFUSED
    assert "or the word of a reviewer that it does no harm (hallmark vex)" in world.message(
        "PolicyPassed"
    )
    world.hear()
    assert await world.verdict() == GOOD
    assert world.shown()["Ready"] == "True/Sealed"
    said = "ghsa-9 in 'numpy': not_affected (code_not_reachable), says rita."
    assert world.message("PolicyPassed") == said
    world.start()
    assert await world.verdict() == GOOD
    assert world.message("PolicyPassed") == said


async def test_it_falls_with_its_object(world: VexWorld) -> None:
    world.hear()
    assert await world.verdict() == GOOD
    world.remove(MODEL_APPROVAL, SPACE, "word")
    assert await world.verdict() == REFUSED


async def test_it_falls_with_its_key(world: VexWorld) -> None:
    world.hear()
    assert await world.verdict() == GOOD
    revoked = RITA.to_wire() | {"revokedAt": timestamp(world.now)}
    world.rule(approvers=[revoked], dependencies={"vulnerabilities": {"vex": {}}})
    assert await world.verdict() == REFUSED


@pytest.mark.parametrize("restarted", [False, True])
async def test_it_ends_by_itself(world: VexWorld, restarted: bool) -> None:
    world.hear(notAfter=timestamp(world.now + timedelta(minutes=10)))
    assert await world.verdict() == GOOD
    if restarted:
        world.start()
        assert await world.verdict() == GOOD
    world.wait(599)
    await world.look()
    assert world.shown()["PolicyPassed"] == GOOD
    world.wait(2)
    await world.look()
    await world.settle()
    assert world.shown()["PolicyPassed"] == REFUSED


async def test_a_word_against_it_wins_until_it_is_taken_back(world: VexWorld) -> None:
    world.hear()
    world.hear("doubt", assessment={**WORD, "vulnerability": "GHSA-9", "analysis": "in_triage"})
    assert await world.verdict() == REFUSED
    assert "in_triage" in world.message("PolicyPassed")
    world.remove(MODEL_APPROVAL, SPACE, "doubt")
    assert await world.verdict() == GOOD


async def test_a_policy_that_does_not_listen_refuses_as_before(world: VexWorld) -> None:
    world.hear()
    world.demand()
    assert await world.verdict() == REFUSED


async def test_what_rests_on_a_word_is_not_shown_without_it_while_the_store_is_away(
    world: VexWorld,
) -> None:
    world.hear()
    assert await world.verdict() == GOOD
    shutil.rmtree(world.folder)
    world.remove(MODEL_APPROVAL, SPACE, "word")
    assert await world.verdict() != GOOD
    world.start()
    assert await world.verdict() != GOOD
