"""Writes container images of a few static files, without any container tool."""

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USER = 65532
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class StaticImage:
    """An image from nothing but files.

    Attributes:
        repository: its name without the tag.
        files: the path inside the image and the file of this machine.
        entrypoint: the command.
        folders: empty folders that belong to the image's user.
        user: the numeric user id.
        tag: the tag; derived from the content when there is none.
    """

    repository: str
    files: dict[str, Path]
    entrypoint: tuple[str, ...]
    folders: tuple[str, ...] = ()
    user: int = USER
    tag: str = ""
    environment: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The image's name and tag."""
        return f"{self.repository}:{self.tag or self._digest()}"

    def _digest(self) -> str:
        content = hashlib.sha256(repr((self.entrypoint, self.folders, self.user)).encode())
        for path, file in sorted(self.files.items()):
            content.update(path.encode() + file.read_bytes())
        return content.hexdigest()[:12]


def _entry(archive: tarfile.TarFile, name: str, content: bytes | None, owner: int = 0) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.uid, entry.gid = 0o755, owner, owner
    if content is None:
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def layer(image: StaticImage) -> bytes:
    """Return the image's only layer, a tar that has the same bytes each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        parents = {str(parent) for path in image.files for parent in Path(path.lstrip("/")).parents}
        for folder in sorted(parents - {"."}):
            _entry(archive, folder, None)
        for folder in image.folders:
            _entry(archive, folder.lstrip("/"), None, image.user)
        for path, file in sorted(image.files.items()):
            _entry(archive, path.lstrip("/"), file.read_bytes())
    return buffer.getvalue()


def _config(image: StaticImage, content: bytes) -> dict[str, Any]:
    return {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "User": str(image.user),
            "Entrypoint": list(image.entrypoint),
            "Env": ["PATH=/", *image.environment],
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
    }


def write(image: StaticImage, target: Path) -> None:
    """Write an archive that both `docker load` and `ctr images import` read.

    Args:
        image: the image.
        target: the file to write.
    """
    content = layer(image)
    config = json.dumps(_config(image, content)).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [image.reference], "Layers": ["layer.tar"]}]
    with tarfile.open(target, mode="w") as archive:
        _entry(archive, name, config)
        _entry(archive, "layer.tar", content)
        _entry(archive, "manifest.json", json.dumps(manifest).encode())
