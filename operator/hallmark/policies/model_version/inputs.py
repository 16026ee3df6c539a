"""What a decision about a ModelVersion is made from: the cluster at one moment, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hallmark.api.latch import Latch
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion, RolledBack, SBOMSummary
from hallmark.policies.model_version.shown import Shown
from hallmark.refusal import Refusal
from hallmark.supply_chain.vex import Word
from hallmark.supply_chain.vulnerabilities import Known as KnownVulnerabilities


@dataclass(frozen=True)
class Evidence:
    """What the sealed files say of a version under one policy; small enough to keep in memory.

    Args:
        key_id: who signed it, where the signature holds.
        refusal: why the signature does not hold.
        policy: why the version does not meet the policy.
        sbom: the SBOM in short, where it is in the store.
        feed: the digest of the snapshot of OSV that was looked at; empty where none was.
        vex: the digest of the reviewers' words on vulnerabilities that were heard; empty: none.
        remark: what lets the version pass all the same, in sentences; empty where nothing has to.
        until: when time alone may change what is said of the policy, or None.
    """

    key_id: str | None = None
    refusal: Refusal | None = None
    policy: Refusal | None = None
    sbom: SBOMSummary | None = None
    feed: str = ""
    vex: str = ""
    remark: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class VersionInputs:
    """Everything that a decision about one ModelVersion depends on.

    Args:
        version: the version.
        now: the time.
        policy_name: the name of the policy that applies.
        policy: that policy, or None where there is none.
        manifest: the text of ``manifest.json`` in the store; None where there is none.
        report: the bytes of ``report.json`` in the store; None where there is none.
        sbom: the bytes of the SBOM, read once; None where it was not read or is not there.
        vulnerabilities: what a snapshot of OSV says of its packages, where the policy asks for it.
        words: what reviewers say of them, where the policy listens.
        approvals: the ModelApprovals that name this version.
        vouched_since: since when the approvals' identity policy has been in force, or None.
        vouching_known: whether the API server could say so.
        twins: other versions of the same bytes in the namespace.
        latch: what is remembered of these bytes, or None.
        present: the uids of all approvals of the namespace, where an attestation is new.
        shown: what is shown of the version now, where an approval that names that is new.
        rolled_back: the last time that the bytes had to give way, as far as the audit log knows.
        used_by: the names of the ModelDeployments that serve it or could serve it again.
        known: what the files say, found now or a while ago.
        unread: whether the files were not read (yet).
        trouble: why they could not be read; empty where they can be, or nobody tried.
        believed_until: when they are to be read again, or None.
    """

    version: ModelVersion
    now: datetime
    policy_name: str
    policy: ModelPolicy | None = None
    manifest: str | None = None
    report: bytes | None = None
    sbom: bytes | None = None
    vulnerabilities: KnownVulnerabilities | None = None
    words: tuple[Word, ...] = ()
    approvals: tuple[ModelApproval, ...] = ()
    vouched_since: str | None = None
    vouching_known: bool = True
    twins: tuple[ModelVersion, ...] = ()
    latch: Latch | None = None
    present: frozenset[str] = frozenset()
    shown: Shown | None = None
    rolled_back: RolledBack | None = None
    used_by: tuple[str, ...] = ()
    known: Evidence | None = None
    unread: bool = False
    trouble: str = ""
    believed_until: datetime | None = None
