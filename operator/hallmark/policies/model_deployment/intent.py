"""What a ModelDeployment asks for: exact bytes, and how they are to be rolled out.

An intent is the manifest digest and the hash of the fields that decide about the rollout.
``replicas``, ``resources`` and ``suspend`` are not part of it, so scaling or suspending never
tries again what was refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hallmark.api.model_deployment import ModelDeploymentSpec, RefusedIntent
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import canonical_json
from hallmark.policies.model_deployment.checks import is_approved, is_rejected, would_be_approved
from hallmark.policies.model_deployment.inputs import View

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
    return any(entry.intent_hash == intent.hash for entry in refused)


def intent_of(view: View) -> Intent | None:
    """Return what is asked for now, or None where there is no such version."""
    spec, inputs, active = view.inputs.deployment.spec, view.inputs, view.active
    serving = active if active and active.spec.model == spec.model else None
    return find_intent(
        spec,
        [version for version in inputs.versions if version.metadata.deletion_timestamp is None],
        approved=lambda version: is_approved(version, inputs),
        rejected=is_rejected,
        renewable=lambda version: would_be_approved(version, inputs),
        at_least=serving.spec.version if serving else 0,
        active=view.status.active_digest if serving else None,
    )


def find_intent(
    spec: ModelDeploymentSpec,
    versions: Iterable[ModelVersion],
    approved: Callable[[ModelVersion], bool],
    rejected: Callable[[ModelVersion], bool],
    renewable: Callable[[ModelVersion], bool],
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
        renewable: whether it would be approved if it had not been rolled back: it stays what is
            asked for while an older one serves, which is not promoted anew because of that.
        at_least: the number of the version that serves, 0 where none does: a withdrawn
            approval is no reason to follow ``model`` backwards.
        active: the manifest digest that serves.
    """
    if spec.model_version is not None:
        named = [version for version in versions if version.metadata.name == spec.model_version]
        return intend(named[0], spec) if named else None
    mine = sorted(
        (version for version in versions if version.spec.model == spec.model),
        key=lambda version: version.spec.version,
        reverse=True,
    )
    newest = next((version for version in mine if approved(version)), None)
    if newest is not None and newest.spec.version >= at_least:
        serves = newest.spec.artifact.manifest_digest == active
        newer = mine[: mine.index(newest)] if serves else []
        return intend(next(filter(renewable, newer), newest), spec)
    if active is not None:
        serving = [version for version in mine if version.spec.artifact.manifest_digest == active]
        return intend(serving[0], spec) if serving else None
    waiting = next((version for version in mine if not rejected(version)), None)
    return intend(waiting, spec) if waiting else None
