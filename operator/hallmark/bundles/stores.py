"""The artifact stores that policies name, opened with the operator's own credentials."""

from __future__ import annotations

from pathlib import Path

from hallmark import store
from hallmark.api.model_policy import Store


class Stores:
    """Opens each store once, and again when the mounted credentials change."""

    def __init__(self, credentials: Path, endpoint: str = "") -> None:
        """Remember how stores are reached.

        Args:
            credentials: the folder with the credentials; without it the environment's are used.
            endpoint: the address of a door that serves what the policies' one does.
        """
        self._credentials = credentials
        self._endpoint = endpoint
        self._open: dict[tuple[str, str | None, str, float], store.Store] = {}

    def open(self, spec: Store) -> store.Store:
        """Return the store of a policy; nothing is sent.

        Raises:
            ConfigurationError: its address or the credentials cannot be used.
        """
        file = self._credentials / "access-key-id"
        mounted = file.exists()
        endpoint = self._endpoint or spec.endpoint
        key = (spec.uri, endpoint, spec.region, file.stat().st_mtime if mounted else 0.0)
        if key not in self._open:
            self._open[key] = store.open_store(
                spec.uri,
                endpoint=endpoint,
                region=spec.region,
                credentials=self._credentials if self._credentials.exists() else None,
            )
        return self._open[key]
