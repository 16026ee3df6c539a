"""The operator publishes its log by itself: bounded, after the store was away, under each key."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic import ValidationError

from hallmark.audit.tlog.continuous import Published, Publisher
from hallmark.audit.tlog.note import log_signer
from hallmark.audit.tlog.publish import read_from
from hallmark.audit.tlog.tiles import WIDTH, Read, other_tiles
from hallmark.audit.tlog.witness import checked
from hallmark.cluster.kinds import MODEL_POLICY
from hallmark.controllers.publishing import place_in, signer_of
from hallmark.controllers.runtime import record
from hallmark.controllers.settings import Settings
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.store import open_store
from tests.unit.audit.factories import KEY, decided
from tests.unit.audit.published import TIME, Installation
from tests.unit.controllers.test_keeper import World
from tests.unit.policies.training_run import runs
from tests.unit.store.versitygw import running

NAME = "example.org/prod"


class Folders:
    """Stores in a folder, which may be away or hang."""

    def __init__(self, folder: Path) -> None:
        self.store = open_store(f"file://{folder}")
        self.away = False
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        put = self.store.put

        def guarded(path: str, data: bytes) -> None:
            self.may_go_on.wait(20)
            if self.away:
                raise ArtifactError("The store could not be reached.")
            put(path, data)

        self.store.put = guarded  # type: ignore[method-assign]

    def open(self, spec: object) -> Any:  # noqa: ANN401 - a store
        """Return the only one."""
        del spec
        return self.store


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, audit_publish=NAME)
    with_store(made, tmp_path)
    return made


def with_store(world: World, tmp_path: Path) -> Folders:
    (tmp_path / "store").mkdir(exist_ok=True)
    folders = Folders(tmp_path / "store")
    world.operator.stores = folders  # type: ignore[assignment]
    wire = {**runs.policy().to_wire(), "apiVersion": MODEL_POLICY.api_version}
    metadata = {"name": "default", "uid": "p", "resourceVersion": "1"}
    policy = {**wire, "kind": MODEL_POLICY.kind, "metadata": metadata}
    world.operator.cache.observe(MODEL_POLICY, policy)
    return folders


def published(world: World, tmp_path: Path) -> int | str:
    """Return how many records others can read and check, or what is wrong."""
    signer = signer_of(world.operator)
    read: Read = read_from(tmp_path / "store" / "published" / signer.key.name)
    found = checked(read, signer.key)
    return found if isinstance(found, str) else found[1].size


async def turns(world: World, count: int = 3) -> None:
    """Let the keeper work, each time when it would publish again."""
    for _ in range(count):
        world.now += timedelta(seconds=61)
        await world.keeper.turn()
        running = world.keeper.publishing._running
        if running is not None:
            await asyncio.wait([running], timeout=10)


def unpublished() -> float:
    return REGISTRY.get_sample_value("hallmark_audit_unpublished_records") or 0.0


async def test_what_is_recorded_is_published_soon_and_after_the_store_was_away(
    world: World, tmp_path: Path
) -> None:
    folders = with_store(world, tmp_path)
    assert await world.begin()
    await record(world.operator, (decided("one"), decided("two")))
    await turns(world)
    assert published(world, tmp_path) == 2
    assert unpublished() == 0
    folders.away = True
    await record(world.operator, (decided("three"),))
    await turns(world)
    assert published(world, tmp_path) == 2
    assert unpublished() == 1
    folders.away = False
    await turns(world)
    assert published(world, tmp_path) == 3
    await world.again()
    with_store(world, tmp_path)
    await record(world.operator, (decided("four"),))
    await turns(world)
    assert published(world, tmp_path) == 4
    await world.end()


async def test_a_log_that_always_grows_does_not_lag_by_what_is_not_due_yet(world: World) -> None:
    """Else a busy installation's alert rings for ever."""
    assert await world.begin()
    for number in range(3):
        await record(world.operator, (decided(f"one {number}"),))
        await turns(world)
        world.now += timedelta(seconds=1)
        await record(world.operator, (decided(f"another {number}"),))
        await world.keeper.turn()
        assert unpublished() == 0
    await world.end()


