"""An export as an OCI image layout, for registries and tools that carry artifacts by digest.

Each file is a layer with its path as the title, as ``oras`` writes and reads it. The layout adds
no trust: whoever has it verifies the export in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from hallmark.api.texts import canonical_json
from hallmark.errors import ArtifactError, IntegrityError
from hallmark.files import open_regular
from hallmark.new_files import new_file, new_folder
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark.verification.files import INDEX, FolderFiles

ARTIFACT_TYPE = "application/vnd.hallmark.export.v1"
TAG = "export"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_LAYER = "application/octet-stream"
_TITLE = "org.opencontainers.image.title"
_REFERENCE = "org.opencontainers.image.ref.name"
_LAYOUT_FILE, _INDEX_FILE = "oci-layout", "index.json"
_MAX_JSON = 64 << 20
_CHUNK = 1 << 20


# -- writing --------------------------------------------------------------------------------------


def write_layout(export: Path, target: Path) -> str:
    """Write an export as an image layout: into a new folder, or a file that ends in ``.tar``.

    The same export gives the same bytes.

    Returns:
        The digest of the image's manifest, which names every file.

    Raises:
        ArtifactError: it cannot be written.
    """
    files = FolderFiles(export)
    facts = [(name, fact) for name in sorted(files.names()) if (fact := files.fact(name))]
    layers = [
        {**_descriptor(_LAYER, fact.digest, fact.size), "annotations": {_TITLE: name}}
        for name, fact in facts
    ]
    empty = _described(_EMPTY, b"{}")
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "artifactType": ARTIFACT_TYPE,
            "config": empty,
            "layers": layers,
        }
    )
    named = _described(_MANIFEST, manifest)
    entry = {**named, "artifactType": ARTIFACT_TYPE, "annotations": {_REFERENCE: TAG}}
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [entry]}
    small = {
        _LAYOUT_FILE: canonical_json({"imageLayoutVersion": "1.0.0"}),
        _INDEX_FILE: canonical_json(index),
        _blob(empty["digest"]): b"{}",
        _blob(named["digest"]): manifest,
    }
    blobs = {_blob(fact.digest): export / name for name, fact in facts}
    try:
        _write(target, small, blobs)
    except OSError as error:
        raise ArtifactError(f"{target} cannot be written ({error.strerror}).") from error
    return str(named["digest"])


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _described(media_type: str, data: bytes) -> dict[str, Any]:
    return _descriptor(media_type, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _write(target: Path, small: dict[str, bytes], blobs: dict[str, Path]) -> None:
    if target.suffix == ".tar":
        with (
            new_file(target) as partial,
            tarfile.open(partial, "x", format=tarfile.USTAR_FORMAT) as archive,
        ):
            for name in sorted({*small, *blobs}):
                source = blobs.get(name)
                size = source.stat().st_size if source else len(small[name])
                member = tarfile.TarInfo(name)
                member.size, member.mode = size, 0o644
                with ExitStack() as stack:
                    data = small.get(name, b"")
                    file = stack.enter_context(open_regular(source)) if source else io.BytesIO(data)
                    archive.addfile(member, file)
        return
    with new_folder(target) as made:
        (made / "blobs" / "sha256").mkdir(parents=True)
        for name, data in small.items():
            (made / name).write_bytes(data)
        for name, source in blobs.items():
            shutil.copyfile(source, made / name)


# -- reading --------------------------------------------------------------------------------------


class _Layout(Protocol):
    def open(self, name: str) -> IO[bytes] | None:
        """Return a regular file of the layout, or None."""


class _Folder:
    def __init__(self, root: Path) -> None:
        self._files = FolderFiles(root)

    def open(self, name: str) -> IO[bytes] | None:
        return self._files.open(name)


class _Archive:
    """A tar file. Nothing is unpacked by the names in it.

    Of two of one name neither is there, nor is a file with holes, which may be of any length.

    Raises:
        tarfile.TarError: it cannot be read from its beginning to its end.
    """

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members: dict[str, tarfile.TarInfo | None] = {}
        for member in _onwards(archive):
            name = member.name.removeprefix("./")
            twice = name in self._members
            plain = member.isreg() and not member.issparse() and not twice
            self._members[name] = member if plain else None

    def open(self, name: str) -> IO[bytes] | None:
        member = self._members.get(name)
        return None if member is None else self._archive.extractfile(member)


def _onwards(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members of an archive, as long as each stands behind the one before.

    A member of a negative size leads back to one before it, and so on without an end.
    """
    end = 0
    for member in archive:
        if member.size < 0 or member.offset < end:
            raise tarfile.ReadError("a member that leads back")
        end = member.offset_data
        yield member


