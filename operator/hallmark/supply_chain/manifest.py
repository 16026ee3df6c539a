"""The manifest: the one list of a bundle's files, by digest and size. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from hallmark.api.artifacts import Manifest, ManifestFile
from hallmark.api.findings import Finding
from hallmark.api.texts import sha256_digest
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.manifest_form import MAX_BYTES, irregular
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object


@dataclass(frozen=True)
class FileFact:
    """What was measured of a file's bytes."""

    digest: str
    size: int

    @classmethod
    def of(cls, data: bytes) -> FileFact:
        """Return digest and size of ``data``."""
        return cls(sha256_digest(data), len(data))


def build_manifest(
    *,
    namespace: str,
    model: str,
    run_id: str,
    spec_digest: str,
    dataset_fingerprint: str,
    image_digest: str,
    files: Mapping[str, bytes | FileFact],
) -> Manifest:
    """Return the manifest of ``files``, in name order; its ``to_bytes()`` is ``manifest.json``.

    Args:
        namespace: The run's namespace.
        model: The model's name.
        run_id: The run's id.
        spec_digest: Digest of what the run asked for.
        dataset_fingerprint: Digest of the rows.
        image_digest: Digest of the trainer's image.
        files: By final name, a file's bytes or what was measured of them.
    """
    facts = {
        name: FileFact.of(each) if isinstance(each, bytes) else each for name, each in files.items()
    }
    return Manifest(
        namespace=namespace,
        model=model,
        run_id=run_id,
        spec_digest=spec_digest,
        dataset_fingerprint=dataset_fingerprint,
        image_digest=image_digest,
        files=[
            ManifestFile(name=name, digest=fact.digest, size=fact.size)
            for name, fact in sorted(facts.items())
        ],
    )


def read_manifest(data: bytes, digest: str) -> Manifest | Finding:
    """Return the manifest in ``data``, or why it is refused. Never raises for bad bytes.

    Args:
        data: The bytes of ``manifest.json``.
        digest: The digest that they must have.
    """
    if (found := sha256_digest(data)) != digest:
        return finding("Manifest", f"digest {digest}", f"digest {found}")
    try:
        manifest = Manifest.model_validate(parse_object(data, MAX_BYTES))
    except UnreadableJSON as error:
        return finding("Manifest", "a JSON object", str(error))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return finding("Manifest", f"a valid '{where}'", first["type"])
    wrong = irregular(manifest, data)
    return finding("Manifest", *wrong) if wrong else manifest


def check_files(manifest: Manifest, files: Mapping[str, FileFact]) -> list[Finding]:
    """Return one finding for each file that is missing, not listed, or changed."""
    wanted = {each.name: FileFact(each.digest, each.size) for each in manifest.files}
    return [
        found
        for name in sorted(wanted.keys() | files.keys())
        if (found := _compare(name, wanted.get(name), files.get(name)))
    ]


def check_bytes(manifest: Manifest, name: str, data: bytes) -> Finding | None:
    """Return why ``data`` is not the manifest's file ``name``; None if it is."""
    entry = manifest.file(name)
    wanted = FileFact(entry.digest, entry.size) if entry else None
    return _compare(name, wanted, FileFact.of(data))


def _compare(name: str, wanted: FileFact | None, found: FileFact | None) -> Finding | None:
    if wanted == found:
        return None
    return finding("Files", _said(name, wanted), _said(name, found))


def _said(name: str, fact: FileFact | None) -> str:
    return f"'{name}' with {fact.digest}, {fact.size} bytes" if fact else f"no '{name}'"
