"""Lets a child process answer with ONNX Runtime, so that this one need not load it.

A linear model is proved equal to the sealed graph at the start, and computed without the runtime
then (``scoring``); the runtime would stay, a third of the process's memory. So a child is forked
while there is one thread and no lock is held; it answers once and ends, and its memory is free.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import struct
from contextlib import suppress

import numpy as np
from msgspec.msgpack import decode, encode

from hallmark.api.artifacts import ServedSchema
from hallmark.drift.counts import Rows
from hallmark_predictor.logs import place_of
from hallmark_predictor.runtime import open_graph
from hallmark_predictor.scoring import Probabilities

LOG = logging.getLogger("hallmark_predictor")

PATIENCE = 60.0
"""Seconds that the child may take; then the process itself asks the runtime."""
_LENGTH = struct.Struct("=Q")


class Prover:
    """A child that answers once, or ends unasked."""

    def __init__(self) -> None:
        """Fork; to be called while the process has one thread."""
        self._socket, other = socket.socketpair()
        self.pid = os.fork()
        """The child; 0 when it is gone."""
        if self.pid:
            other.close()
            return
        try:
            self._socket.close()
            _answer(other)
        finally:
            os._exit(0)

    def answers(self, graph: bytes, schema: ServedSchema, rows: Rows) -> Probabilities:
        """Return what the sealed graph answers to encoded rows; the runtime stays away if it can.

        Args:
            graph: The bytes of ``model.onnx``.
            schema: Its columns and classes.
            rows: Shape (rows, features).

        Raises:
            Exception: whatever the runtime raises where it cannot load the graph.
        """
        question = graph, schema.to_bytes(), rows.tobytes()
        try:
            self._socket.settimeout(PATIENCE)
            _send(self._socket, encode(question))
            found = np.frombuffer(_receive(self._socket), dtype=np.float32)
            return found.reshape(len(rows), -1)
        except (OSError, EOFError, ValueError) as error:
            LOG.warning("The sealed graph is asked in this process: %s.", place_of(error))
            return open_graph(graph, schema)(rows)
        finally:
            self.close()

    def close(self) -> None:
        """End the child, which may have ended by itself."""
        self._socket.close()
        pid, self.pid = self.pid, 0
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _answer(own: socket.socket) -> None:
    """Answer one question, if one comes."""
    with suppress(Exception):  # Who gets no answer asks in his own process, and sees the error.
        graph, document, packed = decode(_receive(own), type=tuple[bytes, bytes, bytes])
        schema = ServedSchema.model_validate_json(document)
        rows = np.frombuffer(packed, dtype=np.float32).reshape(-1, len(schema.features))
        _send(own, open_graph(graph, schema)(rows).tobytes())


def _send(to: socket.socket, data: bytes) -> None:
    to.sendall(_LENGTH.pack(len(data)))
    to.sendall(data)


def _receive(source: socket.socket) -> bytes:
    """Return what was sent.

    Raises:
        EOFError: the other side ended before.
    """
    with source.makefile("rb") as stream:
        head = stream.read(_LENGTH.size)
        if len(head) == _LENGTH.size:
            data = stream.read(_LENGTH.unpack(head)[0])
            if len(data) == _LENGTH.unpack(head)[0]:
                return data
    raise EOFError
