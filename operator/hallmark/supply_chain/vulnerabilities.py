"""Known vulnerabilities of a model's packages, held against a policy. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from hallmark.api.dependencies import (
    AcceptedVex,
    Severity,
    Vulnerabilities,
    VulnerabilityException,
)
from hallmark.api.findings import Finding
from hallmark.api.texts import parse_duration, parse_timestamp, timestamp
from hallmark.quorum import Tally, tally
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.osv_entry import Vulnerability, worst
from hallmark.supply_chain.vex import Word

VULNERABILITIES = "Vulnerabilities"
FEED = "Vulnerability feed"
_RULE = "the policy's dependencies.vulnerabilities"


@dataclass(frozen=True)
class Known:
    """What a snapshot of OSV says of a model's packages.

    Attributes:
        digest: the snapshot's, ``sha256:...``.
        newest: when the newest of its entries was modified, or None where none says so.
        found: the vulnerabilities that the packages have.
        trouble: what keeps the snapshot from being believed, as (expected, found); else None.
    """

    digest: str
    newest: datetime | None = None
    found: tuple[Vulnerability, ...] = ()
    trouble: tuple[str, str] | None = None


LookUp = Callable[[Iterable[tuple[str, str]]], Known]
"""Says what is known of packages, each by its name and version."""
NOT_MOUNTED = Known(
    "",
    trouble=(
        "a snapshot of OSV (mounted, or given with --osv), for the policy asks for known "
        "vulnerabilities",
        "none",
    ),
)
"""What is known where nobody mounted a snapshot."""


def check_vulnerabilities(
    known: Known, rules: Vulnerabilities | None, now: datetime, words: Sequence[Word] = ()
) -> list[Finding]:
    """Return one finding for each vulnerability that the policy does not accept, by package.

    A snapshot that is missing, too old, or cannot be read as a whole is a finding too.

    Args:
        known: what the snapshot says.
        rules: the policy's; None: nobody looks.
        now: the time, which ends exceptions.
        words: what reviewers say of these very bytes; it counts where the policy accepts that.
    """
    if rules is None:
        return []
    found = [*_feed_problems(known, rules, now)]
    for same in _grouped(known.found):
        counts = _counting(same, rules, now, words)
        if counts:
            severity = worst(member.severity for member in same)
            found.append(_refusal(counts, severity, rules, _on(counts, words, rules)))
    return found


def lifted(
    known: Known, rules: Vulnerabilities | None, now: datetime, words: Sequence[Word]
) -> list[Word]:
    """Return the reviewers' words without which a vulnerability would be refused."""
    if rules is None:
        return []
    used = [
        word
        for same in _grouped(known.found)
        if not _counting(same, rules, now, words) and (counts := _counting(same, rules, now, ()))
        for word in _on(counts, words, rules)
    ]
    return list(dict.fromkeys(used))


def judged_until(known: Known, rules: Vulnerabilities | None, now: datetime) -> datetime | None:
    """Return when the verdict may be another one by time alone, or None."""
    if rules is None:
        return None
    ends = [parse_timestamp(exception.until) for exception in rules.exceptions]
    if known.newest and rules.max_feed_age:
        ends.append(known.newest + parse_duration(rules.max_feed_age))
    return min((moment for moment in ends if moment > now), default=None)


def _feed_problems(known: Known, rules: Vulnerabilities, now: datetime) -> Iterator[Finding]:
    if known.trouble is not None:
        yield finding(FEED, *known.trouble)
        return
    age = rules.max_feed_age
    if age is None:
        return
    if known.newest is None or known.newest + parse_duration(age) <= now:
        newest = f"the newest of {timestamp(known.newest)[:16]}Z" if known.newest else "none"
        yield finding(
            FEED, f"an entry modified in the last {age} ({_RULE}.maxFeedAge); renew it", newest
        )


