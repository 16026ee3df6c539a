"""What is told of the steps, on a terminal and elsewhere."""

import io
import re

import pytest

from tests.cluster.progress import ERASE, Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_elsewhere_a_step_has_a_line_when_it_begins_and_one_when_it_ends() -> None:
    stream = io.StringIO()
    with Progress(stream=stream).step("building coredns"):
        pass
    began, ended = stream.getvalue().splitlines()
    assert re.fullmatch(r"\[ +0\.\d s\] building coredns \.\.\.", began)
    assert re.fullmatch(r"\[ +0\.\d s\] building coredns: done in 0\.\d s", ended)


def test_on_a_terminal_one_line_stays_of_each_step_and_those_that_run_share_the_last() -> None:
    stream = Terminal()
    progress = Progress(stream=stream)
    with progress.step("building coredns") as step:
        with progress.step("building an image"):
            step.detail = "3 of 4 packages"
        _, drawn = stream.getvalue().rsplit(ERASE, 1)
    shown = [line.rpartition(ERASE)[2].partition("] ")[2] for line in stream.getvalue().split("\n")]
    assert drawn.partition("] ")[2] == "building coredns: 3 of 4 packages ..."
    assert [re.sub(r"\d\.\d", "0.0", line) for line in shown] == [
        "building an image: done in 0.0 s",
        "building coredns: done in 0.0 s",
        "",
    ]


def test_a_step_that_fails_is_not_said_to_be_done() -> None:
    stream = io.StringIO()
    with pytest.raises(OSError, match="full"), Progress(stream=stream).step("building coredns"):
        raise OSError("full")
    assert "building coredns: broken off in" in stream.getvalue()


def test_a_quiet_progress_prints_nothing() -> None:
    for stream in (io.StringIO(), Terminal()):
        with Progress(quiet=True, stream=stream).step("building coredns"):
            pass
        assert stream.getvalue() == ""
