"""The two requests that a predictor makes to the Kubernetes API, on the standard library.

A Kubernetes client would be most of the predictor's memory and start-up time.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from hallmark.errors import ClusterError
from hallmark.files import read_line
from hallmark_predictor.settings import ApiServer

MERGE_PATCH = "application/merge-patch+json"
METADATA_ALONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
"""What a patch is answered with: the object itself holds all Pods' reports."""


class Reply(Struct, frozen=True):
    """An answer of the API server."""

    status: int
    message: str
    """Its sentence, where it refused."""


class ClusterApi:
    """Talks to the API server with the Pod's own token. Blocking: used in a thread of its own."""

    def __init__(self, server: ApiServer, timeout: float = 10.0) -> None:
        """Remember where the API server is; the first request connects.

        Args:
            server: Address and credentials.
            timeout: Seconds of silence after which a request has failed.
        """
        self._server = server
        self._timeout = timeout
        self._connection: HTTPConnection | None = None

    def patch(self, path: str, query: Mapping[str, str], body: object) -> Reply:
        """Send a JSON merge patch over a connection that is kept.

        Raises:
            ClusterError: there was no answer.
        """
        data = json.dumps(body).encode()
        kept = self._connection is not None
        try:
            return self._patch(f"{path}?{urlencode(query)}", data)
        except (OSError, HTTPException) as error:
            self.close()
            if kept and isinstance(error, HTTPException | ConnectionError):
                # The server closes idle connections; a merge patch may safely be sent twice.
                return self.patch(path, query, body)
            raise _no_answer(error) from error

    def close(self) -> None:
        """Close the kept connection."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Return an object or a list.

        Raises:
            ClusterError: there was no answer, or not the asked one.
        """
        try:
            with closing(self._connect(self._timeout)) as connection:
                answer = self._send(connection, "GET", f"{path}?{urlencode(query)}")
                found: dict[str, Any] = json.loads(_read_if_ok(answer))
                return found
        except (OSError, HTTPException, ValueError) as error:
            raise _no_answer(error) from error

    def watch(
        self, path: str, query: Mapping[str, str], silence: float
    ) -> Iterator[dict[str, Any]]:
        """Yield the events of a watch until the server ends it.

        Args:
            path: The collection.
            query: With ``resourceVersion`` and a selector.
            silence: Seconds without an event or bookmark after which the watch counts as dead.

        Raises:
            ClusterError: the watch could not be opened, or broke.
        """
        parameters = {"watch": "true", "allowWatchBookmarks": "true"} | dict(query)
        try:
            with closing(self._connect(silence)) as connection:
                answer = self._send(connection, "GET", f"{path}?{urlencode(parameters)}")
                if answer.status != 200:
                    _read_if_ok(answer)
                while line := answer.readline():
                    yield json.loads(line)
        except (OSError, HTTPException, ValueError) as error:
            raise _no_answer(error) from error

    def _patch(self, target: str, data: bytes) -> Reply:
        if self._connection is None:
            self._connection = self._connect(self._timeout)
        answer = self._send(self._connection, "PATCH", target, data)
        text = answer.read()
        return Reply(answer.status, "" if answer.status < 300 else _message(text))

    def _connect(self, timeout: float) -> HTTPConnection:
        # The CA is read for each connection, the token for each request: both rotate.
        context = ssl.create_default_context(cafile=str(self._server.credentials / "ca.crt"))
        return HTTPSConnection(
            self._server.host, self._server.port, timeout=timeout, context=context
        )

    def _send(
        self, connection: HTTPConnection, method: str, target: str, data: bytes | None = None
    ) -> HTTPResponse:
        token = read_line(self._server.credentials / "token")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if data is not None:
            headers |= {"Accept": METADATA_ALONE, "Content-Type": MERGE_PATCH}
        connection.request(method, target, data, headers)
        return connection.getresponse()


def _read_if_ok(answer: HTTPResponse) -> bytes:
    text = answer.read()
    if answer.status != 200:
        raise ClusterError(f"The API server answered {answer.status}: {_message(text)}")
    return text


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return ""


def _no_answer(error: Exception) -> ClusterError:
    return ClusterError(f"The Kubernetes API gave no answer ({type(error).__name__}: {error}).")
