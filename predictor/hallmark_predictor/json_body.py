"""A request's body as an object, each of whose members stands once.

JSON does not say which of two members of one name counts (RFC 8259, section 4), so what one reader
checks another may not see. The fast parser keeps the last and does not tell. Whether there can be
one at all is seen by counting: an object has a colon for each member, and no others stand outside
of texts. Only where the count does not come out even is the body read once more, slowly.
"""

from __future__ import annotations

import json
from typing import Any

from hallmark_predictor.problems import BadRequest, describe, refuse, shown

Object = dict[str, Any]


class _TwiceError(ValueError):
    """A member stands twice in one object; its only argument is the name."""


SIGNS = (b"{", b"[", b",")
"""Of these no two parts of a document have fewer between them than one."""


def parse_object(body: bytes, most: int) -> Object | BadRequest:
    """Return the object, or why the body is none.

    Args:
        body: As it came.
        most: How many values it may have, counted by ``SIGNS``, those within texts included: a
            value takes many times the memory, and the time, of its two bytes.
    """
    if sum(map(body.count, SIGNS)) > most:
        return refuse("the body", f"at most {most} values, objects and lists", "more")
    # Few requests are read here, and a predictor that gets none of them need not load the parser.
    from pydantic_core import from_json

    try:
        request = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        # The parser tells what and where (line and column), never the text.
        found = f"something else ({str(error)[:120]})"
        return refuse("the body", "JSON (without NaN or Infinity)", found)
    if not isinstance(request, dict):
        return refuse("the body", "a JSON object", describe(request))
    if body.count(b":") == _members(request):
        return request
    twice = _first_twice(body)
    if twice is not None:
        return refuse(shown(twice), "each member of an object once", "it twice")
    return request


def _members(request: Object) -> int:
    """Return how many members there are where most are: no more than in the whole."""
    members = len(request)
    for value in request.values():
        if type(value) is dict:
            members += len(value)
        elif type(value) is list and set(map(type, value)) == {dict}:
            members += sum(map(len, value))
    return members


def _first_twice(body: bytes) -> str | None:
    def once(pairs: list[tuple[str, Any]]) -> None:
        """Look at an object, and leave nothing of it: the body is in memory once already."""
        if len(dict(pairs)) == len(pairs):
            return
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _TwiceError(name)
            seen.add(name)

    try:
        json.loads(body.decode(), object_pairs_hook=once)
    except _TwiceError as error:
        return str(error)
    return None
