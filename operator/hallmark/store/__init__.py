"""The artifact store: objects in S3, Google Cloud Storage, Azure, a folder or memory."""

from hallmark.store.location import open_store
from hallmark.store.store import ArtifactMissing, Entry, Store

__all__ = ["ArtifactMissing", "Entry", "Store", "open_store"]
