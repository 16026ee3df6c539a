"""The real object store, for the tests that seal."""

from tests.unit.store.conftest import gateway

__all__ = ["gateway"]
