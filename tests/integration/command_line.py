"""The command line in this process: to import it takes longer than to run it."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

from hallmark.cli import main
from tests.integration.conftest import World


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def hallmark(world: World, *arguments: str) -> Done:
    """Run the command line against the world's API server."""
    with patch_environment(KUBECONFIG=str(world.cluster.kubeconfig)):
        return run_hallmark(*arguments)


def run_hallmark(*arguments: str) -> Done:
    """Run the command line."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with redirect_stdout(out), redirect_stderr(err):
        before, sys.argv = sys.argv, ["hallmark", *arguments]
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        finally:
            sys.argv = before
    if isinstance(code, str):  # what Python itself writes before it ends with 1
        return Done(1, out.getvalue(), err.getvalue() + code)
    return Done(int(code or 0), out.getvalue(), err.getvalue())  # type: ignore[call-overload]


@contextmanager
def patch_environment(**changes: str) -> Iterator[None]:
    """Change environment variables for a while."""
    before = {key: os.environ.get(key) for key in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
