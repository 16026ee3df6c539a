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
from functools import partial
from typing import Generic, TypeVar

from hallmark.api.artifacts import Manifest
from hallmark.api.files import BASELINE, DOCKERFILE, MANIFEST, REPORT, REPORT_PAGE, SCHEMA
from hallmark.api.model_policy import ModelPolicySpec, Store
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import model_prefix
from hallmark.api.report import Report
from hallmark.api.served import Baseline
from hallmark.api.texts import clip, sha256_digest
from hallmark.bundles.stores import Stores
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.policies.sealed import read_document
from hallmark.store import ArtifactMissing, ArtifactTooLarge
from hallmark.supply_chain.strict_json import parse_object
from hallmark_dashboard.bills import Bill, read_bill
from hallmark_dashboard.views.what_if import Files

Content = TypeVar("Content")

MOST_BYTES = 8 * 1024 * 1024
"""Bytes of the files of a kind whose content is kept; parsed they take some times as much."""
MANIFEST_BYTES = 64 * 1024
FILE_BYTES = 4 * 1024 * 1024
PATIENCE_SECONDS = 3.0
"""How long a page waits for the store."""
_UNKNOWN_FORM = "{name} has a form that this dashboard does not know."
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


class Memory(Generic[Content]):
    """What was read of one kind of file, under its digest; the longest unused goes first.

    Args:
        read: Makes the content of a file's bytes.
    """

    def __init__(self, read: Callable[[bytes], Content]) -> None:
        """Start with nothing kept."""
        self.read = read
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, str], tuple[Found[Content], int]] = OrderedDict()

    def recall(self, name: str, digest: str) -> Found[Content] | None:
        """Return what is kept of a file, or None."""
        kept = self._kept.get((name, digest))
        if kept is None:
            return None
        self._kept.move_to_end((name, digest))
        return kept[0]

    def keep(self, name: str, found: Found[Content], size: int) -> None:
        """Keep what was read, by the bytes that it was read from."""
        key = (name, found.digest)
        former = self._kept.pop(key, None)
        self._bytes += size - (former[1] if former else 0)
        self._kept[key] = (found, size)
        while self._bytes > MOST_BYTES:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone


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
        self._seconds = seconds
        self._failing: dict[tuple[str, str], tuple[float, str]] = {}
        self._reports = Memory(partial(read_document, Report))
        self._baselines = Memory(partial(read_document, Baseline))
        self._manifests = Memory(partial(read_document, Manifest))
        self._bills = Memory(_bill)
        self._dockerfiles = Memory(bytes.decode)

    async def report(self, version: ModelVersion, policy: ModelPolicySpec | None) -> Found[Report]:
        """Return ``report.json``."""
        digest = version.spec.gate_report_digest
        return await self._file(version, policy, REPORT, digest, self._reports)

    async def baseline(
        self, version: ModelVersion, policy: ModelPolicySpec | None
    ) -> Found[Baseline]:
        """Return ``baseline.json``."""
        digest = version.spec.baseline_digest
        return await self._file(version, policy, BASELINE, digest, self._baselines)

    async def manifest(
        self, version: ModelVersion, policy: ModelPolicySpec | None
    ) -> Found[Manifest]:
        """Return ``manifest.json``."""
        digest = version.spec.artifact.manifest_digest
        return await self._file(version, policy, MANIFEST, digest, self._manifests)

    async def bill(self, version: ModelVersion, policy: ModelPolicySpec | None) -> Found[Bill]:
        """Return the bill of materials."""
        digest = version.spec.sbom_digest
        named = await self._sbom_name(version, policy)
        if named.content is None:
            return Found(None, digest, named.sentence)
        return await self._file(version, policy, named.content, digest, self._bills)

    async def _sbom_name(self, version: ModelVersion, policy: ModelPolicySpec | None) -> Found[str]:
        """Return the name of the file that has the SBOM's digest."""
        digest = version.spec.sbom_digest
        manifest = await self.manifest(version, policy)
        if manifest.content is None:
            return Found(None, digest, manifest.sentence)
        names = [file.name for file in manifest.content.files if file.digest == digest]
        if not names:
            return Found(None, digest, f"The manifest lists no file with the digest {digest}.")
        return Found(names[0], digest)

    async def dockerfile(self, version: ModelVersion, policy: ModelPolicySpec | None) -> Found[str]:
        """Return the Dockerfile."""
        manifest = await self.manifest(version, policy)
        if manifest.content is None:
            return Found(None, "", manifest.sentence)
        listed = manifest.content.file(DOCKERFILE)
        if listed is None:
            return Found(None, "", "The manifest lists no Dockerfile.")
        return await self._file(version, policy, DOCKERFILE, listed.digest, self._dockerfiles)

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
        return await self._bytes(version, policy, name, listed.digest)

    async def files(self, version: ModelVersion, policy: ModelPolicySpec | None) -> Files:
        """Return manifest, report and SBOM byte for byte, as the operator checks them."""
        spec = version.spec
        manifest = await self._bytes(version, policy, MANIFEST, spec.artifact.manifest_digest)
        report = await self._bytes(version, policy, REPORT, spec.gate_report_digest)
        try:
            text = manifest.content.decode() if manifest.content is not None else None
        except UnicodeDecodeError:
            return Files(None, report.content, _UNKNOWN_FORM.format(name=MANIFEST))
        named = await self._sbom_name(version, policy)
        if named.content is None:
            return Files(text, report.content, named.sentence)
        sbom = await self._bytes(version, policy, named.content, spec.sbom_digest)
        sentence = manifest.sentence or report.sentence or sbom.sentence
        return Files(text, report.content, sentence, sbom.content)

    async def _file(
        self,
        version: ModelVersion,
        policy: ModelPolicySpec | None,
        name: str,
        digest: str,
        memory: Memory[Content],
    ) -> Found[Content]:
        """Return a file's content, remembered or read."""
        kept = memory.recall(name, digest)
        if kept is not None:
            return kept
        found = await self._bytes(version, policy, name, digest)
        if found.content is None:
            return Found(None, digest, found.sentence)
        try:
            content = memory.read(found.content)
        except ValueError:
            return Found(None, digest, _UNKNOWN_FORM.format(name=name))
        read = Found(content, digest, verified_at=found.verified_at)
        memory.keep(name, read, len(found.content))
        return read

    async def _bytes(
        self, version: ModelVersion, policy: ModelPolicySpec | None, name: str, digest: str
    ) -> Found[bytes]:
        """Return a file's bytes, if they are the sealed ones."""
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
        return Found(data, digest, verified_at=self._clock())

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
