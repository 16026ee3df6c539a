"""What users type: options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="The namespace (default: the context's)."),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option("--kubeconfig", help="The kubeconfig (default: KUBECONFIG or ~/.kube/config)."),
]
Context = Annotated[str | None, typer.Option("--context", help="The kubeconfig's context.")]
AsUser = Annotated[str | None, typer.Option("--as", help="The user to act as.")]
AsGroups = Annotated[
    list[str] | None, typer.Option("--as-group", help="A group to act in; may be repeated.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads the audit log.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the object instead of creating it.")]
