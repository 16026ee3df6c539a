"""The training and the sealing Job, with the ConfigMap, Secret and NetworkPolicy of each."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from hallmark.api import names
from hallmark.api.artifacts import UploadURLs
from hallmark.api.dataset import DataFormat, Dataset
from hallmark.api.files import REFUSED_EXIT_CODE
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.tasks import SealTask, TrainTask
from hallmark.api.texts import parse_duration
from hallmark.api.training_run import TrainingRun
from hallmark.resources.amounts import resources
from hallmark.resources.egress import ANYWHERE, dns_rule, rule_to, store_rule
from hallmark.resources.labels import child_metadata, standard_labels
from hallmark.resources.pod_security import (
    container_security_context,
    pod_security_context,
    scratch_mount,
    scratch_volume,
)
from hallmark.supply_chain.handing_over import HANDED, SECRETS

Obj = dict[str, Any]

SEAL_SECONDS = 600
"""How long a sealing Job may take."""
TRAINER_DEFAULTS = {
    "requests": {"cpu": "100m", "memory": "512Mi"},
    "limits": {"memory": "2Gi"},
}
CREDENTIALS = {
    "s3": ("access-key-id", "secret-access-key"),
    "az": ("access-key-id", "secret-access-key"),
    "gs": ("service-account.json",),
}
"""The keys that are mounted of a Secret with credentials, by the URL's scheme."""
SEALER_RESOURCES = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"memory": "1Gi"},
}


def training_labels(run: TrainingRun) -> dict[str, str]:
    """Return the labels of everything made for a run's training."""
    return {
        names.LABEL_RUN: run.metadata.name,
        names.LABEL_RUN_UID: run.metadata.uid,
        names.LABEL_JOB: "train",
    }


def sealing_labels(namespace: str, run: str, uid: str) -> dict[str, str]:
    """Return the labels of everything made for a run's sealing; the owner is elsewhere."""
    return {
        **standard_labels(run, "sealer"),
        names.LABEL_RUN: run,
        names.LABEL_RUN_UID: uid,
        names.LABEL_RUN_NAMESPACE: namespace,
        names.LABEL_JOB: "seal",
    }


def training_children(
    run: TrainingRun, policy: ModelPolicySpec, task: TrainTask, urls: UploadURLs, image: str
) -> tuple[Obj, ...]:
    """Return the objects that train a run, in the order in which they are to be applied."""
    metadata = child_metadata(
        run,
        names.train_job_name(run.metadata.name, run.metadata.uid),
        "trainer",
        training_labels(run),
    )
    return (
        _task_config_map(metadata, task.to_bytes().decode()),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            "data": {"urls.json": b64encode(urls.to_bytes()).decode()},
        },
        _network_policy(metadata, _training_egress(run, policy)),
        _training_job(run, metadata, image, _scratch_size(run, policy)),
    )


def sealing_children(
    system: str, task: SealTask, policy: ModelPolicySpec, osv_claim: str = ""
) -> tuple[Obj, ...]:
    """Return the objects that seal a run, in the system namespace, in the order to apply.

    Args:
        system: the operator's namespace.
        task: what the Job is told.
        policy: the policy that applies.
        osv_claim: the claim with a snapshot of OSV; empty where there is none.
    """
    metadata = {
        "name": names.seal_job_name(task.namespace, task.run_name, task.run_uid),
        "namespace": system,
        "labels": sealing_labels(task.namespace, task.run_name, task.run_uid),
    }
    return (
        _task_config_map(metadata, task.to_bytes().decode()),
        _network_policy(metadata, [dns_rule(policy.network.dns), store_rule(policy)]),
        _sealing_job(metadata, policy, osv_claim),
    )


def _task_config_map(metadata: Obj, task: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"task.json": task},
    }


def _network_policy(metadata: Obj, egress: list[Obj]) -> Obj:
    uid, job = (metadata["labels"][name] for name in (names.LABEL_RUN_UID, names.LABEL_JOB))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": {names.LABEL_RUN_UID: uid, names.LABEL_JOB: job}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": egress,
        },
    }


def _training_egress(run: TrainingRun, policy: ModelPolicySpec) -> list[Obj]:
    uri = run.spec.dataset.uri if run.spec.dataset else None
    rules = [dns_rule(policy.network.dns), store_rule(policy)]
    if uri is not None:
        s3 = uri.startswith("s3://") and policy.sources.endpoint
        source = rule_to(
            s3 or (uri if uri.startswith("https://") else ANYWHERE), policy.network.sources
        )
        rules += [source] if source not in rules else []
    return rules


def _scratch_size(run: TrainingRun, policy: ModelPolicySpec) -> str:
    """Return what ``/tmp`` may hold: a download, a Parquet file out of its compression, outputs."""
    dataset = run.spec.dataset
    files = 0
    if dataset is not None:
        files = (dataset.uri is not None) + (dataset.format is DataFormat.PARQUET)
    return f"{1024 + (files * policy.sources.limits.max_bytes >> 20)}Mi"


