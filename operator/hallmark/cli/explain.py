"""``hallmark explain``: why an object is not as it should be, all of it, and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from hallmark.api.common import NamespacedResource
from hallmark.api.conditions import Condition, ConditionStatus, SummaryCondition
from hallmark.api.model_approval import ApprovalReason, ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.reasons import DeploymentReason, RunReason
from hallmark.api.reference import REASONS, reasons
from hallmark.api.training_run import TrainingRun
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.exits import ExitCode
from hallmark.cli.objects import find, objects_of, policy_of, standing_of_object
from hallmark.cli.output import Format, Output, print_as, say, state
from hallmark.policies.model_version.renewal import must_be_renewed, when_and_where
from hallmark.policies.model_version.shown import asks_for
from hallmark.policies.unmet import kept_back, unmet

_BAD_IF_TRUE = frozenset({"DriftDetected", "RolledBack", "OnHold"})
_SAID_BY_READY = frozenset({*SummaryCondition, "Progressing"})

_ADVICE: dict[tuple[str, str], str] = {
    ("TrainingRun", RunReason.GATE_FAILED): "Change the data, the features or the trainer in a "
    "new run; loosen a gate of its own only with a reason (a policy's gate stays).",
    ("TrainingRun", RunReason.DATA_INVALID): "Correct the rows, or the schema where it is wrong, "
    "and create a new run; 'hallmark init' guesses a schema that fits.",
    ("TrainingRun", RunReason.PII_FOUND): "Drop or mask the column ('pii.rules'), leave it out of "
    "the schema, or allow it with a reason ('pii.allow') in a new run.",
    ("TrainingRun", RunReason.SUSPENDED): "kubectl patch trun {name} -n {namespace} --type=merge "
    '-p \'{{"spec":{{"suspend":false}}}}\'',
    ("TrainingRun", RunReason.SPEC_CONFLICT): "Give the run another name.",
    ("ModelApproval", ApprovalReason.SELF_APPROVAL): "Ask another reviewer.",
    ("ModelApproval", ApprovalReason.DIGEST_MISMATCH): "Look at the version, and decide again.",
    ("Deployment", DeploymentReason.SUSPENDED): "hallmark resume {name} -n {namespace} "
    "--reason ...; or set spec.suspend to false; or hallmark promote this one candidate.",
    (
        "Deployment",
        DeploymentReason.ON_HOLD,
    ): "Wait for its end, or lift it: hallmark unhold {name} -n {namespace} --reason ...",
    ("Deployment", DeploymentReason.PACKAGE_ROLLBACK): "Train anew with the fixed package, or ask "
    "the platform engineer for an exception; then name the new version.",
    ("Deployment", DeploymentReason.CRASH_ROLLBACK): "Look why its Pods end (their log and "
    "termination message), then acknowledge, or ask for another version.",
    ("Deployment", DeploymentReason.DRIFT_ROLLBACK): "Look at the traffic (hallmark drift {name} "
    "-n {namespace}); then acknowledge it, or train on newer rows.",
    (
        "Deployment",
        DeploymentReason.ERROR_ROLLBACK,
    ): "Look into the predictors' logs for what "
    "fails; then acknowledge it, or ask for another version.",
    ("Deployment", DeploymentReason.LATENCY_ROLLBACK): "Measure the version (hallmark local), then "
    "acknowledge it, or ask for one that computes less.",
    ("Deployment", DeploymentReason.PROBED): "Find the clients by the addresses in the predictors' "
    "logs, and stop them; then hallmark acknowledge {name} -n {namespace} --reason ...",
    ("Deployment", DeploymentReason.TARGET_DRIFTS): "The traffic itself has changed: train on "
    "newer rows; hallmark acknowledge {name} -n {namespace} --reason ... counts afresh.",
    ("Deployment", DeploymentReason.NO_VERIFIED_TARGET): "Approve a version that may replace it, "
    "or stop it: kubectl scale mdep {name} -n {namespace} --replicas=0",
    ("Deployment", DeploymentReason.VERSION_MISSING): "Train and seal one: hallmark train "
    "run.yaml -n {namespace}",
}
"""What to do about a reason of a kind, where its message does not say."""


@dataclass(frozen=True)
class Trouble:
    """One thing that is not as it should be."""

    what: str
    reason: str
    why: str
    todo: str = ""


@dataclass(frozen=True)
class Known:
    """What else is known of an object's namespace."""

    versions: tuple[ModelVersion, ...] = ()
    deployments: tuple[ModelDeployment, ...] = ()
    policy_name: str = ""
    policy: ModelPolicySpec | None = None
    now: datetime = datetime(9999, 1, 1, tzinfo=UTC)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(explain))


