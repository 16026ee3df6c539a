"""``hallmark reproduce``: a version trained again, and its bytes compared with the sealed ones."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from hallmark.api.dataset import ConfigMapSource
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.evidence import Credentials, Endpoint, StoreAccess, store_of
from hallmark.cli.exits import ExitCode
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.local_show import announcer
from hallmark.cli.objects import objects_of, policy_of
from hallmark.cli.output import Format, Output, console, plain, print_as
from hallmark.cli.verifying import State, verdict_line
from hallmark.cluster.cluster import Cluster
from hallmark.cluster.kinds import CONFIG_MAP
from hallmark.errors import ConfigurationError

if TYPE_CHECKING:
    from hallmark.local.reproduce import Rows
    from hallmark.verification.reproduced import Reproduction
    from hallmark.verification.sealed import Read, Sealed

Asked = tuple["Sealed", "Rows"]
_MOST_LIBRARIES = 20

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="The file with the rows, or the folder of the path that the run names; not needed "
        "for rows in the run itself.",
    ),
]
Export = Annotated[
    Path | None, typer.Option("--export", help="An export that has the version, not a cluster.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(reproduce))


def reproduce(
    place: Place,
    name: Annotated[
        str, typer.Argument(metavar="RUN", help="A TrainingRun or its version, or MODEL/VERSION.")
    ],
    data: Data = None,
    export: Export = None,
    state: State = None,
    credentials: Credentials = None,
    endpoint: Endpoint = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 3 where an artifact has a dash.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Train a sealed version again, here, and compare the bytes of every artifact.

    A tick: the same bytes. A cross: others; the exit code is 10, and the line says where they
    differ. A dash: the same but for a list of libraries, or not comparable. Nothing is sealed, and
    no file of the bundle is run. Who signed is for 'hallmark verify'.
    """
    if export is not None and state is not None:
        raise ConfigurationError("Expected --export or --state, found both; leave one out.")
    access = StoreAccess(credentials, endpoint)
    with needs_the_extra(), _asked(place, name, export, state, access) as (sealed, rows):
        from hallmark.local.reproduce import reproduce as train_again, with_data

        with announcer(console(stderr=True)) as announce:
            found = train_again(sealed, with_data(rows, data), announce)
    _show(found, output)
    if found.state == "broken":
        raise typer.Exit(ExitCode.REFUSED)
    if strict and found.state != "holds":
        raise typer.Exit(ExitCode.WAITING)


@contextmanager
def _asked(
    place: Place, name: str, export: Path | None, state: Path | None, access: StoreAccess
) -> Iterator[Asked]:
    if export is not None:
        from hallmark.verification.oci import as_folder

        with as_folder(export) as folder:
            yield _of_export(folder, place.asked, name)
    elif state is not None:
        yield _of_folder(state, name)
    else:
        yield asyncio.run(_of_cluster(place, name, access))


def _of_export(folder: Path, namespace: str | None, name: str) -> Asked:
    """The policy in an export is whoever's wrote it: it opens no URL."""
    from hallmark.local.reproduce import Rows
    from hallmark.verification.files import REGISTRY, FolderFiles
    from hallmark.verification.registry import MAX_BYTES, read_registry, run_of, version_of

    files = FolderFiles(folder)
    registry = read_registry(files.read(REGISTRY, MAX_BYTES))
    if isinstance(registry, str):
        raise ConfigurationError(f"{folder} is no export: {registry}")
    versions = [version_of(entry) for entry in registry.versions]
    here = [one for one in versions if namespace in {None, one.metadata.namespace}]
    version = chosen(here, name)
    runs = (run_of(entry) for entry in registry.runs)
    return _sealed(version, runs, files.read), Rows()


def _of_folder(state: Path, name: str) -> Asked:
    from hallmark.local.folder import Folder
    from hallmark.local.reproduce import Rows
    from hallmark.verification.files import FolderFiles

    folder = Folder(state)
    registry = folder.read()
    sealed = _sealed(chosen(registry.versions, name), registry.runs, FolderFiles(folder.path).read)
    return sealed, Rows(policy=registry.policy.spec)


