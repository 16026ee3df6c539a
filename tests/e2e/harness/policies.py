"""A ModelPolicy of a test's own, under which one namespace is put."""

import json

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.keys import key_id, public_pem
from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.world import World


def approver(name: str, key: ec.EllipticCurvePrivateKey) -> Object:
    """Return an entry of `approvers`."""
    public = public_pem(key.public_key())
    return {"approver": name, "keyId": key_id(public), "publicKey": public}


def under_its_own_policy(world: World, namespace: str, **changes: object) -> str:
    """Make a namespace with training data, under the policy `default` with some other fields.

    Args:
        world: the installation.
        namespace: its name, and the policy's.
        changes: fields of the policy's spec, added or replaced.

    Returns:
        The name.
    """
    spec = {**world.api.get("ModelPolicy", None, "default")["spec"], **changes}
    world.api.delete("ModelPolicy", None, namespace)
    world.api.create(objects.resource("ModelPolicy", None, namespace, spec))
    world.namespace(namespace)
    label = json.dumps({"metadata": {"labels": {"hallmark.dev/policy": namespace}}})
    world.cluster.kubectl("patch", "namespace", namespace, f"--patch={label}")
    world.api.apply(objects.config_map(namespace, "loans", {objects.DATA_KEY: objects.loan_csv()}))
    return namespace
