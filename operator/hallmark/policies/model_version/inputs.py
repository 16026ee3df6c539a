"""What a decision about a ModelVersion is made from: the cluster at one moment, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion


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
        approvals: the ModelApprovals that name this version.
        vouched_since: since when the approvals' identity policy has been in force, or None.
        used_by: the names of the ModelDeployments that serve it or could serve it again.
    """

    version: ModelVersion
    now: datetime
    policy_name: str
    policy: ModelPolicy | None = None
    manifest: str | None = None
    report: bytes | None = None
    sbom: bytes | None = None
    approvals: tuple[ModelApproval, ...] = ()
    vouched_since: str | None = None
    used_by: tuple[str, ...] = ()