async def _of_cluster(place: Place, name: str, access: StoreAccess) -> Asked:
    from hallmark.local.reproduce import Rows
    from hallmark.local.runs import small_file
    from hallmark.store import ArtifactTooLarge

    async with cluster_of(place.user) as cluster:
        found = await objects_of(cluster, place.namespace)
        if found.hidden:
            raise ConfigurationError(found.hidden[0])
        version = chosen(found.versions, name)
        store = await store_of(cluster, place.namespace, access)
        _, policy = await policy_of(cluster, place.namespace)

        def read(path: str, limit: int) -> bytes | None:
            try:
                return small_file(store, path, limit)
            except ArtifactTooLarge:
                return None

        sealed = await asyncio.to_thread(_sealed, version, found.runs, read)
        dataset = sealed.run.spec.dataset
        source = dataset.config_map if dataset else None
        content = await _config_map(cluster, place.namespace, source) if source else None
    return sealed, Rows(content=content, policy=policy)


async def _config_map(cluster: Cluster, namespace: str, source: ConfigMapSource) -> bytes | None:
    """Return the rows in a ConfigMap, or None where they are not there any more."""
    found = await cluster.get(CONFIG_MAP, namespace, source.name) or {}
    text = (found.get("data") or {}).get(source.key)
    packed = (found.get("binaryData") or {}).get(source.key)
    try:
        return text.encode() if text is not None else base64.b64decode(packed or "") or None
    except binascii.Error:
        return None


def chosen(versions: Iterable[ModelVersion], asked: str) -> ModelVersion:
    """Return the version of a run or of a name, or ``MODEL/VERSION`` by name or number.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    every = list(versions)
    model, slash, name = asked.rpartition("/")
    found = [
        one
        for one in every
        if name in {one.metadata.name, one.spec.training_run.name}
        or (slash and name == str(one.spec.version))
    ]
    if slash:
        found = [one for one in found if one.spec.model == model]
    if len(found) == 1:
        return found[0]
    if found:
        spaces = ", ".join(sorted({one.metadata.namespace for one in found}))
        raise ConfigurationError(
            f"Expected one version '{asked}', found {len(found)} (in {spaces}); choose with -n, or "
            "as MODEL/VERSION."
        )
    known = ", ".join(sorted({one.metadata.name for one in every})[:12]) or "none"
    raise ConfigurationError(
        f"Expected a version '{asked}', found none; sealed are: {known}. A run that was refused "
        "left nothing to compare with."
    )


def _sealed(version: ModelVersion, runs: Iterable[TrainingRun], read: Read) -> Sealed:
    from hallmark.verification.bundle import folder_of
    from hallmark.verification.sealed import sealed_of

    folder, uid = folder_of(version), version.spec.training_run.uid
    run = next((one for one in runs if one.metadata.uid == uid), None)
    return sealed_of(version, run, lambda name, limit: read(folder + name, limit))


def _show(found: Reproduction, output: Format) -> None:
    """Print what came of it: a tree of artifacts, and what is another one here."""
    if output is not Format.TABLE:
        print_as(found.to_wire(), output)
        return
    root = Tree(Text(plain(found.version), style="bold"))
    for link in found.links:
        root.add(verdict_line(link.state, link.name, link.said))
    if found.libraries:
        branch = root.add(Text(f"{len(found.libraries)} libraries are others here"))
        for library in found.libraries[:_MOST_LIBRARIES]:
            then, now = library.then or "none", library.now or "none"
            branch.add(Text(plain(f"{library.name}: {then} then, {now} now")))
        if (more := len(found.libraries) - _MOST_LIBRARIES) > 0:
            branch.add(Text(f"and {more} more"))
    console().print(root)
    console().print(plain(_summary(found)))


def _summary(found: Reproduction) -> str:
    same = sum(link.state == "holds" for link in found.links)
    others = [link.name for link in found.links if link.state == "broken"]
    count = f"{same} of {len(found.links)} have the sealed bytes"
    if not others:
        rest = "" if found.state == "holds" else "; the others differ in their list of libraries"
        return f"{found.version} was reproduced: {count}{rest}."
    here = ", ".join(f"{name} {value}" for name, value in found.here.items())
    why = "" if found.libraries else " The libraries are the same."
    return (
        f"{found.version} was not reproduced: {count}; others are {', '.join(others)}.{why} What a "
        f"bundle does not record is here: {here}."
    )
