"""The artifact stores that policies name, opened with the operator's own credentials."""

from __future__ import annotations

from pathlib import Path

from hallmark import store
from hallmark.api.model_policy import Store


class Stores:
    """Opens each store once, and again when the mounted credentials change."""

    def __init__(self, credentials: Path) -> None:
        """Remember the folder with the credentials; without it the environment's are used."""
        self._credentials = credentials
        self._open: dict[tuple[str, str | None, str, float], store.Store] = {}

    def open(self, spec: Store) -> store.Store:
        """Return the store of a policy; nothing is sent.

        Raises:
            ConfigurationError: its address or the credentials cannot be used.
        """
        file = self._credentials / "access-key-id"
        mounted = file.exists()
        key = (spec.uri, spec.endpoint, spec.region, file.stat().st_mtime if mounted else 0.0)
        if key not in self._open:
            self._open[key] = store.open_store(
                spec.uri,
                endpoint=spec.endpoint,
                region=spec.region,
                credentials=self._credentials if self._credentials.exists() else None,
            )
        return self._open[key]
