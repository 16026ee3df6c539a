"""Whether enough different people have approved, and people for each risk. Pure, without I/O."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hallmark.api.trust import ReviewerGroup


_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\ufe00-\ufe0f\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point beside the categories Cc and Cf, and the blank Braille."""


@dataclass(frozen=True)
class Tally:
    """How many people approved, and from which groups somebody is missing."""

    people: int
    minimum: int
    missing: Mapping[str, int]
    """By group: how many of its members must still approve, where anybody stands for one group."""

    @property
    def enough(self) -> bool:
        """Nothing is missing."""
        return self.people >= self.minimum and not self.missing

    @property
    def more(self) -> int:
        """How many more people must approve at least."""
        return max(0, self.minimum - self.people, sum(self.missing.values()))

    @property
    def sentence(self) -> str:
        """A part of a sentence: how many of how many, and whose is missing."""
        said = f"{self.people} of {self.minimum} approvals"
        lacking = [f"{count} from group '{name}'" for name, count in sorted(self.missing.items())]
        return f"{said}, still missing {' and '.join(lacking)}" if lacking else said


@lru_cache(maxsize=4096)
def person(name: str) -> str:
    """Return what is equal for two names that may be one person's, however they are written.

    Case, forms of the same letter, spaces and what is not seen make no other person: who signs in
    in two ways, or is named by a relay, may be spelled otherwise.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    seen = "".join(sign for sign in folded if _is_seen(sign))
    # What was taken out may have stood between a letter and its accent.
    return unicodedata.normalize("NFKC", seen)


def is_among(name: str, names: Iterable[str]) -> bool:
    """Tell whether a name may be that of one of these people."""
    return person(name) in map(person, names)


def _is_seen(sign: str) -> bool:
    return not (
        sign.isspace() or unicodedata.category(sign) in {"Cc", "Cf"} or _UNSEEN.fullmatch(sign)
    )


def tally(approvers: Collection[str], minimum: int, groups: Sequence[ReviewerGroup] = ()) -> Tally:
    """Count approvals: two names of one person are one, a member of each group that lists either.

    Who is a member of several groups stands for one of them alone: the choice that leaves the
    fewest members missing.

    Args:
        approvers: Whose approvals count.
        minimum: How many people must approve.
        groups: How many of them must be members of which group.
    """
    people = {person(name) for name in approvers}
    stands_for: dict[str, str] = {}
    members = {
        group.name: sorted({person(name) for name in {*approvers} & {*group.members}})
        for group in groups
    }
    missing: dict[str, int] = {}
    for group in groups:
        for _ in range(group.minimum):
            if not _find(group.name, members, stands_for, set()):
                missing[group.name] = missing.get(group.name, 0) + 1
    return Tally(len(people), minimum, missing)


def _find(
    group: str, members: Mapping[str, Sequence[str]], stands_for: dict[str, str], tried: set[str]
) -> bool:
    """Find somebody for one more place of a group, if need be by letting others stand elsewhere.

    An augmenting path in the bipartite graph of people and places.
    """
    for person in members[group]:
        if person in tried:
            continue
        tried.add(person)
        held = stands_for.get(person)
        if held is None or _find(held, members, stands_for, tried):
            stands_for[person] = group
            return True
    return False
