"""The operator's client of the Kubernetes API: plain objects in, plain objects out.

Every write is server-side apply under one field manager, or carries a precondition, so that two
writers never overwrite each other in silence and a foreign owner's object is never adopted.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config
from pydantic_core import from_json

from hallmark.api import names
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, Kind, Obj, kind_of
from hallmark.cluster.lists import ListGone, Page, Selection
from hallmark.cluster.trim import trimmed
from hallmark.errors import ClusterError, ConfigurationError

CONFLICT = 409
REQUEST_SECONDS = 15.0
"""No call waits longer for the API server."""
STATUS_ATTEMPTS = 8
"""How often a status write is repeated because a predictor wrote in between."""
PAGE = 100
"""Objects in one page of a list that a person or a test asks for."""
LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of a page of a list that are read; a larger page is asked for with fewer objects."""
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON = "application/json"
_METADATA = f"{_JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""No fallback to the whole object: a Secret's content must not come."""
_RETRYABLE = frozenset({0, 401, 408, 409, 410, 429})


class ApiError(ClusterError):
    """The API server refused a call, failed or did not answer (status 0)."""

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def retryable(self) -> bool:
        """Tell whether the same call may succeed later without anybody changing anything."""
        return self.status in _RETRYABLE or self.status >= 500

    @property
    def gone(self) -> bool:
        """Tell whether the object (or the kind) is not there."""
        return self.status == 404


@dataclass(frozen=True)
class ForeignObject:
    """An object of a needed name that belongs to somebody else; it was not touched."""

    kind: str
    namespace: str | None
    name: str

    def sentence(self) -> str:
        """Say what is in the way and what to do."""
        where = f" in namespace '{self.namespace}'" if self.namespace else ""
        return (
            f"Expected to create {self.kind} '{self.name}'{where}, found one that somebody else "
            f"made; delete or rename it."
        )


class Cluster(Protocol):
    """What the operator needs of a Kubernetes API."""

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        """Return the object as it is now, or None where there is none."""
        ...

    async def labels(self, kind: Kind, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return an object's labels, or None where there is none; its content is not sent."""
        ...

    async def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Obj]:
        """Return the objects of a kind, in a namespace or in all, that carry the labels."""
        ...

    async def apply(
        self, obj: Obj, current: Obj | None = None, *, absent: bool = False
    ) -> Obj | ForeignObject:
        """Create or change an object server-side, unless it belongs to somebody else.

        An existing object is ours when its controller is the controller of ``obj``; where
        ``obj`` has none (its owner is in another namespace), when it carries the same
        ``hallmark.dev/*`` and managed-by labels.

        Args:
            obj: the object as it is wanted.
            current: the object as it was decided on; ``ApiError`` 409 where it is another one by
                now. Without it the API server is asked who has the name.
            absent: a moment ago nobody had the name, so the API server is not asked again.
        """
        ...

    async def create(self, obj: Obj) -> Obj:
        """Create an object; ``ApiError`` 409 where it exists."""
        ...

    async def merge(
        self, kind: Kind, namespace: str | None, name: str, patch: Mapping[str, Any]
    ) -> Obj:
        """Merge into an object, nulls removing.

        A ``resourceVersion`` in the patch's metadata is a precondition: ``ApiError`` 409 where
        the object was changed since.
        """
        ...

    async def delete(self, kind: Kind, namespace: str | None, name: str, uid: str) -> None:
        """Delete exactly that object in the background; one that is gone is fine."""
        ...

    async def write_status(self, current: Obj, status: Mapping[str, Any]) -> Obj:
        """Make ``status`` the operator's part of an object's status, in one write.

        Fields that the operator wrote before and that are not in ``status`` go away; fields of
        other writers (``status.drift``) stay. Nothing is sent where nothing would change.

        Args:
            current: the object as it was decided on. ``ApiError`` 409 where anything that a
                decision reads is different by now; a report of a predictor is no difference.
            status: all status fields of the operator, in wire form.
        """
        ...

    async def merge_status(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        version: str | None = None,
    ) -> Obj:
        """Merge into a status, nulls removing: for drift entries that go.

        With a resource version it is a precondition: ``ApiError`` 409 where the object changed.
        """
        ...


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
        self._client = client
        self.observe = observe

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> ApiCluster:
        """Return a client with the Pod's own credentials, or a kubeconfig's outside a cluster.

        Raises:
            ConfigurationError: there are no usable credentials.
        """
        configuration = kubernetes_client.Configuration()
        try:
            if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ and _TOKEN.exists():
                kubernetes_config.load_incluster_config(  # type: ignore[no-untyped-call]
                    client_configuration=configuration
                )
            else:
                await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
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
        client = kubernetes_client.ApiClient(configuration)
        client.user_agent = names.FIELD_MANAGER
        return cls(client)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        """See ``Cluster.get``."""
        try:
            return await self._call("GET", kind.path(namespace, name))
        except ApiError as error:
            if error.gone:
                return None
            raise

    async def labels(self, kind: Kind, namespace: str, name: str) -> Mapping[str, str] | None:
        """See ``Cluster.labels``."""
        try:
            data = await self._request("GET", kind.path(namespace, name), accept=_METADATA)
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
        data = await self._request("GET", kind.path(selection.namespace), query, largest=largest)
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
        async with self._answer("GET", path, query, None, timeout) as response:
            if response.status == 410:
                raise ListGone
            if response.status != 200:
                raise _refusal("GET", path, response.status, await response.read())
            async for line in _lines(response.content):
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
            if not same_owner(existing, obj):
                return ForeignObject(kind.kind, namespace, name)
            # What was looked at is what is changed. Force only here: for a new object a conflict
            # means that somebody else was faster.
            held = {field: existing["metadata"][field] for field in ("uid", "resourceVersion")}
            obj = {**obj, "metadata": {**metadata, **held}}
            query["force"] = "true"
        return await self._write(kind, "PATCH", kind.path(namespace, name), query, obj, _APPLY)

    async def create(self, obj: Obj) -> Obj:
        """See ``Cluster.create``."""
        kind = kind_of(obj)
        path = kind.path(obj["metadata"].get("namespace"))
        return await self._write(kind, "POST", path, {"fieldManager": names.FIELD_MANAGER}, obj)

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
            await self._call("DELETE", kind.path(namespace, name), {}, options)
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
        version, attempts = metadata["resourceVersion"], STATUS_ATTEMPTS
        while True:
            # The API server ignores a uid in a status write; only the version holds it to the
            # object that was decided on. Reports of predictors move the version all the time.
            held = {**body, "metadata": {"name": name, "resourceVersion": version}}
            try:
                return await self._write(kind, "PATCH", path, query, held, _APPLY)
            except ApiError as error:
                attempts -= 1
                newest = await self.get(kind, namespace, name) if error.status == CONFLICT else None
                if newest is None or attempts == 0 or not decided_on(current, newest):
                    raise
                version = newest["metadata"]["resourceVersion"]

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
        answer = await self._call(method, path, query, body, content_type)
        self.observe(kind, answer)
        return answer

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Obj | None = None,
        content_type: str = _JSON,
    ) -> Obj:
        """Call the API server and return the JSON object of its answer.

        Raises:
            ApiError: it refused, failed or did not answer in time.
        """
        data = await self._request(method, path, query, body, content_type)
        answer: Obj = from_json(data or b"{}")
        return answer

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Obj | None = None,
        content_type: str = _JSON,
        largest: int | None = None,
        accept: str = _JSON,
    ) -> bytes | None:
        """Return the bytes of an answer, or None where there are more than ``largest``."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with self._answer(
            method, path, query, body, timeout, content_type, accept
        ) as response:
            if not 200 <= response.status < 300:
                raise _refusal(method, path, response.status, await response.read())
            if largest is None:
                return await response.read()
            data = bytearray()
            async for chunk in response.content.iter_any():
                data += chunk
                if len(data) > largest:
                    response.close()
                    return None
            return bytes(data)

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Obj | None,
        timeout: aiohttp.ClientTimeout,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield an answer whose body is not read yet; whatever breaks is an ``ApiError``."""
        target = f"{path}?{urlencode(query)}" if query else path
        headers = {"Content-Type": content_type, "Accept": accept}
        try:
            method_, url, headers_, _, _ = await self._client.param_serialize(
                method, target, header_params=headers, auth_settings=["BearerToken"]
            )
            answer = await self._client.call_api(
                method_, url, headers_, body, _request_timeout=timeout
            )
            async with answer.response as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(
                f"The API server did not answer {method} {path} ({type(error).__name__}); "
                f"it is tried again."
            ) from error


