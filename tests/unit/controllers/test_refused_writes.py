"""Withdrawn bytes stop whatever the API server, or a webhook in it, refuses of the rest."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import APPS_DEPLOYMENT, Obj
from tests.examples import slow_but
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions
from tests.unit.controllers.test_deployment_withdrawal import DEADLINE, look, withdrawn_pods

ERRORS = {
    "a webhook that is dead": ApiError("failed calling webhook", 500, "InternalError"),
    "a policy": ApiError("denied", 403, "Forbidden"),
    "too many requests": ApiError("slow down", 429, "TooManyRequests"),
    "no answer": ApiError("The API server did not answer."),
}
DEPLOYMENT = APPS_DEPLOYMENT.kind, APPS_DEPLOYMENT.api_version
Which = Callable[[str, Obj], bool]


def workload(obj: Obj) -> bool:
    return (obj["kind"], obj["apiVersion"]) == DEPLOYMENT


REFUSED: dict[str, Which] = {
    "nothing may be deleted": lambda verb, _: verb == "delete",
    "no workload may be deleted": lambda verb, obj: verb == "delete" and workload(obj),
    "no workload may be changed": lambda verb, obj: verb in {"apply", "merge"} and workload(obj),
    "nothing may be applied": lambda verb, _: verb == "apply",
    "only the status and Pods may change": lambda verb, obj: (
        verb not in {"status", "merge"} or (verb == "merge" and not workload(obj))
    ),
}


def refuse(which: Which, error: ApiError) -> Callable[[str, Obj], ApiError | None]:
    return lambda verb, obj: error if which(verb, obj) else None


STOPPED = {
    "what serves is replaced": (2, "Rollback"),
    "what serves is stopped": (2, "Stop"),
    "a warm one": (1, "Rollback"),
    "a candidate": (3, "Rollback"),
}
CASES = list(product(REFUSED, STOPPED, ERRORS))


@pytest.mark.parametrize("case", slow_but(*CASES[::7], of=CASES), ids=", ".join)
def test_what_was_withdrawn_stops(tmp_path: Path, case: tuple[str, str, str]) -> None:
    which, stopped, error = case
    number, mode = STOPPED[stopped]
    world = World(tmp_path)
    world.set_policy(onRevocation=mode)
    with_two_versions(world)
    world.seal(3)
    world.settle(kubelet=False)
    world.cluster.refuse = refuse(REFUSED[which], ERRORS[error])
    world.revoke(number)
    look(world)
    world.wait(DEADLINE)
    look(world)
    assert withdrawn_pods(world, number) == 0
    world.cluster.refuse = None
    world.settle()
    assert withdrawn_pods(world, number) == 0


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
def test_what_was_left_behind_stops_where_it_may_not_be_deleted(
    tmp_path: Path, error: ApiError
) -> None:
    world = World(tmp_path)
    with_two_versions(world)
    world.delete(orphan=True)
    world.cluster.refuse = refuse(REFUSED["nothing may be deleted"], error)
    look(world, times=2)
    assert not any(world.running.values())
    assert world.troubles
    world.cluster.refuse = None
    look(world, times=2)
    assert world.running == {}
