"""``hallmark export`` and ``hallmark verify``: a chain as a folder, and each link of it checked."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from hallmark.api.model_policy import ModelPolicy
from hallmark.api.names import AUDIT_ANCHOR, SYSTEM_NAMESPACE
from hallmark.audit.outside import HEAD_KEY
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.evidence import Credentials, Endpoint, StoreAccess, store_of
from hallmark.cli.exits import ExitCode
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.objects import objects_of, parsed_or_raise
from hallmark.cli.output import STATES, Format, Output, console, plain, print_as
from hallmark.cli.scan import OSV, look_up_in
from hallmark.cli.trust import Trust, trusted_of
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_POLICY
from hallmark.errors import ClusterError, ConfigurationError

if TYPE_CHECKING:
    from hallmark.local.folder import Folder
    from hallmark.store import Store
    from hallmark.verification.gather import Objects
    from hallmark.verification.links import Verdict
    from hallmark.verification.trusted import Trusted

_FORBIDDEN = 403

AuditLog = Annotated[
    Path | None,
    typer.Option(
        "--audit-log",
        help="A copy of the operator's log, secure_mlops.log, with its head and its closed files "
        "beside it.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option("--state", help="A chain of 'hallmark local' instead of a cluster's."),
]
Everywhere = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="What is in any namespace.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(placed(export))
    app.command()(placed(verify))


@dataclass(frozen=True)
class Source:
    """A chain as it was read: objects, where its files are, and its log.

    Attributes:
        namespaces: To which it is limited; None: all.
        anchor: The head that is kept outside the log's volume.
    """

    objects: Objects
    namespaces: set[str] | None
    store: Store
    log: Path | None
    anchor: bytes | None


def export(
    place: Place,
    folder: Annotated[Path, typer.Argument(help="A new folder, or with --oci a new .tar file.")],
    state: State = None,
    everywhere: Everywhere = False,
    audit_log: AuditLog = None,
    credentials: Credentials = None,
    endpoint: Endpoint = None,
    oci: Annotated[
        bool, typer.Option("--oci", help="Write an OCI image layout, which registries take.")
    ] = False,
) -> None:
    """Write a chain into a folder: objects, sealed files, SBOMs, decisions and the audit log.

    What no signature reaches is left out. 'hallmark verify' checks the folder anywhere, with
    public keys alone; the same chain gives the same bytes.
    """
    access = StoreAccess(credentials, endpoint)
    source = _source(place, state, audit_log, access, everywhere)
    if not oci:
        digest, left = _export(source, folder)
        _say_left_out(left)
        typer.echo(f"{folder}: {digest}")
        return
    if folder.exists():
        raise ConfigurationError(f"Expected a new folder or file, found {folder}.")
    with needs_the_extra():
        from hallmark.verification.oci import write_layout
    with tempfile.TemporaryDirectory(prefix="hallmark-export-") as made:
        digest, left = _export(source, Path(made))
        _say_left_out(left)
        image = write_layout(Path(made), folder)
    typer.echo(f"{folder}: {digest}, as the image {image}")


def _export(source: Source, folder: Path) -> tuple[str, list[str]]:
    with needs_the_extra():
        from hallmark.verification.export import export as write
    return write(
        folder,
        source.objects,
        source.namespaces,
        source.store,
        source.log,
        source.anchor,
        datetime.now(UTC),
    )


def verify(
    place: Place,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="An export (default: the cluster).")
    ] = None,
    trust: Trust = None,
    state: State = None,
    everywhere: Everywhere = False,
    audit_log: AuditLog = None,
    credentials: Credentials = None,
    endpoint: Endpoint = None,
    osv: OSV = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 3 where a link is not proved.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Check every link of a chain: of an export, a cluster, or a folder of 'hallmark local'.

    A tick: checked. A cross: not what a signature or a digest says; the exit code is 10. A dash:
    nothing contradicts it, and nothing that is here proves it.
    """
    trusted = trusted_of(trust or ())
    access = StoreAccess(credentials, endpoint)
    if folder is not None:
        verdict = _of_export(folder, trusted, osv)
    elif state is not None:
        verdict = _of_folder(state, trusted, osv)
    else:
        with _exported(_source(place, None, audit_log, access, everywhere)) as exported:
            verdict = _of_export(exported, trusted, osv)
    show_verdict(verdict, output)
    if not verdict.ok:
        raise typer.Exit(ExitCode.REFUSED)
    if strict and verdict.state != "holds":
        raise typer.Exit(ExitCode.WAITING)


