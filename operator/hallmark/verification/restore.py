"""What brings an exported registry into another cluster: bundles, runs, decisions. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hallmark.api.common import NamespacedMeta
from hallmark.api.dataset import SealedBundle
from hallmark.api.model_approval import ModelApproval, ReviewDecision
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun, TrainingRunSpec
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.quorum import person
from hallmark.verification.bundle import bundle_of
from hallmark.verification.files import Files
from hallmark.verification.recorded import Recorded
from hallmark.verification.registry import ApprovalEntry, Registry, version_of


@dataclass(frozen=True)
class Restored:
    """One version, and all that makes it again elsewhere.

    Args:
        version: as it was.
        files: the paths of its sealed files, manifest and signature last.
        attested: decisions that their approvers signed; denials and revocations first.
        plain: names of decisions for which only the former cluster vouched.
        uncounted: names of signed approvals and assessments that counted for nothing there, or are
            by who asked for the version: whoever imports asks for it anew, and would let them in.
        lost: names of denials and revocations of these bytes that cannot be made again: nobody
            signed them, or their objects are gone. Without them no approval comes along.
        untold: whether nobody knows of such, for want of a log to believe: whoever could write the
            export may have left them out with it. Then no approval comes along either.
    """

    version: ModelVersion
    files: tuple[str, ...]
    attested: tuple[ApprovalEntry, ...]
    plain: tuple[str, ...]
    lost: tuple[str, ...] = ()
    untold: bool = False
    uncounted: tuple[str, ...] = ()

    def run(self, uri: str, requester: str) -> TrainingRun:
        """Return the run that adopts the bundle.

        Args:
            uri: of the bundle's folder in the new store.
            requester: who asks for it now.
        """
        metadata, spec = self.version.metadata, self.version.spec
        digest = spec.artifact.manifest_digest
        return TrainingRun(
            metadata=NamespacedMeta(name=metadata.name, namespace=metadata.namespace),
            spec=TrainingRunSpec(
                model=spec.model,
                sealed=SealedBundle(uri=uri, manifest_digest=digest),
                requested_by=requester,
            ),
        )

    def approvals(self, uid: str) -> Iterator[ModelApproval]:
        """Yield the signed decisions on the version of another uid; no signature covers that."""
        for entry in self.attested:
            reference = entry.spec.model_version.replace(uid=uid)
            yield ModelApproval(
                metadata=NamespacedMeta(name=entry.name, namespace=entry.namespace),
                spec=entry.spec.replace(model_version=reference),
            )


def restored(registry: Registry, files: Files, recorded: Recorded | None) -> Iterator[Restored]:
    """Yield the versions of an export, each model's in the order of their numbers.

    Args:
        registry: what the export names.
        files: its files.
        recorded: its audit log, where it has one that can be believed.
    """
    entries = sorted(
        registry.versions, key=lambda one: (one.namespace, one.spec.model, one.spec.version)
    )
    for entry in entries:
        version = version_of(entry)
        bundle = bundle_of(version, files)
        mine = [one for one in registry.approvals if one.spec.model_version.uid == entry.uid]
        lost, untold = _lost(version, registry, recorded), recorded is None
        final = [one for one in mine if one.spec.attestation and one.spec.decision.is_final]
        signed = [one for one in mine if one.spec.attestation and not one.spec.decision.is_final]
        counted = [one for one in signed if _counted(one, version, recorded)]
        last = ("manifest.json", "model.sigstore.json")
        yield Restored(
            version=version,
            files=tuple(sorted(bundle.names, key=lambda name: (name.endswith(last), name))),
            attested=tuple(
                sorted(
                    final if lost or untold else [*final, *counted],
                    key=lambda one: (one.spec.decision is ReviewDecision.APPROVED, one.name),
                )
            ),
            plain=tuple(one.name for one in mine if not one.spec.attestation),
            lost=lost,
            untold=untold,
            uncounted=tuple(one.name for one in signed if one not in counted),
        )


def _counted(said: ApprovalEntry, version: ModelVersion, recorded: Recorded | None) -> bool:
    """Tell whether a signed word counted, as far as is known."""
    requester = version.spec.requested_by
    askers = {person(name) for name in (requester.name, requester.relay) if name}
    judged = [record.outcome for record in recorded.decision(said.uid)] if recorded else []
    refused = bool(judged) and AuditOutcome.ACCEPTED not in judged
    return not refused and person(said.spec.approver) not in askers


def _lost(version: ModelVersion, registry: Registry, recorded: Recorded | None) -> tuple[str, ...]:
    namespace, digest = version.metadata.namespace, version.spec.artifact.manifest_digest
    here = {one.uid: one for one in registry.approvals}
    found = {
        one.name
        for one in here.values()
        if (one.namespace, one.spec.manifest_digest) == (namespace, digest)
        and one.spec.decision.is_final
        and not one.spec.attestation
    }
    for word in recorded.words_on(namespace, digest) if recorded else ():
        final = word.event in {AuditEvent.DENY, AuditEvent.REVOKE}
        gone = word.details.get("approvalUid", "") not in here
        if final and gone and word.outcome == AuditOutcome.ACCEPTED:
            found.add(word.details.get("approval", ""))
    return tuple(sorted(found))
