"""The commands, as typer reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hallmark.audit.command import verify
from hallmark.cli import actions, approvals, keys

app = typer.Typer(
    name="hallmark",
    help="Keys, decisions and actions for models that must be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
audit = typer.Typer(help="The audit log.", no_args_is_help=True)


@audit.callback()
def _audit() -> None:
    """The audit log."""


@audit.command("verify")
def verify_audit(
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
    if not verify(file, public_key, typer.echo):
        raise typer.Exit(1)


app.add_typer(keys.app, name="keys")
app.add_typer(audit, name="audit")
approvals.register(app)
actions.register(app)
