"""``hallmark local``: the whole chain on this machine alone."""

from __future__ import annotations

import sys
from collections.abc import Set
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from hallmark.api.drift import Drift
from hallmark.api.model_approval import ModelApprovalSpec, ReviewDecision
from hallmark.api.model_deployment import ActionName, RollbackMode
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.training_run import TrainingRun
from hallmark.cli.approvals import NotAfter
from hallmark.cli.compare import Side, differences
from hallmark.cli.evidence import read_evidence, show_changes
from hallmark.cli.exits import ExitCode
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.files import read_object
from hallmark.cli.local_show import (
    announcer,
    is_counted,
    show_deployment,
    show_review,
    show_run,
    show_status,
    show_words,
)
from hallmark.cli.output import Format, Output, console, plain, print_as, say
from hallmark.cli.words import (
    AnalysisOption,
    DetailOption,
    FromOption,
    JustificationOption,
    PackageOption,
    VulnerabilityOption,
    words_given,
)
from hallmark.errors import ConfigurationError
from hallmark.resources.decisions import Said, checked, model_approval, not_after

if TYPE_CHECKING:
    from hallmark.api.model_version import ModelVersion
    from hallmark.local.folder import Folder
    from hallmark.local.registry import Registry

DEFAULT_STATE = Path("hallmark-local")


class RunByDefault(TyperGroup):
    """Takes ``hallmark local run.yaml`` for ``hallmark local run run.yaml``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # the context is typer's
        """Put ``run`` before what is no command."""
        if args and args[0] not in self.commands and args[0] not in {"--help", "-h"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=RunByDefault,
    help="The whole chain without a cluster: train, assay, seal, approve, serve, roll back.",
    no_args_is_help=True,
)

State = Annotated[
    Path, typer.Option("--state", help="The folder that keeps the chain.", envvar="HALLMARK_STATE")
]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="The version's name.")]
Model = Annotated[
    str | None, typer.Argument(metavar="[MODEL]", help="The model (default: the only one).")
]
Why = Annotated[str, typer.Option("--reason", help="Why, for whoever reads the audit log.")]
Host = Annotated[str, typer.Option("--host", help="Where to listen.")]
Port = Annotated[
    int,
    typer.Option(
        "--port", min=0, max=65535, help="Its port; 0: a free one.", envvar="HALLMARK_PORT"
    ),
]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="Another version's name.")]


@app.callback()
def local() -> None:
    """The whole chain without a cluster: train, assay, seal, approve, serve, roll back.

    'hallmark local run.yaml' does it all; the other commands do a part.
    """


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="RUN.YAML", help="A TrainingRun.")],
    state: State = DEFAULT_STATE,
    data: Annotated[
        Path | None, typer.Option(help="The folder of the dataset's file (default: RUN.YAML's).")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Approve without asking.")] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why it is approved.")
    ] = "Approved on this machine.",
    serve: Annotated[bool, typer.Option(help="Serve it when it is approved.")] = True,
    policy: Annotated[
        Path | None, typer.Option(help="A cluster's ModelPolicy whose demands hold here too.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Train also where the same run is sealed.")
    ] = False,
    host: Host = "127.0.0.1",
    port: Port = 8080,
) -> None:
    """Train and assay a model, seal it, ask for approval, and serve it on this machine."""
    asked = read_object(file, TrainingRun)
    with needs_the_extra():
        from hallmark.local.begin import begin
        from hallmark.local.runs import run_here

        folder = begin(state, asked, read_object(policy, ModelPolicy) if policy else None)
        with announcer(console(stderr=True)) as announce:
            ran = run_here(folder, asked, data or file.parent, announce, again=again)
    show_run(folder, ran)
    if ran.version is None:
        raise typer.Exit(ExitCode.REFUSED)
    version = _reviewed(folder, ran.version, reason, approve=approve)
    if _is_followed(folder, version):
        return
    if serve:
        _serve(folder, version.spec.model, host, port)
    else:
        say(f"Serve it: hallmark local serve {version.spec.model}{_state_option(folder)}")


def _is_followed(folder: Folder, version: ModelVersion) -> bool:
    """Tell whether a server has the model; then say what it serves from now on."""
    from hallmark.local.server import follow, is_served

    if not is_served(folder, version.spec.model):
        return False
    status = follow(folder, version).status
    say(f"{status.active_model_version} serves at {status.url}.")
    return True


def _reviewed(folder: Folder, version: ModelVersion, reason: str, *, approve: bool) -> ModelVersion:
    """Return the version once it is approved, asking on a terminal."""
    from hallmark.local.reviews import decide_here
    from hallmark.policies.model_deployment.checks import is_rejected

    name = version.metadata.name
    if version.status.is_true("Approved"):
        return version
    if is_rejected(version):
        rejected = version.status.condition("Approved")
        say(f"{name} cannot serve: {rejected.message if rejected else 'it was rejected.'}")
        raise typer.Exit(ExitCode.REFUSED)
    if not approve and not _asks(f"Approve {name} to serve on this machine?"):
        say(f"Not approved. Look at the report, then: hallmark local approve {name} --reason ...")
        raise typer.Exit(ExitCode.WAITING)
    approved, approval = decide_here(folder, name, ReviewDecision.APPROVED, reason)
    show_review(approved, approval)
    if not approved.status.is_true("Approved"):
        raise typer.Exit(ExitCode.REFUSED)
    return approved


def _asks(question: str) -> bool:
    """Ask on the terminal; without one the answer is no."""
    if not sys.stdin.isatty():
        return False
    typer.echo(f"{question} [y/N] ", nl=False)
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}


@app.command()
def approve(version: Version, reason: Why, state: State = DEFAULT_STATE) -> None:
    """Approve a version: exactly the bytes that its digests name."""
    _decide(state, version, ReviewDecision.APPROVED, reason)


@app.command()
def deny(version: Version, reason: Why, state: State = DEFAULT_STATE) -> None:
    """Deny a version, for good."""
    _decide(state, version, ReviewDecision.DENIED, reason)


@app.command()
def revoke(version: Version, reason: Why, state: State = DEFAULT_STATE) -> None:
    """Revoke a version, for good; where it serves, another takes over."""
    _decide(state, version, ReviewDecision.REVOKED, reason)


@app.command()
def vex(
    version: Version,
    vulnerability: VulnerabilityOption = None,
    package: PackageOption = None,
    analysis: AnalysisOption = None,
    detail: DetailOption = None,
    justification: JustificationOption = None,
    end: NotAfter = None,
    file: FromOption = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Say of a vulnerability whether a version is affected.

    It is signed with this folder's key, and takes the place of what you said of it before. It
    lifts the vulnerability where the policy that was given to 'run' accepts that.
    """
    words = words_given(vulnerability, package, analysis, detail, justification, file)
    ends = not_after(end, datetime.now(UTC))
    with needs_the_extra():
        from hallmark.local.reviews import approver_here, say_here, version_here

        folder = _folder(state)
        found = version_here(folder, folder.read(), version)
        bill = read_evidence(folder.store(), found)[1] if file else {}
        approver = approver_here()
        said = [
            Said(ReviewDecision.ASSESSED, reason, not_after=ends, assessment=assessment)
            for assessment, reason in words.about(found, bill, approver)
        ]
        specs = [
            ModelApprovalSpec.model_validate(model_approval(found, word, approver)["spec"])
            for word in said
        ]
        after, made = say_here(folder, version, specs)
    show_words(after, made)
    if not all(is_counted(after, approval) for approval in made):
        raise typer.Exit(ExitCode.REFUSED)


