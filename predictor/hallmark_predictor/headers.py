"""The headers of answers, made once for each length."""

from __future__ import annotations

from hallmark_predictor.protocol import BINARY_HEADER

KEPT_HEADERS = 4096
"""Lengths of answers whose headers are kept."""

RawHeaders = list[tuple[bytes, bytes]]


class AnswerHeaders:
    """The headers of answers with one version, made once for each length."""

    def __init__(self, model_version: str, manifest_digest: str) -> None:
        """Start with those that are the same in each answer."""
        self.version: RawHeaders = [
            (b"hallmark-model-version", model_version.encode()),
            (b"hallmark-manifest-digest", manifest_digest.encode()),
        ]
        self._of: dict[int, RawHeaders] = {}

    def of(self, length: int) -> RawHeaders:
        """Return the headers of JSON of so many bytes; never to be changed."""
        found = self._of.get(length)
        if found is None:
            found = self.json(length)
            if len(self._of) < KEPT_HEADERS:
                self._of[length] = found
        return found

    def json(self, length: int) -> RawHeaders:
        """Return the headers of JSON of so many bytes."""
        return _headers(b"application/json", length, self.version)

    def binary(self, length: int, json_length: int) -> RawHeaders:
        """Return the headers of JSON with tensors' bytes behind it."""
        found = _headers(b"application/octet-stream", length, self.version)
        return [*found, (BINARY_HEADER.encode(), b"%d" % json_length)]


def _headers(media_type: bytes, length: int, more: RawHeaders) -> RawHeaders:
    return [(b"content-type", media_type), (b"content-length", b"%d" % length), *more]
