"""Bytes, signatures, trust and Pods that somebody changed: none of them ever serves."""

import copy
import json
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.harness import conditions, objects
from tests.e2e.harness.api import Object, RefusedError
from tests.e2e.harness.forgery import foreign_bundle
from tests.e2e.harness.objects import AUTHOR, OUTSIDER, REVIEWER
from tests.e2e.harness.store import Store, bundle_prefix
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.versions import SHARED
from tests.e2e.harness.world import (
    DEPLOYMENT_LABEL,
    MANIFEST_LABEL,
    OPERATOR_USER,
    World,
    field,
    is_ready,
)
from tests.examples import slow_but

NORMAL = cycle(objects.loan_rows(1000, seed=7), 2)
FILES = (
    "model.onnx",
    "schema.json",
    "baseline.json",
    "report.json",
    "report.html",
    "golden.json",
    "Dockerfile",
    "manifest.json",
    "model_",
    "sbom_",
)


@pytest.fixture(scope="module")
def stable(world: World, shared: Object) -> Iterator[str]:
    """A ModelDeployment that serves `loan-v1`."""
    del shared
    manifest = objects.model_deployment(SHARED, "stable", "loan-v1")
    world.api.apply(manifest, user=AUTHOR)
    world.wait_for("ModelDeployment", SHARED, "stable", "Ready=True")
    world.wait_field("ModelDeployment", SHARED, "stable", "status.stableModelVersion", "loan-v1")
    yield "stable"
    world.api.delete("ModelDeployment", SHARED, "stable")


@pytest.mark.parametrize("name", slow_but("model.onnx", "manifest.json", of=FILES))
def test_one_flipped_bit_in_the_store_keeps_a_version_from_serving(
    world: World, shared: Object, stable: str, name: str
) -> None:
    store = Store(world)
    prefix = bundle_prefix(shared["loan-v2"])
    path = next(
        candidate for candidate in store.names(prefix) if candidate.startswith(prefix + name)
    )
    digest = shared["loan-v2"]["spec"]["artifact"]["manifestDigest"]
    # Another keepWarm is another intent, so that an earlier refusal does not answer for this one.
    warm = f"{10 + FILES.index(name)}m"
    strategy = {"bake": "1s", "keepWarm": warm, "progressDeadline": "30s"}
    store.flip(path)
    try:
        with world.traffic(SHARED, stable, NORMAL) as traffic:
            change = {"spec": {"modelVersion": "loan-v2", "strategy": strategy}}
            world.api.patch("ModelDeployment", SHARED, stable, change, user=AUTHOR)
            deployment = world.wait_for("ModelDeployment", SHARED, stable, "Verified=False")
            world.wait_for("ModelDeployment", SHARED, stable, "Stalled=True")
    finally:
        store.flip(path)
    sentence = conditions.message(deployment, "Verified")
    assert name in sentence, sentence
    assert not traffic.tally.failures, traffic.tally.summary()
    assert set(traffic.tally.versions) == {"loan-v1"}
    deployment = world.api.get("ModelDeployment", SHARED, stable)
    assert deployment["status"]["activeModelVersion"] == "loan-v1"
    assert digest in {refusal["manifestDigest"] for refusal in deployment["status"]["refused"]}
    for pod in world.pods_of(SHARED, stable):
        is_candidate = pod["metadata"]["labels"][MANIFEST_LABEL] in digest
        assert not (is_candidate and is_ready(pod))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("unsigned", "SignatureInvalid", marks=pytest.mark.slow),
        ("foreign", "UnknownSigner"),
        ("borrowed-name", "SignatureInvalid"),
        pytest.param("moved", "SignatureInvalid", marks=pytest.mark.slow),
    ],
)
def test_a_version_without_our_signature_never_serves(
    world: World, shared: Object, deploy: Callable[..., Object], name: str, reason: str
) -> None:
    # Admission lets nobody but the operator create a ModelVersion: this is a thief in its place.
    original = shared["loan-v1"]
    spec = copy.deepcopy(original["spec"])
    bundle = json.loads(spec["bundle"])
    if name == "unsigned":
        bundle["dsseEnvelope"]["signatures"] = []
    elif name == "foreign":
        bundle = foreign_bundle(bundle)
    elif name == "borrowed-name":
        bundle = foreign_bundle(bundle, named=False)
    else:
        bundle = json.loads(shared["loan-v2"]["spec"]["bundle"])
    spec.update(bundle=json.dumps(bundle), version=1000 + len(name))
    manifest = objects.resource("ModelVersion", SHARED, name, spec)
    with pytest.raises(RefusedError):
        world.api.create(manifest, user=REVIEWER)
    version = world.api.create(manifest, user=OPERATOR_USER)
    try:
        version = world.wait_for("ModelVersion", SHARED, name, f"Verified=False/{reason}")
        assert conditions.message(version, "Verified")
        world.api.create(objects.approval(version, name), user=REVIEWER)
        deploy(name, name, ready=False)
        world.wait_for("ModelDeployment", SHARED, name, "Ready=False", "Verified=False")
        world.stays(lambda: not world.pods_of(SHARED, name), "that no Pod was made", seconds=3)
    finally:
        world.api.delete("ModelDeployment", SHARED, name)
        world.until(lambda: not users(world, name), "nobody to use the version")
        world.api.delete("ModelVersion", SHARED, name)


