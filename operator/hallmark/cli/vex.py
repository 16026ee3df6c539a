"""``hallmark vex``: a reviewer's signed word on a vulnerability in a sealed version."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hallmark.api.assessment import Assessment
from hallmark.api.generated import to_yaml
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_version import ModelVersion
from hallmark.cli.approvals import Approver, Name, NotAfter, Said, Version, model_approval
from hallmark.cli.cluster import Place, cluster_of, placed, user_name
from hallmark.cli.evidence import Credentials, Endpoint, StoreAccess, read_evidence, store_of
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.objects import get_version
from hallmark.cli.options import DryRun
from hallmark.cli.review import FromExport, exported, offered
from hallmark.cli.words import (
    AnalysisOption,
    DetailOption,
    FromOption,
    JustificationOption,
    PackageOption,
    VulnerabilityOption,
    Words,
    words_given,
)
from hallmark.cluster.kinds import Obj
from hallmark.errors import ConfigurationError
from hallmark.resources.decisions import not_after


@dataclass(frozen=True)
class _Saying:
    """What a reviewer says and signs.

    Attributes:
        words: what, before it is known of which bytes.
        end: when all of it ends, RFC 3339; None: never.
        name: the ModelApproval's name, if not one made of what is said.
        key: the reviewer's.
    """

    words: Words
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
    vulnerability: VulnerabilityOption = None,
    package: PackageOption = None,
    analysis: AnalysisOption = None,
    detail: DetailOption = None,
    justification: JustificationOption = None,
    end: NotAfter = None,
    file: FromOption = None,
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
    words = words_given(vulnerability, package, analysis, detail, justification, file)
    if (export is None) != (approver is None):
        raise ConfigurationError(
            "Expected --export and --approver together: a cluster says who you are, without one "
            "your key does."
        )
    ends = not_after(end, datetime.now(UTC))
    saying = _Saying(words, ends, approval_name, sign_with)
    if export is None:
        asyncio.run(_say(place, name, saying, StoreAccess(credentials, endpoint), dry_run))
        return
    with needs_the_extra():
        from hallmark.store import open_store
    version = offered(exported(export, place.asked), name).version
    bill = read_evidence(open_store(f"file://{export.resolve()}"), version)[1] if file else {}
    _print(list(_objects(version, saying, bill, str(approver))))


async def _say(
    place: Place, name: str, saying: _Saying, access: StoreAccess, dry_run: bool
) -> None:
    async with cluster_of(place.user) as cluster:
        version, bill = await get_version(cluster, place.namespace, name), dict[str, Any]()
        if saying.words.file is not None:
            store = await store_of(cluster, place.namespace, access)
            bill = (await asyncio.to_thread(read_evidence, store, version))[1]
        made = list(_objects(version, saying, bill, await user_name(cluster)))
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
    version: ModelVersion, saying: _Saying, bill: Mapping[str, Any], approver: str
) -> Iterator[Obj]:
    """Yield the signed ModelApproval of each assessment.

    Raises:
        ConfigurationError: there is none, it makes no sense, or the key cannot be used.
    """
    found = saying.words.about(version, bill, approver)
    if saying.name is not None and len(found) > 1:
        raise ConfigurationError(
            f"--name: {saying.words.file} says {len(found)} things; leave it out."
        )
    for assessment, reason in found:
        said = Said(
            ReviewDecision.ASSESSED,
            reason,
            not_after=saying.end,
            name=saying.name,
            assessment=assessment,
            key=saying.key,
        )
        yield model_approval(version, said, approver)
