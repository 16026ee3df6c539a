"""Which objects are looked at when another one changed: exactly those it concerns."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.model_version import ModelVersionStatus
from hallmark.cluster.cache import Change, Key, ObjectCache
from hallmark.cluster.kinds import (
    CONFIG_MAP,
    ENDPOINT_SLICE,
    JOB,
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    POD,
    TRAINING_RUN,
    Kind,
    Obj,
)
from hallmark.controllers.queue import Urgency
from hallmark.controllers.routes import concerned, urgency

SPACE = "bank"
AT_ONCE, SOON, IN_TURN = Urgency


def obj(kind: Kind, name: str = "x", space: str | None = SPACE, **parts: Any) -> Obj:  # noqa: ANN401
    labels = parts.pop("labels", {})
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", "labels": labels}
    if space is not None and kind.namespaced:
        metadata["namespace"] = space
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts}


def deployment(name: str, space: str = SPACE, **parts: Any) -> Obj:  # noqa: ANN401
    return obj(MODEL_DEPLOYMENT, name, space, **parts)


AROUND = (
    deployment("follows", spec={"model": "credit"}),
    deployment("pins", spec={"modelVersion": "v1"}),
    deployment("serves", spec={"model": "other"}, status={"activeModelVersion": "v1"}),
    deployment(
        "could-go-back",
        spec={"model": "other"},
        status={"history": [{"version": "v1", "wasStable": True}]},
    ),
    deployment("has-nothing-to-do-with-it", spec={"model": "other"}),
    deployment("elsewhere", "shop", spec={"model": "credit"}),
    obj(NAMESPACE, SPACE, None),
    obj(NAMESPACE, "shop", None, labels={names.LABEL_POLICY: "strict"}),
    obj(TRAINING_RUN, "run"),
    obj(MODEL_VERSION, "v1", spec={"model": "credit"}),
    obj(MODEL_APPROVAL, "mine", spec={"modelVersion": {"name": "v1"}}),
)
MINE = [Key(MODEL_DEPLOYMENT, SPACE, name) for name in ("could-go-back", "pins", "serves")]
VERSION = obj(MODEL_VERSION, "v1", spec={"model": "credit"})
ALL_IN_BANK = [
    *(
        Key(MODEL_DEPLOYMENT, SPACE, name)
        for name in sorted(
            ["could-go-back", "follows", "has-nothing-to-do-with-it", "pins", "serves"]
        )
    ),
    Key(MODEL_VERSION, SPACE, "v1"),
    Key(TRAINING_RUN, SPACE, "run"),
]


@pytest.fixture(scope="module")
def cache() -> ObjectCache:
    made = ObjectCache()
    for known in AROUND:
        kinds = (MODEL_DEPLOYMENT, NAMESPACE, TRAINING_RUN, MODEL_VERSION, MODEL_APPROVAL)
        kind = next(
            k for k in kinds if (k.api_version, k.kind) == (known["apiVersion"], known["kind"])
        )
        made.observe(kind, known)
    return made


def with_status(version: Obj, **status: Any) -> Obj:  # noqa: ANN401
    return {**version, "status": status}


def labelled(kind: Kind, space: str | None = SPACE, **labels: str) -> Obj:
    return obj(kind, "child", space, labels={key.replace("_", "/"): v for key, v in labels.items()})


RUN, DEPLOYMENT = {names.LABEL_RUN: "v1"}, {names.LABEL_DEPLOYMENT: "credit"}


@pytest.mark.parametrize(
    ("kind", "before", "after", "keys"),
    [
        pytest.param(
            TRAINING_RUN,
            None,
            obj(TRAINING_RUN),
            [Key(TRAINING_RUN, SPACE, "x")],
            id="a run concerns itself",
        ),
        pytest.param(
            MODEL_VERSION,
            None,
            VERSION,
            [
                Key(MODEL_VERSION, SPACE, "v1"),
                Key(TRAINING_RUN, SPACE, "v1"),
                *MINE,
                Key(MODEL_DEPLOYMENT, SPACE, "follows"),
            ],
            id="a new version concerns its run and those that follow, pin or use it",
        ),
        pytest.param(
            MODEL_VERSION,
            VERSION,
            with_status(VERSION, usedBy=["credit"]),
            [Key(MODEL_VERSION, SPACE, "v1")],
            id="who uses a version concerns nobody else",
        ),
        pytest.param(
            MODEL_VERSION,
            VERSION,
            with_status(VERSION, approvals=[{"name": "yes", "accepted": True}]),
            [
                Key(MODEL_VERSION, SPACE, "v1"),
                Key(MODEL_APPROVAL, SPACE, "yes"),
                *MINE,
                Key(MODEL_DEPLOYMENT, SPACE, "follows"),
            ],
            id="a decision on a version concerns its approval and what may serve it",
        ),
        pytest.param(
            MODEL_VERSION,
            with_status(VERSION, conditions=[{"type": "Verified", "status": "True"}]),
            with_status(VERSION, conditions=[{"type": "Verified", "status": "False"}]),
            [
                Key(MODEL_VERSION, SPACE, "v1"),
                *MINE,
                Key(MODEL_DEPLOYMENT, SPACE, "follows"),
            ],
            id="a signature that does not hold any more concerns what may serve it",
        ),
        pytest.param(
            MODEL_APPROVAL,
            None,
            obj(MODEL_APPROVAL, spec={"modelVersion": {"name": "v1"}}),
            [Key(MODEL_APPROVAL, SPACE, "x"), Key(MODEL_VERSION, SPACE, "v1")],
            id="an approval concerns its version",
        ),
        pytest.param(
            MODEL_APPROVAL,
            None,
            obj(MODEL_APPROVAL, spec={"modelVersion": None}),
            [Key(MODEL_APPROVAL, SPACE, "x")],
            id="an approval that names nothing concerns itself",
        ),
        pytest.param(
            MODEL_DEPLOYMENT,
            deployment("x", status={"activeModelVersion": "v1"}),
            deployment("x", status={"activeModelVersion": "v2", "rollout": {"modelVersion": "v1"}}),
            [Key(MODEL_DEPLOYMENT, SPACE, "x"), Key(MODEL_VERSION, SPACE, "v2")],
            id="a ModelDeployment concerns versions whose use begins",
        ),
        pytest.param(
            MODEL_DEPLOYMENT,
            deployment("x", status={"activeModelVersion": "v1"}),
            None,
            [Key(MODEL_DEPLOYMENT, SPACE, "x"), Key(MODEL_VERSION, SPACE, "v1")],
            id="a ModelDeployment that is gone concerns what it used",
        ),
        pytest.param(
            MODEL_POLICY,
            obj(MODEL_POLICY, "default", None, spec={"a": 1}),
            obj(MODEL_POLICY, "default", None, spec={"a": 2}),
            [Key(MODEL_POLICY, None, "default"), *ALL_IN_BANK],
            id="a policy concerns what is in its namespaces",
        ),
        pytest.param(
            MODEL_POLICY,
            obj(MODEL_POLICY, "default", None, spec={"a": 1}),
            obj(MODEL_POLICY, "default", None, spec={"a": 1}, status={"conditions": []}),
            [Key(MODEL_POLICY, None, "default")],
            id="a policy's status concerns itself alone",
        ),
        pytest.param(
            NAMESPACE,
            obj(NAMESPACE, SPACE, None),
            obj(NAMESPACE, SPACE, None, labels={names.LABEL_POLICY: "strict"}),
            ALL_IN_BANK,
            id="another policy's label on a namespace concerns all in it",
        ),
        pytest.param(
            NAMESPACE,
            obj(NAMESPACE, SPACE, None),
            obj(NAMESPACE, SPACE, None, labels={"team": "risk"}),
            [],
            id="another label on a namespace concerns nobody",
        ),
        pytest.param(
            JOB,
            None,
            obj(JOB, labels=RUN),
            [Key(TRAINING_RUN, SPACE, "v1")],
            id="a training Job concerns its run",
        ),
        pytest.param(
            JOB,
            None,
            obj(JOB, "x", "hallmark-system", labels={**RUN, names.LABEL_RUN_NAMESPACE: "team"}),
            [Key(TRAINING_RUN, "team", "v1")],
            id="a sealing Job concerns a run of another namespace",
        ),
        pytest.param(
            POD,
            obj(POD, labels=DEPLOYMENT),
            None,
            [Key(MODEL_DEPLOYMENT, SPACE, "credit")],
            id="a predictor's Pod that is gone concerns its ModelDeployment",
        ),
        pytest.param(
            POD,
            obj(POD, labels=DEPLOYMENT),
            obj(POD, labels={names.LABEL_DEPLOYMENT: "loans"}),
            [Key(MODEL_DEPLOYMENT, SPACE, "credit"), Key(MODEL_DEPLOYMENT, SPACE, "loans")],
            id="a Pod that changes its owner concerns both",
        ),
        pytest.param(
            ENDPOINT_SLICE,
            None,
            obj(ENDPOINT_SLICE, "kubernetes", "default"),
            [
                *(key for key in ALL_IN_BANK if key.kind == MODEL_DEPLOYMENT),
                Key(MODEL_DEPLOYMENT, "shop", "elsewhere"),
            ],
            id="where the API server is concerns every ModelDeployment",
        ),
        pytest.param(CONFIG_MAP, None, obj(CONFIG_MAP), [], id="a foreign object concerns nobody"),
    ],
)
def test_a_change_concerns(
    cache: ObjectCache, kind: Kind, before: Obj | None, after: Obj | None, keys: list[Key]
) -> None:
    there = after or before
    assert there is not None
    key = Key(kind, there["metadata"].get("namespace"), there["metadata"]["name"])
    found = concerned(Change(key, before, after), cache)
    assert sorted(found) == sorted(keys)
    assert len(found) == len(set(found))


READ = {
    "conditions": [{"type": "Verified", "status": "True"}],
    "approvals": [{"name": "yes", "accepted": True}],
    "rolledBack": {"time": "2026-11-28T12:00:00Z"},
    "policyDigest": "sha256:1",
    "feedDigest": "sha256:1",
}
"""What decisions about ModelDeployments read of a version's status."""
UNREAD = {"observedGeneration", "usedBy", "vexDigest", "sbom", "keyId"}


