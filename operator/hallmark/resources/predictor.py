"""What a ModelDeployment shares between its versions: account, rights, Service, rules."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hallmark.api import names
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.texts import GROUP
from hallmark.resources.egress import dns_rule, store_rule
from hallmark.resources.labels import child_metadata

Obj = dict[str, Any]

COMPONENT = "predictor"
SERVICE_PORT = 80
"""Where a Service of predictors is reached."""


@dataclass(frozen=True)
class ApiServer:
    """An address of the API server, as Pods reach it."""

    address: str
    port: int


def account_name(name: str) -> str:
    """Return the name of the predictors' ServiceAccount, Role and RoleBinding."""
    return f"{name}-predictor"


def active_name(name: str) -> str:
    """Return the name of the ConfigMap that names the version with the traffic."""
    return f"{name}-active"


def metadata(owner: ModelDeployment, name: str, **labels: str) -> Obj:
    """Return the metadata of a child of a ModelDeployment."""
    return child_metadata(
        owner, name, COMPONENT, {names.LABEL_DEPLOYMENT: owner.metadata.name, **labels}
    )


def pod_labels(owner: ModelDeployment, manifest: str | None) -> dict[str, str]:
    """Return the labels that select a version's Pods, or all of the ModelDeployment's."""
    version = {names.LABEL_MANIFEST: manifest} if manifest else {}
    return {names.LABEL_DEPLOYMENT: owner.metadata.name, **version}


def account(owner: ModelDeployment) -> tuple[Obj, Obj, Obj]:
    """Return ServiceAccount, Role and RoleBinding: all that a predictor may do in the API."""
    name = account_name(owner.metadata.name)
    group = "rbac.authorization.k8s.io"
    rules = [
        {
            "apiGroups": [GROUP],
            "resources": ["modeldeployments/status"],
            "resourceNames": [owner.metadata.name],
            "verbs": ["patch"],
        },
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [active_name(owner.metadata.name)],
            "verbs": ["get", "list", "watch"],
        },
    ]
    subject = {"kind": "ServiceAccount", "name": name, "namespace": owner.metadata.namespace}
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(owner, name)},
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": metadata(owner, name),
            "rules": rules,
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata(owner, name),
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [subject],
        },
    )


def service(owner: ModelDeployment, manifest: str | None, name: str = "") -> Obj:
    """Return the Service; its selector decides which version has the traffic.

    Args:
        owner: the ModelDeployment.
        manifest: the version's manifest label; None: every version's Pods share it.
        name: of another Service than the one that is named like the ModelDeployment.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, name or owner.metadata.name),
        "spec": {
            "type": "ClusterIP",
            "selector": pod_labels(owner, manifest),
            "ports": [
                {
                    "name": "http",
                    "port": SERVICE_PORT,
                    "targetPort": names.PREDICTOR_PORT,
                    "protocol": "TCP",
                }
            ],
        },
    }


def active_config_map(
    owner: ModelDeployment, manifest_digest: str, *, shared: bool = False, mirror: str = ""
) -> Obj:
    """Return the ConfigMap from which predictors learn who has the traffic.

    Args:
        owner: the ModelDeployment.
        manifest_digest: the version that serves.
        shared: a candidate answers beside it.
        mirror: which requests are copied to whom (``mirrored``); empty: none.
    """
    data = {
        "manifestDigest": manifest_digest,
        **({"shared": "true"} if shared else {}),
        **({"mirror": mirror} if mirror else {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, active_name(owner.metadata.name)),
        "data": data,
    }


def disruption_budget(owner: ModelDeployment, manifest: str | None) -> Obj:
    """Return the PodDisruptionBudget; a single Pod must not hold up a node's drain."""
    several = owner.spec.replicas > 1
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(owner, owner.metadata.name),
        "spec": {
            **({"minAvailable": 1} if several else {"maxUnavailable": 1}),
            "selector": {"matchLabels": pod_labels(owner, manifest)},
        },
    }


def mirrored(candidate: str, since: str, percent: int) -> str:
    """Return what predictors are told to copy, as JSON.

    Args:
        candidate: the manifest digest of the version that gets the copies.
        since: when that began, as in the record.
        percent: of the requests.
    """
    found = {"candidate": candidate, "since": since, "percent": percent}
    return json.dumps(found, sort_keys=True)


def mirror_service(owner: ModelDeployment, candidate: str) -> Obj:
    """Return the Service of a candidate's Pods that take copies of requests."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, names.mirror_name(owner.metadata.name)),
        "spec": {
            "type": "ClusterIP",
            "selector": pod_labels(owner, candidate),
            "ports": [
                {
                    "name": "mirror",
                    "port": names.MIRROR_PORT,
                    "targetPort": names.MIRROR_PORT,
                    "protocol": "TCP",
                }
            ],
        },
    }


def network_policy(
    owner: ModelDeployment,
    policy: ModelPolicySpec,
    api_servers: Iterable[ApiServer],
    candidate: str = "",
) -> Obj:
    """Return the NetworkPolicy: requests in; DNS, the store and the API server out.

    Args:
        owner: the ModelDeployment.
        policy: where the store and the name servers are.
        api_servers: the API server's addresses; no selector can name it.
        candidate: the manifest label of the version whose Pods may be sent copies of requests, by
            Pods of this ModelDeployment alone; empty: none.
    """
    to_api = [
        {
            "to": [{"ipBlock": {"cidr": f"{server.address}/{_whole(server.address)}"}}],
            "ports": [{"protocol": "TCP", "port": server.port}],
        }
        for server in api_servers
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(owner, owner.metadata.name),
        "spec": {
            "podSelector": {"matchLabels": pod_labels(owner, None)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"ports": [{"protocol": "TCP", "port": names.PREDICTOR_PORT}]},
                *([_copies("from", pod_labels(owner, None))] if candidate else []),
            ],
            "egress": [
                dns_rule(policy.network.dns),
                store_rule(policy),
                *to_api,
                *([_copies("to", pod_labels(owner, candidate))] if candidate else []),
            ],
        },
    }


def _copies(direction: str, labels: dict[str, str]) -> Obj:
    """Return the rule that lets copies of requests come from, or go to, Pods of this namespace."""
    return {
        direction: [{"podSelector": {"matchLabels": labels}}],
        "ports": [{"protocol": "TCP", "port": names.MIRROR_PORT}],
    }


def _whole(address: str) -> int:
    return 128 if ":" in address else 32
