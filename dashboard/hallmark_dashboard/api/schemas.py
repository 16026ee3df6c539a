"""What the backend takes: strict in every field, also in those of the kinds' own schemas."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from hallmark.api.common import LongList, ObjectName
from hallmark.api.dataset import Dataset
from hallmark.api.drift import Drift
from hallmark.api.metrics import Evaluation, Gates
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import ActionName, RollbackMode, Strategy
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.pii import PII
from hallmark.api.resources import Resources
from hallmark.api.schema import Schema
from hallmark.api.trainer import Trainer

Namespace = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)
]
"""A namespace's name."""
ReasonText = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"\S")]
Scalar = str | int | float | bool | None
_MOST_CELLS = 1024


def _few(row: object) -> object:
    """Refuse a row of so many cells that an error of each would fill the memory."""
    if isinstance(row, dict) and len(row) > _MOST_CELLS:
        raise ValueError(f"Expected at most {_MOST_CELLS} cells in a row, found {len(row)}.")
    return row


Rows = Annotated[
    LongList[Annotated[dict[str, Scalar], BeforeValidator(_few)]],
    Field(min_length=1, max_length=100_000),
]
"""Rows of named cells; the first that is wrong is told."""


class Asked(BaseModel):
    """A request: camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


class WriteRequest(Asked):
    """What every request to write says."""

    namespace: Namespace
    dry_run: bool = False
    """Whether the API server is only asked if it would take it."""


class TrainRequest(WriteRequest):
    """A TrainingRun to make: rows or a dataset's reference, and what they must look like."""

    name: ObjectName | None = None
    """The run's name, and its ModelVersion's; absent: the model's with a number of its own."""
    model: ObjectName
    records: Rows | None = None
    """The rows; together they must fit 128 KiB. Either these or ``dataset``."""
    dataset: Dataset | None = None
    """Where the rows are."""
    schema_: Annotated[Schema, Field(alias="schema")]
    """The columns that the rows must have."""
    pii: PII | None = None
    trainer: Trainer | None = None
    gates: Gates | None = None
    evaluation: Evaluation | None = None
    resources: Resources | None = None


class ApproveRequest(WriteRequest):
    """A ModelApproval to make: a decision on exactly the digests that were read."""

    model_version: ObjectName
    decision: ReviewDecision
    reason: ReasonText
    """Why, for whoever reads the audit log."""
    manifest_digest: Annotated[str, Field(pattern=r"^sha256:[a-f0-9]{64}$")]
    """The digest that you looked at: if the version has another one, nothing is decided."""
    shown_digest: Annotated[str, Field(pattern=r"^sha256:[a-f0-9]{64}$")] | None = None
    """``shownDigest`` of the review that you read: if another version serves by now, an approval
    is refused."""
    targets: Annotated[list[ObjectName], Field(max_length=16)] = Field(default_factory=list)
    """ModelDeployments that may serve it; empty: all in the namespace."""
    not_after: Annotated[str, Field(max_length=64)] | None = None
    """When the approval ends: a moment, or a duration from now such as ``720h``."""


class DeployRequest(WriteRequest):
    """A Deployment to make or to change."""

    name: ObjectName
    model: ObjectName | None = None
    """Serve the newest approved version of this model. Either this or ``modelVersion``."""
    model_version: ObjectName | None = None
    """Serve this version alone."""
    replicas: Annotated[int, Field(ge=0, le=1000)] | None = None
    resources: Resources | None = None
    strategy: Strategy | None = None
    drift: Drift | None = None
    rollback: RollbackMode | None = None
    suspend: bool | None = None


class ActionRequest(WriteRequest):
    """An action on a Deployment: the annotation that the operator carries out once."""

    deployment: ObjectName
    reason: Annotated[str, Field(min_length=1, max_length=256, pattern=r"\S")]
    target: ObjectName | None = None
    """The ModelVersion that it is about, where it is about one."""
    until: Annotated[str, Field(max_length=64)] | None = None
    """When a hold ends: a moment, or a duration from now such as ``4h``."""


class AnyActionRequest(ActionRequest):
    """An action on a Deployment, by its name."""

    action: ActionName


class PredictRequest(Asked):
    """Rows for what a Deployment serves."""

    namespace: Namespace
    deployment: ObjectName
    instances: Rows
    """Rows of named features."""


class ScanRequest(Asked):
    """A version whose Dockerfile and bill of materials are looked at."""

    namespace: Namespace
    model_version: ObjectName


class WhatIfRequest(Asked):
    """Another spec of a policy, whose effect is asked for before it is applied."""

    spec: ModelPolicySpec


class Made(BaseModel):
    """What came of a write."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    kind: str
    namespace: str
    name: str
    by: str
    dry_run: bool = False
    action_id: str | None = None
    """Of an action: the id under which ``status.lastAction`` tells what came of it."""
    sentence: str
    command: str
    """The kubectl command that does or shows the same."""
    object: dict[str, Any] = Field(default_factory=dict)
    """The object, as it was written."""


EXAMPLES: dict[type[Asked], dict[str, Any]] = {
    TrainRequest: {
        "namespace": "credit",
        "model": "loan",
        "records": [{"income": 52000, "purpose": "car", "approved": "yes"}],
        "schema": {
            "features": [
                {"name": "income", "type": "Number", "minimum": "0"},
                {"name": "purpose", "type": "Category", "categories": ["car", "home"]},
            ],
            "target": {"name": "approved", "positive": "yes"},
        },
        "gates": [{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.7"}],
    },
    ApproveRequest: {
        "namespace": "credit",
        "modelVersion": "loan-v2",
        "decision": "Approved",
        "reason": "Read the report; parity is within limits.",
        "manifestDigest": f"sha256:{'0' * 64}",
    },
    DeployRequest: {"namespace": "credit", "name": "loan", "model": "loan", "replicas": 2},
    ActionRequest: {
        "namespace": "credit",
        "deployment": "loan",
        "reason": "Complaints since noon.",
        "target": "loan-v1",
    },
    AnyActionRequest: {
        "namespace": "credit",
        "deployment": "loan",
        "action": "pause",
        "reason": "Audit until Friday.",
    },
    PredictRequest: {
        "namespace": "credit",
        "deployment": "loan",
        "instances": [{"income": 52000, "purpose": "car"}],
    },
    ScanRequest: {"namespace": "credit", "modelVersion": "loan-v2"},
    WhatIfRequest: {
        "spec": {
            "signers": [{"keyId": "0" * 64, "publicKey": "-----BEGIN PUBLIC KEY-----..."}],
            "store": {"uri": "s3://hallmark"},
            "images": {"trainer": "t@sha256:...", "sealer": "s", "predictor": "p"},
            "approvals": {"minimum": 2},
            "gates": [{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.8"}],
        }
    },
}
"""One example of each, for the API's description and its tests."""
