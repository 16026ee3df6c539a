"""Reviewers' decisions on a sealed version, on a real API server with the operator running."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api import names
from hallmark.api.admission import approval_identity
from hallmark.api.model_approval import ModelApprovalSpec
from hallmark.api.texts import timestamp
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import (
    ADMISSION_BINDING,
    ADMISSION_POLICY,
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    TRAINING_RUN,
    Obj,
)
from hallmark.policies.model_version.approvals import SETTLING
from hallmark.policies.model_version.attestation import attest
from tests.e2e.harness.objects import approval, gate
from tests.examples import slow_but
from tests.integration.operator_process import (
    Installation,
    deployed,
    installation,
    message,
    store,
    trusted,
)
from tests.integration.operator_world import (
    api,
    digest,
    kubeconfig,
    namespace,
    until,
)
from tests.integration.test_operator_run import run, seal_job, train_job
from tests.unit.supply_chain.osv_entries import affected, entry, snapshot

__all__ = [
    "api",
    "deployed",
    "installation",
    "kubeconfig",
    "namespace",
    "store",
]

ADMINISTRATOR = "admin"
"""Whom the API server takes the tests for."""
NO_KEY = "-----BEGIN PUBLIC KEY-----\nbm8ga2V5\n-----END PUBLIC KEY-----\n"
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("rita", "alice", "rob")}


@pytest.fixture
async def version(api: ApiCluster, namespace: str, installation: Installation) -> Obj:
    """Return a sealed and verified version; the policy knows the reviewers' keys."""
    keys = [{**trusted(key), "approver": name} for name, key in KEYS.items()]
    await api.merge(MODEL_POLICY, None, installation.policy, {"spec": {"approvers": keys}})
    made = await api.create(run(namespace))
    await installation.train(namespace, train_job(made))
    await installation.seal(seal_job(made))
    await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Ready=True")
    return await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v1", "Verified=True", "Approved=False"
    )


def attested(version: Obj, name: str, **spec: Any) -> Obj:  # noqa: ANN401
    """Return an approval with the approver's own signature."""
    made = approval(version, name, **spec)
    parsed = ModelApprovalSpec.model_validate(made["spec"])
    made["spec"]["attestation"] = attest(KEYS[parsed.approver], version["spec"]["model"], parsed)
    return made


async def test_an_attested_approval_counts_until_it_is_deleted_and_a_denial_for_ever(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj
) -> None:
    made = await api.create(attested(version, "yes"))
    await installation.wait_for(MODEL_APPROVAL, namespace, "yes", "Ready=True/Accepted")
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v1", "Approved=True/Approved")

    await api.create(attested(version, "twice"))
    await installation.wait_for(
        MODEL_APPROVAL, namespace, "twice", "Ready=False/DuplicateApprover", "Stalled=True"
    )
    await api.delete(MODEL_APPROVAL, namespace, "yes", made["metadata"]["uid"])
    withdrawn = await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v1", "Approved=False/AwaitingApproval", "Ready=True"
    )
    records = {each["name"]: each for each in withdrawn["status"]["approvals"]}
    assert (records["yes"]["accepted"], records["yes"]["withdrawn"]) == (True, True)

    end = timestamp(datetime.now(UTC) + timedelta(seconds=8))
    await api.create(attested(version, "short", approver="rob", notAfter=end))
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v1", "Approved=True")
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v1", "Approved=False")
    await installation.wait_for(MODEL_APPROVAL, namespace, "short", "Ready=False/Expired")

    denial = await api.create(attested(version, "no", decision="Denied"))
    await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v1", "Denied=True", "Ready=False/Denied", "Stalled=True"
    )
    await api.delete(MODEL_APPROVAL, namespace, "no", denial["metadata"]["uid"])
    await api.create(attested(version, "again"))
    await installation.wait_for(MODEL_APPROVAL, namespace, "again", "Ready=True")
    final = await installation.get(MODEL_VERSION, namespace, "loan-v1")
    assert "denied by rita" in message(final, "Denied").lower()
    await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v1", "Denied=True", "Approved=False/Denied"
    )
    events = installation.audited(version["metadata"]["uid"])
    assert events.count("withdraw") == 2
    assert events.count("deny") == 1


async def test_approvals_that_do_not_count_say_why(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj
) -> None:
    plain = approval(version, "plain")
    other_uid = attested(version, "other-uid")
    other_uid["spec"]["modelVersion"]["uid"] = "0" * 36
    forged = attested(version, "forged")
    forged["spec"]["targets"] = ["production"]
    early = attested(version, "early")
    early["spec"]["modelVersion"]["name"] = "not-yet"
    expected = {
        "AdmissionPolicyMissing": plain,
        "UidMismatch": other_uid,
        "DigestMismatch": attested(version, "digest", sbomDigest=digest("0")),
        "SelfApproval": attested(version, "own", approver="alice"),
        "AttestationInvalid": forged,
        "Expired": attested(version, "late", notAfter="2020-01-01T00:00:00Z"),
        "VersionMissing": early,
    }
    for made in expected.values():
        await api.create(made)
    for reason, made in expected.items():
        name = made["metadata"]["name"]
        found = await installation.wait_for(
            MODEL_APPROVAL, namespace, name, f"Ready=False/{reason}"
        )
        assert message(found, "Ready")
    current = await installation.get(MODEL_VERSION, namespace, "loan-v1")
    approved = next(c for c in current["status"]["conditions"] if c["type"] == "Approved")
    assert approved["status"] == "False"


