"""The command line, as somebody on his own machine uses it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster import Cluster

Done = subprocess.CompletedProcess[str]


def run(cluster: Cluster, *arguments: str) -> Done:
    """Run `hallmark` against a cluster, as its administrator unless `--as` says another."""
    beside = Path(sys.executable).parent / "hallmark"
    program = str(beside) if beside.exists() else shutil.which("hallmark") or "hallmark"
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "COLUMNS": "200"}
    return subprocess.run(
        [program, *arguments], text=True, capture_output=True, check=False, env=environment
    )


def hallmark(cluster: Cluster, *arguments: str) -> Done:
    """Run `hallmark`; it must do what was asked.

    Raises:
        AssertionError: with all that it said.
    """
    done = run(cluster, *arguments)
    assert done.returncode == 0, f"hallmark {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done
