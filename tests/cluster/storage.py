"""Reads images from buildah's storage and packs only what a node does not have yet.

`buildah push` compresses every layer anew each time, which takes longer than the build. The storage
keeps each layer as a folder and a list of the bytes between its files (tar-split), from which the
layer's tar comes back byte for byte; its digest is checked.
"""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.errors import ClusterError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
FILE = 1
CHUNK = 1 << 20


class _Reader(io.RawIOBase):
    """A file of the chunks that an iterator yields; it digests them on the way."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        taken, self._rest = self._rest[: len(target)], self._rest[len(target) :]
        target[: len(taken)] = taken
        self.digest.update(taken)
        return len(taken)


@dataclass(frozen=True)
class Storage:
    """The folder of a containers/storage with the overlay driver.

    Attributes:
        root: the folder.
    """

    root: Path

    def _rows(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.root / path).read_text())
        return found

    def _image(self, reference: str) -> dict[str, Any]:
        for image in self._rows("overlay-images/images.json"):
            if reference in image.get("names", ()):
                found: dict[str, Any] = image
                return found
        raise ClusterError(f"there is no image {reference}; build the images first")

    def _data(self, image: dict[str, Any], key: str) -> bytes:
        """Return a manifest or a configuration; most keys are encoded in the file's name."""
        file = key if key.isalnum() else "=" + base64.b64encode(key.encode()).decode()
        folder: str = image["id"]
        return (self.root / "overlay-images" / folder / file).read_bytes()

    def _layers(self, image: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the image's layers by their digest."""
        known = {layer["id"]: layer for layer in self._rows("overlay-layers/layers.json")}
        found = {}
        current = image["layer"]
        while current:
            layer = known[current]
            found[layer["diff-digest"]] = layer
            current = layer.get("parent")
        return found

    def _tar(self, layer: dict[str, Any]) -> Iterator[bytes]:
        identity = layer["id"]
        folder = self.root / "overlay" / identity / "diff"
        with gzip.open(self.root / "overlay-layers" / f"{identity}.tar-split.gz") as entries:
            for line in entries:
                entry = json.loads(line)
                if entry["type"] != FILE:
                    yield base64.b64decode(entry["payload"])
                elif entry.get("size"):
                    yield from _content(folder / _name(entry))

    def _add_layer(self, archive: tarfile.TarFile, layer: dict[str, Any]) -> None:
        digest = layer["diff-digest"]
        entry = tarfile.TarInfo(_blob(digest))
        entry.size = layer["diff-size"]
        reader = _Reader(self._tar(layer))
        archive.addfile(entry, io.BufferedReader(reader, CHUNK))
        if f"sha256:{reader.digest.hexdigest()}" != digest:
            raise ClusterError(f"layer {digest} has changed in {self.root}; remove that folder")

    def pack(self, reference: str, present: Collection[str], target: Path) -> None:
        """Write an archive with an image's manifest and the blobs that are not present.

        Args:
            reference: the image.
            present: digests that the receiver has.
            target: the archive to write, an OCI layout in a tar.

        Raises:
            ClusterError: if there is no such image, or it was changed.
        """
        image = self._image(reference)
        content = self._data(image, "manifest")
        manifest = json.loads(content)
        layers = self._layers(image)
        config = manifest["config"]["digest"]
        with tarfile.open(target, mode="w") as archive:
            _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(archive, "index.json", _index(reference, manifest, content))
            _add(archive, _blob(f"sha256:{hashlib.sha256(content).hexdigest()}"), content)
            _add(archive, _blob(config), self._data(image, config))
            for part in manifest["layers"]:
                if part["digest"] not in present:
                    self._add_layer(archive, layers[part["digest"]])


def _name(entry: dict[str, Any]) -> str:
    raw = entry.get("name_raw")
    return base64.b64decode(raw).decode(errors="surrogateescape") if raw else str(entry["name"])


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _index(reference: str, manifest: dict[str, Any], content: bytes) -> bytes:
    descriptor = {
        "mediaType": manifest["mediaType"],
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "size": len(content),
        "annotations": {NAME: reference, CONTAINERD_NAME: reference},
    }
    return json.dumps({"schemaVersion": 2, "manifests": [descriptor]}).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
