"""What a file is by its first bytes, where it is not what its format says."""

from __future__ import annotations

import re

from hallmark.api.dataset import DataFormat

HEAD_BYTES = 512
"""So many bytes tell."""
_MARKUP = (
    (rb"<!doctype html|<html|<head|<body", "an HTML page, such as an error or a login page"),
    (rb"<\?xml|<error>", "XML, such as a store's error"),
    (rb"version https://git-lfs", "a pointer of Git LFS instead of the file"),
)
_OBJECT = re.compile(rb'\[?\s*\{\s*(?:"|\})')
_OPEN_OBJECT = re.compile(rb"\{\s*[\r\n]")
_TAR = slice(257, 262)


def foreign(head: bytes, data_format: DataFormat) -> str | None:
    """Return what else a file is by its first bytes, or None where they fit.

    Args:
        head: The first 512 bytes, decompressed, or all there are.
        data_format: What it should be.
    """
    if head[_TAR] == b"ustar":
        return "a tar archive"
    if _every_second_is_zero(head):
        return "NUL bytes in every second place, as in UTF-16 without its byte-order mark"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for pattern, what in _MARKUP:
        if re.match(pattern, text, re.IGNORECASE):
            return what
    if data_format is DataFormat.JSON_LINES:
        if text.startswith(b"["):
            return "a JSON array; write each of its objects on a line of its own"
        if _OPEN_OBJECT.match(text):
            return "a JSON object over several lines; write each on one line"
    elif _OBJECT.match(text):
        return "JSON (for one object to a line, 'format' is JSONLines)"
    return None


def _every_second_is_zero(head: bytes) -> bool:
    places = head[:64]
    even, odd = places[0::2], places[1::2]
    return len(places) >= 4 and any(even) != any(odd) and places.count(0) * 2 >= len(places) - 1
