"""What commands print: tables for people, JSON and YAML for programs.

Texts from a cluster or a file may have been written by anybody: they are printed without control
characters, and never as markup. Colours are for terminals alone (rich sees to that, and to
``NO_COLOR``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hallmark.api.generated import to_yaml

_WIDE = 200
"""Columns where no terminal says how many there are."""


class Format(StrEnum):
    """A form of the output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[
    Format, typer.Option("--output", "-o", help="How to print it: table, json or yaml.")
]

STATES = {
    "good": "green",
    "waiting": "yellow",
    "stopped": "red",
    "unknown": "bright_black",
}
"""The four states, the same everywhere; the word is always there, the colour is not."""


def console(*, stderr: bool = False) -> Console:
    """Return where to print; lines are never cut where there is no terminal."""
    made = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    return (
        made
        if made.is_terminal
        else Console(
            stderr=stderr, highlight=False, emoji=False, markup=False, width=_WIDE, soft_wrap=True
        )
    )


def plain(text: object) -> str:
    """Return a text on one line without control characters, whoever wrote it."""
    spaced = " ".join(str(text).split())
    return "".join(letter if letter.isprintable() else "?" for letter in spaced)


def say(text: str, style: str = "", *, indent: int = 0) -> None:
    """Print a line of our own and of others' words, behind so many spaces."""
    console().print(Text(" " * indent + plain(text), style=style))


def print_as(document: Mapping[str, Any] | Sequence[Any], form: Format) -> None:
    """Print a document as JSON or YAML."""
    if form is Format.JSON:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    documents = [document] if isinstance(document, Mapping) else list(document)
    typer.echo(to_yaml(*documents), nl=False)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """Print rows under their columns' names; cells may be styled texts."""
    table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, header_style="bold", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    console().print(table)


def state(word: str, kind: str) -> Text:
    """Return a state's word in its colour."""
    return Text(plain(word), style=STATES.get(kind, ""))
