"""Calls to the API server with a caller's own token, and with nothing of the dashboard's own.

The dashboard's certificates and token never go out through this door, so that a caller can do
exactly what he could do with kubectl.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client as kubernetes_client
from pydantic_core import from_json, to_json

from hallmark.api.texts import clip
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import Kind, Obj
from hallmark.cluster.transport import REQUEST_SECONDS

FIELD_MANAGER = "hallmark-dashboard"
_MERGE = "application/merge-patch+json"
_STRICT = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
_MOST_CAUSES = 32


@dataclass(frozen=True)
class Cause:
    """A field that the API server did not take, and why."""

    field: str
    message: str


class Refused(ApiError):
    """The API server did not do it; ``causes`` say which fields were wrong."""

    def __init__(self, message: str, status: int, reason: str, causes: Sequence[Cause]) -> None:
        super().__init__(message, status, reason)
        self.causes = tuple(causes)


class Door:
    """The API server, as whoever a call's token says."""

    def __init__(self, configuration: kubernetes_client.Configuration) -> None:
        """Take the server's address and authority from a configuration, and no credentials."""
        self._host = str(configuration.host).rstrip("/")
        self._authority = configuration.ssl_ca_cert
        self._session: aiohttp.ClientSession | None = None

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = ssl.create_default_context(cafile=self._authority)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=128),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def create(self, token: str, kind: Kind, obj: Obj, *, dry_run: bool = False) -> Obj:
        """Create an object.

        Raises:
            ApiError: The API server did not do it.
        """
        path = kind.path(obj["metadata"].get("namespace"))
        query = _STRICT | ({"dryRun": "All"} if dry_run else {})
        return await self._call("POST", path, token, query, obj)

    async def merge(
        self,
        token: str,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Mapping[str, Any],
        *,
        dry_run: bool = False,
    ) -> Obj:
        """Change an object by a JSON merge patch.

        Raises:
            ApiError: The API server did not do it.
        """
        path = kind.path(namespace, name)
        query = _STRICT | ({"dryRun": "All"} if dry_run else {})
        return await self._call("PATCH", path, token, query, dict(patch), _MERGE)

    async def _call(
        self,
        method: str,
        path: str,
        token: str,
        query: Mapping[str, str],
        body: Obj,
        content_type: str = "application/json",
    ) -> Obj:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": content_type,
            "Accept": "application/json",
        }
        url = f"{self._host}{path}?{urlencode(query)}" if query else f"{self._host}{path}"
        try:
            async with self._connected().request(
                method, url, headers=headers, data=to_json(body), allow_redirects=False
            ) as answer:
                data = await answer.read()
                if not 200 <= answer.status < 300:
                    raise _refused(answer.status, data)
                found: Obj = from_json(data)
                return found
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiError(
                f"The API server did not answer {method} {path} ({type(error).__name__})."
            ) from error


def _refused(status: int, data: bytes) -> Refused:
    """Return what the API server's ``Status`` object says, in its own words."""
    try:
        answer = from_json(data)
        details = answer.get("details") or {}
        causes = [
            Cause(str(cause.get("field", "")), clip(str(cause.get("message", "")), 512))
            for cause in (details.get("causes") or [])[:_MOST_CAUSES]
        ]
        message, reason = str(answer.get("message", "")), str(answer.get("reason", ""))
    except (ValueError, AttributeError, TypeError):
        causes, message, reason = [], "", ""
    said = clip(message, 1024) or f"The API server answered with status {status}."
    return Refused(said, status, reason, causes)
