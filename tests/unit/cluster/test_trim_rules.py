"""What holds for whatever the cache keeps of an object: it is bounded, and trimmed once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api import names
from hallmark.cluster.kinds import HALLMARK_KINDS, MODEL_DEPLOYMENT, TRAINING_RUN, Kind, Obj
from hallmark.cluster.trim import CHILD_BYTES, TEXT_LIMIT, trimmed
from hallmark.resources.predictor_version import TRUST_KEY
from tests.unit.cluster.cached import obj
from tests.unit.cluster.test_trim import KINDS, LONG


def fat_metadata() -> Obj:
    """Return metadata that an author made as large as he could."""
    ours = (names.ANNOTATION_ACTION, names.ANNOTATION_RECONCILE, names.ANNOTATION_RELAY)
    owner = {"apiVersion": LONG, "kind": LONG, "name": LONG, "uid": "u", "controller": True}
    return {
        "labels": {f"hallmark.dev/label-{number}": "x" * 63 for number in range(9000)},
        "annotations": {
            **{f"hallmark.dev/text-{number}": "x" * 5000 for number in range(50)},
            **dict.fromkeys(ours, LONG),
        },
        "ownerReferences": [owner],
        "finalizers": [LONG],
    }


def fat_parts(kind: Kind) -> Obj:
    """Return what else of an object no schema bounds, or bounds too far away."""
    if kind == TRAINING_RUN:
        column = {"name": "c", "type": "Category", "categories": ["x" * 200] * 256}
        return {"spec": {"dataset": {"records": LONG}, "schema": {"features": [column] * 100}}}
    if kind == MODEL_DEPLOYMENT:
        return {"status": {"drift": {"pod": LONG}}}
    if kind in HALLMARK_KINDS:
        return {}
    many: list[Obj] = [{"name": f"n{number}", "image": LONG} for number in range(10)]
    return {
        "spec": {
            "replicas": 1,
            "selector": {f"k{number}": "v" for number in range(5000)},
            "template": {"metadata": {"annotations": {"a": LONG}}, "spec": {"containers": many}},
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "message": LONG}],
            "containerStatuses": many,
        },
        "data": {"a": LONG, "highest": LONG, "manifestDigest": LONG, TRUST_KEY: LONG},
        "rules": many,
        "secrets": many,
        "endpoints": many,
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_an_author_does_not_decide_how_much_is_kept(kind: Kind) -> None:
    whole = obj(kind, metadata=fat_metadata(), **fat_parts(kind))
    assert len(json.dumps(whole)) > 1_300_000
    assert len(json.dumps(trimmed(kind, whole))) < CHILD_BYTES


def _maps() -> st.SearchStrategy[Any]:
    known = st.sampled_from(
        [
            *(
                names.LABEL_DEPLOYMENT,
                names.LABEL_RUN,
                names.LABEL_JOB_NAME,
                names.LABEL_MANAGED_BY,
            ),
            *(names.ANNOTATION_ACTION, "hallmark.dev/else", "team"),
        ]
    )
    texts = st.one_of(st.text(max_size=5), st.just("y" * (TEXT_LIMIT + 5)))
    return st.one_of(st.none(), st.dictionaries(known, texts, max_size=5))


def _parts() -> st.SearchStrategy[Any]:
    """Return parts of objects of every kind, mixed, and nulls where a writer may leave them."""
    texts = st.sampled_from(["", "a", "z" * (TEXT_LIMIT + 1)])
    condition = st.fixed_dictionaries(
        {"type": st.sampled_from(["Ready", "Failed", "Other"])},
        optional={"status": texts, "message": texts, "else": texts},
    )
    ended = st.fixed_dictionaries({}, optional={"exitCode": st.integers(0, 9), "message": texts})
    state = st.one_of(st.none(), st.dictionaries(st.sampled_from(["waiting", "running"]), ended))
    container = st.fixed_dictionaries(
        {}, optional={"image": texts, "state": state, "lastState": state, "env": texts}
    )
    containers = st.lists(container, max_size=6)
    spec = st.fixed_dictionaries(
        {},
        optional={
            "suspend": st.booleans(),
            "replicas": st.integers(0, 3),
            "dataset": st.sampled_from([{"records": "rows"}, {"uri": "u"}]),
            "schema": st.just({"features": [{"name": "a", "categories": ["b"]}], "target": {}}),
            "template": st.fixed_dictionaries(
                {"spec": st.fixed_dictionaries({"containers": containers})}
            ),
        },
    )
    status: st.SearchStrategy[Any] = st.fixed_dictionaries(
        {},
        optional={
            "conditions": st.one_of(st.none(), st.lists(condition, max_size=20)),
            "containerStatuses": st.one_of(st.none(), containers),
            "readyReplicas": st.integers(0, 3),
            "drift": st.just({"pod": {}}),
            "url": texts,
        },
    )
    data = st.dictionaries(st.sampled_from(["highest", "manifestDigest", "task.json"]), texts)
    nothing = st.none()
    return st.fixed_dictionaries(
        {},
        optional={
            "spec": st.one_of(nothing, spec),
            "status": st.one_of(nothing, status),
            "data": st.one_of(nothing, data),
            "immutable": st.booleans(),
        },
    )


@given(kind=st.sampled_from(KINDS), labels=_maps(), annotations=_maps(), parts=_parts())
def test_trimming_twice_is_trimming_once(
    kind: Kind, labels: Obj | None, annotations: Obj | None, parts: Obj
) -> None:
    whole = obj(kind, metadata={"labels": labels, "annotations": annotations}, **parts)
    before = json.dumps(whole)
    once = trimmed(kind, whole)
    assert trimmed(kind, once) == once
    assert json.dumps(whole) == before, "what came is not changed"
