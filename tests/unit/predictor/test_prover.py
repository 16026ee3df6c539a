"""The seal and the form are proved in a child, and what that takes is in memory nowhere else."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from hallmark.api.documents import Manifest, Trust
from hallmark.api.files import MODEL_ONNX
from hallmark.api.trainer import Algorithm
from hallmark.training.graph import build
from hallmark_predictor.prover import Prover
from hallmark_predictor.runtime import open_graph
from hallmark_predictor.scoring import open_scorer, proving_rows
from hallmark_predictor.verification import Refused, verify_seal
from tests.unit.predictor import factories
from tests.unit.predictor.factories import NOW, SCHEMA_DOCUMENT, sealed, served_files
from tests.unit.predictor.test_process import Process, predict
from tests.unit.training.fits import fitted, small

DATA = factories.onnx()
NOWHERE = Path("/nonexistent")


def test_a_child_answers_what_the_graph_answers_and_is_gone() -> None:
    rows = proving_rows(SCHEMA_DOCUMENT)
    prover = Prover(NOWHERE, NOW)
    pid = prover.pid
    found = prover.answers(DATA, SCHEMA_DOCUMENT, rows)
    np.testing.assert_array_equal(found, open_graph(DATA, SCHEMA_DOCUMENT)(rows))
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


WHOLE = sealed()
FORGED = WHOLE.trust.replace(bundle=WHOLE.trust.bundle.replace('"payload":"', '"payload":"AA'))
STRANGER = WHOLE.trust.replace(namespace="elsewhere")


@pytest.mark.parametrize("trust", [WHOLE.trust, FORGED, STRANGER], ids=["ours", "forged", "other"])
@pytest.mark.parametrize("end", [None, signal.SIGKILL])
def test_a_seal_is_verified_as_well_by_a_child_and_without_it(
    tmp_path: Path, trust: Trust, end: int | None
) -> None:
    file = tmp_path / "trust.json"
    file.write_bytes(trust.to_bytes())
    prover = Prover(file, NOW)
    if end is not None:
        os.kill(prover.pid, end)
    found = prover.seal(trust, NOW)
    prover.close()
    assert found == verify_seal(trust, NOW)
    assert isinstance(found, Manifest) == (trust is WHOLE.trust)


def test_a_child_speaks_for_no_other_trust_file_than_its_own(tmp_path: Path) -> None:
    file = tmp_path / "trust.json"
    file.write_bytes(WHOLE.trust.to_bytes())
    prover = Prover(file, NOW)
    found = prover.seal(FORGED, NOW)
    prover.close()
    assert isinstance(found, Refused)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_where_the_child_does_not_answer_this_process_asks_the_graph(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hallmark_predictor.prover.PATIENCE", 0.2)
    prover = Prover(NOWHERE, NOW)
    os.kill(prover.pid, number)
    scorer = open_scorer(DATA, SCHEMA_DOCUMENT, open_graph, prover.answers)
    assert scorer.row is not None


def test_what_the_runtime_cannot_load_is_an_error_here_as_well() -> None:
    with pytest.raises(Exception, match=r"(?i)protobuf|model"):
        Prover(NOWHERE, NOW).answers(b"no graph", SCHEMA_DOCUMENT, proving_rows(SCHEMA_DOCUMENT))


def test_other_answers_of_the_child_leave_the_model_to_the_runtime() -> None:
    def other(*asked: object) -> np.ndarray:  # type: ignore[type-arg]
        return np.zeros((len(proving_rows(SCHEMA_DOCUMENT)), 2), dtype=np.float32)

    assert open_scorer(DATA, SCHEMA_DOCUMENT, open_graph, other).row is None


@pytest.mark.parametrize("algorithm", [Algorithm.LOGISTIC_REGRESSION, Algorithm.RANDOM_FOREST])
def test_the_runtime_is_in_memory_only_where_it_serves(
    tmp_path: Path, algorithm: Algorithm
) -> None:
    rows = factories.traffic(300)
    truth = (rows[:, 0] > 50_000).astype(np.int64)
    found = fitted(rows, truth, SCHEMA_DOCUMENT.features, small(algorithm))
    files = served_files() | {MODEL_ONNX: build(found.plain, "credit")}
    with ExitStack() as stack:
        process = Process(tmp_path, stack, sealed(files=files))
        process.start()
        process.wait_until("/readyz")
        assert not process.has_loaded("cryptography")
        assert not process.has_loaded("pydantic_core")
        assert process.has_loaded("onnxruntime") == (algorithm is Algorithm.RANDOM_FOREST)
        with closing(process.connect()) as connection:
            assert predict(connection)[0] == 200
        assert process.children() == []
