"""The sealed evidence of a version, read from the store and held against its digest each time.

What is kept in memory is kept under its digest, so that the store cannot change it afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from pydantic import ValidationError

from hallmark.api.artifacts import (
    BASELINE,
    DOCKERFILE,
    MANIFEST,
    REPORT,
    REPORT_PAGE,
    SCHEMA,
    Baseline,
    Manifest,
)
from hallmark.api.common import clip, sha256_digest
from hallmark.api.model_policy import ModelPolicySpec, Store
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import model_prefix
from hallmark.api.report import Report
from hallmark.bundles.stores import Stores
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.store import ArtifactMissing, ArtifactTooLarge
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark_dashboard.bills import Bill, read_bill
from hallmark_dashboard.views.what_if import Files

Content = TypeVar("Content")

MOST_BYTES = 32 * 1024 * 1024
"""Bytes of the files whose content is kept; parsed they take some times as much."""
MANIFEST_BYTES = 64 * 1024
FILE_BYTES = 4 * 1024 * 1024
PATIENCE_SECONDS = 3.0
"""How long a page waits for the store."""
LEFT_ALONE_SECONDS = 15.0
"""How long a store that failed is not asked again."""


@dataclass(frozen=True)
class Found(Generic[Content]):
    """A piece of evidence, or why there is none.

    Attributes:
        content: What was read; None where it could not be.
        sentence: Why not.
        verified_at: When its bytes were held against the sealed digest, here.
        digest: The sealed digest.
    """

    content: Content | None
    digest: str
    sentence: str = ""
    verified_at: datetime | None = None


class Evidence:
    """Reads manifests, reports, baselines, bills of materials and Dockerfiles."""

    def __init__(
        self,
        stores: Stores,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing read."""
        self._stores = stores
        self._clock = clock
        self._kept_bytes = 0
        self._seconds = seconds
        self._failing: dict[tuple[str, str], tuple[float, str]] = {}
        self._kept: OrderedDict[tuple[str, str], tuple[Found[object], int]] = OrderedDict()

    async def report(self, version: ModelVersion, policy: ModelPolicySpec | None) -> Found[Report]:
        """Return ``report.json``."""
        return await self._file(
            version, policy, REPORT, version.spec.gate_report_digest, Report.model_validate_json
        )

    async def baseline(
        self, version: ModelVersion, policy: ModelPolicySpec | None
    ) -> Found[Baseline]:
        """Return ``baseline.json``."""
        return await self._file(
            version, policy, BASELINE, version.spec.baseline_digest, Baseline.model_validate_json
        )

    async def manifest(
        self, version: ModelVersion, policy: ModelPolicySpec | None
    ) -> Found[Manifest]:
        """Return ``manifest.json``."""
        digest = version.spec.artifact.manifest_digest
        return await self._file(version, policy, MANIFEST, digest, Manifest.model_validate_json)

    async def bill(self, version: ModelVersion, policy: ModelPolicySpec | None) -> Found[Bill]:
        """Return the bill of materials."""
        digest = version.spec.sbom_digest
        manifest = await self.manifest(version, policy)
        if manifest.content is None:
            return Found(None, digest, manifest.sentence)
        names = [file.name for file in manifest.content.files if file.digest == digest]
        if not names:
            return Found(None, digest, f"The manifest lists no file with the digest {digest}.")
        return await self._file(version, policy, names[0], digest, _bill)

    async def dockerfile(self, version: ModelVersion, policy: ModelPolicySpec | None) -> Found[str]:
        """Return the Dockerfile."""
        manifest = await self.manifest(version, policy)
        if manifest.content is None:
            return Found(None, "", manifest.sentence)
        listed = manifest.content.file(DOCKERFILE)
        if listed is None:
            return Found(None, "", "The manifest lists no Dockerfile.")
        return await self._file(version, policy, DOCKERFILE, listed.digest, bytes.decode)

    async def raw(
        self, version: ModelVersion, policy: ModelPolicySpec | None, name: str
    ) -> Found[bytes]:
        """Return the bytes of a file that the manifest names, if they are the sealed ones."""
        manifest = await self.manifest(version, policy)
        if manifest.content is None:
            return Found(None, "", manifest.sentence)
        listed = manifest.content.file(name)
        if listed is None or not is_download(name):
            return Found(None, "", f"There is no file {clip(name, 128)} to download.")
        return await self._file(version, policy, name, listed.digest, bytes, keep=False)

    async def files(self, version: ModelVersion, policy: ModelPolicySpec | None) -> Files:
        """Return the manifest and the report byte for byte, as the operator checks them."""
        manifest = await self._file(
            version,
            policy,
            MANIFEST,
            version.spec.artifact.manifest_digest,
            bytes.decode,
            keep=False,
        )
        digest = version.spec.gate_report_digest
        report = await self._file(version, policy, REPORT, digest, bytes, keep=False)
        return Files(manifest.content, report.content, manifest.sentence or report.sentence)

    async def _file(
        self,
        version: ModelVersion,
        policy: ModelPolicySpec | None,
        name: str,
        digest: str,
        read: Callable[[bytes], Content],
        *,
        keep: bool = True,
    ) -> Found[Content]:
        key = (name, digest)
        kept = self._kept.get(key)
        if kept is not None and keep:
            self._kept.move_to_end(key)
            return kept[0]  # type: ignore[return-value]
        if policy is None:
            return Found(None, digest, "No ModelPolicy that you may read says where the store is.")
        folder = model_prefix(
            version.metadata.namespace, version.spec.model, version.spec.artifact.manifest_digest
        )
        limit = MANIFEST_BYTES if name == MANIFEST else FILE_BYTES
        data = await self._read(policy.store, folder + name, limit)
        if isinstance(data, str):
            return Found(None, digest, data)
        actual = sha256_digest(data)
        if actual != digest:
            return Found(
                None,
                digest,
                f"Expected {name} with the sealed digest {digest}, found {actual} in the store; "
                "it is not shown, because somebody changed it.",
            )
        try:
            content = read(data)
        except (ValidationError, UnreadableJSON, UnicodeDecodeError):
            return Found(None, digest, f"{name} has a form that this dashboard does not know.")
        found = Found(content, digest, verified_at=self._clock())
        if keep:
            self._keep(key, found, len(data))  # type: ignore[arg-type]
        return found

    def _keep(self, key: tuple[str, str], found: Found[object], size: int) -> None:
        """Keep what was read, by the bytes that it was read from."""
        self._kept_bytes += size - self._kept.pop(key, (None, 0))[1]
        self._kept[key] = (found, size)
        while self._kept_bytes > MOST_BYTES:
            _, (_, gone) = self._kept.popitem(last=False)
            self._kept_bytes -= gone

    async def _read(self, store: Store, path: str, limit: int) -> bytes | str:
        """Return the bytes of an object, or why not; a store that fails is left alone for a while.

        The store's own client is patient; a person who waits for a page is not.
        """
        place = (store.uri, store.endpoint or "")
        until, why = self._failing.get(place, (0.0, ""))
        if self._seconds() < until:
            return why
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._stores.open(store).get_async(path, limit=limit)
        except (ArtifactMissing, ArtifactTooLarge) as error:
            return str(error)
        except TimeoutError:
            why = f"The store {store.uri} did not answer within {PATIENCE_SECONDS:g} s."
        except (ArtifactError, ConfigurationError) as error:
            why = str(error)
        self._failing[place] = (self._seconds() + LEFT_ALONE_SECONDS, why)
        return why


def is_download(name: str) -> bool:
    """Tell whether a file may be fetched here: evidence, and neither the model nor a pickle."""
    return name in _DOWNLOADS or name.endswith(".cdx.json")


_DOWNLOADS = frozenset({REPORT, REPORT_PAGE, BASELINE, SCHEMA, DOCKERFILE})


def _bill(data: bytes) -> Bill:
    return read_bill(parse_object(data, FILE_BYTES))
