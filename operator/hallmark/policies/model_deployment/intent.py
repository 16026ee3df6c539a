"""What a ModelDeployment asks for: exact bytes, and how they are to be rolled out.

An intent is the manifest digest and the hash of the fields that decide about the rollout.
``replicas``, ``resources`` and ``suspend`` are not part of it, so scaling or suspending never
tries again what was refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hallmark.api.common import canonical_json
from hallmark.api.model_deployment import ModelDeploymentSpec, RefusedIntent
from hallmark.api.model_version import ModelVersion

FIELDS = frozenset({"model", "modelVersion", "strategy", "drift", "rollback"})
"""The fields of the spec that are part of an intent."""


@dataclass(frozen=True)
class Intent:
    """A version that is asked for."""

    version: ModelVersion
    hash: str

    @property
    def digest(self) -> str:
        """The manifest digest."""
        return self.version.spec.artifact.manifest_digest


def intent_hash(manifest_digest: str, spec: ModelDeploymentSpec) -> str:
    """Return 32 hex digits that stand for the digest and the intent's fields of the spec."""
    asked = {key: value for key, value in spec.to_wire().items() if key in FIELDS}
    return hashlib.sha256(canonical_json([manifest_digest, asked])).hexdigest()[:32]


def intend(version: ModelVersion, spec: ModelDeploymentSpec) -> Intent:
    """Return the intent to serve ``version`` as ``spec`` says."""
    return Intent(version, intent_hash(version.spec.artifact.manifest_digest, spec))


def is_refused(intent: Intent, refused: Iterable[RefusedIntent]) -> bool:
    """Tell whether the intent was refused; it is then never tried again."""
    return any(each.intent_hash == intent.hash for each in refused)


def desired(
    spec: ModelDeploymentSpec,
    versions: Iterable[ModelVersion],
    approved: Callable[[ModelVersion], bool],
    rejected: Callable[[ModelVersion], bool],
    at_least: int,
    active: str | None,
) -> Intent | None:
    """Return what the spec asks for now, or None where there is no such version.

    With ``modelVersion`` it is that version. With ``model`` it is the newest approved version;
    before anything serves, where none is approved yet, the newest that nobody rejected, so that
    the object says what it waits for.

    Args:
        spec: what is asked for.
        versions: the ModelVersions of the namespace.
        approved: whether a version is approved for this ModelDeployment now.
        rejected: whether a version was denied or revoked.
        at_least: the number of the version that serves, 0 where none does: a withdrawn
            approval is no reason to follow ``model`` backwards.
        active: the manifest digest that serves.
    """
    if spec.model_version is not None:
        named = [each for each in versions if each.metadata.name == spec.model_version]
        return intend(named[0], spec) if named else None
    mine = sorted(
        (each for each in versions if each.spec.model == spec.model),
        key=lambda each: each.spec.version,
        reverse=True,
    )
    newest = next((each for each in mine if approved(each)), None)
    if newest is not None and newest.spec.version >= at_least:
        return intend(newest, spec)
    if active is not None:
        serving = [each for each in mine if each.spec.artifact.manifest_digest == active]
        return intend(serving[0], spec) if serving else None
    waiting = next((each for each in mine if not rejected(each)), None)
    return intend(waiting, spec) if waiting else None