def explain(
    place: Place,
    name: Annotated[
        str,
        typer.Argument(metavar="OBJECT", help="A name, or kind/name such as mver/credit-v1."),
    ],
    output: Output = Format.TABLE,
) -> None:
    """Say why an object is not ready: every unmet condition, and what to do about each.

    Exit code 0: there is nothing to explain; 3: it waits; 10: it is stopped.
    """
    pairs = asyncio.run(_explained(place, name))
    if output is not Format.TABLE:
        documents = [
            {
                "kind": found.kind,
                "name": found.metadata.name,
                "state": _standing(found),
                "unmet": [asdict(trouble) for trouble in troubles],
            }
            for found, troubles in pairs
        ]
        print_as(documents, output)
    else:
        for found, troubles in pairs:
            _show(found, troubles)
    states = {_standing(found) for found, troubles in pairs if troubles}
    if "stopped" in states:
        raise typer.Exit(ExitCode.REFUSED)
    if states - {"good"}:
        raise typer.Exit(ExitCode.WAITING)


async def _explained(place: Place, name: str) -> list[tuple[NamespacedResource, list[Trouble]]]:
    async with cluster_of(place.user) as cluster:
        found = await find(cluster, place.namespace, name)
        known = Known()
        if any(isinstance(one, ModelDeployment | ModelVersion) for one in found):
            objects = await objects_of(cluster, place.namespace)
            name, policy = await policy_of(cluster, place.namespace)
            now = datetime.now(UTC)
            known = Known(objects.versions, objects.deployments, name, policy, now)
    return [(one, list(troubles_of(one, known))) for one in found]


def _show(found: NamespacedResource, troubles: list[Trouble]) -> None:
    title = f"{found.kind} {found.metadata.namespace}/{found.metadata.name}"
    if not troubles:
        say(f"{title}: nothing to explain; it is as it should be.", "green")
        return
    word = _standing(found)
    many = "s" if len(troubles) > 1 else ""
    if word == "good":
        say(f"{title}: good; {len(troubles)} thing{many} to know.")
    else:
        say(f"{title}: {word}, for {len(troubles)} reason{many}.")
    for number, trouble in enumerate(troubles, start=1):
        mark = state(trouble.reason, word)
        say(f"{number}. {trouble.what}: {mark.plain}. {trouble.why}")
        if trouble.todo:
            say(f"To do: {trouble.todo}", indent=3)


def _standing(found: NamespacedResource) -> str:
    return standing_of_object(found).kind


def troubles_of(found: NamespacedResource, known: Known | None = None) -> Iterator[Trouble]:
    """Yield everything that is not as it should be with an object, each thing once.

    Args:
        found: The object.
        known: What else is known of its namespace.
    """
    if not isinstance(found, TrainingRun | ModelVersion | ModelApproval | ModelDeployment):
        return
    if not found.status.conditions:
        yield Trouble(
            found.kind,
            "Pending",
            "The operator has not looked at it yet.",
            "See whether it runs: kubectl get pods -n hallmark-system",
        )
    elif isinstance(found, ModelVersion):
        yield from _of_version(found, known or Known())
    else:
        yield from _of_conditions(found)
    if isinstance(found, ModelDeployment):
        yield from _of_service(found, known or Known())


