"""The artifact store: objects in S3, Google Cloud Storage, Azure, a folder or memory."""

from hallmark.store.location import open_store
from hallmark.store.store import ArtifactMissing, ArtifactTooLarge, Entry, Store

__all__ = ["ArtifactMissing", "ArtifactTooLarge", "Entry", "Store", "open_store"]
