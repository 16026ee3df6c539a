"""What stands in the files of a sealed bundle that list or fetch others; their names: ``files``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hallmark.api.common import (
    Digest,
    FileModel,
    ObjectName,
)


class ManifestFile(FileModel):
    """A file of the bundle."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$", max_length=128)]
    digest: Digest
    size: Annotated[int, Field(ge=0, le=2**53 - 1)]
    """In bytes; canonical JSON expresses no greater integer."""


class Manifest(FileModel):
    """``manifest.json``: every file but itself and the signature, in name order."""

    schema_version: Literal["hallmark.dev/manifest/v1"] = "hallmark.dev/manifest/v1"
    namespace: Annotated[str, Field(max_length=63)]
    model: ObjectName
    run_id: Annotated[str, Field(pattern=r"^[a-f0-9]{12}$")]
    spec_digest: Digest
    dataset_fingerprint: Digest
    image_digest: Digest
    """Digest of the trainer's image, or of its reference where no digest is known."""
    files: Annotated[list[ManifestFile], Field(min_length=1, max_length=32)]

    def file(self, name: str) -> ManifestFile | None:
        """Return the entry of that name, or None."""
        return next((entry for entry in self.files if entry.name == name), None)


class UploadURLs(FileModel):
    """Presigned PUT URLs by slot: ``/var/run/hallmark/urls/urls.json`` (a Secret)."""

    urls: dict[str, str]


class DownloadURLs(FileModel):
    """Presigned GET URLs by file name: ``/var/run/hallmark/urls/urls.json`` (a Secret)."""

    urls: dict[str, str]
