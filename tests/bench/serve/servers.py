"""The servers that are measured, each started on a core of its own with one worker."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measuring import processor_seconds, resident
from tests.bench.serve import environments
from tests.bench.serve.model import Bench
from tests.unit.predictor import factories

SERVER_CORE, LOAD_CORE = "0", "1"
PEERS = Path(__file__).parent / "peers"
PATIENCE = 90.0


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        name: For the figures.
        port: On loopback.
        path: Of the v2 protocol's inference.
        pid: Of the process that answers.
        cold_start: Seconds from exec to the first right answer.
        output: What it must be asked for by name, if it does not give probabilities by itself.
    """

    name: str
    port: int
    path: str
    pid: int
    cold_start: float
    output: str | None = None

    def ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body of one POST."""
        return _post(self.port, path, body, headers)

    @property
    def memory(self) -> int:
        """Resident bytes of the process and its children."""
        return sum(resident("VmRSS", pid) for pid in _family(self.pid))

    @property
    def processor(self) -> float:
        """Seconds that it and its children have kept a core busy."""
        return sum(processor_seconds(pid) for pid in _family(self.pid))


@contextmanager
def hallmark(bench: Bench, folder: Path) -> Iterator[Running]:
    """Run the predictor itself: verified, with drift and metrics on.

    Its files lie beside the trust file, as a small bundle's do in a Pod, and the peers' do here.
    """
    known = factories.write_settings(folder, bench.sealed.trust, {})
    known.bundle.mkdir()
    for name, data in bench.sealed.files.items():
        (known.bundle / name).write_bytes(data)
    with ExitStack() as stack:
        python = str(environments.folder("hallmark") / "bin/python")
        arguments = [
            *(python, "-m", "hallmark_predictor", "--host=127.0.0.1"),
            *(f"--trust-sha256={known.trust_sha256}", f"--trust={known.trust_file}"),
            *(f"--urls={known.urls_file}", f"--bundle={known.bundle}"),
        ]
        environment = {
            "POD_NAME": factories.POD,
            "POD_NAMESPACE": factories.NAMESPACE,
            "HALLMARK_DEPLOYMENT": factories.DEPLOYMENT,
            "TERMINATION_LOG": str(folder / "termination-log"),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }

        def command(port: int) -> list[str]:
            return [*arguments, f"--port={port}"]

        yield stack.enter_context(
            _server("hallmark", command, "/v2/models/credit/infer", bench, environment)
        )


@contextmanager
def null_app(bench: Bench, folder: Path) -> Iterator[Running]:
    """Run an application that does nothing, on the predictor's server."""

    def command(port: int) -> list[str]:
        return [sys.executable, str(PEERS / "null_app.py"), str(port)]

    environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    with _server("null", command, "/null", bench, environment, right=lambda body: True) as found:
        yield found


@contextmanager
def mlserver(bench: Bench, folder: Path) -> Iterator[Running]:
    """Run MLServer, its worker in the process itself, as its documentation says for one model."""
    port = _free_port()
    (folder / "settings.json").write_text(
        json.dumps(
            {
                "host": "127.0.0.1",
                "http_port": port,
                "grpc_port": _free_port(),
                "metrics_port": _free_port(),
                "parallel_workers": 0,
                "debug": False,
            }
        )
    )
    (folder / "model-settings.json").write_text(
        json.dumps(
            {
                "name": "credit",
                "implementation": "mlserver_sklearn.SKLearnModel",
                "parameters": {"uri": str(bench.joblib)},
            }
        )
    )
    command = [str(environments.folder("mlserver") / "bin/mlserver"), "start", str(folder)]
    path = "/v2/models/credit/infer"
    output = "predict_proba"
    with _server("mlserver", lambda _: command, path, bench, {}, port=port, output=output) as found:
        yield found


@contextmanager
def kserve(bench: Bench, folder: Path) -> Iterator[Running]:
    """Run KServe's SDK."""

    def command(port: int) -> list[str]:
        python = str(environments.folder("kserve") / "bin/python")
        return [python, str(PEERS / "kserve_model.py"), str(bench.joblib), str(port)]

    with _server("kserve", command, "/v2/models/credit/infer", bench, {}) as found:
        yield found


def check_clients(server: Running) -> None:
    """Ask with tritonclient and KServe's client.

    Raises:
        RuntimeError: one of them is not answered as it should be.
    """
    python = str(environments.folder("clients") / "bin/python")
    command = [python, str(PEERS / "clients.py"), f"127.0.0.1:{server.port}"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        raise RuntimeError(f"A client failed: {found.stderr[-2000:]}")


@contextmanager
def _server(
    name: str,
    command: Callable[[int], list[str]],
    path: str,
    bench: Bench,
    environment: Mapping[str, str],
    *,
    port: int | None = None,
    output: str | None = None,
    right: Callable[[bytes], bool] | None = None,
) -> Iterator[Running]:
    port = port or _free_port()
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    started = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *command(port)],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **threads, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process, port, path, bench.matrix(1, output), right or bench.is_right)
        yield Running(name, port, path, process.pid, time.perf_counter() - started, output)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(
    process: subprocess.Popen[bytes],
    port: int,
    path: str,
    asked: bytes,
    right: Callable[[bytes], bool],
) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not answer on port {port}.")
        try:
            status, body = _post(port, path, asked, {"content-type": "application/json"})
        except OSError:
            status = 0
        if status == 200:
            if not right(body):
                raise RuntimeError(f"{process.args!r} answers otherwise: {body[:300]!r}")
            return
        time.sleep(0.005)  # Questions take time from who starts and listens already.


def _post(port: int, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(found for child in children for found in _family(int(child)))]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
