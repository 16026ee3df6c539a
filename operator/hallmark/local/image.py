"""The build context of an image that serves one version by itself: checked, then written."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from hallmark.api.artifacts import Manifest
from hallmark.api.files import DOCKERFILE, SERVED_FILES, SLOT_SBOM, final_name
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.api.texts import sha256_digest
from hallmark.api.trust import Trust
from hallmark.errors import ConfigurationError
from hallmark.new_files import new_folder
from hallmark.policies.model_deployment.checks import CONDITIONS
from hallmark.supply_chain.derived import own_dockerfile
from hallmark.supply_chain.dockerfile import TRUST
from hallmark.supply_chain.manifest import check_bytes
from hallmark.verification.differences import first_difference
from hallmark.verification.files import REGISTRY, Files
from hallmark.verification.registry import MAX_BYTES, read_registry
from hallmark_predictor.loader import load_trusted
from hallmark_predictor.verification import Place, Refused

Read = Callable[[str, int], bytes | None]
"""Returns a file of the bundle by its name; None where there is none, or more bytes."""


def context(document: bytes, read: Read, now: datetime) -> Mapping[str, bytes]:
    """Return the files of a build context by name, once the predictor itself would serve them.

    Args:
        document: ``trust.json``: whose seal and approvals count in the image.
        read: reads the bundle.
        now: the moment at which the signer's key must be valid (aware).

    Raises:
        ConfigurationError: it would not serve, or its Dockerfile is another one.
    """
    trust = _trust(document)
    served: dict[str, bytes] = {}

    def fetch(manifest: Manifest) -> Mapping[str, bytes]:
        for name in SERVED_FILES:
            entry = manifest.file(name)
            data = read(name, entry.size) if entry else None
            if data is not None:
                served[name] = data
        return served

    place = Place(trust.namespace, trust.deployment)
    sha256 = hashlib.sha256(document).hexdigest()
    found = load_trusted(document, sha256, place, now, fetch)
    if isinstance(found, Refused):
        raise ConfigurationError(f"{trust.model_version} would not serve: {found.message}")
    manifest = Manifest.model_validate_json(trust.manifest)
    bill = final_name(SLOT_SBOM, manifest.run_id)
    files = {name: _sealed(manifest, name, read) for name in (DOCKERFILE, bill)}
    _require_own_dockerfile(manifest, files[DOCKERFILE])
    return {**served, **files, TRUST: document}


def require_standing(version: ModelVersion) -> None:
    """Refuse a version that nothing would begin to serve, as it was looked at just now.

    The trust file has approvals; it has no word of a denial, a revocation, or today's policy.

    Raises:
        ConfigurationError: it was denied or revoked, or does not meet what is asked of it.
    """
    name, status = version.metadata.name, version.status
    for final in (VersionCondition.DENIED, VersionCondition.REVOKED):
        if status.is_true(final):
            raise ConfigurationError(
                f"{name} would not serve: a reviewer {final.lower()} it, which is final; name "
                "another version."
            )
    for asked in (*CONDITIONS, VersionCondition.APPROVED):
        if not status.is_true(asked):
            found = status.condition(asked)
            said = found.message if found else "Nobody has looked yet."
            raise ConfigurationError(f"{name} would not serve: it is not {asked} today. {said}")


def require_not_rejected(document: bytes, around: Files) -> None:
    """Refuse bytes that were denied or revoked, as far as the export around their bundle says.

    Whoever wrote the export may have left that out; what it says makes the answer stricter alone.

    Args:
        document: ``trust.json``.
        around: the export, or any folder: one without a registry says nothing.

    Raises:
        ConfigurationError: they were; the sentence says by whom.
    """
    registry = read_registry(around.read(REGISTRY, MAX_BYTES))
    if isinstance(registry, str):
        return
    digest = sha256_digest(_trust(document).manifest.encode())
    for entry in registry.approvals:
        spec = entry.spec
        if spec.decision.is_final and spec.manifest_digest == digest:
            raise ConfigurationError(
                f"{spec.model_version.name} would not serve: {spec.decision} by {spec.approver} "
                f"(ModelApproval '{entry.name}' in the export), which is final; name another "
                "version."
            )


def write_context(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a build context into a new folder.

    Raises:
        ConfigurationError: the folder is there already, or cannot be made.
    """
    try:
        if folder.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        with new_folder(folder) as made:
            for name, data in files.items():
                (made / name).write_bytes(data)
    except OSError as error:
        raise ConfigurationError(
            f"Expected a new folder {folder}, found that it cannot be made ({error.strerror}); "
            "name another one."
        ) from error


def _trust(document: bytes) -> Trust:
    try:
        return Trust.model_validate_json(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ConfigurationError(
            f"Expected a trust file, as the ConfigMap '<deployment>-trust-...' has it, found "
            f"{first['msg']} at '{'.'.join(map(str, first['loc'])) or 'the whole'}'."
        ) from error


def _sealed(manifest: Manifest, name: str, read: Read) -> bytes:
    entry = manifest.file(name)
    data = read(name, entry.size) if entry else None
    if data is None:
        raise ConfigurationError(f"Expected '{name}' of the sealed bundle, found none.")
    if problem := check_bytes(manifest, name, data):
        raise ConfigurationError(problem.sentence())
    return data


def _require_own_dockerfile(manifest: Manifest, found: bytes) -> None:
    """Refuse what somebody else wrote: a build runs what a Dockerfile says."""
    wanted = own_dockerfile(manifest)
    if found != wanted:
        raise ConfigurationError(
            f"Expected the Dockerfile that this release of Hallmark makes, found another: "
            f"{first_difference(found, wanted)}. Seal the run again with this release, or take the "
            "one that sealed it."
        )
