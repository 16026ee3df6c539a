"""Nobody makes an object large through its metadata, and what was large before may shrink."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from hallmark.api import admission
from hallmark.api.admission.bounds import LAST_APPLIED
from tests.integration.api import Obj, User, path_of
from tests.integration.bounded_metadata import (
    ADMIN,
    ANNOTATIONS,
    APPLY,
    BYTES,
    KINDS,
    LABELS,
    REFUSED,
    TAKEN,
    entry,
    made,
    owner,
    said,
    tried,
    tried_patch,
)
from tests.integration.conftest import AUTHOR, OPERATOR, World, until

POLICY = "hallmark-metadata-bounds"


@pytest.fixture(scope="module", autouse=True)
def _in_force(world: World) -> None:
    """Wait until the policy that is tested here acts."""
    bad = made(world, "trainingruns", finalizers=["example.com/keep"])
    until(lambda: bool(tried(world, bad, ADMIN)))


@pytest.fixture(scope="module")
def plain(world: World) -> dict[str, Obj]:
    """An object of each kind, whose metadata holds nothing of ours."""
    objs = {kind: made(world, kind) for kind in KINDS}
    for kind, obj in objs.items():
        world.api.create(obj, KINDS[kind].writer)
    return objs


# What metadata may hold.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metadata", TAKEN.values(), ids=TAKEN.keys())
def test_metadata_is_taken(world: World, plain: dict[str, Obj], kind: str, metadata: Obj) -> None:
    writer = KINDS[kind].writer

    assert tried(world, made(world, kind, **metadata), writer) == ""
    assert tried_patch(world, plain[kind], {"metadata": metadata}, writer) == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("metadata", "refusal"), REFUSED.values(), ids=REFUSED.keys())
def test_metadata_is_refused(
    world: World, plain: dict[str, Obj], kind: str, metadata: Obj, refusal: str
) -> None:
    writer, obj = KINDS[kind].writer, plain[kind]

    assert refusal in tried(world, made(world, kind, **metadata), writer)
    said_of_patch = tried_patch(world, obj, {"metadata": metadata}, writer)
    assert refusal in said_of_patch
    assert f"{kind} {obj['metadata']['name']}" in said_of_patch


@pytest.mark.parametrize(("metadata", "refusal"), REFUSED.values(), ids=REFUSED.keys())
def test_metadata_is_refused_whoever_writes_it(
    world: World, plain: dict[str, Obj], metadata: Obj, refusal: str
) -> None:
    obj = world.api.get(plain["modeldeployments"])
    changed = {**obj, "metadata": {**obj["metadata"], **metadata}}

    assert refusal in said(lambda: world.api.replace(changed, AUTHOR))
    assert refusal in tried_patch(world, obj, {"metadata": metadata}, ADMIN)
    # Versions are the one kind whose objects the operator may change.
    assert refusal in tried_patch(world, plain["modelversions"], {"metadata": metadata}, OPERATOR)


@pytest.mark.parametrize(
    "what",
    [
        "4,170 short labels",
        "one annotation of too many bytes",
        "an owner with an endless name",
        "a foreign finalizer",
    ],
)
def test_metadata_is_refused_where_it_is_applied(
    world: World, plain: dict[str, Obj], what: str
) -> None:
    obj, (metadata, refusal) = plain["modeldeployments"], REFUSED[what]
    content = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
    path = path_of(obj) + "?fieldManager=one"

    for user in (AUTHOR, ADMIN):
        act = partial(world.api.request, "PATCH", path, content, user, content=APPLY)
        assert refusal in said(act)


# What was large before there was a policy.

OLD = "old"


@pytest.fixture(scope="module")
def before_the_policy(world: World) -> Callable[[Obj, User | None], Obj]:
    """Create objects as if the policy were not there; it is back before the first test looks."""
    binding = next(
        pair[1] for pair in admission.policies() if pair[1]["metadata"]["name"] == POLICY
    )
    large = {"finalizers": ["example.com/keep"], "labels": {OLD: ""}}
    probe = made(world, "trainingruns", **large)
    exempt = {"objectSelector": {"matchExpressions": [{"key": OLD, "operator": "DoesNotExist"}]}}

    def create(obj: Obj, user: User | None) -> Obj:
        world.api.patch(binding, {"spec": {"matchResources": exempt}})
        try:
            until(lambda: not tried(world, probe, ADMIN))
            return world.api.create(obj, user)
        finally:
            world.api.patch(binding, {"spec": {"matchResources": None}})
            until(lambda: bool(tried(world, probe, ADMIN)))

    return create


@pytest.fixture(params=KINDS)
def large(
    world: World,
    before_the_policy: Callable[[Obj, User | None], Obj],
    request: pytest.FixtureRequest,
) -> tuple[Obj, User | None]:
    """An object that is over every limit, and who may write it."""
    kind = KINDS[request.param]
    obj = made(
        world,
        request.param,
        labels={OLD: "", **{f"l{index}": "x" for index in range(200)}},
        annotations={
            **{f"example.com/{index}": "x" * 500 for index in range(300)},
            LAST_APPLIED: "<" * 45_000,
        },
        finalizers=[f"example.com/{index}" for index in range(20)],
        ownerReferences=[owner(uid=f"1-2-{index}", name="x" * 2_000) for index in range(30)],
        managedFields=[
            entry(f"a{index}", {"f:spec": {f"f:{'x' * 99_000}": {}}}) for index in (1, 2)
        ],
    )
    before_the_policy(obj, kind.writer)
    return obj, kind.writer


def test_a_large_object_gets_its_status_and_shrinks(
    world: World, large: tuple[Obj, User | None]
) -> None:
    obj, writer = large

    world.api.patch(obj, {"status": {"conditions": []}}, OPERATOR, "status")
    shrink: list[Obj] = [
        {"labels": {"l1": None}},
        {"labels": {"l2": "another"}},
        {"annotations": {"example.com/1": None}},
        {"annotations": {"example.com/2": "x" * 499}},
        {"annotations": {LAST_APPLIED: "<" * 44_999}},
        {"finalizers": [f"example.com/{index}" for index in range(19)]},
        {"ownerReferences": [owner(uid="1-2-1", name="x" * 2_000)] * 1},
        {"managedFields": [{}]},
        {"finalizers": None, "labels": None, "annotations": None},
    ]
    for metadata in shrink:
        act = partial(world.api.patch, obj, {"metadata": metadata}, writer)
        assert said(act) == "", metadata


def test_a_large_object_does_not_grow(world: World, large: tuple[Obj, User | None]) -> None:
    obj, writer = large

    growth: list[tuple[Obj, str]] = [
        ({"labels": {"more": ""}}, LABELS),
        ({"annotations": {"example.com/more": ""}}, ANNOTATIONS),
        ({"annotations": {"example.com/1": "x" * 501}}, BYTES),
        ({"annotations": {LAST_APPLIED: "<" * 45_001}}, "as it is stored"),
        ({"finalizers": ["example.com/another"]}, "found example.com/another"),
        ({"ownerReferences": [owner(uid=f"1-2-{at}") for at in range(31)]}, "ownerReferences"),
        (
            {"managedFields": [entry("a1", {"f:spec": {f"f:{'x' * 700_000}": {}}})]},
            "bytes of managedFields",
        ),
    ]
    for metadata, refusal in growth:
        assert refusal in tried_patch(world, obj, {"metadata": metadata}, writer), metadata
