"""What ``hallmark local`` shows: progress, what a run came to, what serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from hallmark.api.files import REPORT_PAGE
from hallmark.api.metrics import Comparison, GateResult
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ApprovalRecord, ModelVersion, VersionCondition
from hallmark.api.tasks import TrainStage
from hallmark.api.training_run import TrainingRun
from hallmark.cli.explain import advice
from hallmark.cli.output import plain, print_table, say, state
from hallmark.reporting.meanings import meaning

if TYPE_CHECKING:
    from hallmark.local.folder import Folder
    from hallmark.local.registry import Registry
    from hallmark.local.runs import Ran

Announce = Callable[[TrainStage, int, str], None]


@contextmanager
def announcer(console: Console) -> Iterator[Announce]:
    """Give what shows a run's stages: a bar on a terminal, lines elsewhere."""
    if not console.is_terminal:

        def line(stage: TrainStage, percent: int, message: str) -> None:
            console.print(f"{percent:3d}% {stage}: {plain(message)}")

        yield line
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Starting", total=100)

        def bar(stage: TrainStage, percent: int, message: str) -> None:
            progress.update(task, description=f"{stage}: {plain(message)}", completed=percent)

        yield bar


def show_run(folder: Folder, ran: Ran) -> None:
    """Show what a run came to: its gates and metrics, and where the evidence is."""
    run, version = ran.run, ran.version
    if ran.trained or version is None:
        show_outcome(run)
    if version is None:
        ready = run.status.condition("Ready")
        reason = ready.reason if ready else "Refused"
        say(f"{run.metadata.name} was refused ({reason}): {ran.refusal}", "red")
        if todo := advice(run, reason):
            say(f"To do: {todo}")
        return
    word = "Sealed" if ran.trained else "Sealed before, nothing was trained"
    sealed = folder.path / version.spec.artifact.uri
    say(
        f"{word}: {version.metadata.name}, {version.spec.model} version {version.spec.version} "
        f"({version.spec.artifact.manifest_digest})",
        "green",
    )
    say(f"Report: {sealed / REPORT_PAGE}")


def show_outcome(run: TrainingRun) -> None:
    """Show what a run measured: its gates with their limits, then its metrics."""
    _show_gates(run.status.gates)
    _show_metrics(run)


def _show_gates(gates: Sequence[GateResult]) -> None:
    if not gates:
        return
    rows = [
        (
            state("passed", "good") if gate.passed else state("failed", "stopped"),
            gate.metric,
            gate.value or gate.inconclusive or "not measured",
            f"{'at least' if gate.comparison is Comparison.AT_LEAST else 'at most'} "
            f"{gate.threshold}",
            gate.source.lower(),
        )
        for gate in gates
    ]
    print_table(("GATE", "METRIC", "MEASURED", "LIMIT", "OF"), rows)
    for metric in dict.fromkeys(gate.metric for gate in gates if not gate.passed):
        if said := meaning(metric):
            say(f"{metric} is {said}.")


def _show_metrics(run: TrainingRun) -> None:
    if not run.status.metrics:
        return
    rows = [
        (metric.name, metric.value, f"{metric.lower} to {metric.upper}" if metric.lower else "")
        for metric in run.status.metrics[:12]
    ]
    print_table(("METRIC", "VALUE", "INTERVAL"), rows)


def show_review(version: ModelVersion, approval: ModelApproval) -> None:
    """Show a decision, and what it adds up to."""
    spec = approval.spec
    said = f"{spec.decision} by {spec.approver}: {version.metadata.name}, {spec.manifest_digest}."
    say(said + _why_not(version, approval))


def show_words(version: ModelVersion, approvals: Sequence[ModelApproval]) -> None:
    """Show words on vulnerabilities, and what the policy says of the packages after them."""
    for approval in approvals:
        about, why_not = approval.spec.assessment, _why_not(version, approval)
        if about is not None:
            say(f"{about.sentence()}, says {approval.spec.approver}.{why_not}")
    passed = version.status.condition(VersionCondition.POLICY_PASSED)
    if passed is not None and passed.message:
        say(f"{version.metadata.name}: {passed.message}")


def is_counted(version: ModelVersion, approval: ModelApproval) -> bool:
    """Tell whether a decision is among those of its version that count."""
    record = _record_of(version, approval)
    return record is not None and record.accepted


def _why_not(version: ModelVersion, approval: ModelApproval) -> str:
    record = _record_of(version, approval)
    if record is None or record.accepted:
        return ""
    return f" It does not count ({record.reason}): {record.message}"


def _record_of(version: ModelVersion, approval: ModelApproval) -> ApprovalRecord | None:
    uid = approval.metadata.uid
    return next((record for record in version.status.approvals if record.uid == uid), None)


def show_deployment(deployment: ModelDeployment) -> None:
    """Show what serves, and what came of the last action."""
    status = deployment.status
    if status.last_action is not None:
        say(status.last_action.outcome)
    say(f"{deployment.metadata.name}: {status.active_model_version or 'nothing'} serves.")


def show_status(folder: Folder, registry: Registry) -> None:
    """Show versions, what serves, and what was refused."""
    from hallmark.local.server import is_served

    serving = {
        found.status.active_digest: found
        for found in registry.deployments
        if found.status.active_digest is not None
    }
    rows = [
        (
            version.metadata.name,
            version.spec.model,
            version.spec.version,
            _standing(version),
            "active" if version.spec.artifact.manifest_digest in serving else "",
            version.spec.artifact.manifest_digest.removeprefix("sha256:")[:12],
            version.metadata.creation_timestamp or "",
        )
        for version in registry.versions
    ]
    names = ("VERSION", "MODEL", "NUMBER", "STATE", "SERVES", "MANIFEST", "SEALED AT")
    print_table(names, rows)
    for deployment in registry.deployments:
        running = is_served(folder, deployment.metadata.name)
        _show_serving(deployment, running=running)
    refused = [run for run in registry.runs if run.status.is_true("Stalled")][-3:]
    for run in refused:
        ready = run.status.condition("Ready")
        say(f"{run.metadata.name} was refused: {ready.message if ready else ''}")
    say(f"Record: {folder.log_file}")


def _standing(version: ModelVersion) -> Text:
    for condition, word, kind in (
        ("Revoked", "revoked", "stopped"),
        ("Denied", "denied", "stopped"),
        ("Approved", "approved", "good"),
    ):
        if version.status.is_true(condition):
            return state(word, kind)
    return state("waits for approval", "waiting")


def _show_serving(deployment: ModelDeployment, *, running: bool) -> None:
    status, name = deployment.status, deployment.metadata.name
    active = status.active_model_version or "nothing"
    if running and status.url:
        said = f"{name}: {active} serves at {status.url}"
    else:
        said = f"{name}: {active} is active, not served now (hallmark local serve {name})"
    drift = status.drift_state
    top = f", most: {drift.top[0].feature} PSI {drift.top[0].psi}" if drift and drift.top else ""
    say(f"{said}; drift {drift.verdict if drift else 'Inconclusive'}{top}")
    last = status.last_rollback
    if last is not None and not last.acknowledged:
        say(f"{name}: rolled back from {last.from_} to {last.to}: {last.message}")
