"""What one version of a ModelDeployment needs: trust, download URLs, Pods."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hallmark.api import names
from hallmark.api.artifacts import DownloadURLs
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.texts import timestamp
from hallmark.api.trust import Trust
from hallmark.resources.amounts import resources
from hallmark.resources.carried import MOUNT, bundle_volume
from hallmark.resources.pod_security import (
    container_security_context,
    pod_security_context,
    scratch_mount,
    scratch_volume,
)
from hallmark.resources.predictor import Obj, account_name, metadata, pod_labels

ANNOTATION_TRUST = "hallmark.dev/trust-sha256"
"""On a Pod: SHA-256 (hex) of the trust that it was started with."""
ANNOTATION_URLS_UNTIL = "hallmark.dev/urls-until"
"""On a version's apps/v1 Deployment: when the download URLs in its Secret end. The operator may
not watch Secrets, so what it must know of them stands where it looks."""
TRUST_KEY = "trust.json"
URLS_KEY = "urls.json"
DEFAULTS = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"memory": "1Gi"},
}
FEEDBACK_KEYS = ("token", "receipts")
"""Entries of the Secret that says who may tell the truth about answers: see docs/deploy.md."""
_FEEDBACK_MOUNT = {"name": "feedback", "mountPath": "/var/run/hallmark/feedback", "readOnly": True}
GRACE_SECONDS = 30
"""A predictor ends a few seconds after SIGTERM, when its requests are answered."""


@dataclass(frozen=True)
class Version:
    """What a version's Pods are started with."""

    name: str
    manifest: str
    """The manifest label."""
    trust_sha256: str
    image: str
    replicas: int
    urls_until: datetime | None = None
    """When the download URLs in its Secret end."""


def trust_name(name: str, sha256: str) -> str:
    """Return the name of the ConfigMap that holds the trust with that SHA-256 (hex)."""
    return f"{name}-trust-{sha256[:12]}"


def urls_name(name: str, manifest: str) -> str:
    """Return the name of the Secret with a version's download URLs."""
    return f"{name}-urls-{manifest}"


def workload_name(name: str, manifest: str) -> str:
    """Return the name of the apps/v1 Deployment of a version."""
    return f"{name}-{manifest}"


def trust_config_map(owner: ModelDeployment, trust: Trust, sha256: str) -> Obj:
    """Return the immutable ConfigMap of what a version's predictors trust."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, trust_name(owner.metadata.name, sha256)),
        "immutable": True,
        "data": {TRUST_KEY: trust.to_bytes().decode()},
    }


def urls_secret(owner: ModelDeployment, manifest: str, urls: DownloadURLs) -> Obj:
    """Return the Secret of presigned URLs for exactly this version's served files."""
    name = urls_name(owner.metadata.name, manifest)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(owner, name, **{names.LABEL_MANIFEST: manifest}),
        "type": "Opaque",
        "data": {URLS_KEY: b64encode(urls.to_bytes()).decode()},
    }


def workload(owner: ModelDeployment, version: Version) -> Obj:
    """Return the apps/v1 Deployment that runs a version's Pods."""
    labels = {
        names.LABEL_MANIFEST: version.manifest,
        names.LABEL_MODEL_VERSION: version.name,
    }
    described = metadata(owner, workload_name(owner.metadata.name, version.manifest), **labels)
    if version.urls_until is not None:
        described["annotations"] = {ANNOTATION_URLS_UNTIL: timestamp(version.urls_until)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": described,
        "spec": {
            "replicas": version.replicas,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": pod_labels(owner, version.manifest)},
            # The same bytes under a new trust: a new Pod is ready before an old one goes.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {
                    "labels": described["labels"],
                    "annotations": {ANNOTATION_TRUST: version.trust_sha256},
                },
                "spec": _pod(owner, version),
            },
        },
    }


def _pod(owner: ModelDeployment, version: Version) -> Obj:
    name = owner.metadata.name
    return {
        "serviceAccountName": account_name(name),
        # The token is bound to the Pod; admission lets it write its own drift entry alone.
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": pod_security_context(),
        **_scheduling(owner, version),
        "containers": [_container(owner, version)],
        "volumes": [
            scratch_volume("64Mi"),
            # Outlives the container, so that a restart needs no store.
            {"name": "kept", "emptyDir": {"sizeLimit": "1Gi"}},
            bundle_volume(name, version.manifest),
            {"name": "trust", "configMap": {"name": trust_name(name, version.trust_sha256)}},
            {
                "name": "urls",
                "secret": {
                    "secretName": urls_name(name, version.manifest),
                    "defaultMode": 0o440,
                },
            },
            *([_feedback_volume(name)] if owner.spec.drift.feedback else []),
        ],
    }


def feedback_name(name: str) -> str:
    """Return the name of the Secret that says who may tell the truth about answers."""
    return f"{name}-feedback"


def _feedback_volume(name: str) -> Obj:
    """Return the volume of that Secret: people make it, and nothing waits for it.

    It is bound to the Deployment by its name, so that no author can have another one mounted.
    """
    return {
        "name": "feedback",
        "secret": {
            "secretName": feedback_name(name),
            "defaultMode": 0o440,
            "optional": True,
            "items": [{"key": key, "path": key} for key in FEEDBACK_KEYS],
        },
    }


def _scheduling(owner: ModelDeployment, version: Version) -> Obj:
    """Return where the Pods run, where anything is asked for."""
    asked = owner.spec.scheduling
    if asked is None:
        return {}
    selector = {"matchLabels": pod_labels(owner, version.manifest)}
    spread = [{**found.to_wire(), "labelSelector": selector} for found in asked.topology_spread]
    return {
        **({"priorityClassName": asked.priority_class_name} if asked.priority_class_name else {}),
        **({"topologySpreadConstraints": spread} if spread else {}),
    }


def _container(owner: ModelDeployment, version: Version) -> Obj:
    return {
        "name": "predictor",
        "image": version.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-m", "hallmark_predictor", f"--trust-sha256={version.trust_sha256}"],
        "env": [
            _from_field("POD_NAME", "metadata.name"),
            _from_field("POD_NAMESPACE", "metadata.namespace"),
            {"name": "HALLMARK_DEPLOYMENT", "value": owner.metadata.name},
        ],
        "ports": [{"name": "http", "containerPort": names.PREDICTOR_PORT, "protocol": "TCP"}],
        "readinessProbe": _probe("/readyz", period=1, failures=3),
        "livenessProbe": _probe("/healthz", period=5, failures=6),
        # Only what the predictor writes on purpose: log lines may hold values.
        "terminationMessagePolicy": "File",
        "securityContext": container_security_context(),
        "resources": resources(owner.spec.resources, DEFAULTS),
        "volumeMounts": [
            scratch_mount(),
            {"name": "kept", "mountPath": "/var/cache/hallmark"},
            {"name": "bundle", "mountPath": MOUNT, "readOnly": True},
            {"name": "trust", "mountPath": "/etc/hallmark/trust", "readOnly": True},
            {"name": "urls", "mountPath": "/var/run/hallmark/urls", "readOnly": True},
            *([_FEEDBACK_MOUNT] if owner.spec.drift.feedback else []),
        ],
    }


def _from_field(name: str, path: str) -> Obj:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": names.PREDICTOR_PORT, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