def _training_job(run: TrainingRun, metadata: Obj, image: str, scratch: str) -> Obj:
    volumes, mounts = _dataset_volumes(run.spec.dataset)
    pod = _pod(
        image,
        "hallmark.training",
        resources(run.spec.resources, TRAINER_DEFAULTS),
        [
            _config_volume("task", metadata["name"], "/etc/hallmark"),
            _secret_volume("urls", metadata["name"], "/var/run/hallmark/urls"),
            *zip(volumes, mounts, strict=True),
        ],
        scratch,
    )
    job = _job(metadata, pod, int(parse_duration(run.spec.active_deadline).total_seconds()))
    job["spec"]["suspend"] = run.spec.suspend
    return job


def _sealing_job(metadata: Obj, policy: ModelPolicySpec, osv_claim: str) -> Obj:
    handed = (
        {"name": "handed", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "handed", "mountPath": str(HANDED)},
    )
    looks = policy.dependencies.vulnerabilities is not None
    osv = [_osv_volume(osv_claim)] if osv_claim and looks else []
    pod = _pod(
        policy.images.sealer,
        "hallmark.supply_chain",
        SEALER_RESOURCES,
        [_config_volume("task", metadata["name"], "/etc/hallmark"), handed, *osv],
    )
    return _job(metadata, _with_secrets(pod, handed, sealing_secret(policy)), SEAL_SECONDS)


def sealing_secret(policy: ModelPolicySpec) -> str:
    """Return the name of the Secret with the key that seals under a policy."""
    first = names.SEALING_KEY_SECRET
    return names.key_secret_name(first, policy.seal_with) if policy.seal_with else first


def _with_secrets(pod: Obj, handed: tuple[Obj, Obj], key: str) -> Obj:
    """Return the Pod with an init container that alone mounts the Secrets.

    It hands them over in memory, where the sealing process removes them: what that runs of
    strangers never sees them.
    """
    secrets = [
        _secret_volume("key", key, str(SECRETS / "key")),
        _secret_volume("store", names.STORE_SECRET, str(SECRETS / "store")),
    ]
    mounts = [handed[1], *(mount for _, mount in secrets)]
    main = pod["containers"][0]
    arguments = ["-m", "hallmark.supply_chain.handing_over", str(SECRETS), str(HANDED)]
    first = {**main, "name": "secrets", "args": arguments, "volumeMounts": mounts}
    volumes = [*pod["volumes"], *(volume for volume, _ in secrets)]
    return {**pod, "initContainers": [first], "volumes": volumes}


def _job(metadata: Obj, pod: Obj, deadline: int) -> Obj:
    """Return a Job: one Pod at a time, a refusal is final, a node's disruption does not count."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 1,
            "activeDeadlineSeconds": max(1, deadline),
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {"operator": "In", "values": [REFUSED_EXIT_CODE]},
                    },
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
                ]
            },
            "template": {"metadata": {"labels": metadata["labels"]}, "spec": pod},
        },
    }


def _pod(
    image: str,
    module: str,
    resources: Mapping[str, Any],
    files: list[Any],
    scratch: str = "1Gi",
) -> Obj:
    """Return a Pod's spec: no token, restricted, and only its own files."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security_context(),
        "containers": [
            {
                "name": "main",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": ["-m", module],
                # Only what the program writes on purpose: log lines may hold values.
                "terminationMessagePolicy": "File",
                "securityContext": container_security_context(),
                "resources": dict(resources),
                "volumeMounts": [scratch_mount(), *(mount for _, mount in files)],
            }
        ],
        "volumes": [scratch_volume(scratch), *(volume for volume, _ in files)],
    }


def _config_volume(name: str, config_map: str, path: str) -> tuple[Obj, Obj]:
    volume = {"name": name, "configMap": {"name": config_map}}
    return volume, {"name": name, "mountPath": path, "readOnly": True}


def _secret_volume(name: str, secret: str, path: str) -> tuple[Obj, Obj]:
    volume = {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}
    return volume, {"name": name, "mountPath": path, "readOnly": True}


def _osv_volume(claim: str) -> tuple[Obj, Obj]:
    volume = {"name": "osv", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
    return volume, {"name": "osv", "mountPath": names.OSV_FOLDER, "readOnly": True}


def _dataset_volumes(dataset: Dataset | None) -> tuple[list[Obj], list[Obj]]:
    """Return the volumes and mounts through which a training Pod reads its dataset."""
    pairs: list[tuple[Obj, Obj]] = []
    if dataset and dataset.config_map:
        source = dataset.config_map
        volume, mount = _config_volume("data", source.name, "/data/configmap")
        volume["configMap"]["items"] = [{"key": source.key, "path": source.key}]
        pairs.append((volume, mount))
    if dataset and dataset.volume_claim:
        claim = {"claimName": dataset.volume_claim.claim_name, "readOnly": True}
        mount = {"name": "data", "mountPath": "/data/volume", "readOnly": True}
        pairs.append(({"name": "data", "persistentVolumeClaim": claim}, mount))
    files = CREDENTIALS.get((dataset.uri or "").partition(":")[0], ()) if dataset else ()
    if dataset and dataset.credentials_secret and files:
        volume, mount = _secret_volume(
            "credentials", dataset.credentials_secret, "/var/run/hallmark/credentials"
        )
        # What it holds besides is nobody's dataset; without one of these the trainer says so.
        items = [{"key": name, "path": name} for name in files]
        volume["secret"] |= {"items": items, "optional": True}
        pairs.append((volume, mount))
    return [volume for volume, _ in pairs], [mount for _, mount in pairs]
