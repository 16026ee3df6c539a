"""Which decisions of reviewers count for a ModelVersion, and what they add up to.

A decision is looked at once, when the operator first sees it, and latched by the object's uid: who
created it cannot be proved later. What may change afterwards only takes away (a deletion, an end,
a revoked key); a denial and a revocation stay for ever. Nothing here reads the store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from hallmark.api.model_approval import ApprovalReason, ModelApproval, ReviewDecision
from hallmark.api.model_policy import Approvals, ApproverKey
from hallmark.api.model_version import ApprovalRecord, ModelVersion, RolledBack
from hallmark.api.texts import parse_duration, parse_timestamp, timestamp
from hallmark.policies.model_version.attestation import attestation_digest, attesting_key
from hallmark.policies.model_version.renewal import is_of_before, must_be_renewed, when_and_where
from hallmark.policies.model_version.shown import Shown
from hallmark.policies.refusals import evaluate
from hallmark.quorum import Tally, person, tally
from hallmark.refusal import Refusal

SETTLING = timedelta(seconds=5)
"""How long after its creation an admission policy may not act yet on every API server."""


@dataclass(frozen=True)
class Ballot:
    """One decision, and what it is held against.

    Args:
        approval: the object.
        version: the ModelVersion of the name that it decides on.
        keys: the policy's approver keys.
        vouched_since: since when the identity policy has been in force, or None.
        earlier: what was decided about other approvals of this version.
        now: when the operator sees it.
        withdrawn: the attestations of these bytes whose approval was deleted.
        full: as many attestations of these bytes are remembered as can be.
        shown: what is shown of the version now; None where nobody can tell any more.
        must_show: whether the policy demands that an approval names what was shown.
        first_given: when this attestation was first brought, where it was before.
        rolled_back: the last time that the bytes had to give way, or None.
    """

    approval: ModelApproval
    version: ModelVersion
    keys: Sequence[ApproverKey]
    vouched_since: str | None
    earlier: Sequence[ApprovalRecord]
    now: datetime
    withdrawn: Set[str] = frozenset()
    full: bool = False
    shown: Shown | None = None
    must_show: bool = False
    first_given: str | None = None
    rolled_back: RolledBack | None = None


def names_this_object(ballot: Ballot) -> Refusal | None:
    """The approval is of this ModelVersion, not of another that had its name."""
    asked, found = ballot.approval.spec.model_version.uid, ballot.version.metadata.uid
    if asked == found:
        return None
    return Refusal(
        ApprovalReason.UID_MISMATCH,
        f"Expected a decision on ModelVersion '{ballot.version.metadata.name}' with uid {found}, "
        f"found uid {asked}: another object that had this name. Look at the new one and decide "
        f"again.",
    )


def names_these_bytes(ballot: Ballot) -> Refusal | None:
    """All three digests are the version's."""
    asked, sealed = ballot.approval.spec, ballot.version.spec
    pairs = (
        ("manifestDigest", asked.manifest_digest, sealed.artifact.manifest_digest),
        ("sbomDigest", asked.sbom_digest, sealed.sbom_digest),
        ("gateReportDigest", asked.gate_report_digest, sealed.gate_report_digest),
    )
    for name, found, expected in pairs:
        if found != expected:
            return Refusal(
                ApprovalReason.DIGEST_MISMATCH,
                f"Expected '{name}' {expected} as in ModelVersion "
                f"'{ballot.version.metadata.name}', found {found}; look at its evidence and decide "
                f"again.",
            )
    return None


def names_what_is_shown(ballot: Ballot) -> Refusal | None:
    """An approver was shown what is shown now; whatever was shown, a denial or revocation counts.

    Where nothing serves here yet, what was attested may have been shown where something does.
    """
    spec, shown = ballot.approval.spec, ballot.shown
    if spec.decision is not ReviewDecision.APPROVED:
        return None
    name, found = ballot.version.metadata.name, spec.shown_digest
    if found is None:
        return _shown_is_missing(name) if ballot.must_show else None
    elsewhere = spec.attestation and shown is not None and not shown.beside
    if shown is None or found == shown.digest or elsewhere:
        return None
    now = f"beside '{shown.beside}', which serves" if shown.beside else "where nothing serves"
    other = shown.otherwise.get(found)
    then = "of other evidence" if other is None else (f"beside '{other}'" if other else "alone")
    return Refusal(
        ApprovalReason.SHOWN_OTHERWISE,
        f"Expected 'shownDigest' {shown.digest} of ModelVersion '{name}' {now}, found {found}: it "
        f"was shown {then}. Look at its review again (hallmark review {name}) and decide again.",
    )


def _shown_is_missing(name: str) -> Refusal:
    return Refusal(
        ApprovalReason.SHOWN_MISSING,
        f"Expected an approval that names what its approver was shown ('shownDigest'), as the "
        f"policy demands, found none; decide on the review page, or with the digest that 'hallmark "
        f"review {name}' prints.",
    )


