"""CPU and memory of a container: what is asked for, over what it has by default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.api.resources import Resources, quantity


def resources(asked: Resources | None, defaults: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return a container's requests and limits: each default stands where nothing is asked for.

    So giving one amount takes no other away. Where only one of request and limit is asked for and
    the other's default would contradict it, the other becomes equal to it.

    Args:
        asked: what the author asks for.
        defaults: ``requests`` and ``limits`` by resource.
    """
    wire = asked.to_wire() if asked else {}
    amounts = {side: {**defaults[side], **wire.get(side, {})} for side in ("requests", "limits")}
    requests, limits = amounts["requests"], amounts["limits"]
    for name in requests.keys() & limits.keys():
        if quantity(requests[name]) <= quantity(limits[name]):
            continue
        if name in wire.get("limits", {}):
            requests[name] = limits[name]
        else:
            limits[name] = requests[name]
    return amounts