async def test_a_plain_approval_counts_where_the_identity_policy_was_in_force_before(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj
) -> None:
    # Who created the run nobody vouched for; of this version somebody did.
    spec = {**version["spec"], "version": 2, "requestedBy": {"name": "bob", "authenticated": True}}
    known = {**version, "metadata": {"name": "loan-v2", "namespace": namespace}, "spec": spec}
    known = await api.create({k: v for k, v in known.items() if k != "status"})
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v2", "Verified=True")
    policy, binding = approval_identity()
    made = [await api.create(each) for each in (policy, binding)]
    try:
        await asyncio.sleep(SETTLING.total_seconds() + 1)
        await api.create(approval(version, "unknown", approver=ADMINISTRATOR))
        await api.create(approval(known, "vouched", approver=ADMINISTRATOR))
        await installation.wait_for(MODEL_APPROVAL, namespace, "vouched", "Ready=True/Accepted")
        await installation.wait_for(
            MODEL_APPROVAL, namespace, "unknown", "Ready=False/AdmissionPolicyMissing"
        )
    finally:
        kinds = (ADMISSION_POLICY, ADMISSION_BINDING)
        for kind, each in zip(kinds, made, strict=True):
            await api.delete(kind, None, each["metadata"]["name"], each["metadata"]["uid"])
    # Latched: that the policy is gone changes nothing about what it vouched for.
    await api.create(attested(known, "wake", approver="rob"))
    await installation.wait_for(MODEL_APPROVAL, namespace, "wake", "Ready=True")
    await installation.wait_for(MODEL_APPROVAL, namespace, "vouched", "Ready=True/Accepted")
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v2", "Approved=True")


@pytest.mark.parametrize(
    "away", slow_but(False, of=[False, True]), ids=["while it runs", "while it is away"]
)
async def test_what_came_in_while_the_identity_policy_was_off_for_a_moment_does_not_count(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj, away: bool
) -> None:
    policy, binding = approval_identity()
    made = [await api.create(each) for each in (policy, binding)]
    name, uid = binding["metadata"]["name"], made[1]["metadata"]["uid"]
    forged: list[str] = []

    async def forge() -> bool:
        given = f"forged-{len(forged)}"
        try:
            await api.create(approval(version, given, approver="victor"))
        except ApiError:
            return False
        forged.append(given)
        return True

    async def refused() -> bool:
        return not await forge()

    try:
        await until(refused)
        await asyncio.sleep(SETTLING.total_seconds() + 1)
        if away:
            installation.end()
        await api.merge(ADMISSION_BINDING, None, name, {"spec": {"validationActions": ["Audit"]}})
        await until(forge)
        # Nothing that the API server stores tells of it any more but the generation.
        restored = {
            "spec": binding["spec"],
            "metadata": {"managedFields": [{}]},
        }
        after = await api.merge(ADMISSION_BINDING, None, name, restored)
        assert "managedFields" not in after["metadata"]
        await until(refused)
        if away:
            installation.start()
            installation.wait_until_healthy()
        for given in forged:
            await installation.wait_for(
                MODEL_APPROVAL, namespace, given, "Ready=False/AdmissionPolicyMissing"
            )
        await installation.wait_for(MODEL_VERSION, namespace, "loan-v1", "Approved=False")

        async def recorded() -> bool:
            return installation.audited(uid).count("guard") >= (1 if away else 2)

        await until(recorded)
    finally:
        kinds = (ADMISSION_POLICY, ADMISSION_BINDING)
        for kind, each in zip(kinds, made, strict=True):
            await api.delete(kind, None, each["metadata"]["name"], each["metadata"]["uid"])


async def test_a_changed_policy_is_applied_to_versions_that_exist(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj
) -> None:
    strict = {
        "gates": [gate("accuracy", "AtLeast", "0.9999")],
        "dependencies": {"licences": {"allowed": ["0BSD"]}},
    }
    changed = await api.merge(MODEL_POLICY, None, installation.policy, {"spec": strict})
    found = await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v1", "PolicyPassed=False/PackagesRefused", "Stalled=True"
    )
    assert "0.9999" in message(found, "PolicyPassed")
    assert "the policy's dependencies.licences accept" in message(found, "PolicyPassed")
    revoked = [{**each, "revokedAt": "2026-01-01T00:00:00Z"} for each in changed["spec"]["signers"]]
    patch = {"spec": {"signers": revoked, "gates": None, "dependencies": None}}
    await api.merge(MODEL_POLICY, None, installation.policy, patch)
    await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v1", "Verified=False/SignerRevoked", "Ready=False/Refused"
    )


