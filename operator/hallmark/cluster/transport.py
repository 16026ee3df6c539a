"""Requests to the API server and their answers as bytes; whatever breaks is an ``ApiError``."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client as kubernetes_client
from pydantic_core import from_json

from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import Obj
from hallmark.cluster.server_time import ServerTime

JSON = "application/json"
REQUEST_SECONDS = 15.0
"""No call waits longer for the API server."""
APPLY = "application/apply-patch+yaml; charset=utf-8"
"""Of server-side apply. With its charset, so that the client sends the bytes that it is given."""
_PAIR = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")
HINTS = {
    403: "; grant the operator that right, or raise the quota",
    404: "; the object or its kind is not there",
    409: "; it was changed meanwhile or exists already",
    422: "; the object breaks its schema",
}
"""What a refusal's sentence ends with, by its status."""


class Transport:
    """Calls over the connections of a Kubernetes client, with its credentials."""

    def __init__(self, client: kubernetes_client.ApiClient) -> None:
        """Use a connected client."""
        self._client = client
        self.time = ServerTime()
        """The time where the answers come from."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the client has no types

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Obj | None = None,
        content_type: str = JSON,
    ) -> Obj:
        """Call the API server and return the JSON object of its answer.

        Raises:
            ApiError: it refused, failed or did not answer in time.
        """
        data = await self.request(method, path, query, body, content_type)
        answer: Obj = from_json(data or b"{}")
        return answer

    async def relay(self, path: str, body: Obj, largest: int) -> tuple[int, bytes]:
        """Post to what the API server passes requests on to; return its status and answer.

        Args:
            path: such as of a Service's proxy.
            body: what is sent.
            largest: bytes of the answer that are read.

        Raises:
            ApiError: the API server itself refused, or did not answer in time.
        """
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with self.answer("POST", path, None, body, timeout) as response:
            data = await response.content.read(largest)
            while len(data) < largest and (more := await response.content.read(largest)):
                data += more
            data = data[:largest]
            if response.status >= 400 and _is_status(data):
                raise refusal("POST", path, response.status, data)
            return response.status, data

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Obj | None = None,
        content_type: str = JSON,
        largest: int | None = None,
        accept: str = JSON,
    ) -> bytes | None:
        """Return the bytes of an answer, or None where there are more than ``largest``."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with self.answer(
            method, path, query, body, timeout, content_type, accept
        ) as response:
            if not 200 <= response.status < 300:
                raise refusal(method, path, response.status, await response.read())
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
    async def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Obj | None,
        timeout: aiohttp.ClientTimeout,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield an answer whose body is not read yet; whatever breaks is an ``ApiError``."""
        target = f"{path}?{urlencode(query)}" if query else path
        headers = {"Content-Type": content_type, "Accept": accept}
        try:
            method_, url, headers_, _, _ = await self._client.param_serialize(
                method, target, header_params=headers, auth_settings=["BearerToken"]
            )
            sent = body if body is None or content_type != APPLY else yaml_of(body)
            answer = await self._client.call_api(
                method_, url, headers_, sent, _request_timeout=timeout
            )
            async with answer.response as response:
                self.time.hear(response.headers.get("Date"), datetime.now(UTC))
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(
                f"The API server did not answer {method} {path} ({type(error).__name__}); "
                f"it is tried again."
            ) from error


def yaml_of(body: Obj) -> bytes:
    """Return a document of server-side apply: JSON that is YAML as well.

    YAML has no pairs of surrogates, so a character that JSON would escape as one stands as it is;
    an emoji in somebody's reason is no cause to refuse a whole status.
    """
    text = json.dumps(body)
    return _PAIR.sub(lambda pair: str(json.loads(f'"{pair[0]}"')), text).encode()


async def lines_of(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
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


def _is_status(data: bytes) -> bool:
    """Tell whether an answer is the API server's own word."""
    try:
        return bool(json.loads(data)["kind"] == "Status")
    except (ValueError, TypeError, KeyError):
        return False


def refusal(method: str, path: str, status: int, data: bytes) -> ApiError:
    """Return what the API server's ``Status`` object says, as one of our errors."""
    try:
        answer = json.loads(data)
        reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", ""
    hint = HINTS.get(status, "")
    # A server's message may quote the object at length; conditions hold 2,048 characters.
    said = message[:800] or f"HTTP status {status}"
    return ApiError(f"The API server refused {method} {path}: {said}{hint}.", status, reason)
