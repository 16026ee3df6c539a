"""Load from one core: closed loop by wrk, open loop by vegeta."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.serve import environments
from tests.bench.serve.servers import LOAD_CORE, Running

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Pace:
    """What a closed loop measured.

    Attributes:
        rate: Requests a second.
        processor: Seconds of the server's core for each request.
        failed: Answers that were not 200, and errors.
    """

    rate: float
    processor: float
    failed: int


def closed_loop(
    server: Running,
    path: str,
    body: bytes,
    folder: Path,
    *,
    headers: Mapping[str, str] = JSON,
    connections: int = 32,
    seconds: int = 4,
) -> Pace:
    """Ask as fast as answers come.

    Raises:
        RuntimeError: wrk is not installed, or failed.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is needed: apt-get install wrk.")
    content, script = folder / "body", folder / "post.lua"
    content.write_bytes(body)
    lines = [
        'wrk.method = "POST"',
        f'local file = io.open("{content}", "rb")',
        'wrk.body = file:read("*a")',
        *(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()),
    ]
    script.write_text("\n".join(lines))
    before = server.processor
    found = subprocess.run(
        [
            *("taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"),
            *("--timeout", "20s", "-s", str(script), f"http://127.0.0.1:{server.port}{path}"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    spent = server.processor - before
    answered = _number(r"(\d+) requests in", found)
    other = _number(r"Non-2xx or 3xx responses: (\d+)", found)
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", found
    )
    failed = int(other) + (sum(map(int, errors.groups())) if errors else 0)
    return Pace(_number(r"Requests/sec:\s+([\d.]+)", found), spent / max(answered, 1), failed)


def open_loop(server: Running, path: str, body: bytes, rate: float, seconds: int = 8) -> float:
    """Ask at a rate whatever the answers do; return the 99th percentile of latency in seconds.

    Raises:
        RuntimeError: an answer was not 200.
    """
    vegeta = str(environments.vegeta())
    target = {
        "method": "POST",
        "url": f"http://127.0.0.1:{server.port}{path}",
        "body": base64.b64encode(body).decode(),
        "header": {"Content-Type": ["application/json"]},
    }
    attack = subprocess.run(
        [
            *("taskset", "-c", LOAD_CORE, vegeta, "attack", "-format=json"),
            *(f"-rate={rate:.0f}", f"-duration={seconds}s", "-connections=64", "-max-workers=256"),
        ],
        input=json.dumps(target).encode() + b"\n",
        capture_output=True,
        check=True,
    ).stdout
    report = subprocess.run(
        [vegeta, "report", "-type=json"], input=attack, capture_output=True, check=True
    ).stdout
    found = json.loads(report)
    if found["success"] < 1:
        raise RuntimeError(f"{server.name} answered {found['status_codes']} at {rate:.0f}/s.")
    return float(found["latencies"]["99th"]) / 1e9


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0.0