def name_is_vouched_for(ballot: Ballot) -> Refusal | None:
    """The approver's key, or the API server through the identity policy, vouches for the name.

    An object with an attestation may come from a relay, so then only the attestation counts.
    """
    approval = ballot.approval
    if approval.spec.attestation:
        key = _attesting_key(ballot)
        return key if isinstance(key, Refusal) else None
    created = approval.metadata.creation_timestamp
    if ballot.vouched_since is not None and created is not None:
        acting = parse_timestamp(ballot.vouched_since) + SETTLING
        if acting <= parse_timestamp(created):
            return None
    return Refusal(
        ApprovalReason.ADMISSION_POLICY_MISSING,
        "Expected the admission policy 'hallmark-approval-identity' and its binding, unchanged "
        "and older than this approval, found that nobody vouches for the approver's name; ask the "
        "platform team to install manifests/base/admission, then create a new ModelApproval.",
    )


def _attesting_key(ballot: Ballot) -> str | Refusal | None:
    spec = ballot.approval.spec
    if not spec.attestation:
        return None
    return attesting_key(ballot.version.spec.model, spec, ballot.keys, ballot.now)


def attestation_is_not_withdrawn(ballot: Ballot) -> Refusal | None:
    """Nobody but the approver brings back an approval that was deleted: by signing another one."""
    spec = ballot.approval.spec
    digest = attestation_digest(spec)
    if digest is None or spec.decision.is_final:
        return None
    if digest not in ballot.withdrawn and not ballot.full:
        return None
    found = (
        "found one that was withdrawn by deleting its ModelApproval; sign the decision anew"
        if digest in ballot.withdrawn
        else "found that as many others as are remembered did for these bytes; create a new run"
    )
    return Refusal(
        ApprovalReason.ATTESTATION_WITHDRAWN,
        f"Expected an attestation that counts for the first time, {found}.",
    )


def is_not_the_requester(ballot: Ballot) -> Refusal | None:
    """Nobody approves or excuses what they asked for; deny or revoke it they may.

    A relay that named another requester asked as well. Where nobody vouches for either name, only
    the signature of a key that the policy lists counts.
    """
    spec, requester = ballot.approval.spec, ballot.version.spec.requested_by
    if spec.decision.is_final:
        return None
    if not (requester.authenticated or requester.relay or spec.attestation):
        return Refusal(
            ApprovalReason.ADMISSION_POLICY_MISSING,
            f"Expected the admission policy 'hallmark-requester-identity' and its binding, "
            f"unchanged and older than the run of this version, found that nobody vouches for who "
            f"created it ('{requester.name}' is only what it says), so that it may have been the "
            f"approver; give an attestation, or train it again where that policy is in force.",
        )
    approves = spec.decision is ReviewDecision.APPROVED
    denied = "approve it" if approves else "excuse its vulnerabilities"
    for name, said in ((requester.name, "asked for"), (requester.relay, "created the run of")):
        if name is not None and person(name) == person(spec.approver):
            return Refusal(
                ApprovalReason.SELF_APPROVAL,
                f"'{spec.approver}' {said} this version and cannot {denied}; ask another reviewer.",
            )
    return None


def has_not_approved_before(ballot: Ballot) -> Refusal | None:
    """The same person's approval counts once; anew where the bytes were rolled back since."""
    spec = ballot.approval.spec
    if spec.decision is not ReviewDecision.APPROVED:
        return None
    for record in ballot.earlier:
        if person(record.approver) != person(spec.approver):
            continue
        if is_of_before(record, ballot.rolled_back) or not counts(record, ballot.now):
            continue
        if not record.targets or (spec.targets and set(spec.targets) <= set(record.targets)):
            return Refusal(
                ApprovalReason.DUPLICATE_APPROVER,
                f"ModelApproval '{record.name}' of '{record.approver}' counts already; another "
                f"person must approve.",
            )
    return None


def has_not_ended(ballot: Ballot) -> Refusal | None:
    """The approval's end is still to come."""
    end = ballot.approval.spec.not_after
    if end is None or ballot.approval.spec.decision.is_final:
        return None
    if parse_timestamp(end) > ballot.now:
        return None
    return Refusal(ApprovalReason.EXPIRED, f"The approval ended at {end}; create a new one.")


def says_what_was_found(ballot: Ballot) -> Refusal | None:
    """An assessment is there where it is what was decided: signed, and with a reason."""
    spec = ballot.approval.spec
    if spec.decision is not ReviewDecision.ASSESSED:
        return None
    said = spec.assessment
    found = (
        "none"
        if said is None
        else "no justification"
        if not said.is_justified
        else None
        if spec.attestation
        else "no signature"
    )
    if found is None:
        return None
    return Refusal(
        ApprovalReason.ASSESSMENT_INCOMPLETE,
        f"Expected an assessment of one vulnerability, with a justification where nothing is "
        f"affected and signed by its approver, found {found}; make it with 'hallmark vex'.",
    )


CHAIN = (
    names_this_object,
    names_these_bytes,
    names_what_is_shown,
    says_what_was_found,
    name_is_vouched_for,
    attestation_is_not_withdrawn,
    is_not_the_requester,
    has_not_approved_before,
    has_not_ended,
)


