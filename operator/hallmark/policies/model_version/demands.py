"""What a policy asked when a version got the traffic, as the record of it keeps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from hallmark.api.common import Digest, FileModel
from hallmark.api.model_policy import Approvals, ModelPolicy
from hallmark.api.packed import packed, unpacked
from hallmark.api.rollout_floors import RolloutFloors
from hallmark.audit.record import MAX_EVIDENCE
from hallmark.policies.model_deployment.stage import Stage

MAX_UNPACKED = 4 << 20


class Demands(FileModel):
    """What stood in the policy about approvals and about rollouts, at the decision."""

    schema_version: Literal["hallmark.dev/demands/v1"] = "hallmark.dev/demands/v1"
    policy: Annotated[str, Field(max_length=253)]
    policy_digest: Digest
    approvals: Approvals
    rollout: RolloutFloors | None = None
    stage: Stage | None = None
    """What was asked of the candidate, and counted; absent in records of a former release."""


def demands_of(policy: ModelPolicy | None, stage: Stage | None = None) -> str:
    """Return what a policy asks, packed for a record; empty without a policy.

    Of a stage so much is kept as fits; what the policy asks comes first.
    """
    if policy is None:
        return ""
    spec = policy.spec
    asked = Demands(
        policy=policy.metadata.name,
        policy_digest=spec.digest,
        approvals=spec.approvals,
        rollout=spec.rollout,
    )
    if stage is not None:
        for kept in (stage, stage.without_drift_counts()):
            text = packed(asked.replace(stage=kept).to_wire())
            if len(text) <= MAX_EVIDENCE:
                return text
    return packed(asked.to_wire())


def read_demands(text: str | None) -> Demands | None:
    """Return what stands in a record, or None where that is no such thing."""
    data = unpacked(text, MAX_UNPACKED) if text else None
    try:
        return Demands.model_validate_json(data) if data is not None else None
    except ValidationError:
        return None
