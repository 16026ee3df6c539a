"""The same spec, data and image give the same bytes of every artifact, whatever the process."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from hallmark.api import files as api
from hallmark.api.trainer import Algorithm
from hallmark.kernels import VARIABLE
from tests.examples import slow_but

ROOT = Path(__file__).parents[3]
_TRAIN = """
from hallmark.kernels import choose_kernels
choose_kernels()
import hashlib, io, json, sys
import polars as pl
from hallmark.training.outcome import Artifacts
from tests.examples import slow_but
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
    {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1", "TZ": "UTC"},
    {
        "PYTHONHASHSEED": "2",
        "OMP_NUM_THREADS": "8",
        "OPENBLAS_NUM_THREADS": "2",
        "LOKY_MAX_CPU_COUNT": "2",
        "POLARS_MAX_THREADS": "3",
        # The C library fills new memory with this: what is left unset would show.
        "MALLOC_PERTURB_": "165",
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "tr_TR.UTF-8",
    },
)


UMASKS = 0o022, 0o077


def train_apart(
    algorithms: list[str], environment: dict[str, str], folder: Path, umask: int
) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, "-c", _TRAIN, *algorithms],
        env={**os.environ, **environment, "PYTHONPATH": path},
        cwd=folder,
        umask=umask,
        stdout=subprocess.PIPE,
        text=True,
    )


QUICK = (Algorithm.LOGISTIC_REGRESSION, Algorithm.HIST_GRADIENT_BOOSTING)
SOME = [[*QUICK], [algorithm for algorithm in Algorithm if algorithm not in QUICK]]


@pytest.mark.parametrize("algorithms", slow_but(SOME[0], of=SOME), ids=" and ".join)
def test_every_artifact_has_the_same_bytes(algorithms: list[str], tmp_path: Path) -> None:
    folders = tmp_path, ROOT / "docs"
    started = [
        train_apart(algorithms, environment, folder, umask)
        for environment, folder, umask in zip(ENVIRONMENTS, folders, UMASKS, strict=True)
    ]
    first, second = (json.loads(process.communicate()[0]) for process in started)
    assert set(first) == {
        f"{algorithm} {classes}" for algorithm in algorithms for classes in (2, 3)
    }
    for model, files in first.items():
        assert set(files) == set(api.UPLOAD_SLOTS) - {api.PROGRESS}
        assert [name for name in files if files[name] != second[model][name]] == [], model


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines have other kernels")
@pytest.mark.parametrize("module", ["hallmark.training.__main__", "hallmark.cli"])
def test_every_way_to_train_has_the_same_kernels(module: str) -> None:
    """On a processor with AVX-512 the sums of a linear model would come out otherwise."""
    look = f"import {module}, numpy, scipy.linalg, threadpoolctl as t; print({{i['architecture'] "
    look += "for i in t.threadpool_info() if i['internal_api'] == 'openblas'})"
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", look],
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "{'Haswell'}"
