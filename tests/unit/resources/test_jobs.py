"""Training and sealing Jobs: restricted, without a token, one at a time."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.artifacts import UploadURLs
from hallmark.api.resources import Resources
from hallmark.api.tasks import SealTask, TrainTask
from hallmark.policies.training_run.tasks import seal_task, train_task
from hallmark.resources.amounts import resources
from hallmark.resources.egress import rule_to
from hallmark.resources.jobs import TRAINER_DEFAULTS, sealing_children, training_children
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


def sealing(*, osv_claim: str = "", **changes: Any) -> dict[str, Obj]:  # noqa: ANN401
    spec = policy(**changes).spec
    task = seal_task(inputs(run=trained()), spec)
    children = sealing_children("hallmark-system", task, spec, osv_claim)
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
    for container in (*spec.get("initContainers", []), *spec["containers"]):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        writable = [
            mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")
        ]
        assert set(writable) <= {"tmp", "handed"}
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


def test_the_key_that_is_current_seals() -> None:
    mounted = [
        volume["secret"]["secretName"]
        for volume in pod(sealing(sealWith="ab" * 32))["volumes"]
        if "secret" in volume
    ]
    assert mounted == ["hallmark-sealing-key-abababababab", names.STORE_SECRET]


def test_what_runs_a_strangers_file_mounts_no_secret() -> None:
    spec = pod(sealing())
    by_name = {volume["name"]: volume for volume in spec["volumes"]}
    (main,), (first,) = spec["containers"], spec["initContainers"]
    mounted = {mount["name"] for mount in main["volumeMounts"]}
    assert not any("secret" in by_name[name] for name in mounted)
    assert by_name["handed"]["emptyDir"]["medium"] == "Memory", "nothing of it reaches a disk"
    secrets = {mount["name"] for mount in first["volumeMounts"]} - mounted
    assert {by_name[name]["secret"]["secretName"] for name in secrets} == {
        names.SEALING_KEY_SECRET,
        names.STORE_SECRET,
    }
    assert first["args"][:2] == ["-m", "hallmark.supply_chain.handing_over"]
    assert first["resources"] == main["resources"]


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


@pytest.mark.parametrize(
    ("uri", "keys"),
    [
        ("s3://datasets/x.csv", ["access-key-id", "secret-access-key"]),
        ("az://datasets/x.csv", ["access-key-id", "secret-access-key"]),
        ("gs://datasets/x.csv", ["service-account.json"]),
        ("https://data.example.org/x.csv", None),
    ],
)
def test_of_a_secret_only_the_credentials_are_mounted(uri: str, keys: list[str] | None) -> None:
    data = {"uri": uri, "format": "CSV", "credentialsSecret": "reader"}
    spec = pod(training(dataset=data))
    mounted = [
        volume["secret"]
        for volume in spec["volumes"]
        if volume.get("secret", {}).get("secretName") == "reader"
    ]
    if keys is None:
        assert mounted == [], "a URL that is downloaded as it is has no credentials"
        return
    assert [item["key"] for item in mounted[0]["items"]] == keys
    assert mounted[0]["optional"] is True, "the trainer says what is missing, not the kubelet"


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
    asked = {"limits": {"cpu": "2", "memory": "4Gi"}}
    children = training(activeDeadline="90m", resources=asked, suspend=True)
    assert children["Job"]["spec"]["activeDeadlineSeconds"] == 5400
    assert children["Job"]["spec"]["suspend"] is True
    expected = resources(Resources.model_validate(asked), TRAINER_DEFAULTS)
    assert pod(children)["containers"][0]["resources"] == expected


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


@pytest.mark.parametrize(
    ("claim", "looks", "mounted"),
    [("osv", True, True), ("osv", False, False), ("", True, False), ("", False, False)],
)
def test_the_snapshot_of_osv_is_mounted_to_read_where_it_is_asked_for(
    claim: str, looks: bool, mounted: bool
) -> None:
    rules = {"vulnerabilities": {}} if looks else {}
    spec = pod(sealing(osv_claim=claim, dependencies=rules))
    expected = {"name": "osv", "mountPath": names.OSV_FOLDER, "readOnly": True}
    containers = [*spec["initContainers"], *spec["containers"]]
    found = [mount for one in containers for mount in one["volumeMounts"] if mount == expected]
    assert len(found) == mounted
    claims = [volume.get("persistentVolumeClaim") for volume in spec["volumes"]]
    assert ({"claimName": "osv", "readOnly": True} in claims) is mounted
