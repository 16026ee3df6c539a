"""Sealed bundles in the store: verified byte by byte, read for drift, signed for predictors."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta

from hallmark.api.artifacts import DownloadURLs, Manifest
from hallmark.api.files import BASELINE, MANIFEST, SERVED_FILES
from hallmark.api.findings import Finding
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import model_prefix
from hallmark.api.reasons import DeploymentReason
from hallmark.api.served import Baseline
from hallmark.bundles.stores import Stores
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.policies.model_deployment.inputs import Verification
from hallmark.policies.sealed import read_baseline, version_contradiction
from hallmark.refusal import Refusal
from hallmark.store import ArtifactMissing, ArtifactTooLarge, Store
from hallmark.supply_chain.carried import CARRIED_BYTES, CARRIED_FILES, carried_manifest
from hallmark.supply_chain.manifest import FileFact
from hallmark.supply_chain.manifest_form import MAX_BYTES
from hallmark.supply_chain.verify import SealedManifest, check_files, verify_sealed

KEPT_BYTES = 8 * 1024 * 1024
"""Baselines that are kept in memory, as stored: thousands of 10 features, or two of the largest. A
report whose baseline is not kept costs a request to the store."""
BASELINE_BYTES = 4 * 1024 * 1024
RECENT = timedelta(seconds=2)
"""A bundle that verified so recently is not read again: Pods that start cause many looks."""

TROUBLE = timedelta(seconds=30)
"""For so long a store that did not answer is not waited for where the bytes are elsewhere."""


class Bundles:
    """Reads sealed bundles with the operator's own credentials."""

    def __init__(self, stores: Stores) -> None:
        """Start with nothing read."""
        self._stores = stores
        self._baselines = BaselineMemory(KEPT_BYTES)
        self._verified: dict[tuple[str, str], Verification] = {}
        self._trouble: dict[str, datetime] = {}

    async def verify(
        self, version: ModelVersion, policy: ModelPolicySpec, now: datetime
    ) -> Verification:
        """Hash every byte of a bundle and check its signature with the policy's keys of today.

        Never raises for what is in the store: a refusal says what was expected and found, and
        whether it is the store's trouble and may pass.
        """
        digest = version.spec.artifact.manifest_digest
        key = (version.metadata.uid, policy.digest)
        recent = self._verified.get(key)
        if recent is not None and timedelta() <= now - recent.at < RECENT:
            return recent
        try:
            found = await self._verified_manifest(version, policy, now)
        except ArtifactMissing as error:
            return _refused(digest, now, str(error))
        except (ArtifactError, ConfigurationError) as error:
            return _refused(digest, now, str(error), transient=True)
        if isinstance(found, str):
            return _refused(digest, now, found)
        baseline = await self.baseline(version, policy)
        if baseline is None:
            # Its bytes were right a moment ago: the store went away, or it is no baseline.
            missing = f"Expected to read {BASELINE} of the verified bundle, found none."
            return _refused(digest, now, missing, transient=True)
        verification = Verification(
            manifest_digest=digest,
            at=now,
            manifest=found.to_bytes().decode(),
            baseline=baseline,
        )
        self._verified = {k: v for k, v in self._verified.items() if now - v.at < RECENT}
        self._verified[key] = verification
        return verification

    async def _verified_manifest(
        self, version: ModelVersion, policy: ModelPolicySpec, now: datetime
    ) -> Manifest | str:
        store, folder = self._stores.open(policy.store), _folder(version)
        digest = version.spec.artifact.manifest_digest
        try:
            data = await store.get_async(folder + MANIFEST, limit=MAX_BYTES)
        except ArtifactTooLarge:
            return f"Expected {MANIFEST} of at most {MAX_BYTES} bytes, found a longer one."
        sealed = verify_sealed(
            data.decode(errors="replace"),
            digest,
            version.spec.bundle,
            policy.signers,
            now,
            version.made_at,
        )
        if not isinstance(sealed, SealedManifest):
            # Which file it is about; the bundle itself comes from the ModelVersion.
            return f"{MANIFEST} and its signature: {sealed.message}"
        problem = version_contradiction(version, sealed.manifest)
        if problem is not None:
            return problem
        facts = await _measure(store, folder, sealed.manifest)
        findings = check_files(sealed.manifest, facts)
        return " ".join(finding.sentence() for finding in findings[:3]) or sealed.manifest

    def known_baseline(self, version: ModelVersion) -> Baseline | None:
        """Return the signed baseline where it was read already."""
        return self._baselines.get(version.spec.baseline_digest)

    async def baseline(self, version: ModelVersion, policy: ModelPolicySpec) -> Baseline | None:
        """Return the signed baseline, or None where the store does not have it (now).

        It is read once and kept: its digest is sealed.
        """
        digest = version.spec.baseline_digest
        known = self._baselines.get(digest)
        if known is not None:
            return known
        try:
            store = self._stores.open(policy.store)
            data = await store.get_async(_folder(version) + BASELINE, limit=BASELINE_BYTES)
        except (ArtifactError, ConfigurationError):
            return None
        read = read_baseline(data, digest)
        if read is not None:
            self._baselines.keep(digest, read, len(data))
        return read

    async def carried(
        self, version: ModelVersion, policy: ModelPolicySpec
    ) -> Mapping[str, bytes] | None:
        """Return what of a bundle travels in the cluster, or None where the store has other bytes.

        Raises:
            ArtifactError, ConfigurationError: the store is in trouble.
        """
        store, folder = self._stores.open(policy.store), _folder(version)
        digest = version.spec.artifact.manifest_digest
        reads = (store.get_async(folder + name, limit=CARRIED_BYTES) for name in CARRIED_FILES)
        try:
            found = await asyncio.gather(*reads)
        except (ArtifactMissing, ArtifactTooLarge):
            return None
        files = dict(zip(CARRIED_FILES, found, strict=True))
        return None if isinstance(carried_manifest(files, digest), Finding) else files

    def keep_baseline(self, version: ModelVersion, baseline: Baseline, size: int) -> None:
        """Keep a signed baseline that was not read from the store; ``size`` is in bytes."""
        self._baselines.keep(version.spec.baseline_digest, baseline, size)

    def note_trouble(self, policy: ModelPolicySpec, now: datetime) -> None:
        """Remember that the store of a policy did not answer."""
        self._trouble[policy.store.uri] = now

    def in_trouble(self, policy: ModelPolicySpec, now: datetime) -> bool:
        """Tell whether the store of a policy did not answer a moment ago."""
        since = self._trouble.get(policy.store.uri)
        return since is not None and timedelta() <= now - since < TROUBLE

    def urls(
        self, version: ModelVersion, policy: ModelPolicySpec, lifetime: timedelta
    ) -> DownloadURLs:
        """Return URLs that read exactly what a predictor serves, for a while.

        Raises:
            ConfigurationError: the store cannot make such URLs.
        """
        store, folder = self._stores.open(policy.store), _folder(version)
        return DownloadURLs(
            urls={name: store.sign_get(folder + name, lifetime) for name in SERVED_FILES}
        )


