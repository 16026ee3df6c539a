"""The README's first block, run as it stands: from a table to a prediction."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data.hmda import hmda_csv
from tests.integration.test_local_docs import free_port
from tests.readme import README, blocks

ROOT = README.parent
LONGEST = 540
"""Seconds until a block must have ended, however busy the machine is."""
LIMIT = 120
"""Seconds of CPU from `pip install` to the first prediction: what else the machine does meanwhile
makes it longer, and this not."""


def run(script: str, folder: Path, programs: Path) -> str:
    """Run a script as a user in a folder would, and return what it printed.

    Args:
        script: of bash.
        folder: where it runs; its table is put there.
        programs: where its `hallmark` and `pip` are.
    """
    (folder / "loans.csv").write_bytes(hmda_csv())
    port = free_port()  # another process of this machine may have 8080
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    environment |= {"PATH": f"{programs}:{os.environ['PATH']}", "HALLMARK_PORT": str(port)}
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            ["bash", "-c", "set -ex\n" + script.replace(":8080", f":{port}")],
            cwd=folder,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(LONGEST)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert code == 0, log.read_text()
    return log.read_text()


def block() -> str:
    (found,) = blocks(README.read_text(), "local")
    return found


def test_the_first_block_leads_from_a_table_to_a_prediction(tmp_path: Path) -> None:
    install, *rest = block().splitlines(keepends=True)
    assert install.startswith("pip install ")
    programs = tmp_path / "bin"
    programs.mkdir()
    where = f"PYTHONPATH={os.environ.get('PYTHONPATH', '')}"
    command = f'#!/bin/sh\n{where} exec {sys.executable} -m hallmark.cli "$@"\n'
    (programs / "hallmark").write_text(command)
    (programs / "hallmark").chmod(0o755)
    assert '"predictions":[{"label":"' in run("".join(rest), tmp_path, programs)


@pytest.mark.slow
def test_from_pip_install_to_the_first_prediction(tmp_path: Path) -> None:
    """All of it, into an environment of its own; see ``LIMIT``."""
    made = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", made], check=True)
    script = block().replace("'.[local]'", f"'{ROOT}[local]'")
    assert script != block()
    started, before = time.monotonic(), cpu_seconds()
    out = run(script, tmp_path, made / "bin")
    seconds, cpu = time.monotonic() - started, cpu_seconds() - before
    print(f"from pip install to the first prediction: {seconds:.0f} s, {cpu:.0f} s of CPU")
    assert '"predictions":[{"label":"' in out
    assert cpu < LIMIT


def cpu_seconds() -> float:
    """Return the seconds of CPU that processes which have ended have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