def test_every_field_of_a_versions_status_is_read_by_deployments_or_not() -> None:
    fields = {field.alias or name for name, field in ModelVersionStatus.model_fields.items()}
    assert fields == READ.keys() | UNREAD


@pytest.mark.parametrize("field", READ)
def test_what_a_deployment_reads_of_a_version_concerns_what_may_serve_it(
    cache: ObjectCache, field: str
) -> None:
    after = with_status(VERSION, **{field: READ[field]})
    found = concerned(Change(Key(MODEL_VERSION, SPACE, "v1"), VERSION, after), cache)
    assert {*MINE, Key(MODEL_DEPLOYMENT, SPACE, "follows")} <= set(found)


def _says(**conditions: str) -> Obj:
    listed = [{"type": name, "status": status} for name, status in conditions.items()]
    return {"metadata": {"name": "x", "namespace": SPACE}, "status": {"conditions": listed}}


GOOD = _says(Ready="True")
PENDING = _says(Ready="False")


@pytest.mark.parametrize(
    ("changed", "before", "after", "found"),
    [
        pytest.param(
            MODEL_VERSION, GOOD, _says(Ready="False", Revoked="True"), AT_ONCE, id="revoked"
        ),
        pytest.param(
            MODEL_VERSION,
            PENDING,
            _says(Ready="False", Revoked="True"),
            AT_ONCE,
            id="revoked after its approval ended",
        ),
        pytest.param(
            MODEL_VERSION, PENDING, _says(Ready="False", Denied="True"), AT_ONCE, id="denied"
        ),
        pytest.param(MODEL_VERSION, GOOD, PENDING, AT_ONCE, id="its key was revoked"),
        pytest.param(MODEL_VERSION, GOOD, _says(Ready="Unknown"), AT_ONCE, id="no longer known"),
        pytest.param(MODEL_VERSION, GOOD, {"metadata": {"name": "x"}}, AT_ONCE, id="no status"),
        pytest.param(MODEL_VERSION, GOOD, None, AT_ONCE, id="deleted while it was good"),
        pytest.param(MODEL_VERSION, PENDING, GOOD, SOON, id="approved"),
        pytest.param(MODEL_VERSION, None, PENDING, SOON, id="new"),
        pytest.param(
            MODEL_VERSION, _says(Revoked="True"), _says(Revoked="True"), SOON, id="revoked long ago"
        ),
        pytest.param(POD, {}, {}, SOON, id="a Pod"),
        pytest.param(MODEL_POLICY, {}, {}, IN_TURN, id="a policy"),
        pytest.param(NAMESPACE, {}, {}, IN_TURN, id="a namespace"),
    ],
)
def test_how_urgent_a_look_at_a_deployment_is(
    changed: Kind, before: Obj | None, after: Obj | None, found: Urgency
) -> None:
    change = Change(Key(changed, SPACE, "x"), before, after)
    assert urgency(change, Key(MODEL_DEPLOYMENT, SPACE, "y")) is found
    assert urgency(change, Key(TRAINING_RUN, SPACE, "y")) is IN_TURN


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (MODEL_APPROVAL, AT_ONCE),
        (MODEL_VERSION, AT_ONCE),
        (CONFIG_MAP, AT_ONCE),
        (MODEL_POLICY, IN_TURN),
        (MODEL_DEPLOYMENT, IN_TURN),
    ],
    ids=["a decision", "a twin", "what is remembered", "a policy", "its user"],
)
def test_how_urgent_a_look_at_a_version_is(changed: Kind, found: Urgency) -> None:
    change = Change(Key(changed, SPACE, "x"), {}, {})
    assert urgency(change, Key(MODEL_VERSION, SPACE, "y")) is found


