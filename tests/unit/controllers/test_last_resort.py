"""A bug in any function that decides about a ModelDeployment keeps nothing withdrawn serving."""

from __future__ import annotations

import asyncio
import copy
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType

import pytest

from hallmark.cluster import children
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.gather import model_deployment as gather_model_deployment, pods
from hallmark.controllers import model_deployment as controller, verification
from hallmark.controllers.last_resort import stop_withdrawn
from hallmark.drift import decision, sentences, votes
from hallmark.policies import model_deployment
from hallmark.policies.model_deployment.decide import decide
from hallmark.resources import carried, predictor, predictor_version
from tests.unit.controllers.deployment_seen import NAME, SPACE
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions

# What the last resort itself stands on; an error there is one that nothing is left for.
STANDS_ON = ("withdrawal", "checks", "last_resort", "record", "inputs")
BESIDE: tuple[ModuleType, ...] = (
    *(children, gather_model_deployment, pods, verification, decision, sentences, votes),
    *(carried, predictor, predictor_version),
)
EXEMPT = {
    controller.reconcile,
    controller._stop,
    stop_withdrawn,
    # What the world of the tests itself calls.
    gather_model_deployment.trusts_of,
    pods.pods_of,
    pods.pod_state,
    carried.carried_files,
}


class Bug(Exception):
    """What nobody expected."""


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(model_deployment.__path__):
        if found.name not in STANDS_ON:
            yield importlib.import_module(f"{model_deployment.__name__}.{found.name}")
    yield from (*BESIDE, controller)


def functions() -> dict[str, FunctionType]:
    return {
        f"{module.__name__.removeprefix('hallmark.')}.{name}": found
        for module in modules()
        for name, found in vars(module).items()
        if inspect.isfunction(found) and found.__module__ == module.__name__ and found not in EXEMPT
    }


FUNCTIONS = functions()


def plant(function: FunctionType, patch: pytest.MonkeyPatch) -> None:
    """Let a function fail wherever it is known by its name."""

    def fail(*args: object, **kwargs: object) -> None:
        raise Bug(function.__qualname__)

    for module in [m for name, m in sys.modules.items() if name.startswith("hallmark")]:
        for name, found in list(vars(module).items()):
            if found is function:
                patch.setattr(module, name, fail)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> World:
    return with_two_versions(World(tmp_path_factory.mktemp("world")))


@contextmanager
def restored(base: World) -> Iterator[World]:
    """Lend a world in which version 2 serves, and bring it back to what it was."""
    objects, now = copy.deepcopy(base.cluster.objects), base.now
    switches, records = list(base.switches), dict(base.ledger.records)
    yield base
    base.cluster.objects.clear()
    base.cluster.objects.update(objects)
    base.now, base.switches, base.ledger.records = now, switches, records
    base._written.clear()
    base.operator = base._operator()
    base.set_policy()


@pytest.fixture
def world(base: World) -> Iterator[World]:
    with restored(base) as lent:
        yield lent


def look(world: World, times: int = 3) -> int:
    """Let the operator look, whatever it meets; return how often it met the bug."""
    met = 0
    for _ in range(times):
        try:
            world.reconcile()
        except Bug:
            met += 1
        world.run_pods()
        world.wait(1)
    return met


def test_what_must_stop_stops_whichever_function_fails(base: World) -> None:
    met: set[str] = set()
    serves_on: list[str] = []
    for name, function in FUNCTIONS.items():
        with restored(base) as world, pytest.MonkeyPatch.context() as patch:
            world.set_policy(onRevocation="Stop")
            world.revoke(2)
            plant(function, patch)
            met |= {name} if look(world) else set()
            serves_on += [name] if world.running.get(2) else []
    assert not serves_on
    assert len(met) > 80, "most functions are asked, so that most bugs are met"


NEVER_CALM = ("decide.decide", "gather.model_deployment.gather_deployment")


@pytest.mark.parametrize("name", NEVER_CALM)
def test_what_may_serve_until_its_deadline_stops_then(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    [function] = [found for key, found in FUNCTIONS.items() if key.endswith(name)]
    world.set_policy(revocationDeadline="20s")
    world.revoke(2)
    plant(function, monkeypatch)
    assert look(world) == 3
    assert world.running[2] == 1
    world.wait(20)
    look(world)
    assert world.running[2] == 0
    assert world.recorded("rollback") == ["stopped"]


def test_what_must_stop_stops_where_nothing_can_be_read_live(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*args: object) -> None:
        raise ApiError("No.", 403)

    world.set_policy(onRevocation="Stop")
    world.revoke(2)
    world.let_pods_wait()
    world.wait(60)
    monkeypatch.setattr(world.cluster, "get", refused)
    world.cluster.refuse = lambda verb, obj: None
    look(world)
    assert world.troubles
    assert not world.running.get(2)


@pytest.mark.parametrize("name", NEVER_CALM)
@pytest.mark.parametrize("approvals", [{"onRevocation": "Block"}, {}], ids=["Block", "not revoked"])
def test_a_bug_alone_stops_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, approvals: dict[str, object]
) -> None:
    [function] = [found for key, found in FUNCTIONS.items() if key.endswith(name)]
    world.set_policy(**approvals)
    if approvals:
        world.revoke(2)
    running = dict(world.running)
    plant(function, monkeypatch)
    look(world)
    world.wait(600)
    look(world)
    assert world.running == running


def test_a_record_that_cannot_be_read_gives_no_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.revoke(2)
    world.cluster.objects[world._key()]["status"]["activeDigest"] = "nonsense"
    monkeypatch.setattr(world.cluster, "_watch", lambda key: None)
    world.watch()
    asyncio.run(stop_withdrawn(world.operator, SPACE, NAME))
    assert world.running[2] == 0


def test_what_is_mended_goes_on(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world.set_policy(onRevocation="Stop")
        world.revoke(2)
        plant(decide, patch)
        look(world)
        assert not world.running.get(2)
    world.set_policy()
    for _ in range(3):
        world.settle()
    assert world.serving == 1
