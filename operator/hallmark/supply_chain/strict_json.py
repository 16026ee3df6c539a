"""JSON from strangers: bounded, without duplicate names, and with one kind of error."""

from __future__ import annotations

import json
from typing import Any, NoReturn


class UnreadableJSON(ValueError):
    """The bytes are not a JSON object that may be read; the message says why, without values."""


def parse_object(data: bytes | str, limit: int) -> dict[str, Any]:
    """Return the JSON object in ``data``.

    Args:
        data: UTF-8 bytes or text.
        limit: The most bytes (characters for text) that are read at all.

    Raises:
        UnreadableJSON: It is too long, not UTF-8, not JSON, nested too deeply, not an object, has
            a name twice, or holds NaN, infinity or half a surrogate pair.
    """
    if len(data) > limit:
        raise UnreadableJSON(f"{len(data)} bytes where at most {limit} are read")
    try:
        text = data.decode() if isinstance(data, bytes) else data
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)
        # Half a surrogate pair passes the parser, but cannot be written as UTF-8 anywhere; nor can
        # an infinity as JSON, which 1e999 is read as.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnreadableJSON:
        raise
    except RecursionError as error:
        raise UnreadableJSON("JSON that is nested too deeply") from error
    except UnicodeError as error:
        raise UnreadableJSON("bytes that are not UTF-8") from error
    except ValueError as error:
        raise UnreadableJSON("bytes that are not JSON") from error
    if not isinstance(value, dict):
        raise UnreadableJSON("JSON that is not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise UnreadableJSON("JSON with a name twice in one object")
    return result


def _constant(name: str) -> NoReturn:
    raise UnreadableJSON("JSON with NaN or an infinity")