def test_a_version_is_not_urgent_for_itself() -> None:
    """Its own status changes with each look at it."""
    key = Key(MODEL_VERSION, SPACE, "x")
    assert urgency(Change(key, PENDING, GOOD), key) is IN_TURN


# --- the same bytes ----------------------------------------------------------------------------

BYTES = "sha256:" + "ab" * 32


def sealed(name: str, space: str = SPACE, digest: str = BYTES, **status: Any) -> Obj:  # noqa: ANN401
    spec = {"model": "credit", "artifact": {"manifestDigest": digest}}
    return obj(MODEL_VERSION, name, space, spec=spec, status=status)


def said(decision: str, *, accepted: bool = True) -> Obj:
    return {"uid": decision, "name": "no", "decision": decision, "accepted": accepted}


@pytest.fixture
def twins() -> ObjectCache:
    made = ObjectCache()
    for known in (
        sealed("a"),
        sealed("b"),
        sealed("elsewhere", "shop"),
        sealed("other", digest="sha256:" + "cd" * 32),
    ):
        made.observe(MODEL_VERSION, known)
    made.observe(MODEL_APPROVAL, obj(MODEL_APPROVAL, "yes", spec={"modelVersion": {"name": "a"}}))
    return made


@pytest.mark.parametrize(
    ("record", "wakes"),
    [
        (said("Denied"), True),
        (said("Revoked"), True),
        (said("Approved"), False),
        (said("Denied", accepted=False), False),
    ],
    ids=["a denial", "a revocation", "an approval", "a denial that does not count"],
)
def test_what_is_final_concerns_the_twins_of_the_namespace(
    twins: ObjectCache, record: Obj, *, wakes: bool
) -> None:
    change = Change(Key(MODEL_VERSION, SPACE, "a"), sealed("a"), sealed("a", approvals=[record]))
    found = concerned(change, twins)
    assert (Key(MODEL_VERSION, SPACE, "b") in found) is wakes
    assert (Key(MODEL_APPROVAL, SPACE, "yes") in found) is wakes
    assert Key(MODEL_VERSION, "shop", "elsewhere") not in found
    assert Key(MODEL_VERSION, SPACE, "other") not in found
    again = Change(change.key, change.after, {**(change.after or {}), "extra": 1})
    assert Key(MODEL_VERSION, SPACE, "b") not in concerned(again, twins), "once"


