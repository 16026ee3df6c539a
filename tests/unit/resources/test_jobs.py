"""Training and sealing Jobs: restricted, without a token, one at a time."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.artifacts import SealTask, TrainTask, UploadURLs
from hallmark.policies.training_run.tasks import seal_task, train_task
from hallmark.resources.egress import rule_to
from hallmark.resources.jobs import sealing_children, training_children
from hallmark.resources.versions import model_version
from tests.unit.policies.training_run.runs import (
    NAME,
    NAMESPACE,
    UID,
    inputs,
    policy,
    run,
    trained,
    version,
)

Obj = dict[str, Any]
URLS = UploadURLs(urls={"manifest.json": "http://store/put?signature"})


def training(**spec: Any) -> dict[str, Obj]:  # noqa: ANN401
    made = run(**spec)
    task = train_task(inputs(run=made), policy().spec)
    children = training_children(made, policy().spec, task, URLS, "trainer:1")
    return {child["kind"]: child for child in children}


def sealing() -> dict[str, Obj]:
    task = seal_task(inputs(run=trained()), policy().spec)
    children = sealing_children("hallmark-system", task, policy().spec)
    return {child["kind"]: child for child in children}


def pod(children: dict[str, Obj]) -> Obj:
    spec: Obj = children["Job"]["spec"]["template"]["spec"]
    return spec


BOTH = pytest.mark.parametrize(
    "children",
    [pytest.param(training(), id="training"), pytest.param(sealing(), id="sealing")],
)


@BOTH
def test_a_pod_is_restricted_and_has_no_token(children: dict[str, Obj]) -> None:
    spec = pod(children)
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        writable = [
            mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")
        ]
        assert writable == ["tmp"]
    allowed = {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
    for volume in spec["volumes"]:
        assert set(volume) - {"name"} <= allowed


@BOTH
def test_a_refusal_is_final_and_a_disruption_does_not_count(children: dict[str, Obj]) -> None:
    spec = children["Job"]["spec"]
    refusal, disruption = spec["podFailurePolicy"]["rules"]
    assert refusal["action"] == "FailJob"
    assert refusal["onExitCodes"]["values"] == [10]
    assert disruption["action"] == "Ignore"
    assert spec["podReplacementPolicy"] == "Failed", "never two at a time"
    assert "ttlSecondsAfterFinished" not in spec, "the outcome is read first"
    assert pod(children)["restartPolicy"] == "Never"
    assert pod(children)["containers"][0]["terminationMessagePolicy"] == "File"


@BOTH
def test_names_fit_and_nothing_may_come_in(children: dict[str, Obj]) -> None:
    for child in children.values():
        assert len(child["metadata"]["name"]) <= 63
        assert child["metadata"]["labels"][names.LABEL_RUN_UID] == UID
    network = children["NetworkPolicy"]["spec"]
    assert network["ingress"] == []
    assert set(network["policyTypes"]) == {"Ingress", "Egress"}
    selected = network["podSelector"]["matchLabels"]
    labels = children["Job"]["spec"]["template"]["metadata"]["labels"]
    assert selected.items() <= labels.items()


def test_training_belongs_to_its_run_and_sealing_is_found_by_its_labels() -> None:
    for child in training().values():
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (UID, True)
        assert child["metadata"]["namespace"] == NAMESPACE
    for child in sealing().values():
        assert "ownerReferences" not in child["metadata"], "owners do not reach across namespaces"
        assert child["metadata"]["namespace"] == "hallmark-system"
        assert child["metadata"]["labels"][names.LABEL_RUN_NAMESPACE] == NAMESPACE


def test_only_the_sealing_job_has_the_key_and_the_stores_credentials() -> None:
    def secrets(children: dict[str, Obj]) -> set[str]:
        volumes = pod(children)["volumes"]
        return {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}

    assert secrets(training()) == {names.train_job_name(NAME, UID)}
    assert secrets(sealing()) == {names.SEALING_KEY_SECRET, names.STORE_SECRET}


def test_the_jobs_read_what_they_are_told() -> None:
    told = training()
    task = TrainTask.model_validate_json(told["ConfigMap"]["data"]["task.json"])
    assert (task.run_uid, task.image) == (UID, "trainer:1")
    urls = base64.b64decode(told["Secret"]["data"]["urls.json"])
    assert json.loads(urls) == {"urls": URLS.urls}
    seal = SealTask.model_validate_json(sealing()["ConfigMap"]["data"]["task.json"])
    assert seal.run_uid == UID


@pytest.mark.parametrize(
    ("source", "volume", "path"),
    [
        pytest.param(
            {"configMap": {"name": "loans", "key": "data.csv"}},
            {"configMap": {"name": "loans", "items": [{"key": "data.csv", "path": "data.csv"}]}},
            "/data/configmap",
            id="a ConfigMap",
        ),
        pytest.param(
            {"volumeClaim": {"claimName": "data", "path": "x.csv"}},
            {"persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
            "/data/volume",
            id="a volume claim",
        ),
    ],
)
def test_a_dataset_is_mounted_read_only(source: Obj, volume: Obj, path: str) -> None:
    spec = pod(training(dataset={**source, "format": "CSV"}))
    assert {"name": "data", **volume} in spec["volumes"]
    mounts = spec["containers"][0]["volumeMounts"]
    assert {"name": "data", "mountPath": path, "readOnly": True} in mounts


def test_credentials_of_a_source_are_mounted() -> None:
    data = {"uri": "s3://datasets/x.csv", "format": "CSV", "credentialsSecret": "reader"}
    spec = pod(training(dataset=data))
    secrets = [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume]
    assert "reader" in secrets


SCRATCH = {
    "records need room for outputs alone": ({"records": "a\n1\n", "format": "CSV"}, "1024Mi"),
    "a download is stored": ({"uri": "https://a.example/x.csv", "format": "CSV"}, "5120Mi"),
    "a Parquet file may be compressed once more": (
        {"uri": "s3://datasets/x.parquet.zst", "format": "Parquet"},
        "9216Mi",
    ),
}


@pytest.mark.parametrize("case", SCRATCH.values(), ids=SCRATCH)
def test_scratch_space_holds_what_the_policy_lets_in(case: tuple[Obj, str]) -> None:
    dataset, size = case
    volumes = pod(training(dataset=dataset))["volumes"]
    assert {"name": "tmp", "emptyDir": {"sizeLimit": size}} in volumes


def test_the_spec_limits_time_and_resources() -> None:
    limits = {"limits": {"cpu": "2", "memory": "4Gi"}}
    children = training(activeDeadline="90m", resources=limits, suspend=True)
    assert children["Job"]["spec"]["activeDeadlineSeconds"] == 5400
    assert children["Job"]["spec"]["suspend"] is True
    assert pod(children)["containers"][0]["resources"] == limits


@pytest.mark.parametrize(
    ("url", "port", "namespace"),
    [
        pytest.param("http://store.hallmark-system.svc:7070", 7070, "hallmark-system", id="svc"),
        pytest.param(
            "http://store.ns.svc.cluster.local:7070", 7070, "ns", id="a full Service name"
        ),
        pytest.param("https://example.org/x", 443, None, id="any host by its port"),
        pytest.param("http://10.0.0.1:9000", 9000, None, id="an address by its port"),
    ],
)
def test_egress_to_a_url(url: str, port: int, namespace: str | None) -> None:
    rule = rule_to(url)
    assert rule["ports"] == [{"protocol": "TCP", "port": port}]
    if namespace is None:
        assert "to" not in rule
    else:
        labels = rule["to"][0]["namespaceSelector"]["matchLabels"]
        assert labels == {"kubernetes.io/metadata.name": namespace}


def test_a_source_over_https_may_be_reached_and_inline_records_reach_nothing_more() -> None:
    inline = training()["NetworkPolicy"]["spec"]["egress"]
    fetched = training(dataset={"uri": "https://data.example.org/x", "format": "CSV"})
    assert rule_to("https://x") not in inline
    assert rule_to("https://x") in fetched["NetworkPolicy"]["spec"]["egress"]


def test_a_version_is_named_like_its_run_and_outlives_it() -> None:
    made = model_version(NAMESPACE, version().spec)
    assert made["metadata"]["name"] == NAME
    assert "ownerReferences" not in made["metadata"]
    assert made["spec"]["version"] == 1