def _selector(selection: Selection) -> dict[str, str]:
    labels = ",".join(f"{key}={value}" for key, value in (selection.labels or {}).items())
    return {"labelSelector": labels} if labels else {}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield the lines of a stream, however long they are."""
    rest = bytearray()
    async for chunk in content.iter_any():
        rest += chunk
        if b"\n" in chunk:
            *whole, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            for line in whole:
                if line:
                    yield line


def decided_on(current: Obj, newest: Obj) -> bool:
    """Whether an object still says what a decision about it read."""
    kind = kind_of(current)
    then, now = ({**trimmed(kind, obj)} for obj in (current, newest))
    for obj in (then, now):
        obj["metadata"] = {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}
    return then == now


def same_owner(existing: Obj, wanted: Obj) -> bool:
    """Tell whether an existing object belongs to who wants to apply ``wanted``."""
    owner = controller_uid(wanted)
    if owner is not None:
        return controller_uid(existing) == owner
    if controller_uid(existing) is not None:
        return False
    have, want = (_identity(obj) for obj in (existing, wanted))
    return names.LABEL_MANAGED_BY in want and have == want


def controller_uid(obj: Obj) -> str | None:
    """Return the uid of an object's controller, or None."""
    for owner in obj["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return str(owner["uid"])
    return None


def _identity(obj: Obj) -> dict[str, str]:
    labels: dict[str, str] = obj["metadata"].get("labels") or {}
    ours = {k: v for k, v in labels.items() if k.startswith("hallmark.dev/")}
    if names.LABEL_MANAGED_BY in labels:
        ours[names.LABEL_MANAGED_BY] = labels[names.LABEL_MANAGED_BY]
    return ours


def _refusal(method: str, path: str, status: int, data: bytes) -> ApiError:
    """Return what the API server's ``Status`` object says, as one of our errors."""
    try:
        answer = json.loads(data)
        reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", ""
    hint = {
        403: "; grant the operator that right, or raise the quota",
        404: "; the object or its kind is not there",
        409: "; it was changed meanwhile or exists already",
        422: "; the object breaks its schema",
    }.get(status, "")
    # A server's message may quote the object at length; conditions hold 2,048 characters.
    said = message[:800] or f"HTTP status {status}"
    return ApiError(f"The API server refused {method} {path}: {said}{hint}.", status, reason)
