"""Keys, the Secrets that hold them, and the policy that trusts them."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api import names
from hallmark.api.common import API_VERSION
from hallmark.api.model_policy import Approvals, Images, ModelPolicySpec, Store, TrustedKey
from hallmark.errors import ConfigurationError
from hallmark.keys import key_id, private_pem, public_pem

Obj = dict[str, Any]


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
    return _secret(names.STORE_SECRET, namespace, data)


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
    if name == names.STORE_SECRET:
        return new_store_secret(namespace)
    return new_key_secret(name, namespace)


SECRETS = (names.SEALING_KEY_SECRET, names.AUDIT_KEY_SECRET, names.STORE_SECRET)


def trusted_key(secret_name: str, data: dict[str, str]) -> TrustedKey:
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
