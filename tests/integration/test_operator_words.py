"""What people decided, on a real API server with the operator running: twins, and no store."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.latch import LATCH_KEY, Latch
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import (
    CONFIG_MAP,
    MODEL_APPROVAL,
    MODEL_POLICY,
    MODEL_VERSION,
    TRAINING_RUN,
    Kind,
    Obj,
)
from tests.integration.operator_process import Installation, deployed, installation, message, store
from tests.integration.operator_world import api, kubeconfig, namespace, until
from tests.integration.test_operator_approval import attested, version
from tests.integration.test_operator_run import run, seal_job, train_job

__all__ = [
    "api",
    "deployed",
    "installation",
    "kubeconfig",
    "namespace",
    "store",
    "version",
]

SECONDS = 3.0
"""Within which a decision takes effect, with a client that polls."""


async def sealed_again(
    api: ApiCluster, namespace: str, installation: Installation, name: str
) -> Obj:
    """Train and seal a run of the same spec under another name."""
    made = await api.create(run(namespace, name))
    await installation.train(namespace, train_job(made))
    await installation.seal(seal_job(made))
    await installation.wait_for(TRAINING_RUN, namespace, name, "Ready=True")
    return await installation.get(MODEL_VERSION, namespace, name)


async def test_a_revocation_holds_for_the_same_bytes_for_ever(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj
) -> None:
    twin = await sealed_again(api, namespace, installation, "loan-v2")
    digest = version["spec"]["artifact"]["manifestDigest"]
    assert twin["spec"]["artifact"]["manifestDigest"] == digest
    await api.create(attested(twin, "yes"))
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v2", "Approved=True")

    revocation = await api.create(attested(version, "no", decision="Revoked"))
    for name in ("loan-v1", "loan-v2"):
        found = await installation.wait_for(
            MODEL_VERSION,
            namespace,
            name,
            "Revoked=True",
            "Approved=False/Revoked",
            seconds=SECONDS,
        )
    assert "'loan-v1', which has the same bytes" in message(found, "Revoked")
    latch = await installation.get(CONFIG_MAP, installation.system, names.latch_name(digest))
    remembered = Latch.model_validate_json(latch["data"][LATCH_KEY])
    assert [record.uid for record in remembered.final] == [revocation["metadata"]["uid"]]

    # Everything that said so goes; the operator is started anew, and the bytes are sealed again.
    async def remove(kind: Kind, obj: Obj) -> None:
        metadata = obj["metadata"]
        await api.delete(kind, namespace, metadata["name"], metadata["uid"])

    async def on_record(obj: Obj) -> bool:
        return "delete" in installation.audited(obj["metadata"]["uid"])

    await remove(MODEL_APPROVAL, revocation)
    await until(lambda: on_record(revocation))
    installation.end()
    for gone in (version, twin):
        await remove(MODEL_VERSION, gone)
    installation.start()
    installation.wait_until_healthy()
    for gone in (version, twin):
        await until(partial(on_record, gone))
    third = await sealed_again(api, namespace, installation, "loan-v3")
    assert third["spec"]["artifact"]["manifestDigest"] == digest
    await api.create(attested(third, "yes-again"))
    found = await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v3", "Revoked=True", "Approved=False/Revoked"
    )
    assert message(found, "Ready").startswith("Revoked by rita")
    said = await installation.wait_for(MODEL_APPROVAL, namespace, "yes-again", "Ready=True")
    assert "It changes nothing" in message(said, "Ready")


AWAY: dict[str, dict[str, Any]] = {
    "refuses": {"endpoint": "http://127.0.0.1:9"},
    "has no address": {"endpoint": "http://nowhere.invalid:7070"},
    "is another one": {"uri": "s3://no-such-bucket"},
}


@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY)
async def test_a_revocation_and_a_key_revocation_need_no_store(
    api: ApiCluster,
    namespace: str,
    installation: Installation,
    version: Obj,
    away: dict[str, Any],
) -> None:
    changed = await api.merge(MODEL_POLICY, None, installation.policy, {"spec": {"store": away}})
    started = time.monotonic()
    await api.create(attested(version, "no", decision="Revoked"))
    await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v1", "Revoked=True", "Ready=False/Revoked", seconds=SECONDS
    )
    assert time.monotonic() - started < SECONDS
    revoked = [{**key, "revokedAt": "2026-01-01T00:00:00Z"} for key in changed["spec"]["signers"]]
    await api.merge(MODEL_POLICY, None, installation.policy, {"spec": {"signers": revoked}})
    await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v1", "Verified=False/SignerRevoked", seconds=SECONDS
    )


async def test_a_withdrawn_attestation_is_spent(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj
) -> None:
    first = attested(version, "yes")
    made = await api.create(first)
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v1", "Approved=True")
    await api.delete(MODEL_APPROVAL, namespace, "yes", made["metadata"]["uid"])
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v1", "Approved=False")
    for name in ("yes", "replayed"):
        replayed = {**first, "metadata": {**first["metadata"], "name": name}}
        await api.create(replayed)
        found = await installation.wait_for(
            MODEL_APPROVAL, namespace, name, "Ready=False/AttestationWithdrawn", "Stalled=True"
        )
        assert "sign the decision anew" in message(found, "Ready")
    longer = attested(version, "longer", notAfter="2030-01-01T00:00:00Z")
    longer["spec"]["notAfter"] = "2040-01-01T00:00:00Z"
    await api.create(longer)
    await installation.wait_for(
        MODEL_APPROVAL, namespace, "longer", "Ready=False/AttestationInvalid"
    )
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v1", "Approved=False")
