"""How the command line ends."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    """What was asked for is done, or holds."""
    FAILED = 1
    """It could not be done; the sentence on standard error says why."""
    USAGE = 2
    """The command was not understood."""
    WAITING = 3
    """It is not there yet: an approval is missing, or ``--wait`` ran out of time."""
    REFUSED = 10
    """It was refused for good: a run that failed, a version that was rejected, a bad answer."""
    INTERRUPTED = 130
    """Ctrl-C."""
