"""Where two files differ, in words: a JSON path, a line, or a byte. Pure."""

from __future__ import annotations

import json
from itertools import zip_longest

from hallmark.api.texts import clip
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

JSON_BYTES = 16 << 20
"""A longer document is compared by its bytes."""
_SHOWN = 60


def first_difference(then: bytes, now: bytes) -> str:
    """Return where two different files differ first, with what stands there, shortened."""
    try:
        found = _in_documents(parse_object(then, JSON_BYTES), parse_object(now, JSON_BYTES))
    except UnreadableJSON:
        return _in_lines(then, now)
    return found or _at_byte(then, now)


def _in_documents(then: object, now: object) -> str | None:
    """Return the first path, in the order of the names, at which two documents differ."""
    waiting: list[tuple[str, object, object]] = [("$", then, now)]
    while waiting:
        path, former, present = waiting.pop()
        if isinstance(former, dict) and isinstance(present, dict):
            names = sorted(former.keys() | present.keys(), reverse=True)
            waiting += [
                (_below(path, name), former.get(name, _ABSENT), present.get(name, _ABSENT))
                for name in names
            ]
        elif isinstance(former, list) and isinstance(present, list):
            pairs = list(zip_longest(former, present, fillvalue=_ABSENT))
            waiting += [
                (f"{path}[{number}]", *pair) for number, pair in reversed(list(enumerate(pairs)))
            ]
        elif type(former) is not type(present) or former != present:
            return f"first at {path}, {_shown(former)} then, {_shown(present)} now"
    return None


_ABSENT = object()


def _below(path: str, name: str) -> str:
    """Return the path of a member; what is no plain name is quoted, as in RFC 9535."""
    return f"{path}.{name}" if name.isidentifier() else f"{path}[{json.dumps(clip(name, _SHOWN))}]"


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return clip(json.dumps(value, ensure_ascii=False), _SHOWN)


def _in_lines(then: bytes, now: bytes) -> str:
    """Return the first line that differs, where both are text; else the first byte."""
    try:
        former, present = then.decode().splitlines(), now.decode().splitlines()
    except UnicodeDecodeError:
        return _at_byte(then, now)
    for number, (line, other) in enumerate(zip_longest(former, present, fillvalue=None), start=1):
        if line != other:
            return f"first in line {number}"
    return _at_byte(then, now)


def _at_byte(then: bytes, now: bytes) -> str:
    shorter = min(len(then), len(now))
    # Bytes compare at the speed of memory: halving finds the place without a loop over each.
    low, high = 0, shorter
    while low < high:
        middle = (low + high + 1) // 2
        if then[low:middle] == now[low:middle]:
            low = middle
        else:
            high = middle - 1
    return f"first at byte {low} ({len(then)} bytes then, {len(now)} now)"
