"""A reviewer's word on a vulnerability, from the command line into the store and back."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from hallmark.api.names import LABEL_POLICY
from hallmark.keys import private_pem
from hallmark.supply_chain.sealing import seal
from tests.integration import objects
from tests.integration.command_line import hallmark
from tests.integration.conftest import OPERATOR, World
from tests.unit.store.conftest import gateway
from tests.unit.store.versitygw import BUCKET, Gateway
from tests.unit.supply_chain import factories, uploads
from tests.unit.supply_chain.factories import KEY, NOW, OTHER_KEY

__all__ = ["gateway"]


@pytest.fixture
def credentials(world: World, gateway: Gateway) -> str:
    """A sealed version 'credit-1' in a namespace whose policy trusts one reviewer."""
    space, good = world.namespace, uploads.upload()
    store = gateway.store(space)
    good.put(store)
    outcome = seal(uploads.task(good), store, lambda: KEY, NOW)
    assert outcome.sealed, outcome.message
    policy = objects.model_policy(
        f"vex-{secrets.token_hex(3)}",
        store={"uri": f"s3://{BUCKET}/{space}", "endpoint": gateway.endpoint},
        approvers=[{**factories.trusted().to_wire(), "approver": "rita"}],
    )
    world.api.create(policy)
    labels = {LABEL_POLICY: policy["metadata"]["name"]}
    found = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
    world.api.patch(found, {"metadata": {"labels": labels}})
    artifact = {"uri": outcome.uri, "manifestDigest": good.digest, "size": outcome.size}
    version = objects.model_version(
        space,
        "credit-1",
        model=factories.MODEL,
        artifact=artifact,
        sbomDigest=outcome.sbom_digest,
        gateReportDigest=outcome.gate_report_digest,
    )
    world.api.create(version, OPERATOR)
    return f"--store-credentials={gateway.credentials}"


def test_a_reviewers_word_is_put_beside_the_bundle_and_shown(
    world: World, credentials: str, gateway: Gateway, tmp_path: Path
) -> None:
    keys = {"rita": KEY, "stranger": OTHER_KEY}
    for name, key in keys.items():
        (tmp_path / name).write_bytes(private_pem(key))

    def vex(signer: str, *more: str, package: str = "numpy") -> tuple[int, str]:
        done = hallmark(
            world,
            *("vex", "credit-1", "-n", world.namespace, credentials),
            *("--vulnerability=CVE-2026-1", f"--package={package}", "--detail=Not imported."),
            *(f"--sign-with={tmp_path / signer}", *more),
        )
        return done.returncode, done.stdout + done.stderr

    def shown() -> str:
        done = hallmark(world, "sbom", "credit-1", "-n", world.namespace, credentials)
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    before = gateway.store(world.namespace).list("models/")
    not_affected = ("--analysis=not_affected", "--justification=code_not_reachable")
    refused = {
        "Expected a component 'torch' in the SBOM": vex("rita", *not_affected, package="torch"),
        "Expected a justification": vex("rita", "--analysis=not_affected"),
        "lists among its approvers": vex("stranger", *not_affected),
    }
    for sentence, (code, said) in refused.items():
        assert code == 1, said
        assert sentence in said
    assert gateway.store(world.namespace).list("models/") == before
    assert "CVE" not in shown()

    code, said = vex("rita", *not_affected)
    assert code == 0, said
    assert "CVE-2026-1 in numpy: not_affected (code_not_reachable), says rita since" in said
    assert "says rita since" in shown()

    (added,) = set(gateway.store(world.namespace).list("models/")) - set(before)
    forged = added.path.replace(added.path[-10:-5], "00000")
    data = gateway.store(world.namespace).get(added.path)
    gateway.store(world.namespace).put(forged, data.replace(b'"sig":"M', b'"sig":"N'))
    assert "1 VEX count for nothing: " in shown()
