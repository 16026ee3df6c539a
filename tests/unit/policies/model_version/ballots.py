"""Factories of reviewers' decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hallmark.api.common import NamespacedMeta
from hallmark.api.model_approval import ModelApproval, ModelApprovalSpec
from hallmark.api.model_policy import ApproverKey
from hallmark.api.model_version import ApprovalRecord, ModelVersion
from hallmark.policies.model_version.approvals import Ballot
from hallmark.policies.model_version.attestation import attest
from hallmark.policies.model_version.records import Hearing, next_records
from tests.unit.policies.training_run.runs import MODEL, NAMESPACE, NOW, version
from tests.unit.supply_chain.factories import OTHER_KEY, trusted

VOUCHED_SINCE = "2026-01-01T00:00:00Z"
RITA = ApproverKey.model_validate({**trusted(OTHER_KEY).to_wire(), "approver": "rita"})


def seconds(moment: datetime) -> str:
    """Return a moment as the API server writes a creation time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def approval(
    name: str = "yes",
    *,
    uid: str = "",
    created: datetime = NOW - timedelta(minutes=1),
    attested: str | bool = False,
    deleted: bool = False,
    **spec: Any,  # noqa: ANN401
) -> ModelApproval:
    """Return a decision on ``version()``; ``spec`` replaces fields in wire form.

    What is attested has an attestation of its own, or the one of the id that is given.
    """
    sealed = version().spec
    whole = ModelApprovalSpec.model_validate(
        {
            "modelVersion": {"name": version().metadata.name, "uid": version().metadata.uid},
            "manifestDigest": sealed.artifact.manifest_digest,
            "sbomDigest": sealed.sbom_digest,
            "gateReportDigest": sealed.gate_report_digest,
            "decision": "Approved",
            "approver": "rita",
            "reason": "Looked at the report.",
            **spec,
        }
    )
    if attested:
        attestation_id = attested if isinstance(attested, str) else None
        whole = whole.replace(attestation=attest(OTHER_KEY, MODEL, whole, attestation_id))
    metadata = NamespacedMeta(
        name=name,
        namespace=NAMESPACE,
        uid=uid or f"uid-{name}",
        creation_timestamp=seconds(created),
        deletion_timestamp=seconds(NOW) if deleted else None,
    )
    return ModelApproval(metadata=metadata, spec=whole)


def ballot(**changes: Any) -> Ballot:  # noqa: ANN401
    """Return a plain approval that counts."""
    base = Ballot(approval(), version(), [RITA], VOUCHED_SINCE, [], NOW)
    return replace(base, **changes)


def with_records(*records: ApprovalRecord, **identity: str) -> ModelVersion:
    """Return the version (of a name and uid) with what was decided about its approvals."""
    made = version(**identity)
    return made.replace(status=made.status.replace(approvals=list(records)))


def look(
    seen: ModelVersion,
    *approvals: ModelApproval,
    vouched: str | None = VOUCHED_SINCE,
    **more: Any,  # noqa: ANN401
) -> tuple[ApprovalRecord, ...]:
    """Return the records after looking at the approvals that exist."""
    keys = more.pop("keys", [RITA])
    more.setdefault("present", frozenset(made.metadata.uid for made in approvals))
    return next_records(Hearing(seen, approvals, keys, vouched, more.pop("now", NOW), **more))