def _archive(file: IO[bytes], stack: ExitStack) -> _Archive:
    """Return what is in a tar file.

    Raises:
        tarfile.TarError: it is none. A long row of headers of one member is more than the library
            reads.
    """
    try:
        return _Archive(stack.enter_context(tarfile.open(fileobj=file, mode="r:")))
    except (RecursionError, ValueError) as error:
        raise tarfile.ReadError("headers that cannot be read") from error


@contextmanager
def as_folder(path: Path) -> Iterator[Path]:
    """Yield the folder of an export: as it is, or taken for a while out of an image layout.

    Raises:
        IntegrityError: it is a layout, and not one that an export was written to.
        ArtifactError: it cannot be read.
    """
    if path.is_dir() and not (path / _LAYOUT_FILE).exists():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="hallmark-oci-") as folder, ExitStack() as stack:
        target = Path(folder)
        try:
            layout: _Layout = _Folder(path)
            if not path.is_dir():
                file = stack.enter_context(open_regular(path))
                layout = _archive(file, stack)
            _unpack(layout, target)
        except tarfile.TarError as error:
            raise IntegrityError(
                f"Expected an export, as a folder, an OCI image layout or a tar file with one, "
                f"found something else in {path}."
            ) from error
        except OSError as error:
            raise ArtifactError(f"{path} cannot be read ({error.strerror}).") from error
        yield target


def _unpack(layout: _Layout, target: Path) -> None:
    """Write the files of the image into an empty folder; every blob is hashed as it is copied."""
    index = _document(layout, _INDEX_FILE)
    manifests = [one for one in _list(index, "manifests") if one.get("mediaType") == _MANIFEST]
    if len(manifests) != 1:
        raise IntegrityError(f"Expected one image in {_INDEX_FILE}, found {len(manifests)}.")
    data = io.BytesIO()
    _copy(layout, manifests[0], data, _MAX_JSON)
    manifest = _parsed(data.getvalue(), "the image's manifest")
    if manifest.get("artifactType") != ARTIFACT_TYPE:
        raise IntegrityError(f"Expected an image of the type {ARTIFACT_TYPE}, found another one.")
    seen: set[str] = set()
    copied: dict[tuple[str, str], Path] = {}
    for layer in _list(manifest, "layers"):
        annotations = layer.get("annotations")
        title = annotations.get(_TITLE) if isinstance(annotations, dict) else None
        if not isinstance(title, str) or not _is_path(title) or title in seen:
            raise IntegrityError(
                f"Expected layers titled with paths of the export, each once, found {title!r:.99}."
            )
        seen.add(title)
        path = target / title
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # What many layers name takes the room of one file.
            blob = (str(layer.get("digest")), str(layer.get("size")))
            if blob in copied:
                path.hardlink_to(copied[blob])
                continue
            with path.open("xb") as file:
                _copy(layout, layer, file, None)
            copied[blob] = path
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise IntegrityError(f"Two layers want to be at {title!r:.99}.") from error
    if INDEX not in seen:
        raise IntegrityError(f"Expected a layer titled {INDEX}, found none.")


def _copy(layout: _Layout, descriptor: dict[str, Any], to: IO[bytes], limit: int | None) -> None:
    """Copy the blob that a descriptor names, if it is that."""
    digest, size = descriptor.get("digest"), descriptor.get("size")
    hexadecimal = digest.removeprefix("sha256:") if isinstance(digest, str) else ""
    named = len(hexadecimal) == 64 and set(hexadecimal) <= set("0123456789abcdef")
    if not named or type(size) is not int or size < 0 or (limit is not None and size > limit):
        raise IntegrityError("Expected a blob by its SHA-256 and size, found something else.")
    source = layout.open(f"blobs/sha256/{hexadecimal}")
    if source is None:
        raise IntegrityError(f"Expected the blob {digest}, found none.")
    hashed, left = hashlib.sha256(), size
    with source:
        while data := source.read(min(_CHUNK, left + 1)):
            left -= len(data)
            if left < 0:
                break
            hashed.update(data)
            to.write(data)
    if left or hashed.hexdigest() != hexadecimal:
        raise IntegrityError(f"Expected the blob {digest} of {size} bytes, found another one.")


def _is_path(title: str) -> bool:
    parts = title.split("/")
    return len(title) <= 1024 and title.isprintable() and not {"", ".", ".."} & set(parts)


def _document(layout: _Layout, name: str) -> dict[str, Any]:
    source = layout.open(name)
    if source is None:
        raise IntegrityError(f"Expected {name}, as an OCI image layout has it, found none.")
    with source:
        return _parsed(source.read(_MAX_JSON + 1), name)


def _parsed(data: bytes, what: str) -> dict[str, Any]:
    try:
        return parse_object(data, _MAX_JSON)
    except (UnreadableJSON, json.JSONDecodeError) as error:
        raise IntegrityError(f"Expected a JSON object in {what}, found something else.") from error


def _list(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise IntegrityError(f"Expected a list of objects in '{name}', found something else.")
    return found
