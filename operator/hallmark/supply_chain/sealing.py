"""The sealing Job: check what a training Job uploaded, sign it, and store it for good.

The bytes that are stored are the bytes that were checked: who holds a training Job's URLs may
overwrite his uploads at any time. Running it again after a crash, or for another run with the same
bytes, changes nothing and gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.artifacts import Manifest
from hallmark.api.files import (
    BASELINE,
    BUNDLE,
    GOLDEN,
    MANIFEST,
    MODEL_ONNX,
    REPORT,
    SCHEMA,
    SLOT_SBOM,
    final_name,
)
from hallmark.api.findings import Finding
from hallmark.api.names import model_prefix, run_prefix
from hallmark.api.tasks import SealOutcome, SealTask
from hallmark.api.texts import clip, sha256_digest
from hallmark.api.trust import TrustedKey
from hallmark.keys import Signer, key_id, public_pem
from hallmark.store import ArtifactMissing, ArtifactTooLarge, Store
from hallmark.supply_chain import manifest as manifests, manifest_form
from hallmark.supply_chain.bundle_checks import check_bundle, check_manifest, slots
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.provenance import sign_provenance
from hallmark.supply_chain.sbom import SBOM, read_sbom
from hallmark.supply_chain.served_check import check_apart
from hallmark.supply_chain.signing import (
    MAX_BYTES,
    PROVENANCE_FOLDER,
    VerifiedSignature,
    sign_bundle,
    verify_bundle,
)
from hallmark.supply_chain.verify import signed_resources
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED, LookUp

_MESSAGE_LIMIT = 1000


@dataclass(frozen=True)
class _Upload:
    """A run's upload, read once."""

    manifest: Manifest
    manifest_bytes: bytes
    files: Mapping[str, bytes]
    """Bytes by the name in the bundle."""


def seal(
    task: SealTask,
    store: Store,
    read_key: Callable[[], Signer],
    now: datetime,
    look_up: LookUp = lambda _: NOT_MOUNTED,
) -> SealOutcome:
    """Seal one run's upload, or say why not.

    Args:
        task: What the operator wants sealed.
        store: Where the upload is and the bundle goes.
        read_key: Gives the sealing key; called only once the checks found nothing.
        now: The moment of sealing (aware).
        look_up: Says which vulnerabilities packages have; without it no snapshot is mounted.

    Raises:
        ArtifactError: The store failed; trying again may help.
        ConfigurationError: The key cannot be used.
    """
    upload = _fetch(task, store)
    if not isinstance(upload, _Upload):
        return _refused(upload)
    files = upload.files
    if found := check_bundle(task, upload.manifest, files, look_up, now):
        return _refused(found)
    if found := check_apart(files[MODEL_ONNX], files[SCHEMA], files[GOLDEN]):
        return _refused(found)
    key = read_key()
    if stranger := _publish(task, store, upload, key, now):
        return _refused([stranger])
    return _sealed(task, store, upload, key)


def _fetch(task: SealTask, store: Store) -> _Upload | list[Finding]:
    """Read the manifest, then exactly the files that a bundle has, each at most as long as said."""
    folder = run_prefix(task.run_uid)
    try:
        data = store.get(folder + MANIFEST, limit=manifest_form.MAX_BYTES)
        manifest = manifests.read_manifest(data, task.manifest_digest)
        if isinstance(manifest, Finding):
            return [manifest]
        if found := check_manifest(task, manifest):
            return found
        files = {}
        for name, slot in slots(manifest.run_id).items():
            entry = manifest.file(name)
            files[name] = store.get(folder + slot, limit=entry.size if entry else 0)
    except (ArtifactMissing, ArtifactTooLarge) as error:
        return [finding("Upload", "the files that the manifest lists", str(error))]
    return _Upload(manifest, data, files)


def _publish(
    task: SealTask,
    store: Store,
    upload: _Upload,
    key: Signer,
    now: datetime,
) -> Finding | None:
    """Put the bundle in its place: the signature last, so that where it stands all else does."""
    folder = model_prefix(task.namespace, task.model, task.manifest_digest)
    for name, data in {**upload.files, MANIFEST: upload.manifest_bytes}.items():
        if not store.put_new(folder + name, data):
            standing, _ = store.digest_of(folder + name)
            if standing != sha256_digest(data):
                return finding(
                    "Store",
                    f"'{folder + name}' with {sha256_digest(data)}, or nothing there",
                    f"{standing}; somebody changed it: look into it, remove it, and run again",
                )
    provenance = f"{folder}{PROVENANCE_FOLDER}/{task.run_uid}.json"
    bill = read_sbom(upload.files[final_name(SLOT_SBOM, upload.manifest.run_id)])
    said = sign_provenance(key, task, upload.manifest, bill if isinstance(bill, SBOM) else None)
    store.put_new(provenance, said)
    resources = signed_resources(upload.manifest, task.manifest_digest)
    bundle = sign_bundle(key, task.model, resources)
    if not store.put_new(folder + BUNDLE, bundle.encode()) and not _stands(
        store, folder + BUNDLE, key, resources, now
    ):
        # Over the same files, but by a former key or damaged: this one replaces it.
        store.put(folder + BUNDLE, bundle.encode())
    return None


def _stands(
    store: Store,
    path: str,
    key: Signer,
    resources: Mapping[str, str],
    now: datetime,
) -> bool:
    """Tell whether our own signature over these files is there already."""
    pem = public_pem(key.public_key())
    own = TrustedKey(key_id=key_id(pem), public_key=pem)
    try:
        text = store.get(path, limit=MAX_BYTES).decode(errors="replace")
    except ArtifactTooLarge:
        return False
    return isinstance(verify_bundle(text, [own], resources, now), VerifiedSignature)


def _sealed(task: SealTask, store: Store, upload: _Upload, key: Signer) -> SealOutcome:
    manifest = upload.manifest
    digests = {each.name: each.digest for each in manifest.files}
    sbom_name = final_name(SLOT_SBOM, manifest.run_id)
    sbom = read_sbom(upload.files[sbom_name])
    summary = sbom.summary if isinstance(sbom, SBOM) else None
    return SealOutcome(
        sealed=True,
        key_id=key_id(key),
        uri=store.uri_of(model_prefix(task.namespace, task.model, task.manifest_digest)),
        size=sum(each.size for each in manifest.files) + len(upload.manifest_bytes),
        manifest_digest=task.manifest_digest,
        gate_report_digest=digests[REPORT],
        sbom_digest=digests[sbom_name],
        baseline_digest=digests[BASELINE],
        sbom_components=summary.components if summary else None,
        sbom_spec_version=summary.spec_version if summary else None,
    )


def _refused(found: Sequence[Finding]) -> SealOutcome:
    return SealOutcome(sealed=False, message=message_of(found))


def message_of(found: Sequence[Finding]) -> str:
    """Return the findings' sentences, as many as fit into a termination message."""
    counted = f"{len(found)} findings. " if len(found) > 1 else ""
    return clip(counted + " ".join(each.sentence() for each in found), _MESSAGE_LIMIT)
