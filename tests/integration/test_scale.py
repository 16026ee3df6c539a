"""The benchmark of the operator at scale, small: all of its scenes play to their end."""

from __future__ import annotations

import pytest

from tests.bench.scale.play import SCENES, play
from tests.bench.scale.stage import World
from tests.integration.clusters import own_name

SMALL = World(size=3, spaces=2, patience=2, pause=1, quiet=1)
LONG = 20.0
"""Seconds that a switch of three never takes, however busy the machine is."""


@pytest.mark.slow
async def test_every_scene_of_the_benchmark_plays_to_its_end() -> None:
    figures = {
        figure.name.removeprefix(f"{SMALL.title}: "): figure
        async for figure in play(SMALL, SCENES, own_name("scale"))
    }

    assert figures["to Ready: requests for each Deployment"].value > 0
    assert figures["drift: 99th percentile from the report to the Service"].value < 1000 * LONG
    assert figures["revocation: until the last has switched"].value < LONG
    assert figures["restart: until settled"].value > 0
    assert figures["to Ready: writes in a second by a bare loop's"].value > 0
