"""From a folder on disk to what is verified: an export, or whatever registry was gathered."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from hallmark.errors import ConfigurationError
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED, LookUp
from hallmark.verification.files import INDEX, LOG, REGISTRY, FolderFiles
from hallmark.verification.gather import Objects, gather
from hallmark.verification.links import Subject, Verdict, broken
from hallmark.verification.log import log_of
from hallmark.verification.registry import MAX_BYTES, read_registry
from hallmark.verification.trusted import Trusted
from hallmark.verification.verify import Evidence, verify


def is_export(folder: Path) -> bool:
    """Tell whether a folder says that it is an export."""
    return (folder / INDEX).exists()


def verify_export(
    folder: Path, trusted: Trusted, now: datetime, look_up: LookUp = lambda _: NOT_MOUNTED
) -> Verdict:
    """Return how every link of an export stands. Whatever is in it, nothing is raised for that.

    Args:
        folder: the export.
        trusted: the verifier's keys.
        now: when the keys must be valid (aware).
        look_up: says which vulnerabilities packages have; without it nobody knows.

    Raises:
        ArtifactError: a file cannot be read by this user.
    """
    files = FolderFiles(folder)
    registry = read_registry(files.read(REGISTRY, MAX_BYTES))
    if isinstance(registry, str):
        return Verdict((Subject("Export", "the whole", (broken("registry", registry),)),))
    log = log_of(folder / LOG, None, trusted, now)
    return verify(Evidence(registry, files, log, True, look_up), trusted, now)


def verify_folder(
    folder: Path,
    objects: Objects,
    log: Path,
    trusted: Trusted,
    now: datetime,
    look_up: LookUp = lambda _: NOT_MOUNTED,
) -> tuple[Verdict, list[str]]:
    """Return how every link of a chain in a folder stands, and what is not part of it.

    Args:
        folder: with ``models/`` and ``sbom/``.
        objects: of its registry.
        log: its audit log's current file.
        trusted: the verifier's keys.
        now: when the keys must be valid (aware).
        look_up: as of ``verify_export``.

    Raises:
        ConfigurationError: there is no audit log to say what belongs to it.
    """
    found = log_of(log, None, trusted, now)
    if found is None:
        raise ConfigurationError(f"Expected an audit log {log}, found none.")
    gathered = gather(objects, None, found)
    evidence = Evidence(gathered.registry, FolderFiles(folder), found, False, look_up)
    return verify(evidence, trusted, now), gathered.left_out
