"""What a reviewer is shown of a version, as one digest: its evidence, and what it would replace.

A review shows nothing of its own: report, gates, SBOM and the differences to what serves are made
from sealed files alone, and those are fixed by the digests of two versions. So the digest can be
made by whoever has the objects, without the store and without a page (docs/approve.md). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import canonical_json, sha256_digest

FORM = "hallmark.dev/shown/v1"


@dataclass(frozen=True)
class Shown:
    """What is shown of a version now.

    Args:
        digest: of all that is shown.
        beside: the ModelVersion that serves and would be replaced; empty where none does.
        otherwise: by digest, beside which other ModelVersion it would be shown so; empty: none.
    """

    digest: str
    beside: str
    otherwise: Mapping[str, str]


def shown_of(
    version: ModelVersion,
    deployments: Sequence[ModelDeployment],
    versions: Sequence[ModelVersion],
) -> Shown:
    """Return what is shown of a version.

    Args:
        version: the version.
        deployments: all of its namespace.
        versions: all of its namespace, at least those of its model.
    """
    serving = serving_version(version, deployments, versions)
    return Shown(
        shown_digest(version, serving),
        serving.metadata.name if serving else "",
        shown_beside(version, versions),
    )


def shown_beside(version: ModelVersion, versions: Sequence[ModelVersion]) -> dict[str, str]:
    """Return the name of what a version can be shown beside, by the digest that this gives."""
    others = sorted(
        (found for found in versions if found.spec.model == version.spec.model),
        key=lambda found: found.spec.version,
    )
    named = {shown_digest(version, other): other.metadata.name for other in others}
    return {**named, shown_digest(version, None): ""}


def shown_digest(version: ModelVersion, serving: ModelVersion | None) -> str:
    """Return the digest of what is shown of a version beside the one that serves, or beside none.

    It is that of the canonical JSON (RFC 8785) of an object with the members ``form``, ``shown``
    and ``beside``; the latter two hold three digests each, ``beside`` is null where none serves.
    """
    beside = b"null" if serving is None else _evidence(serving)
    return sha256_digest(_WHOLE % (beside, _evidence(version)))


_WHOLE = b'{"beside":%%b,"form":"%b","shown":%%b}' % FORM.encode()
"""The canonical JSON around two parts: each version is held against each other one."""


def _evidence(version: ModelVersion) -> bytes:
    spec = version.spec
    return _part(spec.artifact.manifest_digest, spec.sbom_digest, spec.gate_report_digest)


@lru_cache(maxsize=1 << 14)
def _part(manifest: str, sbom: str, gate_report: str) -> bytes:
    return canonical_json(
        {"manifestDigest": manifest, "sbomDigest": sbom, "gateReportDigest": gate_report}
    )


def serving_version(
    version: ModelVersion,
    deployments: Sequence[ModelDeployment],
    versions: Sequence[ModelVersion],
) -> ModelVersion | None:
    """Return the version that another one would take over from, or None where none serves.

    Of several Deployments that ask for it the first by its name says.
    """
    by_digest = {found.spec.artifact.manifest_digest: found for found in versions}
    for deployment in sorted(deployments, key=attrgetter("metadata.name")):
        active = by_digest.get(deployment.status.active_digest or "")
        if active and asks_for(deployment, version) and active.metadata.uid != version.metadata.uid:
            return active
    return None


def asks_for(deployment: ModelDeployment, version: ModelVersion) -> bool:
    """Whether a ModelDeployment asks for a version, by its model or by its name."""
    spec = deployment.spec
    return spec.model_version == version.metadata.name or spec.model == version.spec.model
