"""Parsed objects for views, each part of which a test may replace."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark_dashboard.views.overview import Overview, OverviewInputs, overview
from tests.integration import objects

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
THEN = "2026-06-01T11:56:00Z"
Told = dict[str, str] | None
Status = dict[str, Any] | None

SPACE = "bank"
DIGEST = objects.DIGEST
OTHER = "sha256:" + "b" * 64

APPROVED = {"Approved": "True/Approved"}
DRIFTS = {"Ready": "True/Serving", "DriftDetected": "True/DriftDetected"}
SERVES = {"activeModelVersion": "loan-v1", "activeDigest": DIGEST}


def conditions(**told: str) -> list[dict[str, Any]]:
    """Return conditions: ``Ready="True/Sealed"``."""
    return [
        {
            "type": type_,
            "status": text.partition("/")[0],
            "reason": text.partition("/")[2] or "Because",
            "message": f"{type_} is {text}.",
            "lastTransitionTime": THEN,
        }
        for type_, text in told.items()
    ]


def _with(obj: dict[str, Any], uid: str, status: dict[str, Any]) -> dict[str, Any]:
    metadata = {**obj["metadata"], "uid": uid, "creationTimestamp": THEN, "generation": 1}
    return {**obj, "metadata": metadata, "status": {"observedGeneration": 1, **status}}


def version(
    name: str = "loan-v1",
    *,
    status: Status = None,
    told: Told = None,
    **spec: object,
) -> ModelVersion:
    """Return a ModelVersion, sealed and waiting for approval if ``told`` says nothing else."""
    held = {
        "Verified": "True/SignatureValid",
        "SBOMReady": "True/SBOMRecorded",
        "PolicyPassed": "True/PolicyPassed",
        "Approved": "False/AwaitingApproval",
        "Denied": "False/NotDenied",
        "Revoked": "False/NotRevoked",
        "Ready": "True/Sealed",
    }
    if "number" in spec:
        spec["version"] = spec.pop("number")
    whole = {"conditions": conditions(**{**held, **(told or {})}), **(status or {})}
    obj = objects.model_version(SPACE, name, **spec)
    return ModelVersion.model_validate(_with(obj, f"uid-{name}", whole))


def deployment(
    name: str = "loan",
    *,
    status: Status = None,
    told: Told = None,
    **spec: object,
) -> ModelDeployment:
    """Return a ModelDeployment that serves if ``told`` says nothing else."""
    held = told if told is not None else {"Ready": "True/Serving"}
    obj = objects.model_deployment(SPACE, name, **spec)
    whole = {"conditions": conditions(**held), **(status or {})}
    return ModelDeployment.model_validate(_with(obj, f"uid-{name}", whole))


def run(
    name: str = "loan-v1", *, status: Status = None, told: Told = None, **spec: object
) -> TrainingRun:
    """Return a TrainingRun."""
    obj = objects.training_run(SPACE, name, **{"requestedBy": "alice", **spec})
    whole = {"conditions": conditions(**(told or {})), **(status or {})}
    return TrainingRun.model_validate(_with(obj, f"uid-{name}", whole))


def policy(**spec: object) -> ModelPolicy:
    """Return a ModelPolicy."""
    return ModelPolicy.model_validate(_with(objects.model_policy("default", **spec), "p", {}))


def approval(approver: str = "rita", **changes: object) -> dict[str, Any]:
    """Return the record of an approval that counts."""
    return {
        "uid": f"uid-{approver}",
        "name": f"by-{approver}",
        "decision": "Approved",
        "approver": approver,
        "accepted": True,
        "reason": "Accepted",
        "time": THEN,
        **changes,
    }


def seen(**changes: Any) -> Overview:  # noqa: ANN401
    """Return what the overview shows to a reviewer."""
    whole: dict[str, Any] = {
        "person": "rita",
        "reviews_in": frozenset({SPACE}),
        "runs": [],
        "versions": [],
        "deployments": [],
        "unreadable": [],
        "decisions": [],
        "now": NOW,
        **changes,
    }
    return overview(OverviewInputs(**whole))
