"""``hallmark asof`` and ``hallmark pack``: what served when, and the evidence for an auditor."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hallmark.api.artifacts import Manifest
from hallmark.api.files import REPORT
from hallmark.api.texts import parse_timestamp, timestamp
from hallmark.cli.exits import ExitCode
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.output import Format, Output, console, plain, print_as, say
from hallmark.cli.trust import Trust, trusted_of
from hallmark.errors import ConfigurationError, IntegrityError

if TYPE_CHECKING:
    from hallmark.api.model_version import ModelVersion
    from hallmark.verification.bundle import Bundle
    from hallmark.verification.files import Files
    from hallmark.verification.history import Beside, Served
    from hallmark.verification.links import Verdict
    from hallmark.verification.log import Log
    from hallmark.verification.pack import Answer, Lacking
    from hallmark.verification.recorded import Recorded
    from hallmark.verification.registry import VersionEntry

Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(asof)
    app.command()(pack)


def asof(
    moment: Annotated[
        str, typer.Argument(help="A day (its end, in UTC) or a moment, as 2026-10-01T12:00:00Z.")
    ],
    model: Model,
    log: Annotated[
        Path, typer.Option("--audit-log", help="The log's file; an export has it in logs/.")
    ],
    trust: Trust = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="The only one to look into.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Say what served at a moment, by whose approval, on which evidence: from the log alone."""
    when = moment_of(moment)
    with needs_the_extra():
        from hallmark.verification.history import served_at, without_model
        from hallmark.verification.log import log_of
    found = log_of(log, None, trusted_of(trust or ()), datetime.now(UTC))
    if found is None:
        raise ConfigurationError(f"Expected an audit log {log}, found none.")
    if found.believed is None:
        why = " ".join(found.verdict.problems[:2]) or found.doubt
        raise IntegrityError(f"What this log says cannot be believed: {why}")
    served = list(served_at(found.believed, model, when, namespace))
    for name in without_model(found.believed, when, namespace):
        said = f"{name} served bytes whose model no record names that is still kept."
        console(stderr=True).print(plain(said))
    if output is not Format.TABLE:
        print_as([one.to_wire() for one in served], output)
        return
    for one in served:
        _show(one)
    if not served:
        say(_nothing(found.recorded, model, when))
    _show_end(found, when)


def _nothing(recorded: Recorded, model: str, when: datetime) -> str:
    """Return that nothing served, as far as the log says so."""
    from hallmark.verification.history import models_named

    if not recorded.whole and recorded.records and when < parse_timestamp(recorded.records[0].time):
        first = recorded.records[0]
        return (
            f"What served at {timestamp(when)} is not known: the kept records begin {first.time}."
        )
    known = models_named(recorded)
    others = f" No record seals a model of this name; there are: {', '.join(known[:_MODELS])}."
    return f"Nothing of {model} served at {timestamp(when)}." + (
        others if known and model not in known else ""
    )


def _show_end(found: Log, when: datetime) -> None:
    for note in found.verdict.notes:
        say(note)
    if not found.recorded.records:
        say("The log has no records.")
        return
    last, end = found.recorded.records[-1], found.reaches_to
    more = "; what came then it does not say" if when > parse_timestamp(end) else ""
    say(f"The log ends with record {last.seq}, and tells all up to {end}{more}.")


_MODELS = 12
"""So many models are named that the one might have been meant for."""


def moment_of(text: str) -> datetime:
    """Return the moment that a text names; of a day its end.

    Raises:
        ConfigurationError: it names none.
    """
    try:
        if len(text) == len("2026-10-01"):
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
            return datetime.combine(day.date(), time.max, UTC)
        return parse_timestamp(text)
    except ValueError as error:
        raise ConfigurationError(
            f"Expected a day such as 2026-10-01, or a moment such as 2026-10-01T12:00:00Z, "
            f"found {plain(text)!r}."
        ) from error


def _show(one: Served) -> None:
    until = f"until {one.until}" if one.until else "still, at the log's end"
    what = f"{one.version} ({one.manifest_digest})" if one.version else "nothing"
    say(
        f"{one.deployment}: {what} served since {one.since} (record {one.record}, {one.how}), "
        f"{until}."
    )
    if one.asked:
        say(f"the policy asked then for {_asked(one.asked)}", indent=2)
    if one.rolled_back:
        say(f"these bytes had been rolled back before, at {one.rolled_back}", indent=2)
    for stage in one.stages:
        say(f"{stage.said} (record {stage.record})", indent=2)
    _show_evidence(one, indent=2)
    for other in one.beside:
        name = f"{other.version} ({other.manifest_digest})"
        say(f"besides, since {other.time} (record {other.record}), {name}: {other.said}", indent=2)
        _show_evidence(other, indent=4)


def _show_evidence(one: Served | Beside, indent: int) -> None:
    for word in one.words:
        said = f"{word.decision} by {word.by} at {word.time}: {word.outcome} (record {word.record})"
        say(said, indent=indent)
    if one.sealed is not None:
        facts = ", ".join(f"{key} {value}" for key, value in one.evidence.items())
        say(f"sealed in record {one.sealed}: {facts}", indent=indent)


def _asked(approvals: dict[str, Any]) -> str:
    """Return what a policy asked of approvals, as a part of a sentence."""
    groups = [f"{one.get('minimum', 1)} of '{one['name']}'" for one in approvals.get("groups", [])]
    said = [f"{approvals.get('minimum', 1)} approvals", *groups]
    cooling_time = approvals.get("coolingTime", "0s")
    if cooling_time != "0s":
        said.append(f"a cooling time of {cooling_time}")
    if approvals.get("renewAfterRollback"):
        said.append("new ones after a rollback")
    return ", ".join(said)


