"""What the operator follows, and what of its own writes it keeps."""

from __future__ import annotations

from pathlib import Path

from hallmark.cluster.kinds import UNWATCHED, kind_of
from hallmark.controllers.watches import SELECTIONS
from tests.unit.controllers.deployment_world import World


def test_what_is_written_and_not_watched_never_enters_the_cache(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.seal(1)
    world.settle()
    written = {kind_of(obj) for obj in world.cluster.objects.values()}
    assert set(UNWATCHED) <= written
    assert not [key for kind in UNWATCHED for key in world.operator.cache.keys(kind)]


def test_every_kind_that_the_cache_holds_is_watched(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.seal(1)
    world.settle()
    watched = {selection.kind for selection in SELECTIONS}
    held = {kind_of(obj) for obj in world.cluster.objects.values()} - set(UNWATCHED)
    assert held <= watched
