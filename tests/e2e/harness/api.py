"""A client of the API server through `kubectl proxy`, so that every kind of kubeconfig works."""

import base64
import json
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.cluster import Cluster

Object = dict[str, Any]

HALLMARK = "apis/hallmark.dev/v1alpha1"
PATHS = {
    "TrainingRun": (HALLMARK, "trainingruns"),
    "ModelVersion": (HALLMARK, "modelversions"),
    "ModelApproval": (HALLMARK, "modelapprovals"),
    "ModelDeployment": (HALLMARK, "modeldeployments"),
    "ModelPolicy": (HALLMARK, "modelpolicies"),
    "Namespace": ("api/v1", "namespaces"),
    "Pod": ("api/v1", "pods"),
    "Event": ("api/v1", "events"),
    "Secret": ("api/v1", "secrets"),
    "PersistentVolume": ("api/v1", "persistentvolumes"),
    "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims"),
    "Service": ("api/v1", "services"),
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "ConfigMap": ("api/v1", "configmaps"),
    "Endpoints": ("api/v1", "endpoints"),
    "EndpointSlice": ("apis/discovery.k8s.io/v1", "endpointslices"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "Job": ("apis/batch/v1", "jobs"),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "HorizontalPodAutoscaler": ("apis/autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets"),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "ValidatingAdmissionPolicy": (
        "apis/admissionregistration.k8s.io/v1",
        "validatingadmissionpolicies",
    ),
    "ValidatingAdmissionPolicyBinding": (
        "apis/admissionregistration.k8s.io/v1",
        "validatingadmissionpolicybindings",
    ),
}
"""Kind to API path and plural. Hallmark's own Deployment is called ModelDeployment here."""

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
PROXY_SECONDS = 15.0


