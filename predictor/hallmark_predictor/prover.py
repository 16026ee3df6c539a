"""Lets a child process prove what the libraries of the proof would stay in memory for.

The seal needs cryptography, and the sealed graph ONNX Runtime, each once: a linear model is proved
equal to the graph at the start, and computed without the runtime then (``scoring``). So a child is
forked while there is one thread and no lock is held; it answers and ends, and its memory is free.
A child that does not answer proves nothing: the process asks the libraries itself then.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import struct
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
from msgspec import Struct
from msgspec.msgpack import decode, encode

from hallmark.api.documents import Manifest, ServedSchema, Trust, read
from hallmark.drift.counts import Rows
from hallmark.files import DOCUMENT_BYTES, read_whole
from hallmark_predictor.logs import place_of
from hallmark_predictor.runtime import open_graph
from hallmark_predictor.scoring import Probabilities
from hallmark_predictor.verification import Refused, sealed_manifest, verify_seal

LOG = logging.getLogger("hallmark_predictor")

PATIENCE = 60.0
"""Seconds that the child may take; then the process itself asks the libraries."""
_LENGTH = struct.Struct("=Q")

Answer = TypeVar("Answer")


class _Question(Struct):
    """Asks what a sealed graph answers to rows; answered with float32 in the machine's order."""

    graph: bytes
    input_name: str
    probabilities_name: str
    width: int
    rows: bytes


class Prover:
    """A child that verifies a seal at once, then answers for a graph, and ends."""

    def __init__(self, trust_file: Path, now: datetime) -> None:
        """Fork; to be called while the process has one thread.

        Args:
            trust_file: ``trust.json``, whatever is there.
            now: The moment at which the signer's key must be valid.
        """
        # What is read before the fork the child need not prepare to read, nor read again.
        self._trust = _trust_in(trust_file)
        self._socket, other = socket.socketpair()
        self.pid = os.fork()
        """The child; 0 when it is gone."""
        if self.pid:
            other.close()
            return
        try:
            self._socket.close()
            _prove(other, self._trust, now)
        finally:
            os._exit(0)

    def seal(self, trust: Trust, now: datetime) -> Manifest | Refused:
        """Return what ``verify_seal`` does; cryptography stays away if it can.

        Args:
            trust: What stood in the file; of another one this process verifies the seal.
            now: The moment at which the signer's key must be valid.
        """
        try:
            if trust != self._trust:
                raise ValueError("another trust file")
            refusal = self._told(str)
        except (OSError, EOFError, ValueError) as error:
            LOG.warning("The seal is verified in this process: %s.", place_of(error))
            return verify_seal(trust, now)
        return Refused(refusal) if refusal else sealed_manifest(trust)

    def answers(self, graph: bytes, schema: ServedSchema, rows: Rows) -> Probabilities:
        """Return what the sealed graph answers to encoded rows; the runtime stays away if it can.

        Args:
            graph: The bytes of ``model.onnx``.
            schema: Its columns and classes.
            rows: Shape (rows, features).

        Raises:
            Exception: whatever the runtime raises where it cannot load the graph.
        """
        try:
            names, width = (schema.input_name, schema.probabilities_name), rows.shape[1]
            self._socket.settimeout(PATIENCE)
            _send(self._socket, encode(_Question(graph, *names, width, rows.tobytes())))
            said = np.frombuffer(self._told(bytes), dtype=np.float32)
            return said.reshape(len(rows), -1)
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

    def _told(self, form: type[Answer]) -> Answer:
        """Return the child's next answer.

        Raises:
            OSError, EOFError, ValueError: there is none of that form.
        """
        self._socket.settimeout(PATIENCE)
        return decode(_receive(self._socket), type=form)


def _trust_in(file: Path) -> Trust | None:
    try:
        return read(Trust, read_whole(file, DOCUMENT_BYTES))
    except (OSError, ValueError):
        return None  # The loader says why.


def _prove(own: socket.socket, trust: Trust | None, now: datetime) -> None:
    """Tell why a seal does not hold, empty if it holds; then answer one question."""
    with suppress(Exception):  # Who gets no answer asks in his own process, and sees the error.
        if trust is not None:
            found = verify_seal(trust, now)
            _send(own, encode(found.message if isinstance(found, Refused) else ""))
        asked = decode(_receive(own), type=_Question)
        rows = np.frombuffer(asked.rows, dtype=np.float32).reshape(-1, asked.width)
        _send(own, encode(open_graph(asked.graph, asked)(rows).tobytes()))


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
