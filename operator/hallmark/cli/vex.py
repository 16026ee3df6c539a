"""``hallmark vex``: a reviewer's signed word on a vulnerability in a sealed version."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from packaging.utils import canonicalize_name

from hallmark.api.assessment import Analysis, Assessment, Justification
from hallmark.api.generated import to_yaml
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_version import ModelVersion
from hallmark.cli.approvals import Approver, Name, NotAfter, Said, Version, model_approval
from hallmark.cli.cluster import Place, cluster_of, placed, user_name
from hallmark.cli.evidence import Credentials, Endpoint, StoreAccess, read_evidence, store_of
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.files import read_bounded
from hallmark.cli.objects import get_version
from hallmark.cli.options import DryRun
from hallmark.cli.output import plain
from hallmark.cli.review import FromExport, exported, offered
from hallmark.cluster.kinds import Obj
from hallmark.errors import ConfigurationError
from hallmark.resources.decisions import checked, not_after

_LONGEST = 1024


@dataclass(frozen=True)
class _Words:
    """What a reviewer says, before it is known of which bytes.

    Attributes:
        own: one assessment with its reason, or
        file: where the assessments of others stand that are taken over.
        justification: why nothing is affected, where the file does not say it.
        end: when all of it ends, RFC 3339; None: never.
        name: the ModelApproval's name, if not one made of what is said.
        key: the reviewer's.
    """

    own: tuple[Assessment, str] | None
    file: Path | None
    justification: Justification | None
    end: str | None
    name: str | None
    key: Path


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(vex))


def vex(
    place: Place,
    name: Version,
    sign_with: Annotated[
        Path,
        typer.Option(help="Your key as an approver: a PEM file, or a 'pkcs11:' URI."),
    ],
    vulnerability: Annotated[
        str | None, typer.Option(help="Its id, such as CVE-2026-1234.")
    ] = None,
    package: Annotated[
        str | None,
        typer.Option(help="The package, as 'hallmark sbom' names it: numpy, or numpy==2.1.0."),
    ] = None,
    analysis: Annotated[Analysis | None, typer.Option(help="What was found.")] = None,
    detail: Annotated[str | None, typer.Option(help="In your words, for whoever reads it.")] = None,
    justification: Annotated[
        Justification | None, typer.Option(help="Why it does not matter.")
    ] = None,
    end: NotAfter = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Take over what a file says of this version (OpenVEX, CycloneDX VEX)."
        ),
    ] = None,
    approval_name: Name = None,
    dry_run: DryRun = False,
    export: FromExport = None,
    approver: Approver = None,
    credentials: Credentials = None,
    endpoint: Endpoint = None,
) -> None:
    """Say of a vulnerability whether a sealed version is affected.

    It makes a ModelApproval that says Assessed, signed with your key. It lifts the vulnerability
    where the ModelPolicy accepts that (dependencies.vulnerabilities.vex), until it ends or the
    object is deleted. With --export no cluster is asked, and it prints the object, for Git.
    """
    own = (vulnerability, package, analysis, detail)
    if any(own) == (file is not None) or (file is None and not all(own)):
        raise ConfigurationError(
            "Expected --from with a VEX file, or all of --vulnerability, --package, --analysis and "
            "--detail."
        )
    if (export is None) != (approver is None):
        raise ConfigurationError(
            "Expected --export and --approver together: a cluster says who you are, without one "
            "your key does."
        )
    ends = not_after(end, datetime.now(UTC))
    said = None
    if file is None:
        said = _own(str(vulnerability), str(package), analysis, justification), str(detail)
    words = _Words(said, file, justification, ends, approval_name, sign_with)
    if export is None:
        asyncio.run(_say(place, name, words, StoreAccess(credentials, endpoint), dry_run))
        return
    with needs_the_extra():
        from hallmark.store import open_store
    version = offered(exported(export, place.asked), name).version
    bill = read_evidence(open_store(f"file://{export.resolve()}"), version)[1] if file else {}
    _print(list(_objects(version, words, bill, str(approver))))


def _own(
    vulnerability: str,
    package: str,
    analysis: Analysis | None,
    justification: Justification | None,
) -> Assessment:
    name, pinned, version = package.partition("==")
    said = checked(
        Assessment,
        vulnerability=vulnerability,
        package=str(canonicalize_name(name.strip())),
        version=version.strip() if pinned else None,
        analysis=analysis,
        justification=justification,
    )
    if not said.is_justified:
        known = ", ".join(Justification)
        raise ConfigurationError(f"Expected --justification, found none: one of {known}.")
    return said


async def _say(place: Place, name: str, words: _Words, access: StoreAccess, dry_run: bool) -> None:
    async with cluster_of(place.user) as cluster:
        version, bill = await get_version(cluster, place.namespace, name), dict[str, Any]()
        if words.file is not None:
            store = await store_of(cluster, place.namespace, access)
            bill = (await asyncio.to_thread(read_evidence, store, version))[1]
        made = list(_objects(version, words, bill, await user_name(cluster)))
        if dry_run:
            _print(made)
            return
        for approval in made:
            await cluster.create(approval)
            said = Assessment.model_validate(approval["spec"]["assessment"])
            typer.echo(
                f"{said.sentence()}. See whether it counts: kubectl get mapr "
                f"{approval['metadata']['name']} -n {place.namespace}"
            )


def _print(made: list[Obj]) -> None:
    typer.echo("---\n".join(map(to_yaml, made)), nl=False)


def _objects(
    version: ModelVersion, words: _Words, bill: Mapping[str, Any], approver: str
) -> Iterator[Obj]:
    """Yield the signed ModelApproval of each assessment.

    Raises:
        ConfigurationError: there is none, it makes no sense, or the key cannot be used.
    """
    for assessment, reason in [words.own] if words.own else _taken_over(words, bill):
        said = Said(
            ReviewDecision.ASSESSED,
            reason,
            not_after=words.end,
            name=words.name,
            assessment=assessment,
            key=words.key,
        )
        yield model_approval(version, said, approver)


def _taken_over(words: _Words, bill: Mapping[str, Any]) -> list[tuple[Assessment, str]]:
    with needs_the_extra():
        from hallmark.supply_chain.foreign_vex import MAX_BYTES, read_foreign
    file = words.file or Path()
    try:
        data = read_bounded(file, MAX_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror}).") from error
    found = read_foreign(data, bill, words.justification)
    if not found:
        raise ConfigurationError(
            f"Expected a word in {file} on a package of this version, found none: each names its "
            f"package and version by a package URL such as pkg:pypi/numpy@1.26.4."
        )
    if words.name is not None and len(found) > 1:
        raise ConfigurationError(f"--name: {file} says {len(found)} things; leave it out.")
    return [
        (one.assessment, f"From {plain(file.name)}: {one.detail or 'no words'}"[:_LONGEST])
        for one in found
    ]
