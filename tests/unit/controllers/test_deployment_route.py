"""Canaries by an HTTPRoute, told to the real controller in a world in memory.

What is a rule for every canary is in ``test_deployment_canary.py``; here it is held by weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.names import LABEL_DEPLOYMENT, LABEL_MANIFEST
from hallmark.cluster.kinds import HTTP_ROUTE, SERVICE, Obj
from tests.unit.controllers.deployment_seen import CALM, NAME, SPACE
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment_canary import BASE, FAILURES, STRATEGY, step

PARENT = {"name": "public", "namespace": "gateways"}
ROUTE = {"parentRefs": [PARENT], "hostnames": ["credit.example.com"]}
STEPS = [{"weight": 1, "pause": "20s"}, {"weight": 40, "pause": "20s"}]
BY_ROUTE: dict[str, Any] = {
    **STRATEGY,
    "canary": {**STRATEGY["canary"], "steps": STEPS, "route": ROUTE},
}
GOOD = {"Accepted": "True", "ResolvedRefs": "True"}


def stable(folder: Path, *, replicas: int = 3, **changes: Any) -> World:  # noqa: ANN401
    """Return a world in which version 1 is stable; ``changes`` are set on it before."""
    world = World(folder, replicas=replicas, strategy=BY_ROUTE)
    for name, value in changes.items():
        setattr(world, name, value)
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    return world


def started(folder: Path, *, replicas: int = 3) -> World:
    """Return a world in which version 2 has its first share of the requests."""
    world = stable(folder, replicas=replicas)
    world.seal(2)
    world.settle()
    assert (world.state, step(world)) == ("Canary", 0)
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return started(tmp_path)


def hear(world: World) -> None:
    """Let each Pod of the candidate have been asked for 200 rows more than when it told last."""
    world.report(2, CALM)
    reports = world.cluster.objects[world._key()]["status"]["drift"]
    for pod in world.pods_of(2):
        told = reports[pod["metadata"]["name"]]
        told["rows"] = told["requests"]["fair"]["rows"] = 200 * told["sequence"]


def pass_step(world: World) -> None:
    """Let the candidate have more rows, and a step's pause be over."""
    hear(world)
    world.wait(21)
    world.settle()


def test_the_route_is_there_before_any_candidate(tmp_path: Path) -> None:
    world = stable(tmp_path)
    assert world.routed == {1: 100}
    assert world.condition("Routed") == "True/RouteAccepted"
    assert world.condition("Ready") == "True/Serving"
    assert world.route["spec"]["hostnames"] == ["credit.example.com"]
    owners = world.route["metadata"]["ownerReferences"]
    assert [owner["name"] for owner in owners] == [NAME]


