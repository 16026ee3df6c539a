"""A version, with all that it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.artifacts import Manifest
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ApprovalRecord, ModelVersion
from hallmark.api.texts import parse_timestamp
from hallmark.api.training_run import TrainingRun
from hallmark.supply_chain.vulnerabilities import LookUp
from hallmark.verification.bundle import Bundle, bill_path, sealed_bill_of
from hallmark.verification.files import Files
from hallmark.verification.recorded import Recorded
from hallmark.verification.trusted import Trusted


@dataclass(frozen=True)
class Held:
    """A version, with all that it is held against.

    Args:
        version: the version.
        bundle: its files.
        beside: the signature that must lie beside them: of the newest version of these bytes.
        files: all files.
        run: the run that it came from, where it is there.
        policy: the policy that the newest record about it names, or the only one there is.
        recorded: the audit log, where there is one that can be believed.
        trusted: the verifier's keys.
        now: when no key may be revoked.
        look_up: says which vulnerabilities packages have.
        decided: people's decisions on it that count.
    """

    version: ModelVersion
    bundle: Bundle
    beside: str
    files: Files
    run: TrainingRun | None
    policy: ModelPolicy | None
    recorded: Recorded | None
    trusted: Trusted
    now: datetime
    look_up: LookUp
    decided: Sequence[ApprovalRecord] = ()

    @property
    def sealed_at(self) -> datetime | None:
        """When the signed log first says that these bytes were sealed here, or None."""
        if self.recorded is None:
            return None
        spec, namespace = self.version.spec, self.version.metadata.namespace
        found = self.recorded.seals.get((namespace, spec.artifact.manifest_digest))
        return parse_timestamp(found.time) if found else None

    def sealed_bill(self, manifest: Manifest) -> bytes:
        """Return the bytes of the bill of materials; nothing where others are there, or none."""
        return sealed_bill_of(self.version, manifest, self.files)

    def found_bill(self, manifest: Manifest) -> str:
        """Return what is there in the place of the bill of materials: a digest, or none."""
        fact = self.files.fact(bill_path(self.version, manifest))
        return fact.digest if fact else "none"