async def test_a_log_that_ends_before_what_is_published_lags(world: World, tmp_path: Path) -> None:
    assert await world.begin()
    await record(world.operator, tuple(decided(f"{number}") for number in range(5)))
    await turns(world)
    assert unpublished() == 0
    await world.end()
    for file in world.path.parent.iterdir():
        file.unlink()
    world.cluster.objects.clear()
    world.start()
    with_store(world, tmp_path)
    assert await world.begin()
    await record(world.operator, (decided("anew"),))
    await turns(world)
    assert unpublished() == 4
    assert published(world, tmp_path) == 5
    await world.end()


async def test_a_store_that_hangs_from_the_start_on_lags_more_and_more(
    world: World, tmp_path: Path
) -> None:
    folders = with_store(world, tmp_path)
    assert await world.begin()
    folders.may_go_on.clear()
    for count in range(1, 4):
        await record(world.operator, (decided(f"{count}"),))
        world.now += timedelta(seconds=61)
        await world.keeper.turn()
        assert unpublished() == count
    folders.may_go_on.set()
    await turns(world)
    assert unpublished() == 0
    await world.end()


async def test_a_store_that_hangs_holds_up_nothing_that_is_kept(
    world: World, tmp_path: Path
) -> None:
    folders = with_store(world, tmp_path)
    assert await world.begin()
    await record(world.operator, (decided("one"),))
    folders.may_go_on.clear()
    world.now += timedelta(seconds=61)
    async with asyncio.timeout(10):
        await world.keeper.turn()
        await record(world.operator, (decided("two"),))
        await world.keeper.turn()
    assert await world.anchored() == 2
    folders.may_go_on.set()
    await turns(world)
    assert published(world, tmp_path) == 2
    await world.end()


def test_an_object_store_holds_what_a_witness_reads_and_no_part_of_what_is_full(
    tmp_path: Path,
) -> None:
    installation = Installation(tmp_path)
    signer = log_signer(installation.key, f"{NAME}/0123456789ab")
    with running(tmp_path / "gateway") as gateway:
        store = gateway.store("hallmark")
        place = place_in(store, signer.key.name)
        publisher = Publisher(installation.log, place, signer)
        for size in (3, WIDTH - 1, WIDTH + 1):
            installation.record(size - installation.recorded)
            assert publisher.step(size, TIME) == Published(size)
            found = checked(place.read, signer.key)
            assert not isinstance(found, str)
            assert other_tiles(place.read, found[1]) is None
        folder = f"published/{signer.key.name}"
        assert sorted(entry.path.removeprefix(f"{folder}/") for entry in store.list(folder)) == [
            "checkpoint",
            "tile/0/000",
            "tile/0/001.p/1",
            "tile/1/000.p/1",
            "tile/entries/000",
            "tile/entries/001.p/1",
        ]


async def test_nothing_is_published_where_nobody_asked_for_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    with_store(world, tmp_path)
    assert await world.begin()
    await record(world.operator, (decided("one"),))
    await turns(world)
    assert not (tmp_path / "store" / "published").exists()
    await world.end()


async def test_each_audit_key_has_a_log_of_its_own(world: World) -> None:
    named = signer_of(world.operator).key.name
    assert named.startswith(f"{NAME}/")
    assert len(named) == len(NAME) + 13
    assert signer_of(world.operator).key.name == named

    class InAToken:
        """A key that stays where it is."""

        public_key = KEY.public_key

    world.operator.audit._key = InAToken()  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match="found one in a token"):
        signer_of(world.operator)


@pytest.mark.parametrize("name", ["", "example.org/prod", "a", "a.b/c_d-e/f"])
def test_a_name_is_one_that_can_be_a_folder(name: str) -> None:
    assert Settings(audit_publish=name).audit_publish == name


@pytest.mark.parametrize(
    "name", ["../x", "a/../b", "/a", "a/", "a b", "a+b", "A", "a//b", "x" * 151]
)
def test_any_other_name_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(ValidationError):
        Settings(audit_publish=name)
