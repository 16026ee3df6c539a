"""Every hostile file ends in a sentence, within limits of time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.unit.data.hostile.corpus import CORPUS, SECRET

SECONDS = 10.0
"""Of processor time for one file; the slowest takes two on a machine that is not busy."""
PEAK_MIB = 1024
"""Of the whole process: its imports, the largest hostile file and what reading it takes."""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, object]]:
    """What one process of limited memory says of all files."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.unit.data.hostile.corpus"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return {outcome["name"]: outcome for outcome in map(json.loads, ended.stdout.splitlines())}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_file_ends_in_a_sentence(
    outcomes: dict[str, dict[str, object]], name: str
) -> None:
    outcome = outcomes[name]
    sentences, seconds = str(outcome["sentences"]), outcome["seconds"]
    assert CORPUS[name].words in sentences
    assert SECRET not in sentences
    assert len(sentences) < 4000
    assert isinstance(seconds, float)
    assert seconds < SECONDS


@pytest.mark.timeout(300)
def test_no_hostile_file_takes_more_memory_than_a_few_blocks(
    outcomes: dict[str, dict[str, object]],
) -> None:
    peaks = [peak for outcome in outcomes.values() if isinstance(peak := outcome["peak_mib"], int)]
    assert max(peaks) < PEAK_MIB
