"""``hallmark init``: a first TrainingRun for a table."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
import yaml

from hallmark.api.training_run import TrainingRun
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.files import parse_object, write_text
from hallmark.cli.output import say
from hallmark.errors import ConfigurationError

STANDARD_OUTPUT = Path("-")
_REASONS = 8
"""So many are told here; all are in the file."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    file: Annotated[
        Path, typer.Argument(metavar="DATA", help="A table: CSV, TSV, Parquet or JSON Lines.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write; - for standard output."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    requested_by: Annotated[
        str | None, typer.Option(help="Who asks for the run (default: you).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write a TrainingRun to begin with; every guess has its reason beside it.

    Types, ranges, categories, the likely target, protected attributes, identifiers, columns with
    personal data (dropped), and gates.
    """
    with needs_the_extra():
        from hallmark.local.starter import by_reason, make_starter, starter_text

        starter = make_starter(file, requested_by or _user(), model=model, target=target)
        text = starter_text(starter)
    parse_object(yaml.safe_load(text), TrainingRun, "what was guessed")
    where = output or file.with_name(f"{starter.run.metadata.name}.yaml")
    if where == STANDARD_OUTPUT:
        typer.echo(text, nl=False)
        return
    try:
        write_text(where, text, overwrite=force)
    except FileExistsError:
        raise ConfigurationError(
            f"{where} is there already; give another --output, or --force to overwrite it."
        ) from None
    schema = starter.run.spec.schema_
    features = len(schema.features) if schema else 0
    plural = "" if features == 1 else "s"
    name = schema.target.name if schema else ""
    say(f"Wrote {where}: {starter.rows} rows, {features} feature{plural} to predict '{name}'.")
    say(f"Why '{name}': {starter.target_why}.")
    _say_what_is_left_out(len(starter.left_out), by_reason(starter.left_out))
    for warning in starter.warnings:
        say(f"As it is, it will be refused. {warning}", "yellow")
    elsewhere = "" if where.parent == file.parent else f" --data {file.parent}"
    say(f"Look at its comments, then: hallmark local {where}{elsewhere}")


def _say_what_is_left_out(count: int, reasons: Sequence[str]) -> None:
    if count:
        say(
            f"Left out: {count} column{'' if count == 1 else 's'}, until you put right what can be:"
        )
    for reason in reasons[:_REASONS]:
        say(f"- {reason}")
    if len(reasons) > _REASONS:
        say(f"- and {len(reasons) - _REASONS} more reasons, in the file")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "me"