def users(world: World, version: str) -> object:
    """Return the ModelDeployments that a version is guarded for."""
    return field(world.api.get("ModelVersion", SHARED, version), "status.usedBy")


def trust_of(world: World, deployment: str) -> Object:
    """Return the ConfigMap of trust that the ModelDeployment's Pods mount."""
    config_maps = world.api.list("ConfigMap", SHARED, f"{DEPLOYMENT_LABEL}={deployment}")
    return next(trust for trust in config_maps if "-trust-" in trust["metadata"]["name"])


@pytest.mark.parametrize("user", [AUTHOR, None], ids=["an author", "the cluster's administrator"])
def test_admission_lets_nobody_replace_the_trust(
    world: World, stable: str, user: str | None
) -> None:
    trust = trust_of(world, stable)["metadata"]["name"]
    change = {"data": {"trust.json": "{}"}}
    with pytest.raises(RefusedError):
        world.api.patch("ConfigMap", SHARED, trust, change, user=user)
    other = objects.config_map(SHARED, f"{stable}-trust-000000000000", {"trust.json": "{}"})
    other["metadata"]["labels"] = {DEPLOYMENT_LABEL: stable}
    with pytest.raises(RefusedError):
        world.api.create(other, user=user)


def test_a_predictor_refuses_trust_that_was_swapped(
    world: World, deploy: Callable[..., Object]
) -> None:
    # As the operator itself, with the operator away so that it repairs nothing.
    deploy("swapped", "loan-v1")
    trust = trust_of(world, "swapped")
    metadata = trust["metadata"]
    changed = json.loads(trust["data"]["trust.json"])
    changed["minimumApprovals"] = 1
    changed["approvals"] = []
    label = f"{DEPLOYMENT_LABEL}=swapped"
    workload = world.api.list("Deployment", SHARED, label)[0]["metadata"]

    def scale(replicas: int) -> None:
        change = {"spec": {"replicas": replicas}}
        world.api.patch("Deployment", SHARED, workload["name"], change, user=OPERATOR_USER)

    world.scale_operator(0)
    try:
        # The kubelet keeps an immutable ConfigMap for as long as a Pod on its node uses it.
        scale(0)
        world.until(lambda: not world.api.list("Pod", SHARED, label), "the Pods to be gone")
        world.api.delete("ConfigMap", SHARED, metadata["name"], user=OPERATOR_USER)
        fresh = {key: metadata[key] for key in ("name", "namespace", "labels")}
        world.api.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {**fresh, "ownerReferences": metadata["ownerReferences"]},
                "data": {"trust.json": json.dumps(changed)},
                "immutable": True,
            },
            user=OPERATOR_USER,
        )
        scale(1)
        world.until(lambda: refusal_of(world, "swapped"), "the predictor's refusal")
        assert "trust" in refusal_of(world, "swapped")
        assert not any(is_ready(pod) for pod in world.pods_of(SHARED, "swapped"))
    finally:
        world.scale_operator(1)
    deployment = world.wait_for(
        "ModelDeployment", SHARED, "swapped", "Verified=False/PredictorRefused"
    )
    assert "trust" in conditions.message(deployment, "Verified")

    # The operator has made the trust again; new Pods serve.
    for replicas in (0, 1):
        change = {"spec": {"replicas": replicas}}
        world.api.patch("ModelDeployment", SHARED, "swapped", change, user=AUTHOR)
        world.until(
            lambda count=replicas: len(world.api.list("Pod", SHARED, label)) == count,
            f"{replicas} Pods",
        )
    world.wait_for("ModelDeployment", SHARED, "swapped", "Ready=True")