def _of_version(version: ModelVersion, known: Known) -> Iterator[Trouble]:
    """Yield all that keeps a version from serving, and each decision that does not count."""
    asking = [found for found in known.deployments if asks_for(found, version)]
    for one in unmet(version, known.policy, known.policy_name, asking, known.now):
        yield Trouble(one.what, one.reason, one.sentence, one.who)
    asked = known.policy.approvals if known.policy else None
    rolled_back = version.status.rolled_back
    for record in version.status.approvals:
        if record.withdrawn:
            yield Trouble(f"ModelApproval {record.name}", "Withdrawn", "It was deleted.")
        elif not record.accepted:
            yield Trouble(f"ModelApproval {record.name}", record.reason, record.message)
        elif rolled_back and must_be_renewed(record, asked, rolled_back):
            why = f"The version {when_and_where(rolled_back)} after it was given; give another one."
            yield Trouble(f"ModelApproval {record.name}", "BeforeRollback", why)


def _of_conditions(found: TrainingRun | ModelApproval | ModelDeployment) -> Iterator[Trouble]:
    said, reasons_said = set[str](), set[str]()
    for condition in sorted(found.status.conditions, key=_specific_first):
        told = condition.message in said or (
            condition.type == SummaryCondition.READY and condition.reason in reasons_said
        )
        if _is_fine(condition) or told:
            continue
        said.add(condition.message)
        reasons_said.add(condition.reason)
        yield _trouble(found, condition)


def _specific_first(condition: Condition) -> tuple[bool, str]:
    return condition.type in _SAID_BY_READY, condition.type


def _is_fine(condition: Condition) -> bool:
    if condition.type in {SummaryCondition.RECONCILING, SummaryCondition.STALLED, "Progressing"}:
        return True  # Ready says the same, and why.
    good = ConditionStatus.FALSE if condition.type in _BAD_IF_TRUE else ConditionStatus.TRUE
    return condition.status is good


def _trouble(found: NamespacedResource, condition: Condition) -> Trouble:
    meaning = _meaning(found.kind, condition.reason)
    return Trouble(
        condition.type,
        condition.reason,
        condition.message or meaning,
        advice(found, condition.reason),
    )


def advice(found: NamespacedResource, reason: str) -> str:
    """Return what to do about a reason, where its message does not say."""
    text = _ADVICE.get((found.kind, reason), "")
    return text.format(name=found.metadata.name, namespace=found.metadata.namespace)


def _meaning(kind: str, reason: str) -> str:
    """Return what the reference says of a reason."""
    return dict(reasons(REASONS[kind])).get(reason, "")


def _of_service(deployment: ModelDeployment, known: Known) -> Iterator[Trouble]:
    """Yield what keeps a ModelDeployment from moving, and what its candidate lacks."""
    status = deployment.status
    ready = status.condition(SummaryCondition.READY)
    said = ready.message if ready else ""
    for one in kept_back(deployment, known.policy, known.now):
        # Conditions say that it is on hold, and some of what the policy does not allow.
        if one.reason != DeploymentReason.ON_HOLD and one.sentence not in said:
            todo = advice(deployment, one.reason) or one.who
            yield Trouble("Promotion", one.reason, one.sentence, todo)
    if (asked := status.unserved) is not None:
        yield Trouble(
            asked.model_version or "What is asked for",
            asked.reason,
            f"It is asked for and has not served since {asked.since[:19]}Z.",
        )
    for intent in status.refused[:3]:
        digest = intent.manifest_digest.removeprefix("sha256:")[:12]
        yield Trouble(
            "Refused intent",
            intent.reason,
            f"Version {digest} was refused at {intent.time[:19]}Z and is not tried again.",
            "Change what is asked for, or pin another version.",
        )
    rollout = status.rollout
    named = status.candidate_model_version or (rollout.model_version if rollout else None)
    for version in known.versions:
        if version.metadata.name == named and named != status.active_model_version:
            for trouble in _of_version(version, replace(known, deployments=())):
                yield replace(trouble, what=f"{version.metadata.name}: {trouble.what}")
