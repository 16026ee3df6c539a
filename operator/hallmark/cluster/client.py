"""The operator's client of the Kubernetes API: plain objects in, plain objects out.

Every write is server-side apply under one field manager, or carries a precondition, so that two
writers never overwrite each other in silence and a foreign owner's object is never adopted.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio import client as kubernetes_client, config as kubernetes_config
from pydantic_core import from_json

from hallmark.api import names
from hallmark.cluster.cluster import CONFLICT, ApiError, ForeignObject
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, Kind, Obj, kind_of
from hallmark.cluster.lists import ListGone, Page, Selection
from hallmark.cluster.ownership import decided_on, may_change
from hallmark.cluster.server_time import ServerTime
from hallmark.cluster.transport import APPLY, Transport, lines_of, refusal
from hallmark.errors import ClusterError, ConfigurationError

STATUS_ATTEMPTS = 8
"""How often a status write is repeated because a predictor wrote in between."""
PAGE = 100
"""Objects in one page of a list that a person or a test asks for."""
LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of a page of a list that are read; a larger page is asked for with fewer objects."""
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_MERGE = "application/merge-patch+json"
_JSON = "application/json"
_METADATA = f"{_JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""No fallback to the whole object: a Secret's content must not come."""


async def load_configuration(
    kubeconfig: str | None = None, context: str | None = None
) -> kubernetes_client.Configuration:
    """Return the address of the API server with a Pod's own credentials, or a kubeconfig's.

    Raises:
        ConfigurationError: there are no usable credentials.
    """
    configuration = kubernetes_client.Configuration()
    try:
        if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ and _TOKEN.exists():
            kubernetes_config.load_incluster_config(  # type: ignore[no-untyped-call]  # the client has no types
                client_configuration=configuration
            )
        else:
            await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]  # the client has no types
                config_file=kubeconfig or os.environ.get("KUBECONFIG"),
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
    except (kubernetes_config.ConfigException, OSError) as error:
        raise ConfigurationError(
            f"Expected credentials of a Pod or a kubeconfig (KUBECONFIG), found none that "
            f"can be used: {error}"
        ) from error
    return configuration


