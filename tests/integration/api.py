"""A small client that can be anybody: requests to a real API server by impersonation."""

from __future__ import annotations

import base64
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

Obj = dict[str, Any]

_PLURALS = {
    "TrainingRun": "trainingruns",
    "ModelVersion": "modelversions",
    "ModelApproval": "modelapprovals",
    "ModelPolicy": "modelpolicies",
    "NetworkPolicy": "networkpolicies",
    "Endpoints": "endpoints",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
}
_CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "ModelPolicy",
    "Namespace",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


class RefusedError(Exception):
    """What the API server answered instead of doing it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()

    def headers(self) -> urllib3.HTTPHeaderDict:
        """Return the headers that make the administrator this user."""
        headers = urllib3.HTTPHeaderDict({"Impersonate-User": self.name})
        for group in self.groups:
            headers.add("Impersonate-Group", group)
        for key, value in self.extra:
            headers.add(f"Impersonate-Extra-{key.replace('/', '%2f')}", value)
        return headers


def path_of(obj: Obj, *, name: bool = True, subresource: str = "") -> str:
    """Return the URL path of an object, or of its collection."""
    group, kind = obj["apiVersion"], obj["kind"]
    plural = _PLURALS.get(kind, kind.lower() + "s")
    if group.startswith("hallmark.dev") and kind == "Deployment":
        plural = "modeldeployments"
    parts = ["/api/v1" if group == "v1" else f"/apis/{group}"]
    if kind not in _CLUSTER_SCOPED:
        parts.append(f"namespaces/{obj['metadata']['namespace']}")
    parts.append(plural)
    if name:
        parts.append(obj["metadata"]["name"])
    return "/".join([*parts, subresource] if subresource else parts)


class Api:
    """The API server, as whoever a call names; without a name, as its administrator."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server = cluster["server"]
        self.authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._files = [kubeconfig.with_name(f"test-client.{part}") for part in ("crt", "key")]
        for path, key in zip(
            self._files, ("client-certificate-data", "client-key-data"), strict=True
        ):
            path.touch(mode=0o600)
            path.write_bytes(base64.b64decode(user[key]))
        certificate, key = map(str, self._files)
        self._administrator = self._pool(certificate, key)
        self._anonymous = self._pool()

    def _pool(self, *client: str) -> urllib3.PoolManager:
        context = ssl.create_default_context(cadata=self.authority)
        if client:
            context.load_cert_chain(*client)
        return urllib3.PoolManager(ssl_context=context, retries=False)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        user: User | None = None,
        *,
        token: str = "",
        content: str = "application/json",
    ) -> Obj:
        """Send a request.

        Raises:
            RefusedError: the API server did not do it.
        """
        headers = user.headers() if user else urllib3.HTTPHeaderDict()
        headers.add("Content-Type", content)
        if token:
            headers.add("Authorization", f"Bearer {token}")
        pool = self._anonymous if token else self._administrator
        answer = pool.request(
            method,
            self.server + path,
            headers=headers,
            body=None if body is None else json.dumps(body),
        )
        document: Obj = json.loads(answer.data)
        if answer.status >= 300:
            raise RefusedError(answer.status, document.get("message", ""))
        return document

    def create(self, obj: Obj, user: User | None = None, *, dry_run: bool = False) -> Obj:
        """Create an object, or only ask whether it could be."""
        path = path_of(obj, name=False) + ("?dryRun=All" if dry_run else "")
        return self.request("POST", path, obj, user)

    def patch(self, obj: Obj, change: Obj, user: User | None = None, subresource: str = "") -> Obj:
        """Send a JSON merge patch of an object."""
        path = path_of(obj, subresource=subresource)
        return self.request("PATCH", path, change, user, content="application/merge-patch+json")

    def replace(self, obj: Obj, user: User | None = None, subresource: str = "") -> Obj:
        """Replace an object."""
        return self.request("PUT", path_of(obj, subresource=subresource), obj, user)

    def delete(self, obj: Obj, user: User | None = None) -> Obj:
        """Delete an object at once."""
        return self.request("DELETE", path_of(obj) + "?gracePeriodSeconds=0", None, user)

    def get(self, obj: Obj, user: User | None = None) -> Obj:
        """Read an object."""
        return self.request("GET", path_of(obj), None, user)

    def may(self, user: User, verb: str, resource: str, **attributes: str) -> bool:
        """Ask whether a user may do something; what is granted counts a moment later.

        Args:
            user: Who would do it.
            verb: What would be done.
            resource: To what, with a subresource behind a slash.
            **attributes: Of a SelfSubjectAccessReview: ``group``, ``namespace``, ``name``.
        """
        name, _, part = resource.partition("/")
        asked = {"verb": verb, "resource": name, "subresource": part, **attributes}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self.request("POST", path, review, user)["status"]["allowed"])
