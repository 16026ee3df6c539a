"""``hallmark tree``: a model's chain, link by link, as a tree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from hallmark.api.conditions import ConditionStatus
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.objects import Objects, as_documents, objects_of, standing_of
from hallmark.cli.output import STATES, Format, Output, console, plain, print_as
from hallmark.errors import ClusterError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(tree))


def tree(
    place: Place,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")],
    output: Output = Format.TABLE,
) -> None:
    """Show a model's chain: runs, gates, seal, SBOM, approvals, and where each version serves."""
    found = asyncio.run(_of_model(place, model))
    if output is not Format.TABLE:
        chain = (*found.deployments, *found.versions, *found.runs, *found.approvals)
        items = as_documents(chain)
        print_as({"apiVersion": "v1", "kind": "List", "items": items}, output)
        return
    console().print(model_tree(model, found))


async def _of_model(place: Place, model: str) -> Objects:
    async with cluster_of(place.user) as cluster:
        found = await objects_of(cluster, place.namespace)
    mine = of_model(model, found)
    if not (mine.runs or mine.versions or mine.deployments):
        known = sorted(
            {run.spec.model for run in found.runs} | {one.spec.model for one in found.versions}
        )
        raise ClusterError(
            f"Expected the model '{model}' in namespace {place.namespace}, found none; there are: "
            f"{', '.join(known) or 'none'}."
        )
    return mine


def of_model(model: str, found: Objects) -> Objects:
    """Return what belongs to a model."""
    versions = tuple(version for version in found.versions if version.spec.model == model)
    names = {version.metadata.name for version in versions}
    return Objects(
        runs=tuple(run for run in found.runs if run.spec.model == model),
        versions=versions,
        approvals=tuple(
            approval for approval in found.approvals if approval.spec.model_version.name in names
        ),
        deployments=tuple(
            one
            for one in found.deployments
            if one.spec.model == model or one.spec.model_version in names
        ),
        hidden=found.hidden,
    )


def model_tree(model: str, found: Objects) -> Tree:
    """Return the chain as a tree, the newest version first."""
    root = Tree(Text(plain(model), style="bold"))
    for deployment in found.deployments:
        _add(root, _deployment(deployment))
    for version in sorted(found.versions, key=lambda one: -one.spec.version):
        branch = root.add(_version(version))
        for link in _links(version, found):
            _add(branch, link)
    sealed = {version.metadata.name for version in found.versions}
    for run in found.runs:
        if run.metadata.name not in sealed:
            now = standing_of(run.status)
            _add(root, (f"run {run.metadata.name}", now.reason, now.kind, now.message))
    return root


Link = tuple[str, str, str, str]
"""What, the state's word, the state's kind, and one fact."""


def _add(branch: Tree, link: Link) -> None:
    what, word, kind, fact = link
    line = Text(f"{plain(what)}: ")
    line.append(plain(word), style=STATES.get(kind, ""))
    if fact:
        line.append(f"  {plain(fact)}")
    branch.add(line)


def _version(version: ModelVersion) -> Text:
    now = standing_of(version.status)
    digest = version.spec.artifact.manifest_digest.removeprefix("sha256:")[:12]
    line = Text(f"version {version.spec.version} ({plain(version.metadata.name)}, {digest}): ")
    line.append(plain(now.reason), style=STATES.get(now.kind, ""))
    return line


def _links(version: ModelVersion, found: Objects) -> Iterator[Link]:
    """Yield the chain of one version, in its order."""
    spec, status = version.spec, version.status
    run = next((one for one in found.runs if one.metadata.name == spec.training_run.name), None)
    yield "dataset", spec.dataset_fingerprint.removeprefix("sha256:")[:12], "good", _rows(run)
    asked = "" if spec.requested_by.authenticated else " (declared, not authenticated)"
    gone = "" if run is not None else "; the run was deleted"
    yield "run", spec.training_run.name, "good", f"by {spec.requested_by.name}{asked}{gone}"
    yield from _gates(run)
    for name, title in (("Verified", "seal"), ("SBOMReady", "SBOM"), ("PolicyPassed", "policy")):
        condition = status.condition(name)
        if condition is None:
            yield title, "unknown", "unknown", "the operator has not looked at it yet"
            continue
        kind = {ConditionStatus.TRUE: "good", ConditionStatus.FALSE: "stopped"}
        yield title, condition.reason, kind.get(condition.status, "unknown"), condition.message
    yield from _decisions(version)
    for deployment in found.deployments:
        yield from _service(version, deployment)


def _rows(run: TrainingRun | None) -> str:
    return f"quality {run.status.quality}" if run and run.status.quality else ""


def _gates(run: TrainingRun | None) -> Iterator[Link]:
    gates = run.status.gates if run else []
    if gates:
        passed = sum(gate.passed for gate in gates)
        kind = "good" if passed == len(gates) else "stopped"
        facts = ", ".join(
            f"{gate.metric} {gate.value or '?'} (limit {gate.threshold})" for gate in gates[:4]
        )
        yield "gates", f"{passed} of {len(gates)} passed", kind, facts


def _decisions(version: ModelVersion) -> Iterator[Link]:
    for record in version.status.approvals:
        kind = "stopped" if record.decision.is_final else "good"
        word = f"{record.decision} by {record.approver}"
        if record.withdrawn or not record.accepted:
            kind, word = "unknown", f"{word}, does not count"
        yield "decision", word, kind, record.message or _ends(record.not_after)
    approved = version.status.condition("Approved")
    if approved is not None and approved.status is not ConditionStatus.TRUE:
        yield "approval", approved.reason, "waiting", approved.message


def _ends(moment: str | None) -> str:
    return f"until {moment}" if moment else ""


def _service(version: ModelVersion, deployment: ModelDeployment) -> Iterator[Link]:
    digest, status = version.spec.artifact.manifest_digest, deployment.status
    name = f"in {deployment.metadata.name}"
    if status.active_digest == digest:
        yield name, "serves", "good", _since(status.history[0].from_ if status.history else "")
    elif status.candidate_digest == digest:
        yield name, "candidate", "waiting", standing_of(status).message
    for entry in _former(deployment, digest):
        yield name, f"served until {entry[0]}", "unknown", entry[1]


def _former(deployment: ModelDeployment, digest: str) -> Sequence[tuple[str, str]]:
    former: Iterable[tuple[str, str]] = (
        (entry.to, str(entry.outcome))
        for entry in deployment.status.history
        if entry.manifest_digest == digest and entry.to
    )
    return list(former)[:3]


def _since(moment: str) -> str:
    return f"since {moment}" if moment else ""


def _deployment(deployment: ModelDeployment) -> Link:
    now, status = standing_of(deployment.status), deployment.status
    drift = status.drift_state
    verdict = f"drift {drift.verdict}" if drift else ""
    fact = " ".join(part for part in (now.message, verdict) if part)
    serves = status.active_model_version or "nothing"
    return (
        f"deployment {deployment.metadata.name}",
        f"{serves} serves, {now.reason}",
        now.kind,
        fact,
    )
