"""A sealed version with what is needed to train it again, or why it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hallmark.api.artifacts import Manifest
from hallmark.api.files import MANIFEST, REPORT, final_name
from hallmark.api.findings import Finding
from hallmark.api.metrics import Gate
from hallmark.api.model_version import ModelVersion
from hallmark.api.report import Report
from hallmark.api.texts import sha256_digest
from hallmark.api.training_run import TrainingRun, spec_digest
from hallmark.errors import ConfigurationError
from hallmark.policies.sealed import read_report, version_contradiction
from hallmark.supply_chain.manifest import read_manifest
from hallmark.supply_chain.manifest_form import MAX_BYTES
from hallmark.supply_chain.signing import PROVENANCE_FOLDER

Read = Callable[[str, int], bytes | None]
"""Returns a file of a version's folder by its name; None where there is none, or more bytes."""
_DOCUMENT_BYTES = 16 << 20


@dataclass(frozen=True)
class Sealed:
    """A version, the run that it came from, and its files.

    Args:
        manifest: the one that the version's digest names.
        report: the sealed one.
        read: reads its files; what it gives is held against the manifest.
    """

    version: ModelVersion
    run: TrainingRun
    manifest: Manifest
    report: Report
    read: Read

    @property
    def floors(self) -> list[Gate]:
        """The gates of the policy of then, as the sealed report has them."""
        kept = Gate.model_fields.keys()
        return [
            Gate.model_validate(result.model_dump(include=set(kept)))
            for result in self.report.gates
            if result.source == "Policy"
        ]

    def file(self, slot: str) -> bytes | None:
        """Return what was sealed of a slot; None where it is not there, or was changed since."""
        if slot == MANIFEST:
            return self.manifest.to_bytes()
        entry = self.manifest.file(final_name(slot, self.manifest.run_id))
        data = self.read(entry.name, entry.size) if entry else None
        if entry is None or data is None or sha256_digest(data) != entry.digest:
            return None
        return data

    def provenance(self) -> bytes | None:
        """Return the signed provenance of the version's run, where there is one."""
        uid = self.version.spec.training_run.uid
        return self.read(f"{PROVENANCE_FOLDER}/{uid}.json", _DOCUMENT_BYTES)


def sealed_of(version: ModelVersion, run: TrainingRun | None, read: Read) -> Sealed:
    """Return a version that can be trained again.

    Raises:
        ConfigurationError: it cannot be; the sentence says why, and what to do.
    """
    name = version.metadata.name
    if run is None:
        raise ConfigurationError(
            f"{name} cannot be reproduced: its TrainingRun '{version.spec.training_run.name}' is "
            "gone, and only that says what to train. An export of before has it."
        )
    if run.spec.sealed is not None:
        raise ConfigurationError(
            f"{name} was adopted from {run.spec.sealed.uri}, not trained here. Reproduce it from "
            "an export of where it was trained: that has the run."
        )
    digest = version.spec.artifact.manifest_digest
    manifest = read_manifest(read(MANIFEST, MAX_BYTES) or b"", digest)
    if isinstance(manifest, Finding):
        raise ConfigurationError(f"{name} cannot be reproduced: {manifest.sentence()}")
    if problem := version_contradiction(version, manifest):
        raise ConfigurationError(f"{name} cannot be reproduced: {problem}")
    if (asked := spec_digest(run.spec)) != manifest.spec_digest:
        raise ConfigurationError(
            f"{name} cannot be reproduced: expected its TrainingRun with spec "
            f"{manifest.spec_digest}, found {asked}; another run has taken that name."
        )
    report = read_report(manifest, read(REPORT, _DOCUMENT_BYTES) or b"")
    if isinstance(report, str):
        raise ConfigurationError(f"{name} cannot be reproduced: {report}")
    return Sealed(version, run, manifest, report, read)
