"""Objects as an API server sends them, for tests of the cache."""

from __future__ import annotations

from typing import Any

from hallmark.cluster.kinds import Kind, Obj

SPACE = "bank"


def obj(
    kind: Kind,
    name: str = "credit",
    version: int = 1,
    *,
    uid: str = "",
    space: str | None = SPACE,
    metadata: Obj | None = None,
    **parts: Any,  # noqa: ANN401 - spec, status, data
) -> Obj:
    """Return an object of a kind at a resource version; ``metadata`` adds to its own."""
    described: Obj = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    if space is not None and kind.namespaced:
        described["namespace"] = space
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {**described, **(metadata or {})},
        **parts,
    }
