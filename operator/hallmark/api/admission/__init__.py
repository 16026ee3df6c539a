"""The ValidatingAdmissionPolicies: what the API server refuses whoever asks.

``python -m hallmark.api.admission`` writes ``manifests/base/admission/*.yaml``, and the operator's
right to watch them into ``manifests/base/rbac/operator-guards.yaml``. Each policy is
data, with every default of the API server written out, so that the operator can compare what is
in the cluster with what is expected (``in_force_since``).

Three groups of users are told apart: the operator (one ServiceAccount), what Kubernetes itself
runs (controllers and addons in ``kube-system``, the scheduler, the nodes), and everybody else. An
administrator of the cluster belongs to everybody else, but that the group ``system:masters`` may
enter Pods and make tokens, as it could on the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.api import names
from hallmark.api.admission import bounds, guarded, people, routes, words, writers
from hallmark.api.admission.building import Obj, Pair
from hallmark.api.admission.people import approval_identity

__all__ = ["approval_identity", "as_shipped", "files", "in_force_since", "policies", "watch_role"]


def policies() -> list[Pair]:
    """Return every policy with its binding."""
    return [
        approval_identity(),
        people.requester_identity(),
        words.actions(),
        words.audit_anchor(),
        people.namespace_policy(),
        writers.operator_only(),
        writers.system_namespace(),
        writers.drift_report(),
        writers.version_in_use(),
        writers.unheard_words(),
        writers.predictor_accounts(),
        guarded.guarded(
            "hallmark-guarded-objects",
            names.LABEL_DEPLOYMENT,
            "ModelDeployment",
            "modeldeployments",
        ),
        guarded.guarded("hallmark-guarded-jobs", names.LABEL_JOB, "TrainingRun", "trainingruns"),
        guarded.watched(),
        guarded.guarded_latches(),
        guarded.guarded_templates(),
        guarded.guarded_scale(),
        guarded.service_selectors(),
        routes.guarded_routes(),
        routes.route_authors(),
        guarded.service_endpoints(),
        guarded.closed_pods("hallmark-closed-predictors", names.LABEL_DEPLOYMENT),
        guarded.closed_pods("hallmark-closed-jobs", names.LABEL_JOB),
        bounds.metadata_bounds(),
        bounds.field_managers(),
    ]


def in_force_since(
    name: str, policy: Mapping[str, Any] | None, binding: Mapping[str, Any] | None
) -> str | None:
    """Return since when a policy of the cluster has been exactly the expected one, or None.

    Args:
        name: the policy's name.
        policy: the ValidatingAdmissionPolicy as the API server sends it, or None.
        binding: its binding, or None.

    Returns:
        The last moment (RFC 3339, UTC, whole seconds) at which either was created or changed: an
        object that is older may have come in while the policy was another one.
    """
    if policy is None or binding is None:
        return None
    expected = next(pair for pair in policies() if pair[0]["metadata"]["name"] == name)
    moments = [
        _last_change(found)
        for found, wanted in zip((policy, binding), expected, strict=True)
        if found.get("spec") == wanted["spec"]
        and "deletionTimestamp" not in found.get("metadata", {})
    ]
    return max(moments) if len(moments) == len(expected) else None


def as_shipped(obj: Mapping[str, Any]) -> bool:
    """Tell whether a policy or binding of the cluster is exactly the one of this version.

    Args:
        obj: it, as the API server sends it, with kind and name.
    """
    kind, name = obj.get("kind"), obj.get("metadata", {}).get("name")
    return any(
        wanted["spec"] == obj.get("spec")
        for pair in policies()
        for wanted in pair
        if (wanted["kind"], wanted["metadata"]["name"]) == (kind, name)
    )


def _last_change(obj: Mapping[str, Any]) -> str:
    metadata = obj["metadata"]
    writes = [write for write in metadata.get("managedFields", ()) if not write.get("subresource")]
    # The API server writes no time for an apply that changed nothing.
    times = [str(write["time"]) for write in writes if "time" in write]
    return max([str(metadata["creationTimestamp"]), *times])


def files() -> dict[str, list[Obj]]:
    """Return the generated files: objects by file name."""
    manifests = {
        f"{policy['metadata']['name'].removeprefix('hallmark-')}.yaml": [policy, binding]
        for policy, binding in policies()
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(manifests),
    }
    return {**manifests, "kustomization.yaml": [kustomization]}


def watch_role() -> dict[str, list[Obj]]:
    """Return the operator's right to watch every policy: objects by file name.

    RBAC knows names, and no labels: each is named, and watched alone.
    """
    group = "rbac.authorization.k8s.io"
    name = f"{names.OPERATOR_NAME}-guards"
    role = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [
            {
                "apiGroups": ["admissionregistration.k8s.io"],
                "resources": [
                    "validatingadmissionpolicies",
                    "validatingadmissionpolicybindings",
                ],
                "resourceNames": sorted(pair[0]["metadata"]["name"] for pair in policies()),
                "verbs": ["get", "list", "watch"],
            }
        ],
    }
    account = {
        "kind": "ServiceAccount",
        "name": names.OPERATOR_SERVICE_ACCOUNT,
        "namespace": names.SYSTEM_NAMESPACE,
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [account],
    }
    return {"operator-guards.yaml": [role, binding]}