class BaselineMemory:
    """The baselines that were used last, by digest, up to a number of bytes as stored."""

    def __init__(self, most: int) -> None:
        """Start empty; ``most`` is in bytes."""
        self._most = most
        self._kept: OrderedDict[str, tuple[Baseline, int]] = OrderedDict()
        self._size = 0

    def get(self, digest: str) -> Baseline | None:
        """Return a baseline that is kept, and keep it longer."""
        if digest not in self._kept:
            return None
        self._kept.move_to_end(digest)
        return self._kept[digest][0]

    def keep(self, digest: str, baseline: Baseline, size: int) -> None:
        """Keep a baseline of that many bytes, and as many of the others as there is room for."""
        self._size += size - self._kept.pop(digest, (baseline, 0))[1]
        self._kept[digest] = baseline, size
        while self._size > self._most and len(self._kept) > 1:
            _, (_, freed) = self._kept.popitem(last=False)
            self._size -= freed


def _folder(version: ModelVersion) -> str:
    spec = version.spec
    namespace = version.metadata.namespace
    return model_prefix(namespace, spec.model, spec.artifact.manifest_digest)


def _refused(digest: str, now: datetime, message: str, *, transient: bool = False) -> Verification:
    refusal = Refusal(DeploymentReason.VERIFICATION_FAILED, message)
    return Verification(manifest_digest=digest, at=now, refusal=refusal, transient=transient)


async def _measure(store: Store, folder: str, manifest: Manifest) -> dict[str, FileFact]:
    """Return digest and size of each file of the manifest, as it is in the store.

    Files that the manifest does not list are not looked at: nobody reads them.
    """

    async def one(name: str) -> tuple[str, FileFact] | None:
        try:
            found = await store.digest_of_async(folder + name)
        except ArtifactMissing:
            return None
        return name, FileFact(*found)

    measured = await asyncio.gather(*(one(file.name) for file in manifest.files))
    return dict(fact for fact in measured if fact is not None)