def refusal_of(world: World, deployment: str) -> str:
    """Return the termination message of a ModelDeployment's Pods."""
    for pod in world.pods_of(SHARED, deployment):
        for status in pod["status"].get("containerStatuses", []):
            for state in (status.get("state", {}), status.get("lastState", {})):
                if text := state.get("terminated", {}).get("message"):
                    return str(text)
    return ""


def let_edit(world: World) -> None:
    """Let the outsider do what the cluster's `edit` role may, which is to create Pods."""
    world.grant(SHARED, OUTSIDER, "edit")
    world.until(lambda: world.may(OUTSIDER, "create", "pods", SHARED), "the outsider's rights")


def impostor(kind: str, name: str, labels: Object) -> Object:
    """Return a workload whose Pods would carry the labels."""
    container = {
        "name": "web",
        "image": "localhost/none",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    secure = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    template: Object = {
        "metadata": {"labels": {"app": name, **labels}},
        "spec": {"containers": [container], "securityContext": secure},
    }
    metadata = {"name": name, "namespace": SHARED}
    if kind == "Pod":
        metadata["labels"] = template["metadata"]["labels"]
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": template["spec"]}
    spec: Object = {"template": template}
    if kind == "Job":
        template["spec"]["restartPolicy"] = "Never"
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}
    spec["selector"] = {"matchLabels": {"app": name}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("kind", ["Pod", "ReplicaSet", "Deployment", "Job"])
def test_a_pod_that_labels_itself_into_the_service_is_not_made(
    world: World, shared: Object, stable: str, kind: str
) -> None:
    let_edit(world)
    labels = {
        DEPLOYMENT_LABEL: stable,
        MANIFEST_LABEL: shared["loan-v1"]["spec"]["artifact"]["manifestDigest"][7:19],
    }
    name = f"impostor-{kind.lower()}"
    with pytest.raises(RefusedError, match="hallmark"):
        world.api.create(impostor(kind, name, labels), user=OUTSIDER)
    slices = world.api.list("EndpointSlice", SHARED, f"kubernetes.io/service-name={stable}")
    pods = {
        endpoint["targetRef"]["name"]
        for slice_ in slices
        for endpoint in slice_.get("endpoints") or []
    }
    assert pods <= {pod["metadata"]["name"] for pod in world.pods_of(SHARED, stable)}


def test_a_running_pod_cannot_take_the_labels_later(
    world: World, shared: Object, stable: str
) -> None:
    del shared
    pod = world.pods_of(SHARED, stable)[0]["metadata"]["name"]
    change = {"metadata": {"labels": {MANIFEST_LABEL: "000000000000"}}}
    let_edit(world)
    with pytest.raises(RefusedError):
        world.api.patch("Pod", SHARED, pod, change, user=OUTSIDER)


def test_an_endpoint_slice_of_a_stranger_does_not_join_the_service(
    world: World, shared: Object, stable: str
) -> None:
    del shared
    manifest = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "impostor",
            "namespace": SHARED,
            "labels": {"kubernetes.io/service-name": stable},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}],
        "ports": [{"port": 8080, "protocol": "TCP"}],
    }
    with pytest.raises(RefusedError):
        world.api.create(manifest)
