"""Objects that the API server accepts, to be changed by a test."""

from __future__ import annotations

import copy
from typing import Any

Obj = dict[str, Any]

API_VERSION = "hallmark.dev/v1alpha1"
DIGEST = "sha256:" + "a" * 64
PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"


def resource(kind: str, name: str, spec: Obj, namespace: str = "") -> Obj:
    """Return an object of one of the five kinds."""
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def training_run(namespace: str, name: str = "loan-v1", **spec: Any) -> Obj:  # noqa: ANN401
    """Return a TrainingRun; a field of None is left out."""
    whole = {
        "model": "loan",
        "dataset": {"configMap": {"name": "loans", "key": "loans.csv"}},
        "schema": {
            "features": [
                {"name": "income", "type": "Number", "minimum": "0", "maximum": "1000000"},
                {"name": "purpose", "type": "Category", "categories": ["home", "car"]},
            ],
            "target": {"name": "approved", "positive": "yes"},
            "sensitive": [{"name": "sex"}],
        },
        "gates": [{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.7"}],
        "requestedBy": "admin",
        **spec,
    }
    return resource("TrainingRun", name, _present(whole), namespace)


def model_version(namespace: str, name: str = "loan-v1", **spec: Any) -> Obj:  # noqa: ANN401
    """Return a ModelVersion."""
    whole = {
        "model": "loan",
        "version": 1,
        "trainingRun": {"name": name, "uid": "1-2-3", "specDigest": DIGEST},
        "requestedBy": {"name": "alice", "authenticated": True},
        "artifact": {"uri": "s3://hallmark/models/x/", "manifestDigest": DIGEST, "size": 1},
        "datasetFingerprint": DIGEST,
        "gateReportDigest": DIGEST,
        "sbomDigest": DIGEST,
        "baselineDigest": DIGEST,
        "bundle": "{}",
        **spec,
    }
    return resource("ModelVersion", name, _present(whole), namespace)


def model_approval(namespace: str, name: str = "loan-v1", **spec: Any) -> Obj:  # noqa: ANN401
    """Return a ModelApproval."""
    whole = {
        "modelVersion": {"name": "loan-v1", "uid": "1-2-3"},
        "manifestDigest": DIGEST,
        "sbomDigest": DIGEST,
        "gateReportDigest": DIGEST,
        "decision": "Approved",
        "approver": "admin",
        "reason": "The report was read.",
        **spec,
    }
    return resource("ModelApproval", name, _present(whole), namespace)


def model_deployment(namespace: str, name: str = "loan", **spec: Any) -> Obj:  # noqa: ANN401
    """Return a ModelDeployment."""
    return resource("Deployment", name, _present({"model": "loan", **spec}), namespace)


def model_policy(name: str = "strict", **spec: Any) -> Obj:  # noqa: ANN401
    """Return a ModelPolicy."""
    whole = {
        "signers": [{"keyId": "b" * 64, "publicKey": PUBLIC_KEY}],
        "store": {"uri": "s3://hallmark"},
        "images": {"trainer": "trainer", "sealer": "sealer", "predictor": "predictor"},
        **spec,
    }
    return resource("ModelPolicy", name, _present(whole))


def drift_report(**changes: Any) -> Obj:  # noqa: ANN401
    """Return what a predictor reports of itself."""
    whole = {"manifestDigest": DIGEST, "bootID": "boot-0001", "sequence": 1, "rows": 3}
    return {**whole, "counts": {"income": [1, 2, 0]}, **changes}


def config_map(namespace: str, name: str, labels: dict[str, str] | None = None) -> Obj:
    """Return a ConfigMap."""
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def pod(namespace: str, name: str, labels: dict[str, str] | None = None, **spec: Any) -> Obj:  # noqa: ANN401
    """Return a Pod."""
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    container = {"name": "it", "image": "it"}
    whole = {"containers": [container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": whole}


def workload(kind: str, namespace: str, name: str, labels: dict[str, str]) -> Obj:
    """Return an unlabelled workload whose Pods would carry the labels."""
    template = {
        "metadata": {"labels": {"app": name, **labels}},
        "spec": {"containers": [{"name": "it", "image": "it"}]},
    }
    spec: Obj = {"template": template, "selector": {"matchLabels": {"app": name}}}
    version = "apps/v1"
    if kind in {"Job", "CronJob"}:
        version = "batch/v1"
        template["spec"]["restartPolicy"] = "Never"
        del spec["selector"]
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    if kind == "ReplicationController":
        version = "v1"
        spec["selector"] = {"app": name}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def service(namespace: str, name: str, labels: dict[str, str], selector: dict[str, str]) -> Obj:
    """Return a Service."""
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    spec = {"selector": selector, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def endpoint_slice(namespace: str, name: str, service: str) -> Obj:
    """Return an EndpointSlice that adds an address to a Service."""
    labels = {"kubernetes.io/service-name": service}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"]}],
        "ports": [{"port": 8080}],
    }


def _present(spec: Obj) -> Obj:
    return {key: value for key, value in copy.deepcopy(spec).items() if value is not None}
