"""What Pods of one ModelDeployment tell each other of copied requests: lengths and MessagePack."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

from msgspec import Struct
from msgspec.msgpack import Encoder

MOST_BODY = 64 * 1024
"""Bytes of a request that is copied."""
MOST_FRAME = 4 * MOST_BODY
"""Bytes of a message: a body, or eight for each of the rows that a body of that size can hold."""
_LENGTH = struct.Struct("=I")
_encode = Encoder().encode


class Outcome(IntEnum):
    """What became of a copy."""

    ANSWERED = 0
    REFUSED = 1
    """Something is wrong with it, as the candidate sees it."""
    FAILED = 2
    """The candidate could not answer it though nothing was wrong with it."""


class Hello(Struct, array_like=True):
    """What a candidate says first: which version it is, and its classes, in order."""

    manifest_digest: str
    classes: list[str]


class Copy(Struct, array_like=True):
    """A request.

    Attributes:
        infer: Whether it is one of the Open Inference Protocol, not of ``/predict``.
        body: Unpacked.
        json_length: How much of it is JSON, where tensors' bytes follow it.
    """

    infer: bool
    body: bytes
    json_length: int | None = None


class Told(Struct, array_like=True):
    """What a candidate answers to a copy.

    Attributes:
        outcome: Whether it has an answer.
        said: The score and the label of each row, as float32 in the machine's order.
    """

    outcome: int
    said: bytes = b""


def framed(message: Hello | Copy | Told) -> bytes:
    """Return a message as it is sent."""
    data = _encode(message)
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Puts messages together from what comes."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._buffer = b""

    def come(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages that are whole now.

        Raises:
            ValueError: one says that it is longer than any is.
        """
        buffer, start = self._buffer + data if self._buffer else data, 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > MOST_FRAME:
                raise ValueError(f"A message has {length} bytes, more than {MOST_FRAME}.")
            end = start + _LENGTH.size + length
            if end > len(buffer):
                break
            yield buffer[start + _LENGTH.size : end]
            start = end
        self._buffer = buffer[start:]
