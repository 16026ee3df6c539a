"""``hallmark keys``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
import yaml

from hallmark.api.generated import to_yaml
from hallmark.api.model_policy import Approvals, Images, Store
from hallmark.api.names import (
    AUDIT_KEY_SECRET,
    DEFAULT_POLICY,
    SEALING_KEY_SECRET,
    SYSTEM_NAMESPACE,
)
from hallmark.cli.cluster import UserCluster
from hallmark.cli.keys import SECRETS, Settings, model_policy, new_secret, trusted_key
from hallmark.cli.options import AsGroups, AsUser, Context
from hallmark.cli.validation import checked
from hallmark.errors import ConfigurationError

app = typer.Typer(help="The keys that seal models and sign the audit log.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """The keys that seal models and sign the audit log."""


class Keeper(Protocol):
    """Where Secrets are kept."""

    def secret(self, namespace: str, name: str) -> dict[str, str] | None:
        """Return a Secret's data (base64), or None."""

    def create_secret(self, secret: dict[str, Any]) -> None:
        """Keep a new Secret."""


class Folder:
    """Keeps Secrets as manifests in a folder that only the user can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def secret(self, namespace: str, name: str) -> dict[str, str] | None:
        """Return the data of the manifest ``<name>.yaml``, or None if there is no such file."""
        del namespace
        file = self._path / f"{name}.yaml"
        if not file.exists():
            return None
        try:
            return dict(yaml.safe_load(file.read_text())["data"])
        except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"Expected the manifest of a Secret in {file}; found something else. "
                "Move it away and run this again."
            ) from error

    def create_secret(self, secret: dict[str, Any]) -> None:
        """Write a manifest that only the user can read."""
        file = self._path / f"{secret['metadata']['name']}.yaml"
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(to_yaml(secret))


@app.command()
def init(
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where the operator lives.")
    ] = SYSTEM_NAMESPACE,
    output: Annotated[
        Path | None, typer.Option(help="Write the Secrets as manifests into this folder.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Create the Secrets.")] = False,
    policy: Annotated[str, typer.Option(help="The ModelPolicy's name.")] = DEFAULT_POLICY,
    approvals: Annotated[int, typer.Option(help="How many people must approve.")] = 1,
    store_uri: Annotated[str, typer.Option(help="The store.")] = "s3://hallmark",
    store_endpoint: Annotated[
        str, typer.Option(help="The S3 server; empty for Amazon, Google and Azure.")
    ] = f"http://hallmark-store.{SYSTEM_NAMESPACE}:7070",
    store_region: Annotated[str, typer.Option(help="The store's region.")] = "us-east-1",
    trainer_image: Annotated[str, typer.Option(help="What trains.")] = "hallmark-trainer",
    sealer_image: Annotated[str, typer.Option(help="What seals.")] = "hallmark-operator",
    predictor_image: Annotated[str, typer.Option(help="What serves.")] = "hallmark-predictor",
    context: Context = None,
    as_user: AsUser = None,
    as_groups: AsGroups = None,
) -> None:
    """Make the sealing key, the audit key and the store's credentials; print a ModelPolicy.

    What is there already is kept, never overwritten; without --apply or --output nothing is made,
    and the policy is printed for the keys in the cluster. Pipe the policy into kubectl:

    hallmark keys init --apply | kubectl apply -f -
    """
    if apply and output:
        raise ConfigurationError(
            "Expected --apply (create the Secrets) or --output DIR (write manifests), found both."
        )
    settings = Settings(
        policy,
        checked(Approvals, minimum=approvals),
        checked(Store, uri=store_uri, endpoint=store_endpoint or None, region=store_region),
        checked(Images, trainer=trainer_image, sealer=sealer_image, predictor=predictor_image),
    )
    keeper: Keeper = Folder(output) if output else UserCluster(context, as_user, as_groups)
    may_make = apply or output is not None
    kept = {name: _kept_or_made(keeper, namespace, name, may_make) for name in SECRETS}
    signer = trusted_key(SEALING_KEY_SECRET, kept[SEALING_KEY_SECRET])
    auditor = trusted_key(AUDIT_KEY_SECRET, kept[AUDIT_KEY_SECRET])
    typer.echo(to_yaml(model_policy(signer, auditor, settings)), nl=False)


def _kept_or_made(keeper: Keeper, namespace: str, name: str, may_make: bool) -> dict[str, str]:
    found = keeper.secret(namespace, name)
    if found is not None:
        typer.echo(f"Secret {name} is there and stays as it is.", err=True)
        return found
    if not may_make:
        raise ConfigurationError(
            f"Expected the Secret {name} in namespace {namespace}, found none. Add --apply to "
            "make what is missing."
        )
    made = new_secret(name, namespace)
    keeper.create_secret(made)
    typer.echo(f"Secret {name} made.", err=True)
    return dict(made["data"])
