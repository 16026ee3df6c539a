"""Where a bundle came from: a SLSA provenance v1 statement in a signed DSSE envelope.

https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hallmark.api.artifacts import Manifest
from hallmark.api.tasks import SealTask
from hallmark.api.texts import canonical_json
from hallmark.keys import Signer
from hallmark.supply_chain.dsse import IN_TOTO, sign_envelope
from hallmark.supply_chain.library import FILES_PROPERTY, TRAINING, Library
from hallmark.supply_chain.sbom import SBOM
from hallmark.supply_chain.signing import STATEMENT_TYPE
from hallmark.supply_chain.strict_json import parse_object
from hallmark.supply_chain.verify import signed_resources

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://hallmark.dev/training-run/v1alpha1"
BUILDER = "https://hallmark.dev/sealing-job/v1alpha1"
MAX_BYTES = 16 << 20
"""A statement that is longer is refused unread."""


@dataclass(frozen=True)
class Build:
    """What only the sealing Job knew of a build; statements of before had none of it.

    Attributes:
        spec: what the run asked for (``hallmark.api.training_run.told_spec``).
        image: the reference of the image that sealed; empty where it is not known.
    """

    spec: Mapping[str, Any]
    image: str


def statement(
    manifest: Manifest,
    *,
    manifest_digest: str,
    run_name: str,
    run_uid: str,
    build: Build | None,
    bill: SBOM | None,
) -> bytes:
    """Return the statement that follows from a manifest, its bill and the run that made it.

    Args:
        manifest: The sealed manifest.
        manifest_digest: Its digest.
        run_name: The TrainingRun.
        run_uid: Its uid.
        build: What only the sealing Job knew; None gives the statement of before.
        bill: The sealed bill of materials; its libraries are in the statement where ``build`` is.
    """
    resources = signed_resources(manifest, manifest_digest)
    trained = [found for found in bill.libraries if TRAINING in found.used_in] if bill else []
    libraries = [_library(found) for found in trained] if build else []
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
                        **({"spec": build.spec} if build else {}),
                    },
                    "resolvedDependencies": [
                        {"name": "dataset", "digest": _digest(manifest.dataset_fingerprint)},
                        {"name": "trainer image", "digest": _digest(manifest.image_digest)},
                        *libraries,
                    ],
                },
                "runDetails": {
                    "builder": {"id": BUILDER, **_sealer(build)},
                    "metadata": {"invocationId": run_uid},
                },
            },
        }
    )


def sign_provenance(key: Signer, task: SealTask, manifest: Manifest, bill: SBOM | None) -> bytes:
    """Return ``provenance/<run uid>.json``: the statement in an envelope by the sealing key."""
    said = statement(
        manifest,
        manifest_digest=task.manifest_digest,
        run_name=task.run_name,
        run_uid=task.run_uid,
        build=None if task.spec is None else Build(task.spec, task.image),
        bill=bill,
    )
    return canonical_json(sign_envelope(key, IN_TOTO, said))


def build_in(payload: bytes) -> Build | None:
    """Return what only the sealing Job knew, as a statement says it; None where it says nothing.

    Whether the rest of the statement is true, and this, is for the caller to find out: what is of
    another form is nothing, and then the statement is not the one that follows.
    """
    try:
        predicate = parse_object(payload, MAX_BYTES)["predicate"]
        spec = predicate["buildDefinition"]["externalParameters"]["spec"]
        images = predicate["runDetails"]["builder"].get("builderDependencies", [])
        image = images[0]["uri"] if images else ""
        if not _is_shallow([spec, image]):
            return None
        canonical_json([spec, image])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None
    return Build(spec, image) if isinstance(spec, dict) and isinstance(image, str) else None


def _is_shallow(value: object, levels: int = 32) -> bool:
    """Tell whether a JSON value is nested no deeper than so many levels."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in inner)


def _sealer(build: Build | None) -> dict[str, Any]:
    """Return the image that sealed, with its digest where its reference has one."""
    if not build or not build.image:
        return {}
    _, pinned, digest = build.image.rpartition("@sha256:")
    stated = {"digest": _digest(digest)} if pinned else {}
    return {
        "builderDependencies": [{"name": "sealing image", "uri": build.image, **stated}],
    }


def _library(library: Library) -> dict[str, Any]:
    """Return a package with the digests that are known of it."""
    return {
        "uri": library.purl,
        **({"digest": _digest(library.wheel)} if library.wheel else {}),
        **({"annotations": {FILES_PROPERTY: library.files}} if library.files else {}),
    }


def _digest(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}
