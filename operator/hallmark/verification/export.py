"""``hallmark export``: a chain as a folder, readable and verifiable without whoever made it.

The same chain gives the same bytes: no time, no order of a listing, no name of who exported.
"""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

from hallmark.api.artifacts import Manifest, ManifestFile
from hallmark.api.files import BUNDLE, MANIFEST
from hallmark.api.model_version import ModelVersion
from hallmark.audit.files import log_files, read_head, read_lines
from hallmark.audit.head import Head, read_head_text
from hallmark.audit.record import read_record
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.new_files import new_folder
from hallmark.store import ArtifactMissing, Store
from hallmark.supply_chain.manifest import FileFact, read_manifest
from hallmark.supply_chain.manifest_form import MAX_BYTES
from hallmark.verification.bundle import copies_of, folder_of, provenance_name, signatures_beside
from hallmark.verification.files import HEAD, INDEX, LOG, REGISTRY, FolderFiles, build_index
from hallmark.verification.gather import Gathered, Objects, gather
from hallmark.verification.log import Log, log_of
from hallmark.verification.registry import version_of
from hallmark.verification.trusted import Trusted

_PROVENANCE = 16 << 20


def export(
    target: Path,
    objects: Objects,
    namespaces: set[str] | None,
    store: Store,
    log: Path | None,
    anchor: bytes | None,
    now: datetime,
) -> tuple[str, list[str]]:
    """Write a chain into a folder.

    Args:
        target: the folder; made, and empty before.
        objects: what is exported.
        namespaces: to which it is limited; None: all.
        store: where the sealed bundles are.
        log: the audit log's current file, or None.
        anchor: the signed head that is kept outside the log's volume, or None.
        now: the time (aware).

    Returns:
        The digest of the index, which names every file, and sentences on what was left out.

    Raises:
        ConfigurationError: the folder is not empty, or the log has no head that can be read.
        ArtifactError: the store cannot be read.
    """
    require_empty(target)
    try:
        with new_folder(target) as made:
            exported = _copy_log(log, anchor, made, now) if log else None
            gathered = gather(objects, namespaces, exported)
            return _write_all(made, gathered, store), gathered.left_out
    except OSError as error:
        raise ConfigurationError(
            f"The folder {target} cannot be used ({error.strerror})."
        ) from error


def _write_all(target: Path, gathered: Gathered, store: Store) -> str:
    """Write what was gathered, and the index; return the index's digest."""
    _write(target / REGISTRY, gathered.registry.to_text())
    versions = [version_of(entry) for entry in gathered.registry.versions]
    for folder, signature in signatures_beside(versions).items():
        _write(target / folder / BUNDLE, signature.encode())
    for version in versions:
        _copy_version(version, store, target, gathered)
    files = FolderFiles(target)
    facts = {name: fact for name in files.names() if (fact := files.fact(name))}
    index = build_index(facts).to_bytes()
    _write(target / INDEX, index)
    return FileFact.of(index).digest


def require_empty(target: Path) -> None:
    """Refuse a folder that something is in.

    Raises:
        ConfigurationError: it is not empty, or it is no folder.
    """
    try:
        found = next(target.iterdir(), None)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"The folder {target} cannot be used ({error.strerror})."
        ) from error
    if found is not None:
        raise ConfigurationError(
            f"Expected an empty folder, found '{found.name}' in {target}; name a new one."
        )


# -- the log ------------------------------------------------------------------------------------


def _copy_log(log: Path, anchor: bytes | None, target: Path, now: datetime) -> Log | None:
    """Copy a log up to the newest of its signed heads, in one file."""
    head = _newest_head(log, anchor)
    reached = False
    (target / LOG).parent.mkdir(parents=True, exist_ok=True)
    with (target / LOG).open("wb") as file:
        for line in (line for path in log_files(log) for line in read_lines(path)):
            file.write(line.data + b"\n")
            try:
                reached = read_record(line.data).seq >= head.seq
            except ValueError:
                continue
            if reached:
                break
    if not reached:
        raise ConfigurationError(
            f"Expected record {head.seq} in {log}, as its signed head says, found none; copy the "
            "log again, or look into it: hallmark audit verify."
        )
    _write(target / HEAD, head.to_bytes())
    return log_of(target / LOG, None, Trusted(), now)


def _newest_head(log: Path, anchor: bytes | None) -> Head:
    beside = read_head(log)
    outside = read_head_text(anchor.strip()) if anchor else None
    heads = [head for head in (beside, outside) if isinstance(head, Head)]
    if not heads:
        why = beside if isinstance(beside, str) else "found none."
        raise ConfigurationError(
            f"Expected a signed head beside {log}, {why} Copy secure_mlops.log.head too, or give "
            "the anchor with --anchor."
        )
    return max(heads, key=lambda head: head.seq)


# -- versions -----------------------------------------------------------------------------------


def _copy_version(version: ModelVersion, store: Store, target: Path, gathered: Gathered) -> None:
    """Copy a version's files; what the store does not have is said, and verifies as missing."""
    folder, digest = folder_of(version), version.spec.artifact.manifest_digest
    try:
        data = store.get(folder + MANIFEST, limit=MAX_BYTES)
        manifest = read_manifest(data, digest)
        if not isinstance(manifest, Manifest):
            gathered.left_out.append(f"{folder}: {manifest.sentence()}")
            return
        _write(target / folder / MANIFEST, data)
        for file in manifest.files:
            _copy_file(store, folder, file, target)
        _copy_provenance(version, store, target)
    except ArtifactMissing as error:
        gathered.left_out.append(str(error))
        return
    _lay_out(target, folder, manifest)


def _copy_file(store: Store, folder: str, file: ManifestFile, target: Path) -> None:
    path = target / folder / file.name
    if not path.exists():  # Another version may have the same bytes.
        _write(path, store.get(folder + file.name, limit=file.size))


def _copy_provenance(version: ModelVersion, store: Store, target: Path) -> None:
    name = provenance_name(version)
    try:
        _write(target / name, store.get(name, limit=_PROVENANCE))
    except ArtifactMissing:
        return  # The verifier says so.


def _lay_out(target: Path, folder: str, manifest: Manifest) -> None:
    """Put estimator and SBOM where a reader looks for them; a link takes no room."""
    names = {file.digest: file.name for file in manifest.files}
    for path, digest in copies_of(manifest).items():
        copy = target / path
        if copy.exists():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        source = target / folder / names[digest]
        try:
            os.link(source, copy)
        except OSError:
            shutil.copyfile(source, copy)


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written ({error.strerror}).") from error
