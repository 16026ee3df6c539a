"""The same spec, data and image give the same bytes of every artifact, whatever the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hallmark.api import artifacts as api
from hallmark.api.training_run import Algorithm

ROOT = Path(__file__).parents[3]
_TRAIN = """
import hashlib, io, json, sys
import polars as pl
from hallmark.training.outcome import Artifacts
from tests.unit.training.factories import mixed_rows, mixed_spec, run
from tests.unit.training.fits import small

rows = mixed_rows(400)
thirds = pl.when(pl.col("amount") > 60).then(pl.lit("maybe")).otherwise(pl.col("label"))
digests = {}
for algorithm in sys.argv[1:]:
    for classes, frame in ((2, rows), (3, rows.with_columns(label=thirds))):
        data = io.BytesIO()
        frame.write_parquet(data)
        trainer = small(algorithm).to_wire()
        spec = mixed_spec(trainer=trainer, evaluation={"resamples": 200})
        if classes == 3:
            spec["schema"]["target"]["categories"] = ["maybe", "no", "yes"]
        found = run(spec, data.getvalue())
        assert isinstance(found, Artifacts), found.outcome.message
        digests[f"{algorithm} {classes}"] = {
            name: hashlib.sha256(content).hexdigest() for name, content in found.files.items()
        }
print(json.dumps(digests))
"""
ENVIRONMENTS = (
    {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"},
    {
        "PYTHONHASHSEED": "2",
        "OMP_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "2",
        "LOKY_MAX_CPU_COUNT": "2",
        "POLARS_MAX_THREADS": "3",
        # The C library fills new memory with this: what is left unset would show.
        "MALLOC_PERTURB_": "165",
    },
)


def train_apart(algorithms: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, "-c", _TRAIN, *algorithms],
        env={**os.environ, **environment, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def trained() -> list[dict[str, dict[str, str]]]:
    started = [train_apart(list(Algorithm), environment) for environment in ENVIRONMENTS]
    return [json.loads(process.communicate()[0]) for process in started]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("algorithm", Algorithm)
def test_every_artifact_has_the_same_bytes(
    trained: list[dict[str, dict[str, str]]], algorithm: Algorithm, classes: int
) -> None:
    first, second = (digests[f"{algorithm} {classes}"] for digests in trained)
    assert set(first) == set(api.UPLOAD_SLOTS) - {api.PROGRESS}
    assert {name for name in first if first[name] != second[name]} == set()
