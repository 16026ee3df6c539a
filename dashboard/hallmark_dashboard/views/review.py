"""The reviewer's task on one page: should these bytes serve? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import parse_duration
from hallmark.quorum import is_among
from hallmark_dashboard.problems import Right
from hallmark_dashboard.views.changes import Changes
from hallmark_dashboard.views.gates import GateLine
from hallmark_dashboard.views.standing import State
from hallmark_dashboard.views.version import VersionDetail
from hallmark_dashboard.views.words import plural


@dataclass(frozen=True)
class Choice:
    """A decision that a reviewer can take, and why perhaps not.

    Attributes:
        decision: As a ModelApproval names it.
        verb: As the command line names it.
        effect: What happens at once.
        final: What cannot be undone.
        missing: The rights that the person lacks.
        barred: Why the decision would not count although there is the right; empty otherwise.
    """

    decision: str
    verb: str
    effect: str
    final: str
    missing: tuple[Right, ...]
    barred: str = ""

    @property
    def possible(self) -> bool:
        """Whether the person can take it."""
        return not self.missing and not self.barred


@dataclass(frozen=True)
class Review:
    """What the review page says.

    Attributes:
        headline: The first line.
        detail: What is said of the version.
        against: The version that serves now and is compared; empty where none serves.
        changes: What differs from that; None where that cannot be told.
        unknown: Why what differs cannot be told.
        gates: Nearest first.
        report_sentence: Why there is no report, or nothing.
        choices: What can be decided.
        deployments: The ModelDeployments that would get it.
        shown_digest: The digest of what is shown, for the decision to name; empty where not all
            of it could be shown.
    """

    headline: str
    detail: VersionDetail
    against: str
    changes: Changes | None
    unknown: str
    gates: tuple[GateLine, ...]
    report_sentence: str
    choices: tuple[Choice, ...]
    deployments: tuple[str, ...]
    shown_digest: str = ""


def approved_before(version: ModelVersion, versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """Return the newest approved version before one, to compare it with where none serves."""
    earlier = [
        found
        for found in versions
        if found.spec.model == version.spec.model
        and found.spec.version < version.spec.version
        and found.status.is_true("Approved")
    ]
    return max(earlier, key=lambda found: found.spec.version, default=None)


def review_rights(version: ModelVersion) -> tuple[Right, ...]:
    """Return what a decision on a version needs."""
    namespace = version.metadata.namespace
    return (
        Right("create", "modelapprovals", namespace),
        Right("approve", "modelversions", namespace, version.metadata.name),
    )


def choices(detail: VersionDetail, reader: str, missing: tuple[Right, ...]) -> tuple[Choice, ...]:
    """Return what can be decided on a version, each with what it does."""
    serves = ", ".join(detail.row.used_by) or "no Deployment"
    barred = ""
    if is_among(reader, [detail.row.requester]):
        barred = "You asked for this version and cannot approve it; you may deny or revoke it."
    elif is_among(reader, detail.votes.approvers):
        barred = "You approved it already; another person must approve."
    elif detail.row.standing.state is State.STOPPED:
        barred = f"It is {detail.row.standing.word.lower()}: an approval would change nothing."
    remaining = detail.votes.missing_after(reader)
    asked = detail.votes.asked
    waits = asked is not None and parse_duration(asked.cooling_time)
    promoted = (
        f"It may be promoted {f'{asked.cooling_time} later' if asked and waits else 'at once'} "
        f"wherever it is asked for."
        if not remaining
        else f"{plural(remaining, 'more person', 'more people')} must approve it then."
    )
    return (
        Choice(
            "Approved",
            "approve",
            promoted,
            "Deleting the ModelApproval withdraws it; what serves by then keeps serving.",
            missing,
            barred,
        ),
        Choice(
            "Denied",
            "deny",
            "It will never be promoted.",
            "A denial is final; deleting the object does not take it back.",
            missing,
        ),
        Choice(
            "Revoked",
            "revoke",
            f"It stops being a target; where it serves ({serves}) the policy's onRevocation acts.",
            "A revocation is final; deleting the object does not take it back.",
            missing,
        ),
    )


def review_headline(detail: VersionDetail, against: str, changes: Changes | None) -> str:
    """Return the first line of a review."""
    row = detail.row
    title = f"{row.model} version {row.version}"
    if row.standing.state is State.STOPPED:
        return f"{title} is {row.standing.word.lower()}; there is nothing to approve."
    if row.approved:
        return f"{title} is approved by {', '.join(detail.votes.approvers) or 'reviewers'}."
    waits = plural(detail.votes.missing, "approval")
    if not against:
        return f"Should {title} serve? It waits for {waits}; nothing serves that it would replace."
    differs = (
        "" if changes is None else f", {plural(changes.total, 'fact differs', 'facts differ')}"
    )
    return f"Should {title} replace {against}? It waits for {waits}{differs}."
