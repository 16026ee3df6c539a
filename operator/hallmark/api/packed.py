"""What a record keeps of what its decision was made from: canonical JSON, compressed, base64."""

from __future__ import annotations

import base64
import zlib
from typing import Any

from hallmark.api.texts import canonical_json


def packed(wire: Any) -> str:  # noqa: ANN401 - what JSON says
    """Return a JSON document as it stands in a record."""
    return base64.b64encode(zlib.compress(canonical_json(wire), 9)).decode()


def unpacked(text: str, limit: int) -> bytes | None:
    """Return the JSON text in a record; None where it is none, or has more bytes than ``limit``."""
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(text, validate=True), limit)
    except (ValueError, zlib.error):
        return None
    return data if inflater.eof else None
