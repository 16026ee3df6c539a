"""What a verification says: link by link, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hallmark.api.texts import clip

_LONGEST = 4096
"""Characters of a name or a sentence."""


class State(StrEnum):
    """How a link stands."""

    HOLDS = "holds"
    """Everything that it says was checked."""
    BROKEN = "broken"
    """Something is not what a signature or a digest says."""
    OPEN = "open"
    """Nothing contradicts it, and nothing that is here proves it."""


@dataclass(frozen=True)
class Link:
    """One link: what was checked, and what was found, as a sentence.

    Names in both may be anybody's, of files too: what cannot be printed is a question mark.
    """

    name: str
    state: State
    said: str = ""

    def __post_init__(self) -> None:
        """Make a line of each text."""
        object.__setattr__(self, "name", clip(self.name, _LONGEST))
        object.__setattr__(self, "said", clip(self.said, _LONGEST))


@dataclass(frozen=True)
class Subject:
    """What the links are about: an object, the audit log, or the files themselves."""

    kind: str
    name: str
    links: tuple[Link, ...]

    def __post_init__(self) -> None:
        """Make a line of the name."""
        object.__setattr__(self, "name", clip(self.name, _LONGEST))

    @property
    def state(self) -> State:
        """The worst of its links."""
        return worst(link.state for link in self.links)


@dataclass(frozen=True)
class Verdict:
    """All that was found.

    Args:
        subjects: in the chain's order.
        digest: of the export's index, which names the digest of every file; None without one.
    """

    subjects: tuple[Subject, ...]
    digest: str | None = None

    @property
    def state(self) -> State:
        """The worst of all links."""
        return worst(subject.state for subject in self.subjects)

    @property
    def ok(self) -> bool:
        """Whether no link is broken."""
        return self.state is not State.BROKEN

    def count(self, state: State) -> int:
        """Return how many links stand so."""
        return sum(link.state is state for subject in self.subjects for link in subject.links)

    def to_wire(self) -> dict[str, Any]:
        """Return the verdict as JSON for programs."""
        return {
            "verdict": self.state.value,
            "exportDigest": self.digest,
            "links": {state.value: self.count(state) for state in State},
            "subjects": [
                {
                    "kind": subject.kind,
                    "name": subject.name,
                    "verdict": subject.state.value,
                    "links": [
                        {"name": link.name, "verdict": link.state.value, "said": link.said}
                        for link in subject.links
                    ],
                }
                for subject in self.subjects
            ],
        }


def worst(states: Iterable[State]) -> State:
    """Return the worst of some states; without any, nothing is proved."""
    found = set(states)
    if State.BROKEN in found:
        return State.BROKEN
    return State.OPEN if State.OPEN in found or not found else State.HOLDS


def holds(name: str, said: str = "") -> Link:
    """Return a link that was checked."""
    return Link(name, State.HOLDS, said)


def broken(name: str, said: str) -> Link:
    """Return a link that is not what it must be."""
    return Link(name, State.BROKEN, said)


def open_(name: str, said: str) -> Link:
    """Return a link that nothing here proves."""
    return Link(name, State.OPEN, said)