class ApiCluster:
    """A ``Cluster`` behind a real API server."""

    def __init__(
        self,
        client: kubernetes_client.ApiClient,
        observe: Callable[[Kind, Obj], object] = lambda kind, obj: None,
    ) -> None:
        """Use a connected client.

        Args:
            client: the Kubernetes client.
            observe: told the answer to each write, so that a cache has it before the watch.
        """
        self._transport = Transport(client)
        self.observe = observe
        self.known: Callable[[Kind, str | None, str], Obj | None] = lambda *_: None
        """What watches brought last of an object; ``resourceVersion`` tells how new it is."""

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> ApiCluster:
        """Return a client with the Pod's own credentials, or a kubeconfig's outside a cluster.

        Raises:
            ConfigurationError: there are no usable credentials.
        """
        client = kubernetes_client.ApiClient(await load_configuration(kubeconfig, context))
        client.user_agent = names.FIELD_MANAGER
        return cls(client)

    @property
    def time(self) -> ServerTime:
        """The time at the API server."""
        return self._transport.time

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        """See ``Cluster.get``."""
        try:
            return await self._transport.call("GET", kind.path(namespace, name))
        except ApiError as error:
            if error.gone:
                return None
            raise

    async def labels(self, kind: Kind, namespace: str, name: str) -> Mapping[str, str] | None:
        """See ``Cluster.labels``."""
        try:
            path = kind.path(namespace, name)
            data = await self._transport.request("GET", path, accept=_METADATA)
        except ApiError as error:
            if error.gone:
                return None
            raise
        found: Mapping[str, str] = from_json(data or b"{}")["metadata"].get("labels") or {}
        return found

    async def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Obj]:
        """See ``Cluster.list``."""
        selection, limit, token = Selection(kind, namespace, labels), PAGE, ""
        found: list[Obj] = []
        while True:
            page = await self.page(selection, limit, token)
            if page is None:
                limit = max(1, limit // 8)
                continue
            found += page.objects
            token = page.token
            if not token:
                return found

    async def page(self, selection: Selection, limit: int, token: str) -> Page | None:
        """See ``informer.Source.page``; a single object is taken however large it is."""
        kind = selection.kind
        query = {**_selector(selection), "limit": str(limit)}
        if token:
            query["continue"] = token
        largest = LARGEST_BODY if limit > 1 else None
        data = await self._transport.request(
            "GET", kind.path(selection.namespace), query, largest=largest
        )
        if data is None:
            return None
        page = from_json(data)
        # Items of a list come without their type; every other function wants it.
        objects = [
            {**item, "apiVersion": kind.api_version, "kind": kind.kind}
            for item in page.get("items") or []
        ]
        metadata = page["metadata"]
        return Page(
            objects, str(metadata["resourceVersion"]), metadata.get("continue") or "", len(data)
        )

    async def watch(
        self, selection: Selection, version: str, seconds: int, silence: float
    ) -> AsyncIterator[Obj]:
        """See ``informer.Source.watch``."""
        query = {
            **_selector(selection),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        path = selection.kind.path(selection.namespace)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=silence)
        async with self._transport.answer("GET", path, query, None, timeout) as response:
            if response.status == 410:
                raise ListGone
            if response.status != 200:
                raise refusal("GET", path, response.status, await response.read())
            async for line in lines_of(response.content):
                yield from_json(line)

    async def apply(
        self, obj: Obj, current: Obj | None = None, *, absent: bool = False
    ) -> Obj | ForeignObject:
        """See ``Cluster.apply``."""
        kind, metadata = kind_of(obj), obj["metadata"]
        namespace, name = metadata.get("namespace"), metadata["name"]
        existing = current if current or absent else await self.get(kind, namespace, name)
        query = {"fieldManager": names.FIELD_MANAGER}
        if existing is not None:
            if not may_change(existing, obj):
                return ForeignObject(kind.kind, namespace, name)
            # What was looked at is what is changed. Force only here: for a new object a conflict
            # means that somebody else was faster.
            held = {field: existing["metadata"][field] for field in ("uid", "resourceVersion")}
            obj = {**obj, "metadata": {**metadata, **held}}
            query["force"] = "true"
        return await self._write(kind, "PATCH", kind.path(namespace, name), query, obj, APPLY)

    async def create(self, obj: Obj) -> Obj:
        """See ``Cluster.create``."""
        kind = kind_of(obj)
        path = kind.path(obj["metadata"].get("namespace"))
        return await self._write(kind, "POST", path, {"fieldManager": names.FIELD_MANAGER}, obj)

    async def relay(self, path: str, body: Obj, largest: int) -> tuple[int, bytes]:
        """Post to a Service's proxy; see ``Transport.relay``."""
        return await self._transport.relay(path, body, largest)

    async def merge(
        self, kind: Kind, namespace: str | None, name: str, patch: Mapping[str, Any]
    ) -> Obj:
        """See ``Cluster.merge``."""
        query = {"fieldManager": names.FIELD_MANAGER}
        path = kind.path(namespace, name)
        return await self._write(kind, "PATCH", path, query, dict(patch), _MERGE)

    async def delete(self, kind: Kind, namespace: str | None, name: str, uid: str) -> None:
        """See ``Cluster.delete``."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._transport.call("DELETE", kind.path(namespace, name), {}, options)
        except ApiError as error:
            # 409: another object stands there under the same name; ours is gone.
            if not error.gone and error.status != CONFLICT:
                raise

    async def write_status(self, current: Obj, status: Mapping[str, Any]) -> Obj:
        """See ``Cluster.write_status``."""
        kind, metadata = kind_of(current), current["metadata"]
        if "drift" in status and kind == MODEL_DEPLOYMENT:
            raise ClusterError("status.drift belongs to the predictors; the operator left it in.")
        before = {k: v for k, v in (current.get("status") or {}).items() if k != "drift"}
        if before == dict(status):
            return current
        namespace, name = metadata.get("namespace"), metadata["name"]
        query = {"fieldManager": names.FIELD_MANAGER, "force": "true"}
        path = kind.path(namespace, name, "status")
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "status": dict(status)}
        version, attempts = self._newest(current)["metadata"]["resourceVersion"], STATUS_ATTEMPTS
        while True:
            # The API server ignores a uid in a status write; only the version holds it to the
            # object that was decided on. Reports of predictors move the version all the time.
            held = {**body, "metadata": {"name": name, "resourceVersion": version}}
            try:
                return await self._write(kind, "PATCH", path, query, held, APPLY)
            except ApiError as error:
                attempts -= 1
                newest = await self.get(kind, namespace, name) if error.status == CONFLICT else None
                if newest is None or attempts == 0 or not decided_on(current, newest):
                    raise
                version = newest["metadata"]["resourceVersion"]

    def _newest(self, current: Obj) -> Obj:
        """Return what is known to be newer, where a decision reads the same in it."""
        metadata = current["metadata"]
        known = self.known(kind_of(current), metadata.get("namespace"), metadata["name"])
        if known is None or not decided_on(current, known):
            return current
        return max(current, known, key=lambda obj: int(obj["metadata"]["resourceVersion"]))

    async def merge_status(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        version: str | None = None,
    ) -> Obj:
        """See ``Cluster.merge_status``."""
        query = {"fieldManager": names.FIELD_MANAGER}
        path = kind.path(namespace, name, "status")
        patch: Obj = {"status": dict(status)}
        if version is not None:
            patch["metadata"] = {"resourceVersion": version}
        return await self._write(kind, "PATCH", path, query, patch, _MERGE)

    async def _write(
        self,
        kind: Kind,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Obj,
        content_type: str = _JSON,
    ) -> Obj:
        answer = await self._transport.call(method, path, query, body, content_type)
        self.observe(kind, answer)
        return answer


def _selector(selection: Selection) -> dict[str, str]:
    labels = ",".join(f"{key}={value}" for key, value in (selection.labels or {}).items())
    return {
        **({"labelSelector": labels} if labels else {}),
        **({"fieldSelector": f"metadata.name={selection.name}"} if selection.name else {}),
    }
