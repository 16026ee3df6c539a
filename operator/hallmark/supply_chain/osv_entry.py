"""One entry of an OSV snapshot, held against a version of a Python package. Pure.

The form is OSV's schema (https://ossf.github.io/osv-schema/), the order of versions PEP 440's. What
an entry does not say in a form that is understood counts as said against the version.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from hallmark.api.dependencies import Severity
from hallmark.api.texts import clip, parse_timestamp

ECOSYSTEM = "PyPI"
MOST_ALIASES = 32
_ID_LENGTH = 64
_WORDS = {"MODERATE": Severity.MEDIUM, **{word.upper(): word for word in Severity}}
_AT_ONE_VERSION = ("fixed", "introduced", "last_affected")
"""The order of events at the same version: what was introduced there last is affected."""


class UnreadableEntry(ValueError):
    """An entry has another form than OSV's, so that nobody knows what it is about."""


@dataclass(frozen=True)
class Vulnerability:
    """What an entry says of one package in one version that it affects.

    Attributes:
        package: the package's name, normalised.
        version: its version, as it was found.
        id: the entry's id.
        aliases: other ids of the same vulnerability.
        severity: the worst that the entry states, or None where it states none.
        fixed: the lowest later version that is said to be without it; empty where none is.
    """

    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    severity: Severity | None
    fixed: str

    @property
    def ids(self) -> frozenset[str]:
        """The id and the aliases, in upper case: databases differ in it."""
        return frozenset(name.upper() for name in (self.id, *self.aliases))


def packages_of(entry: Mapping[str, Any]) -> set[str]:
    """Return the Python packages, by their normalised names, that an entry is about.

    Raises:
        UnreadableEntry: nobody can tell.
    """
    if not isinstance(entry.get("id"), str):
        raise UnreadableEntry("no id")
    return {name for name, _ in _affected(entry)}


def vulnerability(
    entry: Mapping[str, Any], package: str, version: str, now: datetime
) -> Vulnerability | None:
    """Return what an entry says of a version, or None where that is not affected.

    Args:
        entry: one that ``packages_of`` read.
        package: the package's normalised name.
        version: its version, in any form.
        now: the time; an entry that was withdrawn before it says nothing.
    """
    if _is_withdrawn(entry, now):
        return None
    parts = [part for name, part in _affected(entry) if name == package]
    known = _version(version)
    if not any(_concerns(part, version, known) for part in parts):
        return None
    aliases = [clip(name, _ID_LENGTH) for name in _texts(entry.get("aliases"))]
    return Vulnerability(
        package=package,
        version=version,
        id=clip(str(entry["id"]), _ID_LENGTH),
        aliases=tuple(sorted(set(aliases))[:MOST_ALIASES]),
        severity=_severity((entry, *parts)),
        fixed=_fixed(parts, known),
    )


def modified(entry: Mapping[str, Any]) -> datetime | None:
    """Return when an entry was last changed, or None where it does not say so readably."""
    return _moment(entry.get("modified"))