def test_what_serves_goes_before_a_thousand_versions_of_its_bytes(twins: ObjectCache) -> None:
    """Whoever trains one spec again and again has as many of them as he likes."""
    twins.observe(MODEL_DEPLOYMENT, obj(MODEL_DEPLOYMENT, "serves", spec={"model": "credit"}))
    after = sealed("a", approvals=[said("Revoked")])
    found = concerned(Change(Key(MODEL_VERSION, SPACE, "a"), sealed("a"), after), twins)
    serves, twin = Key(MODEL_DEPLOYMENT, SPACE, "serves"), Key(MODEL_VERSION, SPACE, "b")
    assert found.index(serves) < found.index(twin)


def test_twins_hear_a_word_where_it_was_said_and_not_from_each_other_again(
    twins: ObjectCache,
) -> None:
    heard = {**said("Revoked"), "modelVersion": "a"}
    change = Change(Key(MODEL_VERSION, SPACE, "b"), sealed("b"), sealed("b", approvals=[heard]))
    assert Key(MODEL_VERSION, SPACE, "a") not in concerned(change, twins)
    both = sealed("b", approvals=[{**said("Denied"), "name": "no"}, heard])
    change = Change(change.key, sealed("b"), both)
    assert Key(MODEL_VERSION, SPACE, "a") in concerned(change, twins), "one of its own, of a name"