async def test_a_version_is_held_against_each_snapshot_of_vulnerabilities_and_each_exception(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj
) -> None:
    async def expect(condition: str) -> Obj:
        return await installation.wait_for(MODEL_VERSION, namespace, "loan-v1", condition)

    async def demand(rules: Obj | None) -> None:
        spec = {"dependencies": {"vulnerabilities": rules}}
        await api.merge(MODEL_POLICY, None, installation.policy, {"spec": spec})

    await demand({})
    found = await expect("PolicyPassed=False/PolicyFailed")
    assert "found no such folder" in message(found, "PolicyPassed")
    snapshot(installation.folder / "osv", entry("GHSA-0", affected("else")), zipped=True)
    found = await expect("PolicyPassed=True/PolicyPassed")
    before = found["status"]["feedDigest"]

    flaw = entry("GHSA-1", affected("NumPy", ranges=[]), aliases=["CVE-1"])
    snapshot(installation.folder / "osv", flaw, zipped=True)
    found = await expect("PolicyPassed=False/PackagesRefused")
    assert "GHSA-1 in 'numpy'" in message(found, "PolicyPassed")
    assert found["status"]["feedDigest"] != before

    until_ = timestamp(datetime.now(UTC) + timedelta(seconds=6))
    excepted = {"package": "numpy", "id": "CVE-1", "reason": "not reachable", "until": until_}
    await demand({"exceptions": [excepted]})
    await expect("PolicyPassed=True/PolicyPassed")
    found = await expect("PolicyPassed=False/PackagesRefused")
    assert f"its exception ended {until_}" in message(found, "PolicyPassed")

    await demand({"vex": {}})
    await expect("PolicyPassed=False/PackagesRefused")
    said = {"vulnerability": "CVE-1", "package": "numpy", "analysis": "false_positive"}
    made = await api.create(attested(version, "word", decision="Assessed", assessment=said))
    await installation.wait_for(MODEL_APPROVAL, namespace, "word", "Ready=True/Accepted")
    found = await expect("PolicyPassed=True/PolicyPassed")
    assert message(found, "PolicyPassed") == "CVE-1 in 'numpy': false_positive, says rita."
    uid = version["metadata"]["uid"]
    assert "assess" in installation.audited(uid)
    await api.delete(MODEL_APPROVAL, namespace, "word", made["metadata"]["uid"])
    await expect("PolicyPassed=False/PackagesRefused")
    await demand(None)
    await expect("PolicyPassed=True/PolicyPassed")


async def test_a_changed_manifest_in_the_store_is_found(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj
) -> None:
    uri = version["spec"]["artifact"]["uri"]
    path = installation.store.folder / uri.removeprefix("s3://") / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"accuracy", b"accuracz").replace(b"size", b"sizf"))
    annotations = {names.ANNOTATION_RECONCILE: "somebody had the store in his hands"}
    await api.merge(MODEL_VERSION, namespace, "loan-v1", {"metadata": {"annotations": annotations}})
    found = await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v1", "Verified=False/SignatureInvalid", "Stalled=True"
    )
    assert "digest" in message(found, "Verified")


async def test_a_version_names_the_deployments_that_use_it(
    api: ApiCluster, namespace: str, installation: Installation, version: Obj
) -> None:
    spec = {"modelVersion": "loan-v1", "suspend": True}
    made = await api.create(
        {
            "apiVersion": "hallmark.dev/v1alpha1",
            "kind": "Deployment",
            "metadata": {"name": "scores", "namespace": namespace},
            "spec": spec,
        }
    )
    await api.merge_status(MODEL_DEPLOYMENT, namespace, "scores", {"stableModelVersion": "loan-v1"})

    async def used(by: list[str]) -> bool:
        found = await installation.get(MODEL_VERSION, namespace, "loan-v1")
        return bool(found["status"].get("usedBy", []) == by)

    await until(lambda: used(["scores"]))
    await api.delete(MODEL_DEPLOYMENT, namespace, "scores", made["metadata"]["uid"])
    await until(lambda: used([]))


async def test_a_policy_whose_key_is_none_says_which(
    api: ApiCluster, installation: Installation
) -> None:
    bad = installation.policy_object(signers=[{"keyId": "0" * 64, "publicKey": NO_KEY}])
    bad["metadata"]["name"] += "-bad"
    made = await api.create(bad)
    try:
        found = await installation.wait_for(
            MODEL_POLICY, None, made["metadata"]["name"], "Ready=False/InvalidKey", "Stalled=True"
        )
        assert "0" * 64 in message(found, "Ready")
    finally:
        await api.delete(MODEL_POLICY, None, made["metadata"]["name"], made["metadata"]["uid"])
