"""Which served files travel in the cluster, so that Pods start while the store is away. Pure."""

from __future__ import annotations

from hallmark.api.artifacts import Manifest
from hallmark.api.model_deployment import HistoryEntry, ModelDeploymentStatus, StoreDependence
from hallmark.policies.model_deployment import checks
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.policies.model_deployment.rollback import refused_since, stable_entries
from hallmark.supply_chain.carried import CARRIED_BYTES, carried_size


def must_carry(digest: str, trust_sha256: str, inputs: DeploymentInputs) -> bool:
    """Tell whether a version's served files are to be put beside its trust.

    Args:
        digest: the version's manifest digest.
        trust_sha256: its trust, which knows how large they are.
        inputs: the cluster as it is.
    """
    if inputs.carried is None or digest in inputs.carried:
        return False
    size = _size(digest, trust_sha256, inputs)
    return size is not None and size <= CARRIED_BYTES


def likely_target(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> HistoryEntry | None:
    """Return the time in service that a rollback of now would go back to, bytes apart."""
    for entry in stable_entries(status):
        version = inputs.version(entry.version, entry.manifest_digest)
        refused = refused_since(entry, status.refused)
        if not refused and version is not None and checks.rejection(version, inputs) is None:
            return entry
    return None


def store_dependence(
    status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> StoreDependence | None:
    """Return what cannot be done while the store is away, or None where there is no cluster."""
    if inputs.carried is None or not status.history:
        return None
    head, target = status.history[0], likely_target(status, inputs)
    needed = head.manifest_digest not in inputs.carried
    to_turn_back = target is not None and target.manifest_digest not in inputs.carried
    said = [_said(head, inputs)]
    if target is not None:
        what = "needs the store" if to_turn_back else "needs no store"
        said.append(f"A rollback to '{target.version}' {what}.")
    return StoreDependence(needed=needed, needed_for_rollback=to_turn_back, message=" ".join(said))


def _said(head: HistoryEntry, inputs: DeploymentInputs) -> str:
    size = _size(head.manifest_digest, head.trust_sha256, inputs)
    files = f"The served files of '{head.version}'"
    if head.manifest_digest in (inputs.carried or ()):
        return f"{files} travel in the cluster: its Pods start without the store."
    if size is not None and size > CARRIED_BYTES:
        return (
            f"{files} have {size} bytes, more than the {CARRIED_BYTES} that travel in the cluster: "
            f"while the store is away no new Pod of it starts; Pods that run go on, and restart."
        )
    return f"{files} are not in the cluster (yet); the store is asked for them."


def _size(digest: str, trust_sha256: str, inputs: DeploymentInputs) -> int | None:
    """Return how many bytes travel, or None where no manifest is known."""
    if trust_sha256 in inputs.carried_sizes:
        return inputs.carried_sizes[trust_sha256]
    verification = inputs.verifications.get(digest)
    if verification is None or not verification.manifest:
        return None
    return carried_size(Manifest.model_validate_json(verification.manifest))