def test_what_is_remembered_concerns_the_versions_of_the_bytes(twins: ObjectCache) -> None:
    labels = {names.LABEL_LATCH: names.latch_label(BYTES)}
    latch = obj(CONFIG_MAP, names.latch_name(BYTES), "hallmark-system", labels=labels)
    expected = [("bank", "a"), ("bank", "b"), ("shop", "elsewhere")]
    for before, after in ((None, latch), (latch, None), (latch, {**latch, "data": {}})):
        key = Key(CONFIG_MAP, "hallmark-system", latch["metadata"]["name"])
        found = concerned(Change(key, before, after), twins)
        assert [(one.namespace, one.name) for one in found] == expected


GAVE_WAY = {"outcome": "RolledBack", "to": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, {"history": [GAVE_WAY]}, id="it was rolled back"),
        pytest.param(
            {"history": [GAVE_WAY]},
            {"history": [{**GAVE_WAY, "to": "2026-01-02T00:00:00Z"}, GAVE_WAY]},
            id="it was rolled back again",
        ),
        pytest.param({}, {"rollout": {"cause": "Stopped"}, "activeDigest": "d"}, id="it stopped"),
    ],
)
def test_bytes_that_gave_way_concern_their_versions(before: Obj, after: Obj) -> None:
    known = ObjectCache()
    made = obj(MODEL_VERSION, "v2", spec={"model": "m", "artifact": {"manifestDigest": "d"}})
    twin = obj(MODEL_VERSION, "v2", "elsewhere", spec=made["spec"])
    for version in (made, twin):
        known.observe(MODEL_VERSION, version)
    sides = [
        {
            **obj(MODEL_DEPLOYMENT, "serves"),
            "status": {
                **status,
                "history": [
                    {**entry, "manifestDigest": "d"} for entry in status.get("history", [])
                ],
            },
        }
        for status in (before, after)
    ]
    change = Change(Key(MODEL_DEPLOYMENT, SPACE, "serves"), *sides)
    assert concerned(change, known) == [
        Key(MODEL_DEPLOYMENT, SPACE, "serves"),
        Key(MODEL_VERSION, SPACE, "v2"),
    ]
