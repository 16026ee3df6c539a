"""Clients that are not ours, tritonclient and KServe's, ask a predictor as their users do."""

from pathlib import Path

import pytest

from tests.bench.serve import servers
from tests.bench.serve.model import make


@pytest.mark.slow
def test_tritonclient_and_kserves_client_get_the_same_answers_and_refusals(tmp_path: Path) -> None:
    folder = tmp_path / "predictor"
    folder.mkdir()
    with servers.hallmark(make(tmp_path), folder) as running:
        servers.check_clients(running)