def _of_export(folder: Path, trusted: Trusted, osv: Path | None) -> Verdict:
    with needs_the_extra():
        from hallmark.verification.oci import as_folder
        from hallmark.verification.opening import is_export, verify_export
    with as_folder(folder) as export:
        if not is_export(export):
            raise ConfigurationError(
                f"Expected an export in {folder}, found no export.json; name what 'hallmark "
                "export' wrote, or give --state for a chain of 'hallmark local'."
            )
        now = datetime.now(UTC)
        return verify_export(export, trusted, now, look_up_in(osv, now))


def _of_folder(state: Path, trusted: Trusted, osv: Path | None) -> Verdict:
    with needs_the_extra():
        from hallmark.verification.opening import verify_folder
    folder, objects = _local(state)
    now = datetime.now(UTC)
    look_up = look_up_in(osv, now) if osv else partial(folder.feed.about, now=now)
    verdict, left = verify_folder(state, objects, folder.log_file, trusted, now, look_up)
    _say_left_out(left)
    return verdict


@contextmanager
def _exported(source: Source) -> Iterator[Path]:
    """Export a cluster's chain for a while: what is verified is what an export would hold."""
    with tempfile.TemporaryDirectory(prefix="hallmark-verify-") as folder:
        _, left = _export(source, Path(folder))
        _say_left_out(left)
        yield Path(folder)


def _say_left_out(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        console(stderr=True).print(plain(f"Left out: {sentence}"))


# -- what is read -------------------------------------------------------------------------------


def _source(
    place: Place, state: Path | None, log: Path | None, access: StoreAccess, everywhere: bool
) -> Source:
    if state is None:
        return asyncio.run(_of_cluster(place, log, access, everywhere))
    folder, objects = _local(state)
    return Source(objects, None, folder.store(), folder.log_file, None)


def _local(state: Path) -> tuple[Folder, Objects]:
    with needs_the_extra():
        from hallmark.local.folder import Folder
        from hallmark.verification.gather import Objects
    folder = Folder(state)
    registry = folder.read()
    return folder, Objects(
        policies=(registry.policy,),
        runs=tuple(registry.runs),
        versions=tuple(registry.versions),
        approvals=tuple(registry.approvals),
        deployments=tuple(registry.deployments),
    )


async def _of_cluster(
    place: Place, log: Path | None, access: StoreAccess, everywhere: bool
) -> Source:
    with needs_the_extra():
        from hallmark.verification.gather import Objects
    space = None if everywhere else place.namespace
    async with cluster_of(place.user) as cluster:
        found = await objects_of(cluster, space)
        if found.hidden:
            raise ClusterError(f"An export must be whole. {found.hidden[0]}")
        spaces = sorted({version.metadata.namespace for version in found.versions})
        where = space or (spaces[0] if spaces else place.namespace)
        policies = [parsed_or_raise(ModelPolicy, obj) for obj in await cluster.list(MODEL_POLICY)]
        store = await store_of(cluster, where, access)
        anchor = await _anchor(cluster)
    objects = Objects(
        tuple(policies), found.runs, found.versions, found.approvals, found.deployments
    )
    return Source(objects, None if everywhere else {place.namespace}, store, log, anchor)


async def _anchor(cluster: Cluster) -> bytes | None:
    """Return the audit log's anchor, where the user may read it."""
    try:
        found = await cluster.get(CONFIG_MAP, SYSTEM_NAMESPACE, AUDIT_ANCHOR)
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return None
    text = ((found or {}).get("data") or {}).get(HEAD_KEY)
    return text.encode() if text else None


# -- what is shown ------------------------------------------------------------------------------

_MARKS = {"holds": ("✓", "good"), "broken": ("✗", "stopped"), "open": ("-", "unknown")}


def show_verdict(verdict: Verdict, output: Format) -> None:
    """Print a verdict as a tree, or as a document."""
    if output is not Format.TABLE:
        print_as(verdict.to_wire(), output)
        return
    named = f" {verdict.digest}" if verdict.digest else ""
    root = Tree(Text(f"chain{named}", style="bold"))
    for subject in verdict.subjects:
        branch = root.add(verdict_line(subject.state, f"{subject.kind} {subject.name}", ""))
        for link in subject.links:
            branch.add(verdict_line(link.state, link.name, link.said))
    console().print(root)
    counts = ", ".join(
        f"{sum(link.state == state for one in verdict.subjects for link in one.links)} {word}"
        for state, word in (("holds", "checked"), ("broken", "broken"), ("open", "not proved"))
    )
    word = "does not verify" if not verdict.ok else "verifies"
    console().print(plain(f"The chain {word}: {counts}."))


def verdict_line(state: str, what: str, said: str) -> Text:
    """Return a line of a verdict: tick, cross or dash, what it is about, and what was found."""
    mark, kind = _MARKS[state]
    line = Text(f"{mark} ", style=STATES[kind])
    line.append(plain(what), style="")
    if said:
        line.append(f": {plain(said)}", style="bright_black" if state == "holds" else STATES[kind])
    return line
