"""Packs from an OCI layout only what a node does not have yet."""

import io
import json
import tarfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError

NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"


@dataclass(frozen=True)
class OciLayout:
    """A folder of content-addressed blobs and an index.

    Attributes:
        folder: the folder.
    """

    folder: Path

    def _index(self) -> dict[str, Any]:
        file = self.folder / "index.json"
        if not file.exists():
            return {"schemaVersion": 2, "manifests": []}
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def references(self) -> list[str]:
        """Return the names of all images."""
        return [each.get("annotations", {}).get(NAME) for each in self._index()["manifests"]]

    def blob(self, digest: str) -> Path:
        """Return the file of a blob."""
        return self.folder / "blobs" / digest.replace(":", "/")

    def manifest(self, reference: str) -> dict[str, Any]:
        """Return the descriptor of an image's manifest.

        Raises:
            ClusterError: if the layout has no such image.
        """
        for descriptor in self._index()["manifests"]:
            if descriptor.get("annotations", {}).get(NAME) == reference:
                found: dict[str, Any] = descriptor
                return found
        raise ClusterError(f"{self.folder} holds no image {reference}")

    def blobs(self, descriptor: dict[str, Any]) -> list[str]:
        """Return the digests of a manifest and of all that it names."""
        manifest = json.loads(self.blob(descriptor["digest"]).read_text())
        parts = [manifest["config"], *manifest["layers"]]
        return [descriptor["digest"], *(part["digest"] for part in parts)]

    def pack(self, reference: str, present: Collection[str], target: Path) -> None:
        """Write an archive with an image's manifest and the blobs that are not present.

        Args:
            reference: the image.
            present: digests that the receiver has.
            target: the archive to write.
        """
        descriptor = self.manifest(reference)
        named = descriptor | {"annotations": {NAME: reference, CONTAINERD_NAME: reference}}
        index = {"schemaVersion": 2, "manifests": [named]}
        manifest, *parts = self.blobs(descriptor)
        with tarfile.open(target, mode="w") as archive:
            _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(archive, "index.json", json.dumps(index).encode())
            for digest in [manifest, *(part for part in parts if part not in present)]:
                archive.add(self.blob(digest), f"blobs/{digest.replace(':', '/')}")

    def keep(self, references: Collection[str]) -> None:
        """Forget all other images and remove the blobs that nothing names any more."""
        index = self._index()
        if not index["manifests"]:
            return
        kept = [
            each
            for each in index["manifests"]
            if each.get("annotations", {}).get(NAME) in references
        ]
        (self.folder / "index.json").write_text(json.dumps(index | {"manifests": kept}))
        named = {digest for descriptor in kept for digest in self.blobs(descriptor)}
        for file in (self.folder / "blobs").glob("*/*"):
            if f"{file.parent.name}:{file.name}" not in named:
                file.unlink()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