@dataclass(frozen=True)
class Counted:
    """The approvals of a version that count.

    Args:
        records: one for each approver.
        waiting: when others will count, the first first: the policy lets them wait.
        of_before: whose approvals count no more, because of a rollback, and
        rolled_back: which one.
    """

    records: tuple[ApprovalRecord, ...]
    waiting: tuple[datetime, ...]
    of_before: tuple[str, ...] = ()
    rolled_back: RolledBack | None = None

    @property
    def approvers(self) -> tuple[str, ...]:
        """Their approvers, by name."""
        return tuple(sorted(record.approver for record in self.records))

    @property
    def sentence(self) -> str:
        """From when on others count, and which count no more, after a space; else empty."""
        waiting = ""
        if self.waiting:
            waiting = f" {len(self.waiting)} more count from {timestamp(self.waiting[0])} on."
        if not self.of_before or self.rolled_back is None:
            return waiting
        return (
            f"{waiting} It {when_and_where(self.rolled_back)}, and the policy demands approvals "
            f"given after that: earlier ones by {', '.join(self.of_before)} count no more."
        )


def record_of(ballot: Ballot) -> ApprovalRecord:
    """Return the record of a decision that was not seen before."""
    refusal = evaluate(CHAIN, ballot)
    approval, key = ballot.approval, _attesting_key(ballot)
    return ApprovalRecord(
        uid=approval.metadata.uid,
        name=approval.metadata.name,
        decision=approval.spec.decision,
        approver=approval.spec.approver,
        accepted=refusal is None,
        reason=refusal.reason if refusal else ApprovalReason.ACCEPTED,
        message=refusal.message if refusal else "",
        time=timestamp(ballot.now),
        not_after=approval.spec.not_after,
        targets=approval.spec.targets,
        attestation=attestation_digest(approval.spec),
        key_id=key if isinstance(key, str) else None,
        given=_given(ballot),
        assessment=approval.spec.assessment,
    )


def _given(ballot: Ballot) -> str:
    """Return when a word was given: what is signed once is not given anew by another object."""
    created = ballot.approval.metadata.creation_timestamp
    known = [moment for moment in (created, ballot.first_given) if moment]
    return timestamp(min([ballot.now, *map(parse_timestamp, known)]))


def counts(record: ApprovalRecord, now: datetime) -> bool:
    """Tell whether an approval counts today."""
    return record.decision is ReviewDecision.APPROVED and stands(record, now)


def stands(record: ApprovalRecord, now: datetime) -> bool:
    """Tell whether an approval or an assessment is accepted, there, and not at its end."""
    return (
        record.accepted
        and not record.withdrawn
        and (record.not_after is None or parse_timestamp(record.not_after) > now)
    )


def counts_from(record: ApprovalRecord, cooling_time: str) -> datetime:
    """Return since when an approval counts, if it does: the policy may let it wait."""
    return parse_timestamp(record.time) + parse_duration(cooling_time)


def is_final(record: ApprovalRecord) -> bool:
    """Tell whether a record is a valid denial or revocation; the object may be long gone."""
    return record.accepted and record.decision.is_final


def counting(
    records: Iterable[ApprovalRecord],
    policy: Approvals | None,
    now: datetime,
    rolled_back: RolledBack | None = None,
) -> Counted:
    """Return which approvals count now, and which will.

    Args:
        records: what was decided about a version.
        policy: what its policy asks for; None where none applies: then nothing waits.
        now: the time.
        rolled_back: the last time that the bytes had to give way; None: never, or it is not asked.
    """
    cooling_time = policy.cooling_time if policy else "0s"
    found, waiting = dict[str, ApprovalRecord](), list[datetime]()
    of_before = set[str]()
    for record in records:
        if not counts(record, now):
            continue
        if must_be_renewed(record, policy, rolled_back):
            of_before.add(record.approver)
            continue
        since = counts_from(record, cooling_time)
        if since <= now:
            found.setdefault(record.approver, record)
        else:
            waiting.append(since)
    earlier = tuple(sorted(of_before - found.keys()))
    return Counted(tuple(found.values()), tuple(sorted(waiting)), earlier, rolled_back)


def approvals_in_force(
    version: ModelVersion,
    deployment: str,
    policy: Approvals | None,
    now: datetime,
    rolled_back: RolledBack | None = None,
) -> Counted:
    """Return which approvals count for a ModelDeployment now, and which will.

    Args:
        version: the version.
        deployment: the ModelDeployment's name.
        policy: what the policy asks for, or None.
        now: the time.
        rolled_back: as in ``counting``; it is asked of what is to be rolled out, not of what
            serves.
    """
    here = [record for record in version.status.approvals if is_for(record, deployment)]
    return counting(here, policy, now, rolled_back)


def needs(policy: Approvals | None, approvers: Collection[str]) -> Tally:
    """Return what approvals by these people add up to, by what a policy asks for."""
    if policy is None:
        return tally(approvers, 1)
    return tally(approvers, policy.minimum, policy.groups)


def is_for(record: ApprovalRecord, deployment: str) -> bool:
    """Tell whether an approval is for a ModelDeployment."""
    return not record.targets or deployment in record.targets