def _decide(state: Path, name: str, decision: ReviewDecision, reason: str) -> None:
    if not reason.strip():
        raise ConfigurationError("--reason: expected a reason that a reader can understand.")
    with needs_the_extra():
        from hallmark.local.reviews import decide_here

        version, approval = decide_here(_folder(state), name, decision, reason)
    show_review(version, approval)
    if not is_counted(version, approval):
        raise typer.Exit(ExitCode.REFUSED)
    if decision is ReviewDecision.APPROVED:
        model = version.spec.model
        say(f"It takes over where 'hallmark local serve {model}' runs; else begin with that.")


@app.command()
def serve(
    model: Model = None,
    state: State = DEFAULT_STATE,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    window: Annotated[int | None, typer.Option(help="Rows in a drift window, 100 or more.")] = None,
    threshold: Annotated[
        str | None, typer.Option(help="The PSI above which a window drifts.")
    ] = None,
    consecutive: Annotated[
        int | None, typer.Option(help="How many windows in a row must drift.")
    ] = None,
    rollback: Annotated[
        RollbackMode | None, typer.Option(help="Whether drift rolls back by itself.")
    ] = None,
) -> None:
    """Serve a model's newest approved version, count drift, and roll back."""
    folder = _folder(state)
    with needs_the_extra():
        registry = folder.read()
    name = _model(registry, model)
    found = registry.deployment(name)
    before = (found.spec.drift if found else Drift()).to_wire()
    asked = {"window": window, "threshold": threshold, "consecutive": consecutive}
    changed = {key: value for key, value in asked.items() if value is not None}
    drift = checked(Drift, **{**before, **changed})
    _serve(folder, name, host, port, drift, rollback)


