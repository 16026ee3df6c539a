"""The commands, as typer reads them."""

from __future__ import annotations

import typer

from hallmark.cli import actions, approvals, audit, keys

app = typer.Typer(
    name="hallmark",
    help="Keys, decisions and actions for models that must be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
approvals.register(app)
actions.register(app)
