"""Plays the scenes of a world, in their order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from tests.bench.figures import Figure
from tests.bench.scale import bare, scenes
from tests.bench.scale.stage import World, staged

_ACTS = {
    "rest": scenes.rest,
    "drift": scenes.reports_and_drift,
    "revocation": scenes.revocation,
    "restart": scenes.restart,
}
SCENES = (*_ACTS, "bare")
"""What can be left out; to Ready and to the next version come before all of them."""


async def play(world: World, chosen: Collection[str], name: str) -> AsyncIterator[Figure]:
    """Make a world and yield each figure as soon as it is there.

    Args:
        world: which.
        chosen: the scenes besides those that every world has.
        name: of its control plane.

    Raises:
        MissedError: what a scene waits for did not come.
    """
    async with staged(world, name) as stage:
        stage.say("the world is made; the operator starts")
        for figure in await scenes.first_start(stage):
            yield figure
        stage.say("to Ready")
        figures, requests, seconds = await scenes.to_ready(stage)
        for figure in figures:
            yield figure
        recording = await bare.record(stage, requests, seconds)
        stage.say("to the next version")
        for figure in await scenes.to_next_version(stage):
            yield figure
        for scene, act in _ACTS.items():
            if scene in chosen:
                stage.say(scene)
                for figure in await act(stage):
                    yield figure
        if "bare" in chosen:
            stage.say("bare loop")
            for figure in await bare.compare(stage, recording):
                yield figure
