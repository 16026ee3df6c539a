"""Known vulnerabilities of a model's packages, held against a policy. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from hallmark.api.common import parse_duration, parse_timestamp, timestamp
from hallmark.api.dependencies import Severity, Vulnerabilities, VulnerabilityException
from hallmark.api.findings import Finding
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.osv_entry import Vulnerability, worst

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
    known: Known, rules: Vulnerabilities | None, now: datetime
) -> list[Finding]:
    """Return one finding for each vulnerability that the policy does not accept, by package.

    A snapshot that is missing, too old, or cannot be read as a whole is a finding too.
    """
    if rules is None:
        return []
    found = [*_feed_problems(known, rules, now)]
    for same in _grouped(known.found):
        severity = worst(member.severity for member in same)
        excepted = [_exception(member, rules, now) for member in same]
        if _is_accepted(severity, rules) or all(excepted):
            continue
        counts = [member for member, exception in zip(same, excepted, strict=True) if not exception]
        found.append(_refusal(counts, severity, rules, now))
    return found


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


def _refusal(
    same: list[Vulnerability], severity: Severity | None, rules: Vulnerabilities, now: datetime
) -> Finding:
    first = same[0]
    ended = [one.until for found in same for one in _about(found, rules)]
    expected = f"none above severity {rules.accepted_severity} ({_RULE})"
    fixed = next((found.fixed for found in same if found.fixed), "")
    said = f"{first.id} in '{first.package}' {first.version}".rstrip()
    said += f", severity {severity or 'unknown'}, "
    said += f"fixed in {fixed}" if fixed else "no fixed version known"
    said += f", its exception ended {max(ended)}" if ended else ""
    names = {name for found in same for name in (found.id, *found.aliases)} - {first.id}
    said += f" (also {', '.join(sorted(names)[:4])})" if names else ""
    return finding(VULNERABILITIES, expected, said)
