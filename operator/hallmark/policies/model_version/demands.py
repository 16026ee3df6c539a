"""What a policy asked when a version got the traffic, as the record of it keeps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from hallmark.api.common import Digest, FileModel
from hallmark.api.model_policy import Approvals, ModelPolicy
from hallmark.api.packed import packed, unpacked
from hallmark.api.rollout_floors import RolloutFloors

MAX_UNPACKED = 1 << 20


class Demands(FileModel):
    """What stood in the policy about approvals and about rollouts, at the decision."""

    schema_version: Literal["hallmark.dev/demands/v1"] = "hallmark.dev/demands/v1"
    policy: Annotated[str, Field(max_length=253)]
    policy_digest: Digest
    approvals: Approvals
    rollout: RolloutFloors | None = None


def demands_of(policy: ModelPolicy | None) -> str:
    """Return what a policy asks, packed for a record; empty without a policy."""
    if policy is None:
        return ""
    spec = policy.spec
    asked = Demands(
        policy=policy.metadata.name,
        policy_digest=spec.digest,
        approvals=spec.approvals,
        rollout=spec.rollout,
    )
    return packed(asked.to_wire())


def read_demands(text: str | None) -> Demands | None:
    """Return what stands in a record, or None where that is no such thing."""
    data = unpacked(text, MAX_UNPACKED) if text else None
    try:
        return Demands.model_validate_json(data) if data is not None else None
    except ValidationError:
        return None
