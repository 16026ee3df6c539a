"""``hallmark audit publish``, ``cosign``, ``names``, ``prove`` and ``check``: a published log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hallmark.audit.tlog import command

Key = Annotated[Path, typer.Option("--key", help="The audit key's private half (PEM).")]
Name = Annotated[
    str, typer.Option("--name", help="The installation's name, such as example.org/hallmark.")
]
Log = Annotated[
    str, typer.Option("--log", help="The log's key as 'names' says it, from whoever owns the log.")
]
Folder = Annotated[Path, typer.Argument(help="The published log.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for made in (publish, cosign, names, prove, check):
        app.command()(made)


def publish(
    file: Annotated[Path, typer.Argument(help="The log's current file, secure_mlops.log.")],
    folder: Annotated[Path, typer.Argument(help="What is published, by any web server.")],
    name: Name,
    key: Key,
) -> None:
    """Publish a log as C2SP tlog-tiles, or bring what was published up to date.

    A log that is not what was published and more is refused, with the first bad record.
    """
    _end(command.publish_log(file, folder, key, name, typer.echo))


def cosign(
    folder: Folder,
    log: Log,
    name: Name,
    key: Key,
    memory: Annotated[Path, typer.Option(help="Where you keep how far you saw this log: a file.")],
) -> None:
    """Cosign another installation's log, if it continues what you saw of it before."""
    _end(command.cosign_log(folder, log, key, name, memory, typer.echo))


def names(name: Name, key: Key) -> None:
    """Say the public keys that others need to check this log, and to know you as a witness."""
    _end(command.tell_names(key, name, typer.echo))


def prove(
    folder: Folder,
    record: Annotated[int, typer.Argument(help="The record's number.")],
    log: Log,
    to: Annotated[Path, typer.Option(help="The folder for record and proof.")] = Path(),
) -> None:
    """Write one record and the proof that it is in the log: a kilobyte that stands alone."""
    _end(command.prove_record(folder, log, record, to, typer.echo))


def check(
    record: Annotated[Path, typer.Argument(help="The record's file.")],
    proof: Annotated[Path, typer.Argument(help="Its proof.")],
    log: Log,
    witness: Annotated[
        list[str] | None, typer.Option(help="The key of a witness that you know; repeatable.")
    ] = None,
    at_least: Annotated[int, typer.Option(min=0, help="How many of them must have cosigned.")] = 0,
) -> None:
    """Check that a record is in a log, and that witnesses saw the log."""
    _end(command.check_record(record, proof, log, witness or [], at_least, typer.echo))


def _end(well: bool) -> None:
    if not well:
        raise typer.Exit(1)
