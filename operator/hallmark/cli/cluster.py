"""The API server, as the user of the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import urllib3
from kubernetes import config
from kubernetes.config import ConfigException

from hallmark.api.common import API_VERSION
from hallmark.errors import ClusterError, ConfigurationError

Obj = dict[str, Any]

_TIMEOUT_SECONDS = 15.0
_SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class UserCluster:
    """What the commands ask of an API server.

    Args:
        context: the kubeconfig's context, or None for the current one.
        as_user: whom to act as, if not as oneself.
        as_groups: the groups to act in.

    Raises:
        ConfigurationError: there is no usable kubeconfig.
    """

    def __init__(
        self, context: str | None, as_user: str | None, as_groups: Sequence[str] | None
    ) -> None:
        if as_groups and not as_user:
            raise ConfigurationError("Expected --as beside --as-group; add the user's name.")
        files = os.environ.get("KUBECONFIG") or None
        try:
            self._client: Any = config.new_client_from_config(files, context)  # type: ignore[no-untyped-call]
            contexts, active = config.list_kube_config_contexts(files)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            raise ConfigurationError(
                f"Expected a kubeconfig (KUBECONFIG or ~/.kube/config): {error}"
            ) from error
        chosen = next((each for each in contexts if each["name"] == context), active)
        self.namespace = str(chosen["context"].get("namespace") or "default")
        self._identity = urllib3.HTTPHeaderDict()
        if as_user:
            self._identity.add("Impersonate-User", as_user)
        for group in as_groups or ():
            self._identity.add("Impersonate-Group", group)

    def user_name(self) -> str:
        """Return the name under which the API server knows the user.

        Raises:
            ClusterError: the API server does not say.
        """
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        found = self._call("ask who you are", "POST", _SELF, review)
        return str(found["status"]["userInfo"]["username"])

    def get(self, plural: str, namespace: str, name: str) -> Obj:
        """Return an object of Hallmark.

        Raises:
            ClusterError: there is none, or it may not be read.
        """
        attempt = f"read {plural} {namespace}/{name}"
        return self._call(attempt, "GET", _path(plural, namespace, name))

    def create(self, plural: str, obj: Obj) -> Obj:
        """Create an object of Hallmark.

        Raises:
            ClusterError: the API server refused it.
        """
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        attempt = f"create {plural} {namespace}/{name}"
        return self._call(attempt, "POST", _path(plural, namespace), obj)

    def annotate(self, plural: str, namespace: str, name: str, key: str, value: str) -> None:
        """Set an annotation of an object of Hallmark.

        Raises:
            ClusterError: the API server refused it.
        """
        change = {"metadata": {"annotations": {key: value}}}
        attempt = f"change {plural} {namespace}/{name}"
        self._call(attempt, "PATCH", _path(plural, namespace, name), change)

    def secret(self, namespace: str, name: str) -> dict[str, str] | None:
        """Return a Secret's data (base64), or None if there is no such Secret.

        Raises:
            ClusterError: it may not be read.
        """
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        try:
            found = self._call(f"read Secret {namespace}/{name}", "GET", path)
        except _NotFoundError:
            return None
        return dict(found.get("data") or {})

    def create_secret(self, secret: Obj) -> None:
        """Create a Secret; one that is there is never overwritten.

        Raises:
            ClusterError: the API server refused it.
        """
        namespace, name = secret["metadata"]["namespace"], secret["metadata"]["name"]
        path = f"/api/v1/namespaces/{namespace}/secrets"
        self._call(f"create Secret {namespace}/{name}", "POST", path, secret)

    def _call(self, attempt: str, method: str, path: str, body: Obj | None = None) -> Obj:
        patch = "application/merge-patch+json"
        content = {"Content-Type": patch if method == "PATCH" else "application/json"}
        _, url, headers, *_ = self._client.param_serialize(
            method, path, header_params=content, auth_settings=["BearerToken"]
        )
        everything = urllib3.HTTPHeaderDict(headers)
        everything.extend(self._identity)
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                url,
                headers=everything,
                body=None if body is None else json.dumps(body),
                timeout=_TIMEOUT_SECONDS,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(f"Could not {attempt}: no answer from {url} ({error}).") from error
        if answer.status >= 300:
            kind = _NotFoundError if answer.status == 404 else ClusterError
            raise kind(f"Could not {attempt}: {_sentence(answer.data, answer.status)}")
        found: Obj = json.loads(answer.data)
        return found


class _NotFoundError(ClusterError):
    """There is no such object."""


def _path(plural: str, namespace: str, name: str = "") -> str:
    collection = f"/apis/{API_VERSION}/namespaces/{namespace}/{plural}"
    return f"{collection}/{name}" if name else collection


def _sentence(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"the API server answered {status}."
