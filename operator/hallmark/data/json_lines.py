"""One line of JSON: its object, or what stands there instead."""

from __future__ import annotations

import json
import math

TOO_LONG = "number out of range"
_INT64 = 2**63


class _BadLineError(Exception):
    """The reason why a line of JSON is refused; the text holds no value of it."""


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _BadLineError("a name twice")
    return row


def _no_constant(name: str) -> object:
    raise _BadLineError(f"{name}, which JSON does not know")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_pairs, parse_constant=_no_constant)


def json_record(line: str) -> dict[str, object] | str:
    """Return the line's object, or what was found instead."""
    try:
        record = _DECODER.decode(line.strip())
    except _BadLineError as error:
        return str(error)
    except (json.JSONDecodeError, RecursionError):
        return f"text of {len(line)} characters that is no JSON"
    except ValueError:
        return "a number with too many digits"
    if not isinstance(record, dict):
        return f"a JSON {json_type(record) or 'null'}"
    if "\\u" in line and not all(_is_unicode(text) for text in (*record, *record.values())):
        return "text with half of a surrogate pair, which is no character"
    return record


def _is_unicode(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def json_type(value: object) -> str | None:
    """Return the type of a value by JSON's name of it, or None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "number" if -_INT64 <= value < _INT64 else TOO_LONG
    if isinstance(value, float):
        return "number" if math.isfinite(value) else TOO_LONG
    if isinstance(value, dict):
        return "object"
    return "text" if isinstance(value, str) else "array"