def pack(
    model: Model,
    export: Annotated[
        Path,
        typer.Option(
            "--export",
            help="What 'hallmark export' wrote, as a folder, an OCI layout or a tar file.",
        ),
    ],
    folder: Annotated[Path, typer.Option("--to", help="A new folder for the pack.")],
    trust: Trust = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="The model's, where there are several.")
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="A ModelVersion (default: the newest).")
    ] = None,
) -> None:
    """Write an evidence pack: each section of Annex IV and SR 11-7 verified, declared or not."""
    with needs_the_extra():
        from hallmark.new_files import new_folder
        from hallmark.verification.export import require_empty
        from hallmark.verification.oci import as_folder
        from hallmark.verification.opening import verify_export
    require_empty(folder)
    with as_folder(export) as opened:
        verdict = verify_export(opened, trusted_of(trust or ()), datetime.now(UTC))
        entry, deployments = _chosen(opened, export, model, namespace, version)
        try:
            with new_folder(folder) as made:
                found = _fill(made, opened, entry, deployments, verdict)
        except OSError as error:
            raise ConfigurationError(
                f"The pack {folder} cannot be written ({error.strerror}); nothing of it was kept."
            ) from error
    counts = {
        word: sum(a.standing == word for a in found)
        for word in ("verified", "declared", "not covered")
    }
    say(f"{folder}: " + ", ".join(f"{count} {word}" for word, count in counts.items()))
    if not verdict.ok:
        raise typer.Exit(ExitCode.REFUSED)


def _chosen(
    opened: Path, export: Path, model: str, namespace: str | None, version: str | None
) -> tuple[VersionEntry, set[str]]:
    """Return the version that a pack is about, and the ModelDeployments that may serve it.

    Raises:
        IntegrityError: the export's registry cannot be read.
        ConfigurationError: there is no such version, or there are several models.
    """
    from hallmark.verification.files import REGISTRY, FolderFiles
    from hallmark.verification.registry import MAX_BYTES, read_registry

    registry = read_registry(FolderFiles(opened).read(REGISTRY, MAX_BYTES))
    if isinstance(registry, str):
        raise IntegrityError(registry)
    mine = [
        entry
        for entry in registry.versions
        if entry.spec.model == model
        and namespace in {None, entry.namespace}
        and version in {None, entry.name}
    ]
    if len({entry.namespace for entry in mine}) != 1:
        known = ", ".join(sorted({f"{e.namespace}/{e.spec.model}" for e in registry.versions}))
        raise ConfigurationError(
            f"Expected one model '{model}' in {export}; there are: {known or 'none'}."
        )
    entry = max(mine, key=lambda one: one.spec.version)
    return entry, {
        f"{one.namespace}/{one.name}"
        for one in registry.deployments
        if one.namespace == entry.namespace
        and one.spec is not None
        and (one.spec.model == model or one.spec.model_version == entry.name)
    }


def _fill(
    folder: Path, export: Path, entry: VersionEntry, deployments: set[str], verdict: Verdict
) -> list[Answer]:
    """Write a pack's files, and return how each point stands."""
    from hallmark.verification.bundle import bundle_of, provenance_name
    from hallmark.verification.files import HEAD, INDEX, LOG, REGISTRY, FolderFiles
    from hallmark.verification.pack import answers, page
    from hallmark.verification.registry import version_of

    files, chosen = FolderFiles(export), version_of(entry)
    name = f"{entry.namespace}/{entry.name}"
    about = [
        subject
        for subject in verdict.subjects
        if subject.kind in {"Export", "AuditLog", "ModelPolicy"}
        or (subject.kind in {"ModelVersion", "TrainingRun"} and subject.name == name)
        or (subject.kind == "Deployment" and subject.name in deployments)
    ]
    bundle = bundle_of(chosen, files)
    paths = sorted(
        (bundle.names | {provenance_name(chosen), REGISTRY, INDEX, LOG, HEAD}) & files.names()
    )
    found = list(answers(about, paths, _lacking(bundle, chosen, files)))
    for path in paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        source = files.open(path)
        if source is None:
            continue  # A link or a pipe, of which the verdict speaks.
        with source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy)
    (folder / "verification.json").write_text(json.dumps(verdict.to_wire(), indent=1) + "\n")
    (folder / "README.md").write_text(page(entry.spec.model, name, found, about, verdict.digest))
    return found


def _lacking(bundle: Bundle, version: ModelVersion, files: Files) -> set[Lacking]:
    """Return what the sealed report and bill of a version, and its requester, have nothing of."""
    from hallmark.policies.sealed import read_report
    from hallmark.supply_chain.strict_json import parse_object
    from hallmark.verification.bundle import MAX_DOCUMENT, sealed_bill_of
    from hallmark.verification.pack import lacking_in

    report, bill = None, dict[str, Any]()
    if isinstance(manifest := bundle.manifest, Manifest):
        read = read_report(manifest, files.read(bundle.folder + REPORT, MAX_DOCUMENT) or b"")
        report = None if isinstance(read, str) else read
        if sbom := sealed_bill_of(version, manifest, files):  # Else its own link says so.
            bill = parse_object(sbom, MAX_DOCUMENT)
    return lacking_in(version, report, bill)