def _serve(
    folder: Folder,
    model: str,
    host: str,
    port: int,
    drift: Drift | None = None,
    rollback: RollbackMode | None = None,
) -> None:
    with needs_the_extra():
        from hallmark.local.rollouts import deploy_here
        from hallmark.local.server import Address, serve_here

    registry = folder.read()
    mine = [version for version in registry.versions if version.spec.model == model]
    found = registry.deployment(model)
    serves = found is not None and found.status.active_model_version is not None
    if mine and not serves and not any(version.status.is_true("Approved") for version in mine):
        newest = mine[-1].metadata.name
        say(f"No version of {model} is approved: hallmark local approve {newest} --reason ...")
        raise typer.Exit(ExitCode.WAITING)
    deploy_here(folder, model, drift, rollback)

    def tell(sentence: str) -> None:
        console(stderr=True).print(plain(sentence))

    serve_here(folder, model, Address(host, port), tell)


@app.command()
def rollback(
    reason: Why,
    model: Model = None,
    to: Annotated[
        str | None, typer.Option("--target", help="The version (default: the newest stable one).")
    ] = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Go back to a version that was stable and passes every check today."""
    _act(state, model, ActionName.ROLLBACK, reason, to)


@app.command()
def acknowledge(reason: Why, model: Model = None, state: State = DEFAULT_STATE) -> None:
    """Say that drift or a rollback was seen, so that drift counts afresh."""
    _act(state, model, ActionName.ACKNOWLEDGE, reason, None)


def _act(
    state: Path, model: str | None, action: ActionName, reason: str, target: str | None
) -> None:
    with needs_the_extra():
        from hallmark.local.server import act_here

        folder = _folder(state)
        deployment = act_here(folder, _served(folder.read(), model), action, reason, target)
    show_deployment(deployment)
    last = deployment.status.last_action
    if last is not None and last.outcome.startswith("Nothing was done"):
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def status(state: State = DEFAULT_STATE, output: Output = Format.TABLE) -> None:
    """Show versions, what serves, and what was refused."""
    with needs_the_extra():
        folder = _folder(state)
        registry = folder.read()
        if output is Format.TABLE:
            show_status(folder, registry)
            return
    print_as(registry.to_wire(), output)


@app.command()
def diff(
    before: Version, after: Other, state: State = DEFAULT_STATE, output: Output = Format.TABLE
) -> None:
    """Show what changed between two versions: data, parameters, metrics, groups, SBOM."""
    folder = _folder(state)
    with needs_the_extra():
        registry = folder.read()
        first, second = (_side(folder, registry, name) for name in (before, after))
    changes = differences(first, second)
    if output is Format.TABLE:
        show_changes(changes, before, after)
    else:
        print_as([asdict(change) for change in changes], output)


def _side(folder: Folder, registry: Registry, name: str) -> Side:
    version = registry.version(name)
    if version is None:
        refused = registry.run(name)
        known = ", ".join(found.metadata.name for found in registry.versions) or "none"
        why = " (that run was refused: hallmark local status)" if refused else ""
        raise ConfigurationError(
            f"Expected a version in {folder.path}, found no '{name}'{why}; there are: {known}."
        )
    run = registry.run(version.spec.training_run.name)
    return Side(version, run.spec if run else None, *read_evidence(folder.store(), version))


def _folder(state: Path) -> Folder:
    with needs_the_extra():
        from hallmark.local.folder import Folder

    return Folder(state)


def _model(registry: Registry, asked: str | None) -> str:
    """Return the model that was asked for, or the only one."""
    return asked or _only({version.spec.model for version in registry.versions})


def _served(registry: Registry, asked: str | None) -> str:
    """Return the model that was asked for, or the only one that serves or served here."""
    return asked or _only({deployment.spec.model or "" for deployment in registry.deployments})


def _only(models: Set[str]) -> str:
    if len(models) == 1:
        return next(iter(models))
    named = ", ".join(sorted(models)) or "there is none yet"
    raise ConfigurationError(f"Expected the name of a model ({named}); name one.")


def _state_option(folder: Folder) -> str:
    return "" if folder.path == DEFAULT_STATE else f" --state {folder.path}"
