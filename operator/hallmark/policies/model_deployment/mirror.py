"""Copies of requests for a candidate: whether they are made, and what its answers say. Pure.

The Pods of what serves compare, and report; what the candidate's own Pods say is not looked at.
Every number is judged without the busiest clients (ADR 0038).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest

from hallmark.api import names
from hallmark.api.bounds import LATENCY_BOUNDS, SCORE_BOUNDS
from hallmark.api.mirror import Mirror, MirrorCounts, MirrorRecord, MirrorReport
from hallmark.api.model_deployment import Rollout, RolloutState
from hallmark.api.reasons import DeploymentReason
from hallmark.drift.answers import LATE
from hallmark.drift.clients import Share, judged
from hallmark.drift.latency import bound_of
from hallmark.policies.model_deployment.analysis import bounded, report_of
from hallmark.policies.model_deployment.canary import is_beside
from hallmark.policies.model_deployment.crashes import crashed_since
from hallmark.policies.model_deployment.inputs import PodState, View
from hallmark.policies.model_deployment.withdrawal import withdrawn
from hallmark.refusal import Refusal

FAR = LATE
"""The share of rows whose scores may be farther apart than ``maxScoreDifference``."""


@dataclass(frozen=True)
class Copies:
    """What predictors are told to copy."""

    candidate: str
    """Whom the copies are for: a manifest digest."""
    since: str
    """When the mirror began."""
    percent: int


def declared(view: View) -> Mirror | None:
    """Return the mirror that the candidate on record must pass, or None."""
    mirror = view.inputs.deployment.spec.strategy.mirror
    return mirror if mirror is not None and is_beside(view) else None


def copies(view: View) -> Copies | None:
    """Return which requests are copied now, and to whom; none to bytes that were withdrawn."""
    rollout, record, mirror = view.rollout, view.rollout.mirror, declared(view)
    candidate = rollout.manifest_digest
    if rollout.state is not RolloutState.MIRRORING or record is None or mirror is None:
        return None
    if candidate is None or withdrawn(candidate, view.inputs) is not None:
        return None
    return Copies(candidate, record.started, mirror.percent)


# -- what was seen ----------------------------------------------------------------------------


def observed(view: View) -> Rollout | None:
    """Return the rollout with what the Pods of what serves have told of the candidate."""
    rollout, record = view.status.rollout, view.rollout.mirror
    if rollout is None or record is None:
        return rollout
    told = list(_reports(view, record))
    seen = record.replace(
        dropped=bounded(sum(report.dropped for report in told)),
        all=_sum([report.all for report in told]),
        fair=_sum([report.fair for report in told]),
    )
    return rollout.replace(mirror=seen)


def _reports(view: View, record: MirrorRecord) -> Iterable[MirrorReport]:
    active, candidate = view.status.active_digest or "", view.rollout.manifest_digest
    for pod in view.inputs.pods:
        if pod.manifest != names.manifest_label(active):
            continue
        report = report_of(view.inputs, pod, active)
        told = report.mirror if report else None
        if told and (told.candidate, told.since) == (candidate, record.started):
            yield told


def _sum(counts: Sequence[MirrorCounts]) -> MirrorCounts:
    """Return all together; a Pod may claim anything, also parts that are more than the whole."""

    def both(of: str, found: str) -> dict[str, int]:
        pairs = [_pair(getattr(one, of), getattr(one, found)) for one in counts]
        return {of: bounded(sum(a for a, _ in pairs)), found: bounded(sum(b for _, b in pairs))}

    def each_bound(of: str, found: str) -> dict[str, list[int]]:
        pairs = [
            [_pair(a, b) for a, b in zip(getattr(one, of), getattr(one, found), strict=False)]
            for one in counts
        ]
        columns = list(zip_longest(*pairs, fillvalue=(0, 0)))
        return {
            of: [bounded(sum(a for a, _ in column)) for column in columns],
            found: [bounded(sum(b for _, b in column)) for column in columns],
        }

    return MirrorCounts.model_validate(
        {
            **both("requests", "failed"),
            **both("taken", "refused"),
            **both("rows", "other"),
            **each_bound("timed", "late"),
            **each_bound("scored", "apart"),
        }
    )


def _pair(of: int, found: int) -> tuple[int, int]:
    return of, min(of, found)


# -- what it means ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Limit:
    """One number that is held to a limit."""

    what: str
    """What at most a part of the whole may be, for a sentence."""
    unit: str
    fair: Share
    all: Share
    most: Decimal
    minimum: int

    @property
    def share(self) -> Share | None:
        """The share that decides; None where too little came."""
        return judged(self.fair, self.all, self.minimum)


def _limits(mirror: Mirror, record: MirrorRecord) -> Iterable[_Limit]:
    analysis = mirror.analysis
    least, rows = analysis.minimum_requests, analysis.minimum_rows

    def limit(
        what: str, unit: str, pair: tuple[str, str], most: Decimal, minimum: int, at: int = -1
    ) -> _Limit:
        fair, everything = (_share_of(counts, *pair, at) for counts in (record.fair, record.all))
        return _Limit(what, unit, fair, everything, most, minimum)

    yield limit("fail", "copies", ("requests", "failed"), Decimal(analysis.max_errors), least)
    yield limit("refuse", "copies", ("taken", "refused"), Decimal(analysis.max_rejections), least)
    if analysis.max_latency:
        at = bound_of(analysis.max_latency)
        what = f"take more than {LATENCY_BOUNDS[at]}ms for"
        yield limit(what, "answers", ("timed", "late"), LATE, least, at)
    yield limit(
        "give another label to", "rows", ("rows", "other"), Decimal(analysis.max_disagreement), rows
    )
    if analysis.max_score_difference:
        at = span_of(analysis.max_score_difference)
        what = f"be more than {SCORE_BOUNDS[at]} apart in its score of"
        yield limit(what, "rows", ("scored", "apart"), FAR, rows, at)


def span_of(difference: str) -> int:
    """Return the place of the first of ``SCORE_BOUNDS`` that a difference fits in."""
    return bisect_left([Decimal(bound) for bound in SCORE_BOUNDS], Decimal(difference))


def _share_of(counts: MirrorCounts, of: str, found: str, at: int) -> Share:
    whole, part = getattr(counts, of), getattr(counts, found)
    if at < 0:
        return Share(whole, part)
    return Share(whole[at], part[at]) if at < min(len(whole), len(part)) else Share()


def refusal(view: View) -> Refusal | None:
    """Return why the candidate's answers to copies speak against it, or None."""
    mirror, record = declared(view), view.rollout.mirror
    if mirror is None or record is None:
        return None
    name, pod = f"'{view.rollout.model_version}'", crashed(view, record)
    if pod is not None:
        said = f": {pod.message}" if pod.message else ""
        why: str | None = (
            f"Pod '{pod.name}' of {name} ended with exit code {pod.exit_code} while it "
            f"got copies of requests{said}."
        )
    else:
        why = against(name, view.status.active_model_version, mirror, record)
    return None if why is None else Refusal(DeploymentReason.MIRROR_FAILED, f"{why} {_ADVICE}")


