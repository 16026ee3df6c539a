"""What lists and watches are asked for, and what a page of a list holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hallmark.cluster.kinds import Kind, Obj


@dataclass(frozen=True)
class Selection:
    """What an informer follows: a kind, in all namespaces or one, with these labels.

    Where a name is given it is that object alone, so that a right to it alone will do.
    """

    kind: Kind
    namespace: str | None = None
    labels: Mapping[str, str] | None = None
    name: str | None = None


@dataclass(frozen=True)
class Page:
    """A page of a list: objects, the list's version, how to go on, and how many bytes it had."""

    objects: list[Obj]
    version: str
    token: str
    size: int


class ListGone(Exception):
    """The version to go on from is not known any more (410): list again."""
