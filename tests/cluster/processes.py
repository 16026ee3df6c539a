"""Starts and ends the components, known by pid files."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError

# The shell writes its own pid and joins its cgroup before it becomes the component, so that no
# interruption of the caller leaves a process that nobody knows.
ENTER = 'echo $$ >"$1"; [ -z "$2" ] || echo $$ >"$2"; shift 2; exec "$@"'
START_SECONDS = 5.0
TERM_SECONDS = 6.0
KILL_SECONDS = 5.0
POLL_SECONDS = 0.02
EXEC_POLLS = 25


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether the condition came true within the time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def command_line(pid: int) -> list[str]:
    """Return the arguments of a process; none if it is gone or a zombie.

    While a process becomes another program it has none for a moment.
    """
    for _ in range(EXEC_POLLS):
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return []
        if raw or state == "Z":
            break
        time.sleep(POLL_SECONDS)
    return [part.decode(errors="replace") for part in raw.split(b"\0") if part]


def signal_process(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that is gone is fine."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def end_process(pid: int, gone: Callable[[], bool], patience: float = TERM_SECONDS) -> None:
    """Ask a process to end, insist after some seconds, and wait for it.

    Args:
        pid: the process.
        gone: tells whether it has ended.
        patience: seconds before SIGKILL.

    Raises:
        ClusterError: if even SIGKILL does not end it.
    """
    signal_process(pid, signal.SIGTERM)
    if wait_until(gone, patience):
        return
    signal_process(pid, signal.SIGKILL)
    if not wait_until(gone, KILL_SECONDS):
        raise ClusterError(f"process {pid} does not end; look at /proc/{pid}/stack")


@dataclass(frozen=True)
class Processes:
    """The processes of one cluster.

    Attributes:
        state: the cluster's folder; every component's arguments name it, which tells a component
            from a stranger that was given the same pid later.
        prefix: what stands before each command, to enter the network namespace.
        cgroup: the `cgroup.procs` file that each process joins, if any.
    """

    state: Path
    prefix: tuple[str, ...] = ()
    cgroup: Path | None = None

    def _pid_file(self, name: str) -> Path:
        return self.state / "pids" / name

    def log(self, name: str) -> Path:
        """Return the log of a component."""
        return self.state / "logs" / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """Return the pid of a component that runs, else nothing."""
        try:
            pid = int(self._pid_file(name).read_text())
        except (OSError, ValueError):
            return None
        ours = any(str(self.state) in argument for argument in command_line(pid))
        return pid if ours else None

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a component, unless it runs.

        Raises:
            ClusterError: if it does not start.
        """
        if self.pid(name):
            return
        pid_file, log = self._pid_file(name), self.log(name)
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        pid_file.unlink(missing_ok=True)
        shell = ["sh", "-c", ENTER, "sh", str(pid_file), str(self.cgroup or "")]
        with log.open("ab") as output:
            subprocess.run(
                ["setsid", "--fork", *shell, *self.prefix, *command],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
            )
        if not wait_until(lambda: self.pid(name) is not None, START_SECONDS):
            raise ClusterError(f"{name} did not start; {self.tail(name)}")

    def stop(self, name: str, patience: float = TERM_SECONDS) -> None:
        """End a component and wait for it; nothing happens if it does not run.

        Args:
            name: the component.
            patience: seconds before SIGKILL.
        """
        pid = self.pid(name)
        if pid is not None:
            end_process(pid, lambda: self.pid(name) is None, patience)
        self._pid_file(name).unlink(missing_ok=True)

    def tail(self, name: str, lines: int = 5) -> str:
        """Return a sentence with the last lines of a component's log."""
        log = self.log(name)
        last = log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else []
        return f"the end of {log}:\n" + "\n".join(f"  {line}" for line in last)
