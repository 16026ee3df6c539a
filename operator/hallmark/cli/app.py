"""The commands, as typer reads them; each is thin, and what it makes is made elsewhere."""

from __future__ import annotations

import typer

from hallmark.cli import actions_commands, audit_commands, decision_commands, key_commands

app = typer.Typer(
    name="hallmark",
    help="Keys, decisions and actions for models that must be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(key_commands.app, name="keys")
app.add_typer(audit_commands.app, name="audit")
decision_commands.register(app)
actions_commands.register(app)
