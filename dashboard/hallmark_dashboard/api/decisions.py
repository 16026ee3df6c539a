"""Writes by a caller's own rights: runs, decisions, deployments, actions; and what is asked."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from hallmark.api.model_deployment import ActionName
from hallmark.api.texts import clip
from hallmark.cluster.kinds import MODEL_VERSION
from hallmark_dashboard import writes
from hallmark_dashboard.api.schemas import (
    ActionRequest,
    AnyActionRequest,
    ApproveRequest,
    DeployRequest,
    Made,
    PredictRequest,
    ScanRequest,
    TrainRequest,
    WhatIfRequest,
)
from hallmark_dashboard.api.strict import strict
from hallmark_dashboard.bills import Bill
from hallmark_dashboard.gather import gather_what_if
from hallmark_dashboard.predicting import predict as predict_with
from hallmark_dashboard.services import Services, services_of
from hallmark_dashboard.signed_in import ApiCaller
from hallmark_dashboard.views.what_if import WhatIf

router = APIRouter(tags=["decisions and actions"])

Given = Annotated[Services, Depends(services_of)]
TrainBody = Annotated[TrainRequest, Depends(strict(TrainRequest))]
ApproveBody = Annotated[ApproveRequest, Depends(strict(ApproveRequest))]
DeployBody = Annotated[DeployRequest, Depends(strict(DeployRequest))]
ActionBody = Annotated[ActionRequest, Depends(strict(ActionRequest))]
AnyActionBody = Annotated[AnyActionRequest, Depends(strict(AnyActionRequest))]
PredictBody = Annotated[PredictRequest, Depends(strict(PredictRequest))]
WhatIfBody = Annotated[WhatIfRequest, Depends(strict(WhatIfRequest))]
ScanBody = Annotated[ScanRequest, Depends(strict(ScanRequest))]


@router.post("/train", status_code=HTTPStatus.CREATED, summary="Make a TrainingRun.")
async def train(services: Given, caller: ApiCaller, asked: TrainBody) -> Made:
    """Create a TrainingRun from rows or from a dataset's reference, in the caller's name."""
    return await writes.train(services, caller, asked)


@router.post(
    "/approve_model", status_code=HTTPStatus.CREATED, summary="Approve, deny or revoke a version."
)
async def approve_model(services: Given, caller: ApiCaller, asked: ApproveBody) -> Made:
    """Create a ModelApproval in the caller's name, on the digests that were read."""
    return await writes.decide(services, caller, asked)


@router.post("/deploy", status_code=HTTPStatus.CREATED, summary="Make or change a Deployment.")
async def deploy(services: Given, caller: ApiCaller, asked: DeployBody) -> Made:
    """Create a Deployment, or change the fields that are given."""
    return await writes.deploy(services, caller, asked)


@router.post("/rollback", status_code=HTTPStatus.ACCEPTED, summary="Ask for a rollback.")
async def rollback(services: Given, caller: ApiCaller, asked: ActionBody) -> Made:
    """Ask the operator to go back to the last stable version, or to ``target``."""
    return await writes.act(services, caller, ActionName.ROLLBACK, asked)


@router.post("/action", status_code=HTTPStatus.ACCEPTED, summary="Ask for any action.")
async def action(services: Given, caller: ApiCaller, asked: AnyActionBody) -> Made:
    """Ask the operator for one of the actions of a Deployment."""
    return await writes.act(services, caller, asked.action, asked)


@router.post("/predict", summary="Predict with what a Deployment serves.")
async def predict(services: Given, caller: ApiCaller, asked: PredictBody) -> Response:
    """Send rows to the Deployment's Service and return its answer."""
    return await predict_with(services, caller, asked)


@router.post("/api/policies/{name}/what_if", summary="What a stricter policy would stop.")
async def policy_what_if(
    services: Given, caller: ApiCaller, name: str, asked: WhatIfBody
) -> WhatIf:
    """Hold what the caller may see against another spec, and apply nothing."""
    return await gather_what_if(services, caller, name, asked.spec)


@dataclass(frozen=True)
class Scan:
    """What a version is built of.

    Attributes:
        model_version: The version.
        digest: The SBOM's sealed digest.
        dockerfile: The Dockerfile's text; empty where it could not be read.
        bill: The bill of materials; None where it could not be read.
        violations: A sentence for each package that the policy of today denies.
        policy: The policy's name.
        problems: Why something could not be read.
        passed: Whether all was read and nothing violates the policy.
    """

    model_version: str
    digest: str
    dockerfile: str
    bill: Bill | None
    violations: tuple[str, ...]
    policy: str
    problems: tuple[str, ...]
    passed: bool


@router.post("/scan_sbom", summary="Dockerfile, bill of materials and policy violations.")
async def scan_sbom(services: Given, caller: ApiCaller, asked: ScanBody) -> Scan:
    """Read what is sealed of a version and hold it against the policy of today."""
    seen = await services.seen(caller, asked.namespace, MODEL_VERSION)
    version = seen.version(asked.namespace, asked.model_version)
    applied = seen.policy(asked.namespace)
    policy = applied.policy.spec if applied.policy else None
    bill = await services.evidence.bill(version, policy)
    dockerfile = await services.evidence.dockerfile(version, policy)
    report = await services.evidence.report(version, policy)
    content = bill.content
    found = await services.violations(version, content, policy, report.content) if content else ()
    said = (bill.sentence, dockerfile.sentence, report.sentence)
    problems = tuple(clip(sentence, 1024) for sentence in said if sentence)
    return Scan(
        asked.model_version,
        version.spec.sbom_digest,
        dockerfile.content or "",
        bill.content,
        found,
        applied.name,
        problems,
        passed=not found and not problems,
    )
