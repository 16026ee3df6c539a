"""Programs: what they say, and that none outlives a failure or an interruption beside it."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.commands import run, together
from tests.cluster.errors import ClusterError
from tests.cluster.processes import wait_until

SECONDS = 20.0


def waiting(pids: Path) -> list[str]:
    """Return a command that starts another program, writes both pids and waits for ever."""
    return ["sh", "-c", f"sleep 600 & echo $$ $! >{pids}.new; mv {pids}.new {pids}; wait"]


def ended(pids: Path) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids.read_text().split())


def fail_after(file: Path, error: BaseException) -> Callable[[], None]:
    """Return what fails as soon as a file is there."""

    def fail() -> None:
        assert wait_until(file.exists, SECONDS)
        raise error

    return fail


def test_the_output_comes_without_what_is_said_beside_it() -> None:
    assert run(["sh", "-c", "echo result; echo warning >&2"]) == "result"


def test_a_failure_shows_the_end_of_what_was_written_and_no_line_that_is_no_message() -> None:
    script = "echo output; echo package >&2; echo 'no such host' >&2; exit 3"
    with pytest.raises(ClusterError, match=r"^sh -c failed:\noutput\nno such host$"):
        run(["sh", "-c", script], is_message=lambda line: line != "package")


def test_a_lot_of_output_and_of_messages_blocks_nobody() -> None:
    script = "import sys; print('o' * 2**20); print('e' * 2**20, file=sys.stderr)"
    assert len(run([sys.executable, "-c", script])) == 2**20


def test_two_things_are_done_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=SECONDS)
    assert sorted(together(meeting.wait, meeting.wait)) == [0, 1]


@pytest.mark.parametrize("order", [1, -1], ids=["the second fails", "the first fails"])
def test_the_programs_beside_a_failure_are_ended_with_all_they_started(
    order: int, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    both = [lambda: run(waiting(pids)), fail_after(pids, ClusterError("no network"))][::order]
    with pytest.raises(ClusterError, match="no network"):
        together(*both)
    assert wait_until(lambda: ended(pids), SECONDS)


def test_a_program_that_would_start_after_the_failure_is_ended_too(tmp_path: Path) -> None:
    def late() -> str:
        with pytest.raises(ClusterError):
            run(waiting(tmp_path / "first"))
        return run(waiting(tmp_path / "second"))

    with pytest.raises(ClusterError, match="no network"):
        together(late, fail_after(tmp_path / "first", ClusterError("no network")))
    second = tmp_path / "second"
    assert not second.exists() or wait_until(lambda: ended(second), SECONDS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_ends_the_programs(number: signal.Signals, tmp_path: Path) -> None:
    def interrupt() -> None:
        assert wait_until(pids.exists, SECONDS)
        os.kill(os.getpid(), number)

    pids = tmp_path / "pids"
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        together(lambda: run(waiting(pids)), interrupt)
    assert wait_until(lambda: ended(pids), SECONDS)
    assert signal.getsignal(number) == before


def test_what_must_not_be_half_done_is_waited_for(tmp_path: Path) -> None:
    begun, failed, done = (tmp_path / name for name in ("begun", "failed", "done"))
    script = f"touch {begun}; while [ ! -e {failed} ]; do sleep 0.01; done; touch {done}"

    def fail() -> None:
        assert wait_until(begun.exists, SECONDS)
        threading.Timer(0.1, failed.touch).start()
        raise ClusterError("no network")

    with pytest.raises(ClusterError, match="no network"):
        together(lambda: run(["sh", "-c", script], to_the_end=True), fail)
    assert done.exists()