@pytest.mark.parametrize("replicas", [1, 3, 7])
def test_the_share_is_the_weight_whatever_the_replicas(tmp_path: Path, replicas: int) -> None:
    world = started(tmp_path, replicas=replicas)
    assert world.routed == {1: 99, 2: 1}
    assert world.running == {1: replicas, 2: 1}
    assert world.shared == {1: replicas}, "clients inside the cluster get what serves"
    assert "1 % of the requests that come by HTTPRoute 'credit'" in world.message("Progressing")
    pass_step(world)
    assert step(world) == 1
    assert world.routed == {1: 60, 2: 40}
    assert world.running == {1: replicas, 2: -(-40 * replicas // 100)}
    pass_step(world)
    world.settle()
    assert (world.serving, world.routed) == (2, {2: 100})
    assert world.condition("Routed") == "True/RouteAccepted"
    assert world.recorded("promote")[-4:] == ["started", "started", "started", "promoted"]


def test_the_first_version_waits_for_no_gateway(tmp_path: Path) -> None:
    world = stable(tmp_path, gateway=None)
    assert (world.serving, world.state) == (1, "Stable")
    assert world.condition("Ready") == "False/RoutePending"
    assert "Gateway 'gateways/public' has not accepted" in world.message("Ready")


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_an_abort_returns_all_requests(world: World, fail: Callable[[World], None]) -> None:
    fail(world)
    world.settle()
    assert (world.serving, world.routed, world.running) == (1, {1: 100}, {1: 3})
    assert aside(world) == 1, "a gateway that still has the weight is answered by what serves"
    [refused] = world.status.refused
    assert refused.manifest_digest == world.digest(2)


GO: dict[str, Callable[[World], None]] = {
    "it is denied": lambda world: world.judge(2, denied=True),
    "a newer one comes": lambda world: world.seal(3),
    "no route is asked for any more": lambda world: world.ask(strategy=BASE),
}


@pytest.mark.parametrize("write", [1, 2, 3])
@pytest.mark.parametrize("go", GO.values(), ids=GO)
def test_no_request_is_left_unanswered_where_the_operator_dies(
    world: World, go: Callable[[World], None], write: int
) -> None:
    """Whatever was written last, the Pods that a share leads to are there."""
    go(world)
    for _ in range(4):
        died = not world.reconcile(die_at=write)
        world.run_pods()
        assert 0 not in world.routed
        if died:
            world.reconcile()
            world.run_pods()
            assert 0 not in world.routed


# -- silence, and other words than yes -----------------------------------------------------------

NOT_YET: dict[str, tuple[dict[str, str], str]] = {
    "it says nothing": ({}, "Unknown/RoutePending"),
    "only that it takes it": ({"Accepted": "True"}, "Unknown/RoutePending"),
    "only that it finds the backends": ({"ResolvedRefs": "True"}, "Unknown/RoutePending"),
    "that it does not know": ({**GOOD, "Accepted": "Unknown"}, "Unknown/RoutePending"),
    "that it does not take it": ({**GOOD, "Accepted": "False"}, "False/RouteNotAccepted"),
    "that it finds no backend": ({**GOOD, "ResolvedRefs": "False"}, "False/RouteNotAccepted"),
}


@pytest.mark.parametrize(("says", "told"), NOT_YET.values(), ids=NOT_YET)
def test_no_step_begins_before_the_route_is_accepted(
    tmp_path: Path, says: dict[str, str], told: str
) -> None:
    world = stable(tmp_path, gateway=says)
    world.seal(2)
    world.settle()
    world.wait(3600)
    world.settle()
    assert (world.state, world.routed) == ("Starting", {1: 100})
    assert world.condition("Routed") == told
    assert world.condition("Ready") == f"False/{told.partition('/')[2]}"
    assert "'credit-v2' is ready and has no traffic" in world.message("Ready")
    world.gateway = GOOD
    world.settle()
    assert (world.state, world.routed) == ("Canary", {1: 99, 2: 1})


def parents(world: World, change: Callable[[list[Obj]], object]) -> None:
    """Change what is said of the route, and have nobody say anything else."""
    world.gateway = None
    change(world.route["status"]["parents"])


def _of_before(said: list[Obj]) -> None:
    for condition in said[0]["conditions"]:
        condition["observedGeneration"] -= 1


def _without_generation(said: list[Obj]) -> None:
    for condition in said[0]["conditions"]:
        del condition["observedGeneration"]


def _one_more_who_refuses(said: list[Obj]) -> None:
    other = copy.deepcopy({**said[0], "controllerName": "test/other"})
    other["conditions"][0]["status"] = "False"
    said.append(other)


OTHER_WORDS: dict[str, Callable[[list[Obj]], object]] = {
    "of an earlier generation": _of_before,
    "of no generation": _without_generation,
    "of another parent": lambda said: said[0]["parentRef"].update(name="private"),
    "of a parent in another namespace": lambda said: said[0]["parentRef"].update(namespace=SPACE),
    "of another listener": lambda said: said[0]["parentRef"].update(sectionName="http"),
    "of what is no parent": lambda said: said[0].update(parentRef={"name": "-"}),
    "one more controller refuses": _one_more_who_refuses,
    "without conditions": lambda said: said[0].pop("conditions"),
    "nothing any more": lambda said: said.clear(),
}


@pytest.mark.parametrize("change", OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_words_about_something_else_accept_nothing(
    world: World, change: Callable[[list[Obj]], object]
) -> None:
    parents(world, change)
    world.settle()
    pass_step(world)
    pass_step(world)
    assert (step(world), world.routed) == (0, {1: 99, 2: 1})
    assert world.condition("Routed") != "True/RouteAccepted"
    world.gateway = GOOD
    world.settle()
    world.wait(21)
    world.settle()
    assert step(world) == 0, "what came meanwhile counts for nothing"
    assert "0 of 100 rows" in world.message("Ready")
    pass_step(world)
    assert step(world) == 1


def test_every_parent_must_accept(tmp_path: Path) -> None:
    both = {**ROUTE, "parentRefs": [PARENT, {"name": "private"}]}
    world = World(tmp_path, strategy={**BY_ROUTE, "canary": {**BY_ROUTE["canary"], "route": both}})
    for number in (1, 2):
        world.seal(number)
        world.settle()
    assert world.state == "Canary"
    parents(world, lambda said: said.pop())
    world.settle()
    pass_step(world)
    assert step(world) == 0
    assert f"Gateway '{SPACE}/private' has not accepted" in world.message("Ready")


def test_a_gateway_that_is_slow_to_take_a_weight_holds_the_step(world: World) -> None:
    pass_step(world)
    world.gateway = None
    assert step(world) == 1
    parents(world, _of_before)
    world.settle()
    for _ in range(3):
        pass_step(world)
    assert (world.state, step(world)) == ("Canary", 1)
    assert world.condition("Ready") == "False/RoutePending"


def test_a_candidate_is_refused_while_the_route_waits(world: World) -> None:
    parents(world, _of_before)
    world.report(2, CALM, failed=5)
    world.settle()
    assert (world.state, world.routed) == ("Refused", {1: 100})


# -- the cluster changes ----------------------------------------------------------------------

EDITS: dict[str, Callable[[Obj], object]] = {
    "more for the candidate": lambda spec: spec["rules"][0]["backendRefs"][1].update(weight=90),
    "a filter": lambda spec: spec["rules"][0].update(filters=[{"type": "RequestMirror"}]),
    "another host": lambda spec: spec["hostnames"].append("evil.example.com"),
}
"""What else is seen: ``unit/cluster/test_gather_route.py``."""


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_route_is_restored_and_the_step_counts_anew(
    world: World, edit: Callable[[Obj], object]
) -> None:
    before = copy.deepcopy(world.route["spec"])
    hear(world)
    world.wait(21)
    edit(world.route["spec"])
    world.route["metadata"]["generation"] += 1
    world.reconcile()
    assert world.route["spec"] == before
    world.settle()
    assert step(world) == 0, "the share was another one for a while"
    pass_step(world)
    assert step(world) == 1


@pytest.mark.parametrize("what", ["the route", "the candidate's Service", "both"])
def test_what_is_deleted_is_made_again(world: World, what: str) -> None:
    def lose(kind: str) -> None:
        found = world.route if kind == "route" else _candidate_service(world)
        del world.cluster.objects[world.cluster.key_of(found)]

    for kind in ("route", "Service"):
        if kind in what or what == "both":
            lose(kind)
    world.settle()
    assert world.routed == {1: 99, 2: 1}


def test_no_share_goes_to_a_stranger_who_has_the_name_of_the_candidates_service(
    world: World,
) -> None:
    service = _candidate_service(world)
    service["metadata"]["ownerReferences"][0]["uid"] = "of-another-deployment"
    service["metadata"]["labels"][LABEL_DEPLOYMENT] = f"{NAME}-candidate"
    service["spec"]["selector"] = {LABEL_DEPLOYMENT: f"{NAME}-candidate"}
    for _ in range(2):
        world.settle()
        pass_step(world)
    assert (step(world), world.routed) == (0, {1: 100})
    assert world.condition("Ready") == "False/ForeignObject"
    assert f"Service '{NAME}-candidate'" in world.message("Ready")
    del world.cluster.objects[world.cluster.key_of(service)]
    world.settle()
    assert world.routed == {1: 99, 2: 1}
    pass_step(world)
    assert step(world) == 1


def without_replicas(world: World) -> None:
    world.ask(replicas=0)


def under_a_stricter_policy(world: World) -> None:
    world.set_policy(rollout={"canary": {"maxFirstStep": 1, "maxStep": 20}})


@pytest.mark.parametrize("change", [without_replicas, under_a_stricter_policy])
def test_nothing_says_that_a_share_is_given_which_is_not(
    world: World, change: Callable[[World], None]
) -> None:
    pass_step(world)
    assert "gets 40 %" in world.message("Progressing")
    change(world)
    world.settle()
    pass_step(world)
    assert (step(world), world.running.get(2)) == (1, 2 if world.asked["replicas"] else 0)
    assert 2 not in world.routed
    assert "'credit-v2' has no traffic (step 2 of 2)" in world.message("Progressing")
    assert "Pods are starting" not in world.message("Ready")


def test_a_hold_lets_no_weight_rise_once_its_pods_are_ready(world: World) -> None:
    hear(world)
    world.wait(21)
    world.settle(kubelet=False)
    assert (step(world), world.routed) == (1, {1: 99, 2: 1})
    world.hold(600, "hold-1")
    world.settle()
    assert (world.routed, world.running) == ({1: 99, 2: 1}, {1: 3, 2: 2})
    world.wait(601)
    world.settle()
    assert (step(world), world.routed) == (1, {1: 60, 2: 40})


def aside(world: World) -> int:
    """Return the version that the candidate's Service selects."""
    return world.numbers[_candidate_service(world)["spec"]["selector"][LABEL_MANIFEST]]


def _candidate_service(world: World) -> Obj:
    [found] = [obj for obj in world._of(SERVICE) if obj["metadata"]["name"] == f"{NAME}-candidate"]
    return found


MISSING = "Expected the cluster to have HTTPRoutes, found no such kind."


def test_without_gateway_api_no_traffic_moves_and_it_may_come_later(tmp_path: Path) -> None:
    world = stable(tmp_path, no_routes=MISSING)
    assert (world.serving, world.routed) == (1, {})
    assert world.condition("Ready") == "False/GatewayAPIMissing"
    assert world.condition("Stalled") == "True/GatewayAPIMissing"
    assert world.condition("Available") == "True/Serving"
    world.seal(2)
    world.settle()
    world.wait(3600)
    world.settle()
    assert (world.state, world.shared) == ("Starting", {1: 3})
    assert MISSING in world.message("Ready")
    world.no_routes = ""
    world.settle()
    assert (world.state, world.routed) == ("Canary", {1: 99, 2: 1})


def test_gateway_api_that_goes_in_the_middle_stops_the_steps(world: World) -> None:
    world.no_routes = MISSING
    del world.cluster.objects[world.cluster.key_of(world.route)]
    world.settle()
    pass_step(world)
    assert (world.state, step(world), world.shared) == ("Canary", 0, {1: 3})
    assert world.condition("Ready") == "False/GatewayAPIMissing"
    assert aside(world) == 1, "it may be there all the same, where the operator may not list it"
    world.act("abort", "abort-1")
    world.settle()
    assert (world.state, aside(world)) == ("Refused", 1)
    world.no_routes = ""
    world.settle()
    assert world.routed == {1: 100}


def foreign(world: World) -> None:
    metadata = {"name": NAME, "namespace": SPACE}
    world.cluster.put({"apiVersion": HTTP_ROUTE.api_version, "kind": "HTTPRoute",
                       "metadata": metadata, "spec": {"parentRefs": [], "rules": []}})  # fmt: skip


def test_a_foreign_route_of_that_name_is_left_alone_before_anything_serves(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, strategy=BY_ROUTE)
    foreign(world)
    world.seal(1)
    world.settle()
    assert (world.serving, world.running) == (0, {})
    assert world.condition("Stalled") == "True/ForeignObject"
    assert f"HTTPRoute '{NAME}' in namespace '{SPACE}'" in world.message("Ready")
    assert world.route["spec"] == {"parentRefs": [], "rules": []}


def test_a_foreign_route_holds_up_nothing_else(tmp_path: Path) -> None:
    world = World(tmp_path, replicas=2, strategy=BASE)
    world.seal(1)
    world.settle()
    foreign(world)
    world.ask(strategy=BY_ROUTE, replicas=3)
    world.settle()
    assert world.running == {1: 3}
    assert world.condition("Stalled") == "True/ForeignObject"
    world.seal(2)
    world.settle()
    assert (world.serving, world.state) == (1, "Starting")
    del world.cluster.objects[world.cluster.key_of(world.route)]
    world.settle()
    assert world.routed == {1: 99, 2: 1}


# -- people, Pods and crashes -----------------------------------------------------------------