def against(name: str, active: str | None, mirror: Mirror, record: MirrorRecord) -> str | None:
    """Return why what was compared speaks against a candidate, as a sentence, or None.

    Args:
        name: the candidate's.
        active: the name of what served.
        mirror: what the candidate is held to.
        record: what was seen.
    """
    for limit in _limits(mirror, record):
        share = limit.share
        if share is not None and share.found > limit.most * share.of:
            return (
                f"Expected {name} to {limit.what} at most {limit.most} of the {limit.unit} that "
                f"'{active}' answered, found {share.found} of {share.of}."
            )
    return None


def crashed(view: View, record: MirrorRecord) -> PodState | None:
    """Return a Pod of the candidate that ended by its own fault while it got copies, or None."""
    label = names.manifest_label(view.rollout.manifest_digest or "")
    mine = (pod for pod in view.inputs.pods if pod.manifest == label)
    return next((pod for pod in mine if crashed_since(pod, record.started)), None)


_ADVICE = "It answered nobody; compare the two versions, then change what is asked for."


def lacking(view: View) -> str:
    """Return what must be seen before the mirror counts as passed, or nothing."""
    mirror, record = declared(view), view.rollout.mirror
    return "" if mirror is None or record is None else lacks(mirror, record)


def lacks(mirror: Mirror, record: MirrorRecord) -> str:
    """Return what was not seen enough of for the mirror to count as passed, or nothing."""
    for limit in _limits(mirror, record):
        if limit.share is None:
            return (
                f"{limit.fair.of} of {limit.minimum} {limit.unit} are known without those of the "
                "busiest clients"
            )
    return ""


def said(view: View) -> str:
    """Return how the candidate's answers compare, as a sentence."""
    mirror, record, name = declared(view), view.rollout.mirror, view.rollout.model_version
    if mirror is None or record is None:
        return f"'{name}' was not compared."
    seen = record.all
    return (
        f"'{name}' gets copies of {mirror.percent} % of the requests and answers nobody: "
        f"{seen.requests} copies, {seen.failed} failed, {seen.refused} refused, "
        f"{record.dropped} dropped; {seen.rows} rows, {seen.other} with another label than "
        f"'{view.status.active_model_version}' gives."
    )
