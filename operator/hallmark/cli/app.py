"""The commands, as typer reads them."""

from __future__ import annotations

import typer

from hallmark.cli import (
    actions,
    approvals,
    audit,
    evidence,
    explain,
    image,
    importing,
    init,
    key_steps,
    keys,
    local,
    looking_back,
    prune,
    reproducing,
    review,
    run,
    scan,
    service,
    status,
    tree,
    verifying,
    vex,
)

app = typer.Typer(
    name="hallmark",
    help="Models that must be trusted: train, look, decide, serve, roll back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
key_steps.register(keys.app)
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(local.app, name="local")
for part in (
    init,
    run,
    status,
    tree,
    explain,
    evidence,
    scan,
    review,
    approvals,
    service,
    actions,
    prune,
    verifying,
    importing,
    reproducing,
    image,
    looking_back,
    vex,
):
    part.register(app)
