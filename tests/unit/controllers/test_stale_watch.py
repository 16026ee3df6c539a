"""Watches that are silent for a while: a stale decision can lose a write and nothing else.

At each step of a rollout and of a rollback the watch of one kind, or of all, says nothing for some
reconciles; only the answers to own writes enter the operator's memory. ``World`` checks the
promises after every write.
"""

from __future__ import annotations

import functools
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from tests.examples import in_pairs
from tests.unit.controllers.deployment_seen import SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions

ONE_BY_ONE = (MODEL_DEPLOYMENT, MODEL_VERSION, POD, APPS_DEPLOYMENT, SERVICE, CONFIG_MAP)
OTHERS = (SERVICE_ACCOUNT, ROLE, ROLE_BINDING, NETWORK_POLICY, POD_DISRUPTION_BUDGET)
SILENT: dict[str, tuple[Kind, ...]] = {
    **{f"the watch of {kind.plural}": (kind,) for kind in ONE_BY_ONE},
    "every watch": (*ONE_BY_ONE, *OTHERS),
}
STEPS = 3
"""Reconciles that write anything in any of the stories."""


def rollout(world: World) -> None:
    """Ask for a second version while the first serves."""
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    world.seal(2)


def rollback_to_warm_pods(world: World) -> None:
    """Let what serves drift while the former version still runs."""
    with_two_versions(world)
    world.traffic(SHIFTED)


def rollback_to_pods_that_must_start(world: World) -> None:
    """Let what serves drift after the former version was taken down."""
    with_two_versions(world)
    world.wait(60)
    world.settle()
    world.traffic(SHIFTED)


def stop(world: World) -> None:
    """Revoke what serves where the policy says that it is to be stopped."""
    rollout(world)
    world.settle()
    world.set_policy(onRevocation="Stop")
    world.pin(2)
    world.settle()
    world.judge(2, revoked=True)


STORIES: dict[str, Callable[[World], None]] = {
    "rollout": rollout,
    "rollback to warm Pods": rollback_to_warm_pods,
    "rollback to Pods that must start": rollback_to_pods_that_must_start,
    "stop": stop,
}


@dataclass(frozen=True)
class End:
    """How a story ended."""

    state: str
    serving: int
    running: tuple[tuple[int, int], ...]
    switches: tuple[str, ...]
    """What had the traffic, one after the other."""
    records: tuple[tuple[str, str, str], ...]
    """Event, outcome and reason of each record, in order."""
    conditions: tuple[str, ...]
    objects: tuple[tuple[str, int], ...]
    """How many objects of each kind are left, Events apart: they tell of the delay."""


def end_of(world: World) -> End:
    records = tuple((r.event, r.outcome, r.reason) for r in world.ledger.records.values())
    found = world.status.conditions
    kinds = Counter(key[0] for key in world.cluster.objects)
    return End(
        state=world.state,
        serving=world.serving,
        running=tuple(sorted(world.running.items())),
        switches=tuple(world.switches),
        records=records,
        conditions=tuple(f"{c.type}={c.status.value}/{c.reason}" for c in found),
        objects=tuple(sorted((kind, count) for kind, count in kinds.items() if kind != "Eventv1")),
    )


def look(world: World) -> None:
    """Reconcile as the queue does: a conflict is the normal answer to a stale decision."""
    try:
        world.reconcile()
    except ApiError as error:
        if error.status != 409:
            raise
    world.run_pods()
    world.wait(1)


def told(
    folder: Path, story: Callable[[World], None], silent: tuple[Kind, ...], step: int, length: int
) -> World:
    """Tell a story in which watches say nothing from one of its reconciles on, for some of them."""
    world = World(folder)
    story(world)
    for number in range(STEPS + length):
        world.lag = silent if step <= number < step + length else ()
        look(world)
    world.lag = ()
    world.settle()
    return world


@functools.cache
def undisturbed(story: Callable[[World], None]) -> End:
    """Return how a story ends where every watch delivers at once."""
    with tempfile.TemporaryDirectory() as folder:
        return end_of(told(Path(folder), story, (), 0, 0))


@pytest.mark.parametrize(
    ("story", "silent", "step", "length"), in_pairs(STORIES, SILENT, range(STEPS), [1, 3])
)
def test_a_stale_decision_loses_a_write_and_nothing_else(
    tmp_path: Path, story: str, silent: str, step: int, length: int
) -> None:
    world = told(tmp_path, STORIES[story], SILENT[silent], step, length)
    assert end_of(world) == undisturbed(STORIES[story])


def test_the_stories_end_where_they_should() -> None:
    ends = {name: undisturbed(story) for name, story in STORIES.items()}
    assert {name: (end.state, end.serving) for name, end in ends.items()} == {
        "rollout": ("Promoted", 2),
        "rollback to warm Pods": ("Stable", 1),
        "rollback to Pods that must start": ("Stable", 1),
        "stop": ("Held", 2),
    }
