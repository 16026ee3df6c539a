"""The stores that every store test runs against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hallmark.store import Store, open_store
from tests.unit.store.versitygw import Gateway, running


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("versitygw")) as gateway:
        yield gateway


@pytest.fixture(params=["s3", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        gateway: Gateway = request.getfixturevalue("gateway")
        return gateway.store(tmp_path.name)
    return open_store("memory://" if request.param == "memory" else f"file://{tmp_path}/store")
