"""Where a bundle came from: a SLSA provenance v1 statement in a signed DSSE envelope.

https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

from hallmark.api.artifacts import Manifest, SealTask
from hallmark.api.common import canonical_json
from hallmark.keys import Signer
from hallmark.supply_chain.dsse import IN_TOTO, sign_envelope
from hallmark.supply_chain.signing import STATEMENT_TYPE
from hallmark.supply_chain.verify import signed_resources

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://hallmark.dev/training-run/v1alpha1"
BUILDER = "https://hallmark.dev/sealing-job/v1alpha1"


def build_provenance(task: SealTask, manifest: Manifest) -> bytes:
    """Return the statement about the sealed files of one run."""
    return statement(
        manifest,
        manifest_digest=task.manifest_digest,
        run_name=task.run_name,
        run_uid=task.run_uid,
    )


def statement(manifest: Manifest, *, manifest_digest: str, run_name: str, run_uid: str) -> bytes:
    """Return the statement that follows from a manifest and the run that made it."""
    resources = signed_resources(manifest, manifest_digest)
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": name, "digest": _digest(each)} for name, each in sorted(resources.items())
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": {
                        "namespace": manifest.namespace,
                        "trainingRun": run_name,
                        "model": manifest.model,
                        "specDigest": manifest.spec_digest,
                    },
                    "resolvedDependencies": [
                        {"name": "dataset", "digest": _digest(manifest.dataset_fingerprint)},
                        {"name": "trainer image", "digest": _digest(manifest.image_digest)},
                    ],
                },
                "runDetails": {
                    "builder": {"id": BUILDER},
                    "metadata": {"invocationId": run_uid},
                },
            },
        }
    )


def sign_provenance(key: Signer, task: SealTask, manifest: Manifest) -> bytes:
    """Return ``provenance/<run uid>.json``: the statement in an envelope by the sealing key."""
    return canonical_json(sign_envelope(key, IN_TOTO, build_provenance(task, manifest)))


def _digest(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}
