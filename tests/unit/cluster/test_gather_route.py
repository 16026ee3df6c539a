"""What an HTTPRoute says: exactly what is asked for and accepted, or not."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, strategies as st

from hallmark.api.common import NamespacedMeta
from hallmark.api.model_deployment import ModelDeployment, ModelDeploymentSpec
from hallmark.api.route import ParentRef, Route
from hallmark.cluster.gather.route import route_state
from hallmark.cluster.kinds import HTTP_ROUTE, Obj
from hallmark.cluster.trim import trimmed
from hallmark.resources.route import http_route

OWNER = ModelDeployment(
    metadata=NamespacedMeta(name="credit", namespace="bank", uid="u-1"),
    spec=ModelDeploymentSpec(model="credit"),
)
ROUTE = Route(
    parent_refs=[
        ParentRef(name="public", namespace="gateways", section_name="https", port=443),
        ParentRef(group="", kind="Service", name="credit"),
    ],
    hostnames=["credit.example.com"],
)
WEIGHTS = st.integers(0, 99)
TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def live(weight: int, **status: Any) -> Obj:  # noqa: ANN401
    """Return the route as the cache keeps it once the API server took it."""
    made = http_route(OWNER, ROUTE, weight)
    made["metadata"] = {**made["metadata"], "uid": "r-1", "resourceVersion": "7", "generation": 3}
    return trimmed(HTTP_ROUTE, {**made, **({"status": status} if status else {})})


@given(WEIGHTS)
def test_the_route_says_its_own_weight(weight: int) -> None:
    found = live(weight)
    assert route_state(OWNER, ROUTE, found).weight == weight
    shares = [backend["weight"] for backend in found["spec"]["rules"][0]["backendRefs"]]
    assert sum(shares) == 100


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401
    """Return the path of each value inside a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, item in inner:
        found.append((*path, key))
        if isinstance(item, dict | list):
            found += places(item, (*path, key))
    return found


@given(st.data(), WEIGHTS)
def test_any_other_route_gives_no_weight(data: st.DataObject, weight: int) -> None:
    """A value that is another one, or gone, or one more key or item anywhere below the top."""
    found = live(weight)
    path = data.draw(st.sampled_from(places(found["spec"])))
    before = copy.deepcopy(found["spec"])
    parent: Any = found["spec"]
    for key in path[:-1]:
        parent = parent[key]
    inside = parent[path[-1]]
    how = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if how == "add" and isinstance(inside, dict | list):
        if isinstance(inside, dict):
            inside["filters"] = data.draw(JSON)
        else:
            inside.append(data.draw(JSON))
    elif how == "remove":
        del parent[path[-1]]
    else:
        parent[path[-1]] = data.draw(JSON)
    weighs = path[-1] == "weight" and path[-2] == 1
    if found["spec"] != before and not weighs:
        assert route_state(OWNER, ROUTE, found).weight is None


def said(**condition: Any) -> list[Obj]:  # noqa: ANN401
    """Return what a controller says of the first parent; a condition is changed, or None."""
    usual = {"status": "True", "reason": "Accepted", "observedGeneration": 3}
    conditions = [{"type": "Accepted", **usual, **condition}, {"type": "ResolvedRefs", **usual}]
    parent = ROUTE.parent_refs[0].to_wire()
    return [{"parentRef": parent, "controllerName": "a/b", "conditions": conditions}]


def test_a_parent_is_known_by_all_that_names_it() -> None:
    [verdict] = route_state(OWNER, ROUTE, live(0, parents=said())).verdicts
    assert (verdict.parent, verdict.accepted, verdict.refusal) == (ROUTE.parent_refs[0], True, "")
    here = said()
    here[0]["parentRef"] = {"group": "", "kind": "Service", "name": "credit"}
    [verdict] = route_state(OWNER, ROUTE, live(0, parents=here)).verdicts
    assert verdict.parent == ROUTE.parent_refs[1].replace(namespace="bank")


@given(st.integers(-5, 5), st.sampled_from(["True", "False", "Unknown"]))
def test_only_words_about_the_route_as_it_is_count(offset: int, status: str) -> None:
    words = said(observedGeneration=3 + offset, status=status, message="Because.")
    [verdict] = route_state(OWNER, ROUTE, live(0, parents=words)).verdicts
    current = offset >= 0
    assert verdict.accepted == (current and status == "True")
    assert bool(verdict.refusal) == (current and status == "False")
    if verdict.refusal:
        assert verdict.refusal == "Accepted=False (Accepted): Because."


@given(st.lists(st.sampled_from(["", "x" * 100_000]), max_size=3), st.integers(0, 60))
def test_long_words_are_cut_and_many_are_bounded(texts: list[str], count: int) -> None:
    words = [{**said(message=text, status="False")[0]} for text in texts] + said() * count
    found = live(0, parents=words)
    state = route_state(OWNER, ROUTE, found)
    assert len(state.verdicts) <= 32
    assert all(len(verdict.refusal) < 400 for verdict in state.verdicts)
