"""``hallmark scan``: a bill of materials held against a policy's rules for packages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hallmark.api.model_policy import ModelPolicy, ModelPolicySpec
from hallmark.api.model_version import ApprovalRecord
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.evidence import Credentials, Endpoint, StoreAccess, read_evidence, store_of
from hallmark.cli.exits import ExitCode
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.files import read_object
from hallmark.cli.objects import get_version, policy_of
from hallmark.cli.output import Format, Output, console, plain, print_as, say
from hallmark.errors import ConfigurationError
from hallmark.files import read_first

if TYPE_CHECKING:
    from hallmark.supply_chain.vulnerabilities import LookUp

OSV = Annotated[
    Path | None,
    typer.Option(
        "--osv", help="A folder with a snapshot of OSV, by which known vulnerabilities are found."
    ),
]
_BILL_BYTES = 16 << 20


@dataclass(frozen=True)
class _Scanned:
    """What is scanned.

    Attributes:
        document: A CycloneDX document.
        reported: Version by name of the packages that the version's report names.
        decided: What reviewers decided about it.
    """

    document: dict[str, Any]
    reported: Mapping[str, str]
    decided: tuple[ApprovalRecord, ...] = ()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(scan))


def scan(
    place: Place,
    name: Annotated[
        str | None, typer.Argument(metavar="[MODELVERSION]", help="The ModelVersion.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A CycloneDX file instead of a ModelVersion.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="A ModelPolicy's file (default: the namespace's policy)."),
    ] = None,
    osv: OSV = None,
    credentials: Credentials = None,
    endpoint: Endpoint = None,
    output: Output = Format.TABLE,
) -> None:
    """Hold a bill of materials against a policy: denied packages, licences, vulnerabilities.

    With --file and --policy nothing is connected to. Where the policy asks for known
    vulnerabilities, --osv names the snapshot. The exit code is 10 where something is refused.
    """
    if (name is None) == (file is None):
        raise ConfigurationError(
            "Expected a ModelVersion or --file with a CycloneDX document, found "
            f"{'none' if name is None else 'both'}."
        )
    spec, title = asyncio.run(_rules(place, policy))
    access = StoreAccess(credentials, endpoint)
    scanned = asyncio.run(_of_version(place, name, access)) if name else _of_file(file)
    found = _violations(scanned, spec, osv)
    _show(found, title, output)
    if found:
        raise typer.Exit(ExitCode.REFUSED)


def look_up_in(osv: Path | None, now: datetime) -> LookUp:
    """Return what says which vulnerabilities packages have, by a snapshot in a folder."""
    with needs_the_extra():
        from hallmark.supply_chain.osv_feed import Feed
        from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED
    if osv is None:
        return lambda _: NOT_MOUNTED
    return partial(Feed(osv).about, now=now)


def _violations(scanned: _Scanned, spec: ModelPolicySpec, osv: Path | None) -> list[str]:
    with needs_the_extra():
        from hallmark.policies.model_version.words import words_in_force
        from hallmark.supply_chain.packages import check_packages, packages_of, python_packages
    now, also, rules = datetime.now(UTC), scanned.reported.items(), spec.dependencies
    packages = list(packages_of(scanned.document))
    asked = {*python_packages(packages), *also}
    known = look_up_in(osv, now)(asked) if rules.vulnerabilities else None
    words = words_in_force(scanned.decided, spec, now)
    found = check_packages(packages, rules, known, now, also=also, words=words)
    return [problem.sentence() for problem in found]


async def _rules(place: Place, file: Path | None) -> tuple[ModelPolicySpec, str]:
    if file is not None:
        found = read_object(file, ModelPolicy)
        return found.spec, found.metadata.name
    async with cluster_of(place.user) as cluster:
        name, spec = await policy_of(cluster, place.namespace)
    return _policy_or_raise(name, spec), name


def _policy_or_raise(name: str, spec: ModelPolicySpec | None) -> ModelPolicySpec:
    if spec is None:
        raise ConfigurationError(
            f"Expected the ModelPolicy '{name}', found none that you may read; give --policy."
        )
    return spec


async def _of_version(place: Place, name: str, access: StoreAccess) -> _Scanned:
    async with cluster_of(place.user) as cluster:
        version = await get_version(cluster, place.namespace, name)
        store = await store_of(cluster, place.namespace, access)
        report, document = await asyncio.to_thread(read_evidence, store, version)
    return _Scanned(document, report.packages, tuple(version.status.approvals))


def _of_file(file: Path | None) -> _Scanned:
    with needs_the_extra():
        from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
    if file is None:
        raise ConfigurationError("Expected a file, found none.")
    try:
        document = parse_object(read_first(file, _BILL_BYTES + 1), _BILL_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror}).") from error
    except UnreadableJSON as error:
        raise ConfigurationError(
            f"Expected a CycloneDX document in {file}, found {error}."
        ) from error
    if document.get("bomFormat") != "CycloneDX":
        raise ConfigurationError(
            f"Expected a CycloneDX document in {file}, found bomFormat "
            f"{json.dumps(document.get('bomFormat'))}."
        )
    return _Scanned(document, {})


def _show(found: list[str], policy: str, output: Format) -> None:
    if output is not Format.TABLE:
        print_as({"policy": policy, "passed": not found, "violations": found}, output)
        return
    for sentence in found:
        console().print(plain(sentence))
    said = f"refuses it: {len(found)} findings" if found else "has nothing against its packages"
    say(f"The ModelPolicy '{policy}' {said}.")
