"""The whole process, over loopback: ``python -m hallmark_predictor``."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest

from hallmark.api.drift_report import DriftReport
from hallmark.api.files import MODEL_ONNX, SCHEMA
from tests.bench.measuring import resident
from tests.unit.predictor import factories
from tests.unit.predictor.factories import DEPLOYMENT, NAMESPACE, POD, ROW, Sealed, sealed
from tests.unit.predictor.servers import FakeApiServer, FileStore

BODY = json.dumps({"instances": [ROW]}).encode()


class Process:
    """A predictor, its store and its API server."""

    def __init__(self, folder: Path, stack: ExitStack, whole: Sealed) -> None:
        self.folder = folder
        self.store = stack.enter_context(FileStore(whole.files).running())
        self.api = stack.enter_context(FakeApiServer(folder).running())
        self.settings = factories.write_settings(folder, whole.trust, self.store.urls)
        self.port = _free_port()
        self._stack = stack
        self._process: subprocess.Popen[bytes] | None = None
        self._limit: list[str] = []

    def limit_memory(self, size: int) -> None:
        """Start with an address space of so many bytes at most from now on."""
        self._limit = ["sh", "-c", f'ulimit -v {size // 1024}; exec "$@"', "sh"]

    def start(self, *arguments: str, **environment: str) -> None:
        """Start the process; it serves before it is ready."""
        command = [
            *self._limit,
            *(sys.executable, "-m", "hallmark_predictor", "--host=127.0.0.1"),
            f"--port={self.port}",
            f"--trust-sha256={self.settings.trust_sha256}",
            f"--trust={self.settings.trust_file}",
            f"--urls={self.settings.urls_file}",
            f"--credentials={self.folder}",
            "--load-seconds=20",
            *arguments,
        ]
        known = {
            "POD_NAME": POD,
            "POD_NAMESPACE": NAMESPACE,
            "HALLMARK_DEPLOYMENT": DEPLOYMENT,
            "TERMINATION_LOG": str(self.settings.termination_log),
            "KUBERNETES_SERVICE_HOST": self.api.address.host,
            "KUBERNETES_SERVICE_PORT": str(self.api.address.port),
        }
        path = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        self._process = subprocess.Popen(command, env=path | known | environment)
        self._stack.callback(self._end)

    def wait_until(self, path: str, status: int = 200, seconds: float = 30) -> None:
        """Wait until a GET is answered with that status."""
        eventually(lambda: self.get(path) == status, seconds)

    def get(self, path: str) -> int | None:
        """Return the status, or None where nobody listens."""
        connection = self.connect()
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except ConnectionError:
            return None
        finally:
            connection.close()

    def connect(self, seconds: float = 20) -> HTTPConnection:
        """Return a new client, which waits so long."""
        return HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def exit_code(self, seconds: float = 30) -> int:
        """Wait for the end."""
        assert self._process
        return self._process.wait(seconds)

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self._process
        self._process.send_signal(number)

    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def address_space(self) -> int:
        """Return how many bytes of addresses it has."""
        assert self._process
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def has_loaded(self, library: str) -> bool:
        """Tell whether a library is in its memory."""
        assert self._process
        return library in Path(f"/proc/{self._process.pid}/maps").read_text()

    def children(self) -> list[int]:
        """Return the processes that it has started and that are there."""
        assert self._process
        pid = self._process.pid
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]

    def peak_memory(self) -> int:
        """Return the most bytes that it has had in memory."""
        assert self._process
        return resident("VmHWM", self._process.pid)

    @property
    def last_words(self) -> str:
        """The termination message."""
        return self.settings.termination_log.read_text()

    def _end(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    with ExitStack() as stack:
        yield Process(tmp_path, stack, sealed())


def predict(connection: HTTPConnection, body: bytes = BODY) -> tuple[int, str | None]:
    """Send a request; return status and the Connection header."""
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Connection")


# -- start ------------------------------------------------------------------------------------


def test_it_lives_while_it_loads_serves_and_reports(process: Process) -> None:
    process.store.failures = [503] * 2
    process.start()
    process.wait_until("/healthz")
    assert process.get("/readyz") == 503
    process.wait_until("/readyz")
    connection = process.connect()
    rows = factories.instances(factories.traffic(250))
    for index in range(0, 250, 25):
        body = json.dumps({"instances": rows[index : index + 25]}).encode()
        assert predict(connection, body) == (200, None)
    connection.close()

    def newest() -> DriftReport:
        return DriftReport.model_validate(process.api.reports[-1]["status"]["drift"][POD])

    eventually(lambda: bool(process.api.reports) and len(newest().windows) == 2)
    process.send(signal.SIGTERM)
    assert process.exit_code() == 0
    assert newest().rows == 250, "what came since is reported at the end"
    requests = newest().requests
    assert requests is not None
    assert (requests.count, requests.refused, requests.failed) == (10, 0, 0)
    assert sum(requests.latency) == requests.count
    assert [window.number for window in newest().windows] == [1, 2]
    sequences = [each["status"]["drift"][POD]["sequence"] for each in process.api.reports]
    assert sequences == sorted(set(sequences))


@pytest.mark.parametrize(
    ("whole", "sentence"),
    [
        pytest.param(sealed(approvals=[]), "0 of 1 approvals", id="not approved"),
        pytest.param(sealed(key=factories.OTHER_KEY), "key", id="signed by a stranger"),
        pytest.param(
            Sealed(sealed().files | {MODEL_ONNX: b"x"}, sealed().trust),
            "'model.onnx' is not the one that was sealed",
            id="other bytes in the store",
        ),
    ],
)
def test_a_refusal_is_a_sentence_and_exit_code_10(
    tmp_path: Path, whole: Sealed, sentence: str
) -> None:
    with ExitStack() as stack:
        process = Process(tmp_path, stack, whole)
        process.start()
        assert process.exit_code() == 10
        assert sentence in process.last_words


def test_a_store_that_stays_away_ends_it_with_exit_code_1(process: Process) -> None:
    process.store.failures = [503] * 100
    process.start("--load-seconds=1")
    assert process.exit_code() == 1
    assert process.last_words == "The store answered 503 for 'model.onnx'."


def test_a_schema_that_nothing_can_be_served_by_ends_it_with_a_sentence(tmp_path: Path) -> None:
    files = factories.served_files()
    schema = json.loads(files[SCHEMA])
    schema["features"][0]["minimum"] = 1e300  # no float32
    whole = sealed(files=files | {SCHEMA: json.dumps(schema).encode()})
    with ExitStack() as stack:
        process = Process(tmp_path, stack, whole)
        process.start()
        assert process.exit_code() == 1
        assert process.last_words.startswith("The model could not be loaded: ValueError at ")


def test_a_missing_variable_ends_it_with_a_sentence(process: Process) -> None:
    process.start(POD_NAME="")
    assert process.exit_code() == 1
    assert process.last_words == "The environment variable POD_NAME must be set."


# -- demotion and end -------------------------------------------------------------------------


def test_clients_of_a_demoted_predictor_must_connect_anew(process: Process) -> None:
    digest = sealed().trust.manifest_digest
    process.api.name_active(digest)
    process.start()
    process.wait_until("/readyz")
    connection = process.connect()
    assert predict(connection) == (200, None)
    client = connection.sock
    assert predict(connection) == (200, None)
    assert connection.sock is client, "while it is active a connection is kept"

    process.api.name_active("sha256:" + "0" * 64)
    eventually(lambda: predict(connection)[1] == "close")
    with socket.create_connection(("127.0.0.1", process.port), 5) as raw:
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n"
        raw.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + BODY)
        answer = b""
        while part := raw.recv(65536):  # It ends only because the server closes.
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert len(re.findall(rb"(?i)\r\nconnection: close\r\n", answer)) == 1

    process.api.name_active(digest)
    eventually(lambda: predict(connection)[1] is None)
    connection.close()


def test_no_request_is_lost_when_it_is_ended(process: Process) -> None:
    process.start("--drain-seconds=1")
    process.wait_until("/readyz")
    stop = threading.Event()
    answers: list[tuple[int, str | None]] = []
    lost: list[str] = []

    def client() -> None:
        connection = process.connect()
        while not stop.is_set():
            try:
                answers.append(predict(connection))
            except ConnectionRefusedError:
                break  # Nobody listens any more: a Service would have gone elsewhere.
            except OSError as error:
                lost.append(repr(error))
                connection.close()
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(4)]
    for each in clients:
        each.start()
    eventually(lambda: len(answers) > 50)
    process.send(signal.SIGTERM)
    eventually(lambda: process.get("/readyz") == 503)
    time.sleep(0.7)  # The clients leave before the end, as the Service's endpoints do.
    stop.set()
    for each in clients:
        each.join()
    assert process.exit_code() == 0
    assert lost == []
    assert {status for status, _ in answers} == {200}
    assert answers[-1] == (200, "close")


def test_a_request_in_flight_is_finished(process: Process) -> None:
    process.start("--drain-seconds=0.2")
    process.wait_until("/readyz")
    rows = factories.instances(factories.traffic(20))
    body = json.dumps({"instances": rows}).encode()
    with socket.create_connection(("127.0.0.1", process.port), 20) as raw:
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        raw.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body[:100])
        time.sleep(0.3)
        process.send(signal.SIGTERM)
        time.sleep(1)
        raw.sendall(body[100:])
        answer = b""
        while part := raw.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert process.exit_code() == 0


def test_an_api_server_that_hangs_does_not_hold_up_the_end(process: Process) -> None:
    process.start("--drain-seconds=0.2")
    process.wait_until("/readyz")
    process.api.hang()
    connection = process.connect()
    assert predict(connection)[0] == 200
    connection.close()
    started = time.monotonic()
    process.send(signal.SIGTERM)
    assert process.exit_code() == 0
    assert time.monotonic() - started < 9  # It waits ten seconds for an API server.
    assert process.api.reports == []


def test_it_ends_at_once_while_it_loads(process: Process) -> None:
    process.store.failures = [503] * 100
    process.start("--load-seconds=60", "--drain-seconds=60")
    process.wait_until("/healthz")
    process.send(signal.SIGTERM)
    assert process.exit_code(5) == 0


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, hallmark_predictor.process; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    heavy = {
        "sklearn",
        "pandas",
        "kubernetes",
        "joblib",
        "scipy",
        "kopf",
        "polars",
        "httpx",
        "fastapi",
        "onnxruntime",
    }
    assert not heavy & set(found.stdout.split())
