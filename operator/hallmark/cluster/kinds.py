"""The kinds of Kubernetes objects that the operator reads or writes."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from hallmark.api.texts import API_VERSION, clip
from hallmark.errors import ClusterError

_SEGMENT = re.compile(r"(?!\.{1,2}$)[^/%?#\x00-\x20]+")
"""What stays one segment of a path, as the API server takes names."""
Obj = dict[str, Any]
"""A Kubernetes object as the API server sends it."""


class Kind(NamedTuple):
    """How a kind is addressed."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Return the URL path of one object, or of the collection where ``name`` is empty.

        Raises:
            ClusterError: a name would lead to another object's path.
        """
        for part in (namespace, name):
            if part and not _SEGMENT.fullmatch(part):
                raise ClusterError(
                    f"Expected the name of a {self.kind}, found {clip(part)!r}, which is none; "
                    f"names hold no '/', '%', '?' and '#', and are not '.' or '..'."
                )
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        parts = [self.plural, name, subresource]
        return f"{root}{scope}/" + "/".join(part for part in parts if part)


TRAINING_RUN = Kind(API_VERSION, "TrainingRun", "trainingruns")
MODEL_VERSION = Kind(API_VERSION, "ModelVersion", "modelversions")
MODEL_APPROVAL = Kind(API_VERSION, "ModelApproval", "modelapprovals")
MODEL_DEPLOYMENT = Kind(API_VERSION, "Deployment", "modeldeployments")
MODEL_POLICY = Kind(API_VERSION, "ModelPolicy", "modelpolicies", namespaced=False)

NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE = Kind("v1", "Service", "services")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
POD = Kind("v1", "Pod", "pods")
EVENT = Kind("v1", "Event", "events")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
JOB = Kind("batch/v1", "Job", "jobs")
APPS_DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
POD_DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
SELF_SUBJECT_REVIEW = Kind(
    "authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False
)
TOKEN_REVIEW = Kind("authentication.k8s.io/v1", "TokenReview", "tokenreviews", namespaced=False)
SELF_ACCESS_REVIEW = Kind(
    "authorization.k8s.io/v1",
    "SelfSubjectAccessReview",
    "selfsubjectaccessreviews",
    namespaced=False,
)
ADMISSION_POLICY = Kind(
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicy",
    "validatingadmissionpolicies",
    namespaced=False,
)
ADMISSION_BINDING = Kind(
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
    namespaced=False,
)

UNWATCHED = (SECRET, EVENT)
"""What the operator writes and no watch brings, so that the cache must not hold it."""
HALLMARK_KINDS = (TRAINING_RUN, MODEL_VERSION, MODEL_APPROVAL, MODEL_DEPLOYMENT, MODEL_POLICY)
_KINDS = {
    (kind.api_version, kind.kind): kind for kind in globals().values() if isinstance(kind, Kind)
}


def kind_of(obj: Obj) -> Kind:
    """Return the kind of an object by its ``apiVersion`` and ``kind``.

    Raises:
        ClusterError: the operator does not know that kind.
    """
    key = (str(obj.get("apiVersion")), str(obj.get("kind")))
    if key not in _KINDS:
        raise ClusterError(f"The operator does not know the kind {key[1]} of {key[0]}.")
    return _KINDS[key]
