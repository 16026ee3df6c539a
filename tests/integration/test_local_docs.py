"""The page on the chain without a cluster: its commands, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.hmda import hmda_csv
from tests.integration.local_chain import SECONDS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "local.md"
ROW = {
    "pirat": 0.3, "hirat": 0.2, "lvrat": 0.8, "chist": 2, "mhist": 1, "phist": "no", "unemp": 3.9,
    "selfemp": "no", "insurance": "no", "condomin": "no", "hschool": "yes",
}  # fmt: skip


def commands() -> list[str]:
    """Return the page's blocks of shell commands."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.slow
def test_the_commands_of_the_page_work_as_written(tmp_path: Path) -> None:
    (tmp_path / "hmda.csv").write_bytes(hmda_csv())
    (tmp_path / "row.json").write_text(json.dumps({"instances": [ROW]}))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "hallmark").write_text(f'#!/bin/sh\nexec {sys.executable} -m hallmark.cli "$@"\n')
    (programs / "hallmark").chmod(0o755)
    # Another process of this machine may have 8080.
    port = free_port()
    blocks = [block.replace(":8080", f":{port}") for block in commands()]
    assert len(blocks) == 2
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HALLMARK_PORT": str(port),
    }
    script = "set -ex\n" + "\n".join(blocks)

    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(SECONDS)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    out = log.read_text()

    assert code == 0, out
    assert '"label":"no"' in out
    assert "hmda-v2 serves at" in out
    assert "Rolling back to 'hmda-v1'." in out
    assert "Revoked by local:" in out
