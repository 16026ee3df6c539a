"""``hallmark audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hallmark.audit.verify import verify_log

app = typer.Typer(help="The audit log.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """The audit log."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The log's current file, secure_mlops.log.")],
    public_key: Annotated[
        Path | None,
        typer.Option(
            help="The audit key's public half (PEM); without it a log that was "
            "rewritten from the start is not noticed."
        ),
    ] = None,
) -> None:
    """Check that no record of a log was changed, removed or added."""
    verdict = verify_log(file, public_key.read_text() if public_key else None)
    for problem in verdict.problems:
        typer.echo(problem)
    unsigned = "" if public_key else " The signature was not checked: no --public-key."
    word = "verifies" if verdict.ok else "does not verify"
    typer.echo(f"{file}: {verdict.records} records, {word}.{unsigned}")
    if not verdict.ok:
        raise typer.Exit(1)
