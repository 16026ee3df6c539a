"""A real S3 store on loopback: versitygw over a temporary folder."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError

from hallmark.store import Store, open_store
from tests.cluster import binaries
from tests.cluster.progress import Progress

BUCKET = "hallmark"


@dataclass(frozen=True)
class Gateway:
    """A running store and how to reach it."""

    endpoint: str
    credentials: Path
    """A folder with ``access-key-id`` and ``secret-access-key``."""
    folder: Path
    """Where the bucket's objects are files: tests may damage them."""
    process: subprocess.Popen[bytes]

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let the store take connections and answer none until the block ends."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def store(self, prefix: str, *, credentials: Path | None = None) -> Store:
        """Return the store below ``prefix`` in the bucket."""
        return open_store(
            f"s3://{BUCKET}/{prefix}",
            endpoint=self.endpoint,
            credentials=credentials or self.credentials,
        )

    def file(self, prefix: str, path: str) -> Path:
        """Return the file that holds an object's bytes."""
        return self.folder / BUCKET / prefix / path


def write_credentials(folder: Path, access_key: str, secret_key: str) -> Path:
    """Write a folder of credentials as a Secret is mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "access-key-id").write_text(f"{access_key}\n")
    (folder / "secret-access-key").write_text(f"{secret_key}\n")
    return folder


@contextmanager
def running(root: Path) -> Iterator[Gateway]:
    """Run a store over ``root`` until the block ends."""
    binaries.build((binaries.VERSITYGW,), Progress())
    (root / "data" / BUCKET).mkdir(parents=True)
    (root / "meta").mkdir()
    port = _free_port()
    # Metadata goes to files, since not every temporary folder has extended attributes.
    command = [
        *(str(binaries.program("versitygw")), "--quiet"),
        *("--access", "tester", "--secret", "tester-secret", "--port", f"127.0.0.1:{port}"),
        *("posix", "--sidecar", str(root / "meta"), str(root / "data")),
    ]
    credentials = write_credentials(root / "credentials", "tester", "tester-secret")
    with (root / "versitygw.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _wait(endpoint, process, root / "versitygw.log")
            yield Gateway(endpoint, credentials, root / "data", process)
        finally:
            process.terminate()
            process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(endpoint, timeout=1).close()  # noqa: S310
        except HTTPError as error:
            error.close()  # It refuses us, so it is there.
            return
        except (URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"versitygw did not answer at {endpoint}: {log.read_text()}")