def _moment(text: object) -> datetime | None:
    try:
        return parse_timestamp(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _is_withdrawn(entry: Mapping[str, Any], now: datetime) -> bool:
    withdrawn = _moment(entry.get("withdrawn"))
    return withdrawn is not None and withdrawn <= now


def _affected(entry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each part about a Python package with the package's name.

    Parts without a package are about source code alone.
    """
    for part in _list_of_objects(entry.get("affected")):
        package = part.get("package")
        if package is None:
            continue
        if not isinstance(package, dict):
            raise UnreadableEntry("a package of another form")
        ecosystem, name = package.get("ecosystem"), package.get("name")
        if not isinstance(ecosystem, str) or not isinstance(name, str):
            raise UnreadableEntry("a package without a name or an ecosystem")
        if ecosystem.partition(":")[0].strip().lower() == ECOSYSTEM.lower():
            yield canonicalize_name(name.strip()), part


def _list_of_objects(found: object) -> list[Mapping[str, Any]]:
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
        raise UnreadableEntry("a list of another form")
    return found


def _texts(found: object) -> list[str]:
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


@functools.lru_cache(maxsize=65536)
def _version(text: str) -> Version | None:
    """Return a version, or None where PEP 440 does not know its form."""
    try:
        return Version(text)
    except (InvalidVersion, ValueError):  # A number may be too long to be read.
        return None


# -- is a version affected? --------------------------------------------------------------------


def _concerns(part: Mapping[str, Any], text: str, version: Version | None) -> bool:
    """Tell whether a part names a version, or has it in one of its ranges."""
    if version is None:
        return True
    listed = _texts(part.get("versions"))
    own = _public(text)
    if text in listed or any(own == _public(other) for other in listed):
        return True
    try:
        ranges = _list_of_objects(part.get("ranges"))
    except UnreadableEntry:
        return True
    ordered = [found for found in ranges if found.get("type") != "GIT"]
    if not ordered:
        return not listed
    return any(_holds(found.get("events"), version) for found in ordered)


@functools.lru_cache(maxsize=65536)
def _public(text: str) -> Version | None:
    """Return a version without its local part: 1.0+cu121 is built from 1.0."""
    version = _version(text)
    return Version(version.public) if version and version.local else version


def _holds(events: object, version: Version) -> bool:
    """Tell whether a version is affected by a range (OSV's algorithm of evaluation).

    Limits are left out: they only make a range shorter.
    """
    try:
        read = [_event(event) for event in _list_of_objects(events)]
    except UnreadableEntry:
        return True
    known = [event for event in read if event is not None]
    if not known:
        return True
    affected = False
    for kind, bound in sorted(known, key=_place):
        order = _order(version, bound)
        if kind == "introduced":
            affected = affected or order >= 0
        elif order > 0 or (kind == "fixed" and order == 0):
            affected = False
    return affected


Event = tuple[str, Version | None]
"""Its kind and its version; None comes before every version."""


def _event(event: Mapping[str, Any]) -> Event | None:
    """Return an event, or None for a limit.

    Raises:
        UnreadableEntry: it is no single event with a version of PEP 440's form.
    """
    kinds = [kind for kind in _AT_ONE_VERSION if kind in event]
    if not kinds and "limit" in event:
        return None
    if len(kinds) != 1 or not isinstance(text := event[kinds[0]], str):
        raise UnreadableEntry("an event of another form")
    if kinds[0] == "introduced" and text == "0":
        return kinds[0], None
    version = _version(text)
    if version is None:
        raise UnreadableEntry("a version of another form")
    return kinds[0], version


def _place(event: Event) -> tuple[bool, Version, int]:
    kind, bound = event
    return bound is not None, bound or Version("0"), _AT_ONE_VERSION.index(kind)


def _order(version: Version, bound: Version | None) -> int:
    """Return how a version stands to a bound: below (-1), at (0) or above (1).

    A build of a version (1.0+cu121) stands where that does, unless the bound names builds.
    """
    if bound is None:
        return 1
    own = version if bound.local or not version.local else Version(version.public)
    return (own > bound) - (own < bound)


def _fixed(parts: Iterable[Mapping[str, Any]], version: Version | None) -> str:
    """Return the lowest version above, at which a part says that it is fixed."""
    found = []
    for part in parts:
        ranges = part.get("ranges")
        for range_ in ranges if isinstance(ranges, list) else ():
            events = range_.get("events") if isinstance(range_, dict) else None
            for event in events if isinstance(events, list) else ():
                text = event.get("fixed") if isinstance(event, dict) else None
                bound = _version(text) if isinstance(text, str) else None
                if bound and (version is None or bound > version):
                    found.append(bound)
    return clip(str(min(found)), _ID_LENGTH) if found else ""


# -- how bad is it? ----------------------------------------------------------------------------


def worst(severities: Iterable[Severity | None]) -> Severity | None:
    """Return the worst of those that are known, or None where none is."""
    order = list(Severity)
    return max((found for found in severities if found), key=order.index, default=None)


def _severity(places: Iterable[Mapping[str, Any]]) -> Severity | None:
    """Return the worst severity that an entry states, of itself or of one of its parts."""
    return worst(found for place in places for found in _stated(place))


def _stated(place: Mapping[str, Any]) -> Iterator[Severity | None]:
    scores = place.get("severity")
    for score in scores if isinstance(scores, list) else ():
        if isinstance(score, dict):
            yield _by_vector(score.get("type"), score.get("score"))
    for key in ("database_specific", "ecosystem_specific"):
        said = place.get(key)
        word = said.get("severity") if isinstance(said, dict) else None
        if isinstance(word, str):
            yield _WORDS.get(word.strip().upper())


@functools.lru_cache(maxsize=4096)
def _cvss(kind: str, vector: str) -> Severity | None:
    from cvss import CVSS2, CVSS3, CVSS4, CVSSError

    try:
        if kind == "CVSS_V4":
            return Severity(CVSS4(vector).severity)
        scored = CVSS3(vector) if kind == "CVSS_V3" else CVSS2(vector)
    except (CVSSError, ValueError, ArithmeticError, LookupError):
        return None
    return Severity(scored.severities()[0])


def _by_vector(kind: object, vector: object) -> Severity | None:
    """Return the severity of a CVSS vector, or None where it cannot be read."""
    if kind not in ("CVSS_V2", "CVSS_V3", "CVSS_V4") or not isinstance(vector, str):
        return None
    return _cvss(str(kind), vector) if len(vector) <= 512 else None
