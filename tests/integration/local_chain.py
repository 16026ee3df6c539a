"""Chains without a cluster, as tests run them: real processes on a folder of their own."""

from __future__ import annotations

import io
import itertools
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import yaml

from tests.data.hmda import hmda_csv, hmda_spec

SECONDS = 300
_NUMBERS = itertools.count()
FEATURES = ("pirat", "hirat", "lvrat", "chist", "mhist", "unemp", "phist", "selfemp", "insurance",
            "condomin", "single", "hschool")  # fmt: skip


@dataclass(frozen=True)
class Chain:
    """A folder with data, runs and a chain."""

    path: Path

    @property
    def state(self) -> Path:
        """The folder that keeps it."""
        return self.path / "chain"

    @property
    def registry(self) -> dict[str, Any]:
        """Its registry."""
        found: dict[str, Any] = json.loads((self.state / "models" / "registry.json").read_text())
        return found

    def write_run(self, name: str, *, with_protected: bool = False, **changes: Any) -> Path:  # noqa: ANN401
        """Write a run of mortgage rows."""
        spec = hmda_spec(with_protected)
        spec["evaluation"] = {"resamples": 100}
        run = {
            "apiVersion": "hallmark.dev/v1alpha1",
            "kind": "TrainingRun",
            "metadata": {"name": name},
            "spec": {**spec, **changes},
        }
        file = self.path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(run))
        return file

    def command(self, *arguments: str | Path) -> list[str]:
        """Return ``hallmark local`` with arguments, for this folder."""
        return [
            sys.executable,
            "-m",
            "hallmark.cli",
            "local",
            *map(str, arguments),
            f"--state={self.state}",
        ]

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run it without a terminal."""
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )


class Server:
    """``hallmark local serve`` in a process."""

    def __init__(self, chain: Chain, *options: str) -> None:
        self._log = chain.path / f"server-{next(_NUMBERS)}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                chain.command("serve", "--port=0", *options), stderr=log, stdout=log
            )
        self.url = self.wait_for(r"Serving at (http://localhost:[0-9]+) ")[1]

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match among the lines that it wrote."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if found := re.search(pattern, self._log.read_text(), re.MULTILINE):
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"No line like {pattern!r} came: {self._log.read_text()}")

    def predict(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the answer to a request."""
        answer = httpx.post(f"{self.url}/predict", json={"instances": rows}, timeout=SECONDS)
        answer.raise_for_status()
        return dict(answer.json())

    def get(self, path: str) -> str:
        """Return a page."""
        answer = httpx.get(self.url + path, timeout=SECONDS)
        answer.raise_for_status()
        return answer.text

    def end(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)


def traffic(count: int, *, shift: float = 1.0, seed: int = 1) -> list[dict[str, Any]]:
    """Return applications from the table; their ratios may be higher."""
    frame = pd.read_csv(io.BytesIO(hmda_csv()))
    rows = frame[list(FEATURES)].sample(count, random_state=seed, replace=True)
    for name in ("pirat", "hirat", "lvrat"):
        rows[name] = (rows[name] * shift).clip(0, 10)
    found: list[dict[str, Any]] = json.loads(rows.to_json(orient="records"))
    return found
