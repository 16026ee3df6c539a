"""``hallmark keys``: keys, the Secrets that hold them, and the policy that trusts them."""

from __future__ import annotations

import asyncio
import base64
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import typer
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api.generated import to_yaml
from hallmark.api.model_policy import Approvals, Images, ModelPolicySpec, Store
from hallmark.api.names import (
    AUDIT_KEY_SECRET,
    DEFAULT_POLICY,
    SEALING_KEY_SECRET,
    STORE_SECRET,
    SYSTEM_NAMESPACE,
)
from hallmark.api.texts import API_VERSION
from hallmark.api.trust import TrustedKey
from hallmark.cli.cluster import User, cluster_of
from hallmark.cli.options import AsGroups, AsUser, Context
from hallmark.cluster.kinds import SECRET, Kind, Obj
from hallmark.errors import ConfigurationError
from hallmark.files import KEY_BYTES, read_whole
from hallmark.keys import key_id, private_pem, public_pem
from hallmark.new_files import write_new
from hallmark.resources.decisions import checked

SECRETS = (SEALING_KEY_SECRET, AUDIT_KEY_SECRET, STORE_SECRET)
Data = dict[str, str]
"""A Secret's data, in base64."""

app = typer.Typer(help="The keys that seal models and sign the audit log.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """The keys that seal models and sign the audit log."""


@dataclass(frozen=True)
class Settings:
    """What the printed policy says beside the keys.

    Attributes:
        policy: its name.
        approvals: how a version is approved.
        store: where artifacts are kept.
        images: what Jobs and predictors run.
    """

    policy: str
    approvals: Approvals
    store: Store
    images: Images


class Keeper(Protocol):
    """Where Secrets are kept: a cluster, or a folder."""

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        """Return a Secret, or None."""

    async def create(self, obj: Obj) -> Obj:
        """Keep a new Secret; one that is there is never overwritten."""


class Folder:
    """Keeps Secrets as manifests in a folder that only the user can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        """Return the manifest ``<name>.yaml``, or None if there is no such file."""
        del kind, namespace
        file = self._path / f"{name}.yaml"
        if not file.exists():
            return None
        try:
            secret = dict(yaml.safe_load(read_whole(file, KEY_BYTES)))
            dict(secret["data"])
        except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"Expected the manifest of a Secret in {file}; found something else. "
                "Move it away and run this again."
            ) from error
        return secret

    async def create(self, obj: Obj) -> Obj:
        """Write a manifest that only the user can read."""
        file = self._path / f"{obj['metadata']['name']}.yaml"
        write_new(file, to_yaml(obj).encode(), 0o600)
        return obj


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
    where = Folder(output) if output else User(context, as_user, as_groups)
    kept = asyncio.run(_keep(where, namespace, may_make=apply or output is not None))
    signer = trusted_key(SEALING_KEY_SECRET, kept[SEALING_KEY_SECRET])
    auditor = trusted_key(AUDIT_KEY_SECRET, kept[AUDIT_KEY_SECRET])
    typer.echo(to_yaml(model_policy(signer, auditor, settings)), nl=False)


async def _keep(where: Folder | User, namespace: str, *, may_make: bool) -> dict[str, Data]:
    """Return the data of each Secret, by its name."""
    if isinstance(where, Folder):
        return {name: await _kept_or_made(where, namespace, name, may_make) for name in SECRETS}
    async with cluster_of(where) as cluster:
        return {name: await _kept_or_made(cluster, namespace, name, may_make) for name in SECRETS}


async def _kept_or_made(keeper: Keeper, namespace: str, name: str, may_make: bool) -> Data:
    found = await keeper.get(SECRET, namespace, name)
    if found is not None:
        typer.echo(f"Secret {name} is there and stays as it is.", err=True)
        return dict(found.get("data") or {})
    if not may_make:
        raise ConfigurationError(
            f"Expected the Secret {name} in namespace {namespace}, found none. Add --apply to "
            "make what is missing."
        )
    made = new_secret(name, namespace)
    await keeper.create(made)
    typer.echo(f"Secret {name} made.", err=True)
    return dict(made["data"])


def new_key_secret(name: str, namespace: str) -> Obj:
    """Return the Secret of a new ECDSA P-256 key."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = public_pem(private.public_key())
    pem = private_pem(private).decode()
    data = {"private.pem": pem, "public.pem": public, "key-id": key_id(public)}
    return {**_secret(name, namespace, data), "immutable": True}


def new_store_secret(namespace: str) -> Obj:
    """Return the Secret of new random credentials for the embedded store."""
    data = {
        "access-key-id": f"hallmark-{secrets.token_hex(8)}",
        "secret-access-key": secrets.token_urlsafe(32),
    }
    return _secret(STORE_SECRET, namespace, data)


def _secret(name: str, namespace: str, data: dict[str, str]) -> Obj:
    labels = {"app.kubernetes.io/part-of": "hallmark"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def new_secret(name: str, namespace: str) -> Obj:
    """Return a new Secret for one of the three names."""
    if name == STORE_SECRET:
        return new_store_secret(namespace)
    return new_key_secret(name, namespace)


def trusted_key(secret_name: str, data: Data) -> TrustedKey:
    """Return the public half of the key in a Secret's data.

    Raises:
        ConfigurationError: the Secret holds no public key.
    """
    try:
        pem = base64.b64decode(data["public.pem"], validate=True).decode()
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"Expected a public key under 'public.pem' in the Secret {secret_name}; found none. "
            "Rename or remove the Secret and run this again."
        ) from error
    return TrustedKey(key_id=key_id(pem), public_key=pem)


def model_policy(signer: TrustedKey, auditor: TrustedKey, settings: Settings) -> Obj:
    """Return the ModelPolicy that trusts the keys."""
    spec = ModelPolicySpec(
        signers=[signer],
        auditors=[auditor],
        approvals=settings.approvals,
        store=settings.store,
        images=settings.images,
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelPolicy",
        "metadata": {"name": settings.policy},
        "spec": spec.to_wire(),
    }
