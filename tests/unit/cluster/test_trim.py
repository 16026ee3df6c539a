"""What the cache keeps of an object, and that its author does not decide how much that is."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from hallmark.api import names
from hallmark.api.artifacts import DownloadURLs
from hallmark.api.training_run import TrainingRun
from hallmark.cluster.gather.pods import workload_state
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    ENDPOINT_SLICE,
    HALLMARK_KINDS,
    JOB,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    TRAINING_RUN,
    Kind,
    Obj,
    kind_of,
)
from hallmark.cluster.ownership import decided_on
from hallmark.cluster.trim import RECORDS, TEXT_LIMIT, trimmed
from hallmark.resources import predictor, predictor_version
from hallmark.resources.difference import stamped, stands
from hallmark.resources.predictor_version import ANNOTATION_TRUST, TRUST_KEY
from tests.integration import objects
from tests.unit.cluster.cached import obj
from tests.unit.policies.model_deployment import rollouts

KINDS = (
    *HALLMARK_KINDS,
    *(NAMESPACE, SERVICE, CONFIG_MAP, POD, JOB, APPS_DEPLOYMENT, SERVICE_ACCOUNT, ROLE),
    *(ROLE_BINDING, NETWORK_POLICY, POD_DISRUPTION_BUDGET, ENDPOINT_SLICE),
)
LONG = "x" * 100_000


def owner(uid: str, *, controller: bool) -> Obj:
    reference = {"apiVersion": "v1", "kind": "Secret", "name": "owner", "uid": uid}
    return {**reference, "blockOwnerDeletion": True, **({"controller": True} if controller else {})}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param(
            {"labels": {names.LABEL_DEPLOYMENT: "credit", "team": "risk"}},
            {"labels": {names.LABEL_DEPLOYMENT: "credit"}},
            id="of labels the ones that are read",
        ),
        pytest.param(
            {"labels": {f"hallmark.dev/{number}": "x" for number in range(300)}},
            {},
            id="of 300 labels that look like ours none",
        ),
        pytest.param(
            {"annotations": {names.ANNOTATION_ACTION: "{}", "kubectl.kubernetes.io/last": LONG}},
            {"annotations": {names.ANNOTATION_ACTION: "{}"}},
            id="of annotations the ones that are read",
        ),
        pytest.param(
            {"annotations": {names.ANNOTATION_ACTION: LONG}},
            {"annotations": {names.ANNOTATION_ACTION: LONG[:TEXT_LIMIT]}},
            id="of a long text its beginning",
        ),
        pytest.param({"labels": None, "annotations": None}, {}, id="of null nothing"),
        pytest.param(
            {"finalizers": [LONG], "managedFields": [{"manager": LONG}], "selfLink": LONG},
            {},
            id="of finalizers and managed fields nothing",
        ),
        pytest.param(
            {"ownerReferences": [owner("a", controller=False), owner("b", controller=True)]},
            {
                "ownerReferences": [
                    {
                        "apiVersion": "v1",
                        "kind": "Secret",
                        "name": "owner",
                        "uid": "b",
                        "controller": True,
                    }
                ]
            },
            id="of owners the controller",
        ),
        pytest.param(
            {"ownerReferences": [owner("a", controller=False)]}, {}, id="of other owners nothing"
        ),
        pytest.param(
            {"generation": 3, "deletionTimestamp": "t", "creationTimestamp": None},
            {"generation": 3, "deletionTimestamp": "t"},
            id="generation and times where they are",
        ),
    ],
)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_metadata(kind: Kind, written: Obj, kept: Obj) -> None:
    place = obj(kind)["metadata"]
    assert trimmed(kind, obj(kind, metadata=written))["metadata"] == {**place, **kept}


@pytest.mark.parametrize(
    ("kind", "written", "kept"),
    [
        pytest.param(
            TRAINING_RUN,
            {"spec": {"model": "m", "dataset": {"records": LONG, "format": "CSV"}}},
            {"spec": {"model": "m", "dataset": {"records": RECORDS, "format": "CSV"}}},
            id="of a run everything but its rows",
        ),
        pytest.param(
            TRAINING_RUN,
            {
                "spec": {
                    "schema": {
                        "features": [{"name": "a", "type": "Category", "categories": [LONG]}],
                        "target": {"name": "b"},
                    }
                },
                "status": {"completionTime": "t"},
            },
            {
                "spec": {
                    "schema": {
                        "features": [{"name": "a", "type": "Category"}],
                        "target": {"name": "b"},
                    }
                },
                "status": {"completionTime": "t"},
            },
            id="and the categories of its columns",
        ),
        pytest.param(
            TRAINING_RUN,
            {"spec": {"dataset": {"uri": "s3://x"}, "model": "m"}},
            {"spec": {"dataset": {"uri": "s3://x"}, "model": "m"}},
            id="a run without rows as it is",
        ),
        pytest.param(
            MODEL_DEPLOYMENT,
            {
                "spec": {"model": "m"},
                "status": {"drift": {"pod": {}}, "driftState": {"pod": 1}, "url": "u"},
            },
            {"spec": {"model": "m"}, "status": {"driftState": {"pod": 1}, "url": "u"}},
            id="of a ModelDeployment everything but the reports",
        ),
        pytest.param(
            MODEL_DEPLOYMENT,
            {"status": {"drift": {"pod": {}}}},
            {},
            id="a status of reports alone is none",
        ),
        pytest.param(
            MODEL_VERSION,
            {"spec": {"model": "m"}, "status": {"approvals": []}},
            {"spec": {"model": "m"}, "status": {"approvals": []}},
            id="a version as it is",
        ),
        pytest.param(
            CONFIG_MAP,
            {"data": {"manifestDigest": "d", "highest": "7", "other": "z"}, "immutable": True},
            {"data": {"manifestDigest": "d", "highest": "7"}, "immutable": True},
            id="of a ConfigMap what the operator wrote for itself",
        ),
        pytest.param(
            CONFIG_MAP,
            {"data": {"task.json": LONG}, "binaryData": {"x": LONG}},
            {"data": {}},
            id="of a Job's task nothing",
        ),
        pytest.param(CONFIG_MAP, {"data": None}, {"data": {}}, id="of an empty one nothing"),
        pytest.param(NAMESPACE, {"spec": {"x": 1}, "status": {"phase": "y"}}, {}, id="a namespace"),
        pytest.param(
            ENDPOINT_SLICE,
            {"ports": [{"port": 1}], "endpoints": [], "addressType": "IPv4"},
            {"ports": [{"port": 1}], "endpoints": []},
            id="of an EndpointSlice addresses and ports",
        ),
        pytest.param(
            APPS_DEPLOYMENT,
            {
                "spec": {"replicas": 1},
                "status": {"readyReplicas": 1, "replicas": 2, "conditions": [LONG]},
            },
            {"spec": {"replicas": 1}, "status": {"readyReplicas": 1, "replicas": 2}},
            id="of a workload its spec and how many Pods there are",
        ),
        pytest.param(
            JOB,
            {
                "spec": {
                    "suspend": True,
                    "template": {"spec": {"containers": [{"image": "i", "env": [LONG]}, {}]}},
                },
                "status": {
                    "conditions": [{"type": "Failed", "status": "True", "lastProbeTime": "t"}],
                    "active": 1,
                },
            },
            {
                "spec": {
                    "suspend": True,
                    "template": {"spec": {"containers": [{"image": "i"}]}},
                },
                "status": {"conditions": [{"type": "Failed", "status": "True"}]},
            },
            id="of a Job its image and how it ended",
        ),
        pytest.param(
            JOB,
            {},
            {
                "spec": {"template": {"spec": {"containers": []}}},
                "status": {"conditions": []},
            },
            id="of an empty Job the same form",
        ),
        pytest.param(
            POD,
            {
                "spec": {"containers": [{"env": [LONG]}]},
                "status": {
                    "podIP": "1",
                    "conditions": [
                        {"type": "Ready", "status": "True", "lastProbeTime": None},
                        {"type": "Initialized", "status": "True"},
                    ],
                    "containerStatuses": [
                        {
                            "image": "i",
                            "imageID": "x",
                            "state": {"running": {"startedAt": "t"}},
                            "lastState": {"terminated": {"exitCode": 10, "message": LONG}},
                        }
                    ],
                },
            },
            {
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [
                        {
                            "image": "i",
                            "state": {},
                            "lastState": {
                                "terminated": {"exitCode": 10, "message": LONG[:TEXT_LIMIT]}
                            },
                        }
                    ],
                }
            },
            id="of a Pod whether it is ready and how its container ended",
        ),
        pytest.param(
            SERVICE,
            {"spec": {"selector": {"a": "b"}}},
            {"spec": {"selector": {"a": "b"}}},
            id="a Service as it is",
        ),
    ],
)
def test_what_is_kept(kind: Kind, written: Obj, kept: Obj) -> None:
    found = trimmed(kind, obj(kind, **written))
    assert {k: v for k, v in found.items() if k not in {"apiVersion", "kind", "metadata"}} == kept


def test_the_kind_of_a_list_item_is_written_down() -> None:
    item = obj(POD)
    del item["kind"], item["apiVersion"]
    assert trimmed(POD, item)["kind"] == "Pod"


def test_a_run_without_rows_and_categories_can_still_be_parsed() -> None:
    run = objects.training_run("bank", dataset={"records": "a,b\n1,2\n"})
    run["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    parsed = TrainingRun.model_validate(trimmed(TRAINING_RUN, run))
    assert parsed.spec.schema_ is not None
    assert [feature.name for feature in parsed.spec.schema_.features] == ["income", "purpose"]


def trust_data(text: str) -> Obj:
    return obj(CONFIG_MAP, data={TRUST_KEY: text})


def facts(text: str) -> Obj:
    found: Obj = json.loads(trimmed(CONFIG_MAP, trust_data(text))["data"][TRUST_KEY])
    return found


def test_of_a_trust_its_hash_and_how_drift_is_watched_are_kept() -> None:
    trust = rollouts.trust(rollouts.inputs(verified=(1,)), 1)
    text = trust.to_bytes().decode()
    assert facts(text) == {
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "drift": trust.drift.to_wire(),
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("no JSON", id="of what is no JSON"),
        pytest.param("{}", id="of another document"),
        pytest.param(json.dumps({"sha256": "0" * 64, "drift": {}}), id="of what looks like facts"),
    ],
)
def test_the_facts_of_what_is_no_trust_are_its_own_hash_and_nothing_else(text: str) -> None:
    assert facts(text) == {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def test_of_a_workload_that_somebody_made_huge_enough_is_kept_to_see_it() -> None:
    annotations = {ANNOTATION_TRUST: "t", "theirs": LONG}
    spec = {
        "replicas": 2,
        "template": {
            "metadata": {"annotations": annotations},
            "spec": {"containers": [{"image": "i", "env": [LONG]}]},
        },
    }
    huge = trimmed(APPS_DEPLOYMENT, obj(APPS_DEPLOYMENT, spec=spec, status={"replicas": 2}))
    assert "theirs" not in str(huge)
    state = workload_state(huge)
    assert (state.trust_sha256, state.image, state.replicas, state.pods) == ("t", "i", 2, 2)


def children() -> list[Obj]:
    """Return each child of a ModelDeployment as the operator applies it."""
    owner = rollouts.deployment()
    version = predictor_version.Version(
        name="credit-v1",
        manifest="abc",
        trust_sha256="t" * 64,
        image="p:1",
        replicas=2,
        urls_until=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=1),
    )
    return [
        stamped(child)
        for child in (
            predictor.service(owner, "abc"),
            predictor.active_config_map(owner, rollouts.digest(1)),
            *predictor.account(owner),
            predictor.network_policy(owner, rollouts.policy().spec, ()),
            predictor.disruption_budget(owner, "abc"),
            predictor_version.workload(owner, version),
            predictor_version.urls_secret(owner, "abc", DownloadURLs(urls={"a": "https://b"})),
        )
    ]


@pytest.mark.parametrize(
    "child", children(), ids=lambda child: f"{child['kind']}-{child['metadata']['name']}"
)
def test_every_label_and_annotation_of_a_child_is_kept(child: Obj) -> None:
    kept = trimmed(kind_of(child), child)
    assert kept["metadata"].get("labels") == child["metadata"].get("labels")
    assert kept["metadata"].get("annotations") == child["metadata"].get("annotations")
    assert stands(kept, trimmed(kind_of(child), {**child, "managedFields": []}))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"status": {"drift": {"pod": {}}, "url": "u"}}, True, id="a drift report"),
        pytest.param({"metadata": {"resourceVersion": "9"}}, True, id="the version alone"),
        pytest.param({"metadata": {"managedFields": [1]}}, True, id="managed fields"),
        pytest.param({"metadata": {"labels": {"team": "risk"}}}, True, id="a label of its author"),
        pytest.param({"spec": {"model": "other"}}, False, id="the spec"),
        pytest.param({"status": {"url": "other"}}, False, id="the operator's status"),
        pytest.param({"metadata": {"uid": "another"}}, False, id="another object of the name"),
        pytest.param({"metadata": {"deletionTimestamp": "t"}}, False, id="that it terminates"),
        pytest.param(
            {"metadata": {"annotations": {names.ANNOTATION_ACTION: "{}"}}}, False, id="an action"
        ),
    ],
)
@pytest.mark.parametrize("seen", ["as it came", "trimmed"])
def test_whether_an_object_still_says_what_was_decided_on(
    seen: str, change: Obj, *, same: bool
) -> None:
    whole = obj(MODEL_DEPLOYMENT, spec={"model": "credit"}, status={"url": "u"})
    newest = {**whole, **change, "metadata": {**whole["metadata"], **change.get("metadata", {})}}
    read = trimmed(MODEL_DEPLOYMENT, whole) if seen == "trimmed" else whole
    assert decided_on(read, newest) == same