class RefusedError(Exception):
    """The API server refused a request.

    Attributes:
        code: the HTTP status code.
        message: the sentence that the user reads.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def path_of(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """Return the URL path of a kind, in a namespace or cluster-wide, of one object or of all."""
    base, plural = PATHS[kind]
    parts = [base, *(("namespaces", namespace) if namespace else ()), plural, *filter(None, [name])]
    return "/" + "/".join(parts)


def kind_of(manifest: Object) -> str:
    """Return the kind as `PATHS` names it."""
    if manifest["kind"] == "Deployment" and manifest["apiVersion"].startswith("hallmark.dev/"):
        return "ModelDeployment"
    return str(manifest["kind"])


def _parse(response: httpx.Response) -> Object:
    try:
        body = response.json()
    except json.JSONDecodeError:
        body = {"message": response.text}
    if response.is_success:
        return dict(body)
    raise RefusedError(response.status_code, str(body.get("message", body)))


class Api:
    """The API server, as its administrator or as another user.

    Args:
        cluster: a running cluster.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._folder = tempfile.TemporaryDirectory(prefix="hallmark-")
        self._socket = Path(self._folder.name) / "proxy"
        self._proxy: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """End the proxy."""
        if self._client:
            self._client.close()
        if self._proxy:
            self._proxy.terminate()
            self._proxy.wait()
        self._proxy = self._client = None
        self._folder.cleanup()

    @property
    def client(self) -> httpx.Client:
        """The HTTP client of the administrator; the proxy starts at the first use."""
        if self._client is None:
            # A socket in a folder of the user's own: nobody else can speak through it.
            self._proxy = subprocess.Popen(
                self._cluster.kubectl_command("proxy", f"--unix-socket={self._socket}"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            deadline = time.monotonic() + PROXY_SECONDS
            while not self._socket.exists():
                if time.monotonic() > deadline or self._proxy.poll() is not None:
                    raise RuntimeError(f"kubectl proxy did not start on {self._socket}")
                time.sleep(0.02)
            self._client = self.connect()
        return self._client

    def connect(self) -> httpx.Client:
        """Return another client of the administrator, for its user to close."""
        transport = httpx.HTTPTransport(uds=str(self._socket), retries=3)
        return httpx.Client(transport=transport, base_url="http://localhost", timeout=60)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Object:
        """Ask the API server.

        Args:
            method: the HTTP method.
            path: the path below the server's URL.
            body: what is sent as JSON.
            user: whom to impersonate; None is the administrator.
            content_type: the body's type, for patches.
            params: the query.

        Returns:
            The object of the answer.

        Raises:
            RefusedError: with the server's sentence.
        """
        headers = {"Content-Type": content_type}
        if user:
            headers["Impersonate-User"] = user
        content = None if body is None else json.dumps(body).encode()
        return _parse(
            self.client.request(method, path, content=content, headers=headers, params=params)
        )

    def get(self, kind: str, namespace: str | None, name: str) -> Object:
        """Return an object.

        Raises:
            RefusedError: if it is not there (code 404).
        """
        return self.request("GET", path_of(kind, namespace, name))

    def find(self, kind: str, namespace: str | None, name: str) -> Object | None:
        """Return an object, or None if it is not there."""
        try:
            return self.get(kind, namespace, name)
        except RefusedError as error:
            if error.code == httpx.codes.NOT_FOUND:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, labels: str = "") -> list[Object]:
        """Return the objects of a kind, all or those that a label selector matches."""
        params = {"labelSelector": labels} if labels else None
        items = self.request("GET", path_of(kind, namespace), params=params)["items"]
        return list(items)

    def create(self, manifest: Object, user: str | None = None) -> Object:
        """Create an object, as a user."""
        path = path_of(kind_of(manifest), manifest["metadata"].get("namespace"))
        return self.request("POST", path, manifest, user=user)

    def apply(self, manifest: Object, user: str | None = None) -> Object:
        """Apply an object server-side, as a user."""
        metadata = manifest["metadata"]
        path = path_of(kind_of(manifest), metadata.get("namespace"), metadata["name"])
        params = {"fieldManager": "tests", "force": "true"}
        return self.request("PATCH", path, manifest, user=user, content_type=APPLY, params=params)

    def patch(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        change: object,
        *,
        user: str | None = None,
        subresource: str = "",
    ) -> Object:
        """Merge a change into an object; a list is a JSON patch."""
        path = path_of(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        content_type = JSON_PATCH if isinstance(change, list) else MERGE
        return self.request("PATCH", path, change, user=user, content_type=content_type)

    def delete(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        user: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        """Delete an object; one that is not there is gone already."""
        options: Object = {"propagationPolicy": "Background"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self.request("DELETE", path_of(kind, namespace, name), options, user=user)
        except RefusedError as error:
            if error.code != httpx.codes.NOT_FOUND:
                raise

    def watch(self, kind: str, namespace: str, name: str, seconds: float) -> Iterator[Object]:
        """Yield every state of one object that the server tells, until the time is over."""
        params = {
            "watch": "1",
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        with self.client.stream("GET", path_of(kind, namespace), params=params) as response:
            for line in response.iter_lines():
                event = json.loads(line)
                if event["type"] in {"ADDED", "MODIFIED"}:
                    yield event["object"]

    def log(self, namespace: str, pod: str, *, lines: int = 0, previous: bool = False) -> str:
        """Return a Pod's log, or its last lines."""
        params = {"previous": str(previous).lower()}
        if lines:
            params["tailLines"] = str(lines)
        path = f"{path_of('Pod', namespace, pod)}/log"
        return self.client.get(path, params=params).text

    def token(self, namespace: str, account: str, pod: Object | None = None) -> str:
        """Return a token of a ServiceAccount, bound to a Pod if one is given."""
        spec: Object = {"expirationSeconds": 600}
        if pod:
            metadata = pod["metadata"]
            spec["boundObjectRef"] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "uid": metadata["uid"],
            }
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"{path_of('ServiceAccount', namespace, account)}/token"
        return str(self.request("POST", path, body)["status"]["token"])

    def with_token(self, token: str, method: str, path: str, body: object) -> Object:
        """Send a merge patch (or another request) with a bearer token and nothing else.

        Raises:
            RefusedError: with the server's sentence.
        """
        config = json.loads(
            self._cluster.kubectl(
                "config", "view", "--raw", "--minify", "--flatten", "--output=json"
            ).stdout
        )
        server = config["clusters"][0]["cluster"]
        trust = ssl.create_default_context(cadata=_pem(server["certificate-authority-data"]))
        headers = {"Authorization": f"Bearer {token}", "Content-Type": MERGE}
        with httpx.Client(base_url=server["server"], verify=trust, timeout=30) as client:
            content = json.dumps(body).encode()
            return _parse(client.request(method, path, content=content, headers=headers))


def _pem(data: str) -> str:
    return base64.b64decode(data).decode()
