"""The writes: from what a person asks to the object or annotation that kubectl would write.

Pages and API share these; each asks first which rights are missing, to name them all, and then
lets the API server decide with the person's own token.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from http import HTTPStatus
from typing import Any

from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import ActionName, ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import API_VERSION, canonical_json
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    TRAINING_RUN,
    Kind,
    Obj,
)
from hallmark.errors import ConfigurationError
from hallmark.policies.model_version.records import final_word, who_decided
from hallmark.policies.model_version.shown import shown_of
from hallmark.resources.decisions import (
    Said,
    action_patch,
    action_text,
    model_approval,
    not_after,
)
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.api.schemas import (
    ActionRequest,
    ApproveRequest,
    DeployRequest,
    Made,
    TrainRequest,
    WriteRequest,
)
from hallmark_dashboard.problems import FieldProblem, Problem, Right, from_api_error
from hallmark_dashboard.seen import Seen
from hallmark_dashboard.services import Services
from hallmark_dashboard.views.deployment import deed_rights
from hallmark_dashboard.views.review import review_rights

RECORDS_BYTES = 131072


async def train(services: Services, caller: Caller, asked: TrainRequest) -> Made:
    """Create a TrainingRun in the caller's name.

    Raises:
        Problem: It cannot be, and why.
    """
    run = training_run(asked, caller.name)
    await services.rights.require(caller, Right("create", "trainingruns", asked.namespace))
    made = await _create(services, caller, TRAINING_RUN, run, dry_run=asked.dry_run)
    name = made["metadata"]["name"]
    return Made(
        **_made(caller, asked, TRAINING_RUN, name, run),
        sentence=f"{'Would be' if asked.dry_run else 'Was'} asked by {caller.name}: {name}.",
        command=f"kubectl get trun {name} -n {asked.namespace} --watch",
    )


def training_run(asked: TrainRequest, requester: str) -> Obj:
    """Return the TrainingRun that is asked for.

    Raises:
        Problem: Rows and a dataset are both given, or neither, or the rows are too many.
    """
    if (asked.records is None) == (asked.dataset is None):
        found = "both" if asked.dataset else "neither"
        raise _wrong("records", "either 'records' or 'dataset'", found)
    spec = _given(asked, "records")
    if asked.records is not None:
        spec["dataset"] = {"format": "JSONLines", "records": _lines(asked.records)}
    name = asked.name or f"{asked.model[:40]}-{secrets.token_hex(4)}"
    return _object(TRAINING_RUN, asked.namespace, name, {**spec, "requestedBy": requester})


def _lines(records: list[dict[str, Any]]) -> str:
    try:
        text = "".join(canonical_json(record).decode() + "\n" for record in records)
    except ValueError as error:
        raise _wrong("records", "finite numbers up to 2^53 and valid text", "others") from error
    if len(text) > RECORDS_BYTES:
        raise _wrong(
            "records",
            f"at most {RECORDS_BYTES} characters together; put more rows into a ConfigMap, a "
            "volume or a URL and name it in 'dataset'",
            f"{len(text)}",
        )
    return text


def _wrong(field: str, expected: str, found: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{field}: expected {expected}, found {found}.",
        errors=[FieldProblem(field, expected, found)],
    )


async def decide(services: Services, caller: Caller, asked: ApproveRequest) -> Made:
    """Create a ModelApproval in the caller's name, on the digests that were read.

    Raises:
        Problem: It cannot be, and why.
    """
    if asked.decision is ReviewDecision.ASSESSED:
        raise _wrong(
            "decision", "Approved, Denied or Revoked", "Assessed, which 'hallmark vex' signs"
        )
    seen = await services.seen(caller, asked.namespace)
    version = seen.version(asked.namespace, asked.model_version)
    sealed = version.spec.artifact.manifest_digest
    if asked.manifest_digest != sealed:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"Expected a decision on {sealed}, found one on {asked.manifest_digest}: the version "
            "is another one than you looked at; look at its evidence and decide again.",
            errors=[FieldProblem("manifestDigest", sealed, asked.manifest_digest)],
        )
    _require_shown(seen, version, asked)
    final = final_word(version.status.approvals)
    if final is not None and asked.decision is ReviewDecision.APPROVED:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"Expected a version that may be approved, found '{asked.model_version}': "
            f"{who_decided(final)} Ask for a new run.",
        )
    await services.rights.require(caller, *review_rights(version))
    approval = approval_of(version, asked, caller.name, seen.now)
    try:
        await _create(services, caller, MODEL_APPROVAL, approval, dry_run=asked.dry_run)
    except Problem as problem:
        if problem.status == HTTPStatus.CONFLICT:
            raise Problem(
                HTTPStatus.CONFLICT,
                f"You ({caller.name}) said so already: ModelApproval "
                f"{approval['metadata']['name']} exists.",
            ) from problem
        raise
    name = approval["metadata"]["name"]
    return Made(
        **_made(caller, asked, MODEL_APPROVAL, name, approval),
        sentence=f"{asked.decision} by {caller.name}: {version.spec.model} version "
        f"{version.spec.version} ({asked.model_version}, {sealed}).",
        command=f"kubectl get mapr {name} -n {asked.namespace}",
    )


def _require_shown(seen: Seen, version: ModelVersion, asked: ApproveRequest) -> None:
    """Refuse an approval of a version that is shown otherwise by now.

    Raises:
        Problem: It is, and beside what.
    """
    if asked.shown_digest is None or asked.decision is not ReviewDecision.APPROVED:
        return
    namespace = asked.namespace
    shown = shown_of(version, seen.deployments(namespace), seen.versions(namespace))
    if asked.shown_digest != shown.digest:
        beside = f"'{shown.beside}' serves" if shown.beside else "nothing serves"
        raise Problem(
            HTTPStatus.CONFLICT,
            f"Expected a decision on what is shown now, while {beside}, found one on "
            f"{asked.shown_digest}: what serves changed since you looked; look at what differs "
            "now and decide again.",
            errors=[FieldProblem("shownDigest", shown.digest, asked.shown_digest)],
        )


def approval_of(version: ModelVersion, asked: ApproveRequest, approver: str, now: datetime) -> Obj:
    """Return the ModelApproval that is asked for.

    Raises:
        Problem: What was said does not fit one.
    """
    if asked.decision is not ReviewDecision.APPROVED and (asked.targets or asked.not_after):
        raise _wrong("decision", "Approved where 'targets' or 'notAfter' are given", asked.decision)
    try:
        end = not_after(asked.not_after, now, "notAfter")
        said = Said(
            asked.decision,
            asked.reason,
            tuple(asked.targets),
            end,
            shown_digest=asked.shown_digest,
        )
        return model_approval(version, said, approver)
    except ConfigurationError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


async def act(services: Services, caller: Caller, action: ActionName, asked: ActionRequest) -> Made:
    """Write the annotation that asks for an action, in the caller's name.

    Raises:
        Problem: It cannot be, and why.
    """
    seen = await services.seen(caller, asked.namespace, MODEL_DEPLOYMENT)
    deployment = seen.deployment(asked.namespace, asked.deployment)
    await services.rights.require(caller, *deed_rights(deployment, action))
    identity = secrets.token_hex(8)
    try:
        until = not_after(asked.until, seen.now, "until")
        text = action_text(action, identity, caller.name, asked.reason, asked.target, until)
    except ConfigurationError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    patch = action_patch(text)
    await _merge(services, caller, deployment, patch, dry_run=asked.dry_run)
    place = f"{asked.namespace}/{asked.deployment}"
    return Made(
        **_made(caller, asked, MODEL_DEPLOYMENT, asked.deployment, patch),
        action_id=identity,
        sentence=f"Asked to {action.value} {place} (id {identity}).",
        command=f"kubectl get mdep {asked.deployment} -n {asked.namespace} "
        "-o jsonpath='{.status.lastAction}'",
    )


async def deploy(services: Services, caller: Caller, asked: DeployRequest) -> Made:
    """Create a Deployment, or change the fields that are given.

    Raises:
        Problem: It cannot be, and why.
    """
    if (asked.model is None) == (asked.model_version is None):
        named = "both" if asked.model else "neither"
        raise _wrong("model", "either 'model' or 'modelVersion'", named)
    spec = _given(asked)
    seen = await services.seen(caller, asked.namespace, MODEL_DEPLOYMENT)
    seen.require(MODEL_DEPLOYMENT, asked.namespace)
    found = services.watch.cache.get(MODEL_DEPLOYMENT, asked.namespace, asked.name)
    verb = "create" if found is None else "patch"
    right = Right(verb, "modeldeployments", asked.namespace, asked.name if found else "")
    await services.rights.require(caller, right)
    obj = _object(MODEL_DEPLOYMENT, asked.namespace, asked.name, spec)
    if found is None:
        await _create(services, caller, MODEL_DEPLOYMENT, obj, dry_run=asked.dry_run)
    else:
        # Of the two ways to name a version the other one must go.
        other = {"model": None} if asked.model_version else {"modelVersion": None}
        patch = {"spec": {**other, **spec}}
        deployment = seen.deployment(asked.namespace, asked.name)
        await _merge(services, caller, deployment, patch, dry_run=asked.dry_run)
    return Made(
        **_made(caller, asked, MODEL_DEPLOYMENT, asked.name, obj),
        sentence=f"{'Made' if found is None else 'Changed'} by {caller.name}: {asked.name} asks "
        f"for {asked.model_version or 'the newest approved version of ' + (asked.model or '')}.",
        command=f"kubectl get mdep {asked.name} -n {asked.namespace} --watch",
    )


def _made(caller: Caller, asked: WriteRequest, kind: Kind, name: str, obj: Obj) -> dict[str, Any]:
    """Return what is told of every write: which object it is, whose, and whether it was made."""
    return {
        "kind": kind.kind,
        "namespace": asked.namespace,
        "name": name,
        "by": caller.name,
        "dry_run": asked.dry_run,
        "object": obj,
    }


def _object(kind: Kind, namespace: str, name: str, spec: dict[str, Any]) -> Obj:
    return {
        "apiVersion": API_VERSION,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _given(asked: WriteRequest, *others: str) -> dict[str, Any]:
    """Return the fields of a spec that a request gives; the others are no fields of one."""
    beside = {"namespace", "name", "dry_run", *others}
    named = asked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=beside)
    return {name: value for name, value in named.items() if value is not None}


async def _create(
    services: Services, caller: Caller, kind: Kind, obj: Obj, *, dry_run: bool
) -> Obj:
    try:
        made = await services.door.create(caller.token, kind, obj, dry_run=dry_run)
    except ApiError as error:
        raise from_api_error(error) from error
    if not dry_run:
        services.watch.observe(kind, made)
    return made


async def _merge(
    services: Services,
    caller: Caller,
    deployment: ModelDeployment,
    patch: dict[str, Any],
    *,
    dry_run: bool,
) -> None:
    place = (deployment.metadata.namespace, deployment.metadata.name)
    # The uid holds the patch to the very object that was looked at.
    held = {**patch, "metadata": {**patch.get("metadata", {}), "uid": deployment.metadata.uid}}
    try:
        made = await services.door.merge(
            caller.token, MODEL_DEPLOYMENT, *place, held, dry_run=dry_run
        )
    except ApiError as error:
        raise from_api_error(error) from error
    if not dry_run:
        services.watch.observe(MODEL_DEPLOYMENT, made)
