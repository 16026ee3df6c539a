"""A Service on this machine's loopback address, for as long as a file says so.

`kubectl port-forward` ends with the Pod that it reached. Here a process of its own starts it again,
outlives whoever began it, and ends when its file is gone or names another process: a cluster that
is removed takes the file along.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster import Cluster

POLL_SECONDS = 0.2
START_SECONDS = 20.0
REPOSITORY = Path(__file__).parents[3]


def begin(
    cluster: Cluster, file: Path, service: str, namespace: str, *, port: int = 0, of: int = 80
) -> str:
    """Forward a Service; whatever the file named before ends.

    Args:
        cluster: the cluster.
        file: names the process that forwards.
        service: the Service.
        namespace: its namespace.
        port: the port to take if nobody has it; else any.
        of: the Service's port.

    Returns:
        The URL.

    Raises:
        RuntimeError: if nothing listens there in time.
    """
    end(file)
    chosen = _free(port)
    where = [f"--namespace={namespace}", f"service/{service}", f"{chosen}:{of}"]
    command = cluster.kubectl_command("port-forward", "--address=127.0.0.1", *where)
    file.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", __name__, str(file), *command],
        check=True,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while not _listens(chosen):
        if time.monotonic() > deadline:
            end(file)
            raise RuntimeError(f"nothing listens on port {chosen}: {' '.join(command)}")
        time.sleep(POLL_SECONDS)
    return f"http://localhost:{chosen}"


def end(file: Path) -> None:
    """End what a file names, and wait for it; nothing happens if there is no file."""
    if file.exists():
        file.unlink()
        time.sleep(4 * POLL_SECONDS)


def _free(wanted: int) -> int:
    """Return the port that is wanted, or another one if somebody has it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("no port of the loopback address is free")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def keep(file: Path, command: list[str]) -> None:
    """Run a command again and again, as long as a file names this process."""

    def is_wanted() -> bool:
        try:
            return file.read_text() == str(os.getpid())
        except OSError:
            return False

    file.write_text(str(os.getpid()))
    while is_wanted():
        child = subprocess.Popen(command)
        while child.poll() is None and is_wanted():
            time.sleep(POLL_SECONDS)
        child.terminate()
        child.wait()
        time.sleep(POLL_SECONDS)


if __name__ == "__main__" and not os.fork():  # whoever began it does not wait for it
    keep(Path(sys.argv[1]), sys.argv[2:])