def _grouped(found: Iterable[Vulnerability]) -> list[list[Vulnerability]]:
    """Return entries about one vulnerability of one package together: they share an id."""
    by_name: dict[tuple[str, str, str], list[Vulnerability]] = {}
    for entry in sorted(set(found), key=attrgetter("package", "version", "id")):
        names = [(entry.package, entry.version, id_) for id_ in sorted(entry.ids)]
        group = [entry]
        for same in {id(known): known for name in names if (known := by_name.get(name))}.values():
            group = [*same, *group]
        for member in group:
            for id_ in member.ids:
                by_name[member.package, member.version, id_] = group
    unique = {id(group): group for group in by_name.values()}
    return [sorted(group, key=attrgetter("id")) for group in unique.values()]


def _is_accepted(severity: Severity | None, rules: Vulnerabilities) -> bool:
    order = list(Severity)
    return severity is not None and order.index(severity) <= order.index(rules.accepted_severity)


def _exception(
    found: Vulnerability, rules: Vulnerabilities, now: datetime
) -> VulnerabilityException | None:
    """Return the exception that lets an entry pass today."""
    return next((one for one in _about(found, rules) if parse_timestamp(one.until) > now), None)


def _about(found: Vulnerability, rules: Vulnerabilities) -> Iterator[VulnerabilityException]:
    for exception in rules.exceptions:
        if exception.package == found.package and exception.id.upper() in found.ids:
            yield exception


def _counting(
    same: Sequence[Vulnerability], rules: Vulnerabilities, now: datetime, words: Sequence[Word]
) -> list[Vulnerability]:
    """Return the entries about one vulnerability that nothing excuses; none where it is accepted.

    Who says that it matters is heard whichever of its names was used.
    """
    if _is_accepted(worst(member.severity for member in same), rules):
        return []
    lifts = all(word.said.analysis.excuses for word in _on(same, words, rules))
    return [
        member
        for member in same
        if not _exception(member, rules, now)
        and not (lifts and _is_lifted(_on([member], words, rules), rules))
    ]


def _on(same: Sequence[Vulnerability], words: Sequence[Word], rules: Vulnerabilities) -> list[Word]:
    """Return what is said of a vulnerability, where the policy listens."""
    return [
        word
        for word in words
        if rules.vex
        and any(
            word.said.vulnerability.upper() in found.ids
            and word.said.is_about(found.package, found.version)
            for found in same
        )
    ]


def _is_lifted(words: Sequence[Word], rules: Vulnerabilities) -> bool:
    return rules.vex is not None and _excusing(words, rules.vex).enough


def _excusing(words: Iterable[Word], asked: AcceptedVex) -> Tally:
    people = {word.by for word in words if word.said.analysis.excuses}
    return tally(people, asked.minimum, asked.groups)


def _asked(vex: AcceptedVex) -> str:
    """Return whose word lifts a vulnerability, as a part of a sentence."""
    groups = [f"{group.minimum} from group '{group.name}'" for group in vex.groups]
    people = "a reviewer" if vex.minimum == 1 else f"{vex.minimum} reviewers"
    return f"{people} ({' and '.join(groups)})" if groups else people


def _refusal(
    same: list[Vulnerability],
    severity: Severity | None,
    rules: Vulnerabilities,
    words: Sequence[Word],
) -> Finding:
    first = same[0]
    ended = [one.until for found in same for one in _about(found, rules)]
    expected = f"none above severity {rules.accepted_severity} ({_RULE})"
    if rules.vex:
        expected += f", or the word of {_asked(rules.vex)} that it does no harm (hallmark vex)"
    fixed = next((found.fixed for found in same if found.fixed), "")
    said = f"{first.id} in '{first.package}' {first.version}".rstrip()
    said += f", severity {severity or 'unknown'}, "
    said += f"fixed in {fixed}" if fixed else "no fixed version known"
    said += f", its exception ended {max(ended)}" if ended else ""
    names = {name for found in same for name in (found.id, *found.aliases)} - {first.id}
    said += f" (also {', '.join(sorted(names)[:4])})" if names else ""
    heard = " ".join(word.sentence() for word in words[:4]).removesuffix(".")
    said += f"; {heard}" if heard else ""
    return finding(VULNERABILITIES, expected, said)
