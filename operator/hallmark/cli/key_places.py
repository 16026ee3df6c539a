"""Where private keys are, and which of them signs now: Secrets, the operator's mount, its log."""

from __future__ import annotations

import base64

from hallmark.api import names
from hallmark.api.model_policy import ModelPolicy, ModelPolicySpec, TrustedKey
from hallmark.audit.head import Head
from hallmark.audit.outside import HEAD_KEY, anchored
from hallmark.cli.cluster import Place
from hallmark.cli.keys import new_key_secret, trusted_key
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.kinds import APPS_DEPLOYMENT, CONFIG_MAP, MODEL_POLICY, SECRET, Obj
from hallmark.errors import ClusterError, ConfigurationError
from hallmark.keys import Purpose, key_id, load_private_key
from hallmark.token_uri import names_token

SECRET_OF = {
    Purpose.SEAL: names.SEALING_KEY_SECRET,
    Purpose.AUDIT: names.AUDIT_KEY_SECRET,
}
"""The Secret of the first key of each purpose; later ones have their id in its name."""
AUDIT_VOLUME = "audit-key"
"""How the operator's Deployment calls the volume with the audit key."""
PRIVATE = "private.pem"
_FORBIDDEN = 403


def new_secret_of(purpose: Purpose, namespace: str) -> Obj:
    """Return the Secret of a new key beside those that are there."""
    made = new_key_secret("", namespace)
    identity = trusted_key("", made["data"]).key_id
    made["metadata"]["name"] = names.key_secret_name(SECRET_OF[purpose], identity)
    return made


async def secret_of_key(
    cluster: Cluster, namespace: str, purpose: Purpose, identity: str
) -> Obj | None:
    """Return the Secret that holds a key of that id, or None."""
    first = SECRET_OF[purpose]
    for name in (names.key_secret_name(first, identity), first):
        found = await cluster.get(SECRET, namespace, name)
        if found is not None and trusted_key(name, data_of(found)).key_id == identity:
            return found
    return None


async def current_key(
    cluster: Cluster, namespace: str, purpose: Purpose, spec: ModelPolicySpec
) -> str | None:
    """Return the id of the key that a purpose's component signs with, or None if nobody knows.

    For the audit log that is what signed the newest anchor, whatever is mounted.
    """
    if purpose is Purpose.APPROVE:
        return None
    if purpose is Purpose.SEAL and spec.seal_with is not None:
        return spec.seal_with
    try:
        if purpose is Purpose.AUDIT:
            anchor = await cluster.get(CONFIG_MAP, namespace, names.AUDIT_ANCHOR)
            head = anchored((anchor or {}).get("data", {}).get(HEAD_KEY))
            return head.key_id if isinstance(head, Head) else None
        found = await cluster.get(SECRET, namespace, names.SEALING_KEY_SECRET)
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return None
    return trusted_key(names.SEALING_KEY_SECRET, data_of(found)).key_id if found else None


def require_private_half(secret: Obj | None, key: TrustedKey, purpose: Purpose) -> Obj:
    """Return a Secret that holds the private half of a key, or names it in a token.

    Raises:
        ConfigurationError: it does not, so that nothing could be signed.
    """
    short = key.key_id[:12]
    if secret is None:
        raise ConfigurationError(
            f"Expected the private half of {short} in the Secret "
            f"{names.key_secret_name(SECRET_OF[purpose], key.key_id)}, found none: nobody here "
            f"could sign with it. Make a key with 'hallmark keys create {purpose}'."
        )
    name, content = secret["metadata"]["name"], read_entry(secret, PRIVATE)
    # What is in a token is the business of whoever has the token.
    if not names_token(content) and key_id(load_private_key(content)) != key.key_id:
        raise ConfigurationError(
            f"Expected the private half of {short} in the Secret {name}, found another key's: what "
            "it signs would be refused. Remove the Secret and make a key anew."
        )
    return secret


def system_of(place: Place) -> str:
    """Return the namespace of the operator: the one that was named, or as it is shipped."""
    return place.asked or names.SYSTEM_NAMESPACE


async def mounted_audit_secret(cluster: Cluster, namespace: str) -> tuple[Obj, str]:
    """Return the operator's Deployment, and the name of the Secret with its audit key.

    Raises:
        ConfigurationError: there is no such Deployment, or it has no such volume.
    """
    found = await cluster.get(APPS_DEPLOYMENT, namespace, names.OPERATOR_NAME)
    volumes = (found or {}).get("spec", {}).get("template", {}).get("spec", {}).get("volumes", [])
    for volume in volumes:
        if found is not None and volume["name"] == AUDIT_VOLUME and "secret" in volume:
            return found, str(volume["secret"]["secretName"])
    raise ConfigurationError(
        f"Expected the Deployment {namespace}/{names.OPERATOR_NAME} with a volume "
        f"'{AUDIT_VOLUME}' of a Secret, found none; name its namespace with -n."
    )


async def read_policy(cluster: Cluster, name: str) -> tuple[Obj, ModelPolicy]:
    """Return a ModelPolicy as it is now.

    Raises:
        ClusterError: there is none of that name.
    """
    obj = await cluster.get(MODEL_POLICY, None, name)
    if obj is None:
        raise ClusterError(
            f"Expected a ModelPolicy '{name}', found none; see which there are: "
            "kubectl get modelpolicies"
        )
    return obj, ModelPolicy.model_validate(obj)


def data_of(secret: Obj) -> dict[str, str]:
    """Return a Secret's data, in base64."""
    return dict(secret.get("data") or {})


def read_entry(secret: Obj, entry: str) -> bytes:
    """Return an entry of a Secret.

    Raises:
        ConfigurationError: it is not there, or not in base64.
    """
    try:
        return base64.b64decode(data_of(secret)[entry], validate=True)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"Expected '{entry}' in the Secret {secret['metadata']['name']}, found none."
        ) from error
