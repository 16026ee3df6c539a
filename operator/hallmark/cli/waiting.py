"""Waiting for an object: until it is as asked, until it is stuck, or until the time is up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from hallmark.api.texts import parse_duration
from hallmark.cli.exits import ExitCode
from hallmark.cli.output import console, plain
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.kinds import Kind, Obj
from hallmark.errors import ClusterError, ConfigurationError

Result = TypeVar("Result")
Deadline = float | None
"""Of ``time.monotonic``; None: it is not waited."""

Wait = Annotated[bool, typer.Option("--wait", help="Wait until it has ended, well or not.")]
Timeout = Annotated[str, typer.Option(help="How long to wait, such as 90s or 10m.")]

_PAUSE = 0.5


def until(timeout: str, *, wait: bool) -> Deadline:
    """Return when waiting ends; None where nobody waits.

    Raises:
        ConfigurationError: the time is none.
    """
    if not wait:
        return None
    try:
        seconds = parse_duration(timeout).total_seconds()
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"--timeout: {error}") from error
    return time.monotonic() + seconds


async def wait_for(
    cluster: Cluster,
    kind: Kind,
    namespace: str,
    name: str,
    look: Callable[[Obj], Result | None],
    end: Deadline,
) -> Result:
    """Return what a look at the object gives, once it gives something.

    An API server that does not answer for a while is asked again.

    Args:
        cluster: The API server.
        kind: Of the object.
        namespace: Its namespace.
        name: Its name.
        look: Returns the result, or None while there is none; it may show progress.
        end: When to give up.

    Raises:
        Exit: the time is up; ``WAITING``.
        ClusterError: the object is gone, or the API server refuses.
    """
    while True:
        try:
            found = await cluster.get(kind, namespace, name)
        except ApiError as error:
            if not error.retryable or _is_over(end):
                raise
            found = {}
        if found is None:
            raise ClusterError(f"{kind.kind} {namespace}/{name} is gone; nothing to wait for.")
        result = look(found) if found else None
        if result is not None:
            return result
        if _is_over(end):
            said = f"The time is up: {kind.kind} {namespace}/{name} is not there yet; it goes on."
            console(stderr=True).print(plain(said))
            raise typer.Exit(ExitCode.WAITING)
        await asyncio.sleep(_PAUSE)


def _is_over(end: Deadline) -> bool:
    return end is None or time.monotonic() >= end
