"""Keys by the command line, on a real API server with a running operator: nothing stops serving."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api import names
from hallmark.api.files import BUNDLE
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.texts import parse_timestamp
from hallmark.audit.succession import HANDOVER
from hallmark.audit.verify import verify_log
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    SECRET,
    TRAINING_RUN,
    Obj,
)
from hallmark.keys import key_id, load_private_key, private_pem, public_pem
from tests.integration.command_line import Done, patch_environment, run_hallmark
from tests.integration.operator_process import Installation, deployed, installation, store
from tests.integration.operator_stage import NAME, Stage, label, stage
from tests.integration.operator_world import api, kubeconfig, namespace, until
from tests.integration.test_operator_run import run, seal_job, train_job

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]


class Commands:
    """The command line as an administrator of the installation."""

    def __init__(self, kubeconfig: str, installation: Installation) -> None:
        self._kubeconfig, self._installation = kubeconfig, installation

    async def __call__(self, verb: str, *arguments: str) -> Done:
        """Run ``hallmark keys``; it has a loop of its own."""
        place, policy = self._installation.system, self._installation.policy
        where = [f"--namespace={place}"] + [f"--policy={policy}"] * (verb != "create")
        given = ("keys", verb, *arguments, *where)
        with patch_environment(KUBECONFIG=self._kubeconfig):
            return await asyncio.to_thread(run_hallmark, *given)

    async def done(self, verb: str, *arguments: str) -> Done:
        """Run it; it must do what was asked."""
        done = await self(verb, *arguments)
        assert done.returncode == 0, done.stderr
        return done

    async def refused(self, verb: str, *arguments: str) -> str:
        """Run it; it must refuse, and change nothing."""
        before = await self._spec()
        done = await self(verb, *arguments)
        assert done.returncode == 1, done.stdout
        assert await self._spec() == before
        return done.stderr

    async def listed(self) -> dict[str, dict[str, Any]]:
        """Return what ``list`` tells programs, by the key's id."""
        rows = json.loads((await self.done("list", "--output=json")).stdout)
        return {row["keyId"]: row for row in rows}

    async def _spec(self) -> Obj:
        found = await self._installation.get(MODEL_POLICY, None, self._installation.policy)
        return dict(found["spec"])


def key_secret(name: str, system: str, key: ec.EllipticCurvePrivateKey) -> Obj:
    """Return a Secret as ``hallmark keys init`` makes it."""
    public = public_pem(key.public_key())
    data = {"private.pem": private_pem(key), "public.pem": public.encode()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": system},
        "data": {entry: base64.b64encode(value).decode() for entry, value in data.items()},
    }


def made_secret(done: Done) -> str:
    """Return the name of the Secret that ``create`` says it made."""
    found = re.search(r"Secret (\S+) made", done.stderr)
    assert found is not None, done.stderr
    return found[1]


async def judged_again(stage: Stage, version: str) -> None:
    """Wait until the operator has judged a version under the policy as it is now."""
    policy = await stage.installation.get(MODEL_POLICY, None, stage.installation.policy)
    digest = ModelPolicy.model_validate(policy).spec.digest

    async def judged() -> bool:
        found = await stage.installation.get(MODEL_VERSION, stage.namespace, version)
        return bool(found["status"].get("policyDigest") == digest)

    await until(judged)


async def test_the_sealing_key_is_changed_while_versions_serve(
    stage: Stage, kubeconfig: str
) -> None:
    made = stage.installation
    keys = Commands(kubeconfig, made)
    first = names.SEALING_KEY_SECRET
    old = key_id(made.signer)
    await made.api.create(key_secret(first, made.system, made.signer))
    version = await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_field("stableModelVersion", "v1")
    assert "no other key that is valid" in await keys.refused("retire", "seal", old[:12])

    # Made and trusted; nothing seals with it yet.
    secret = made_secret(await keys.done("create", "seal"))
    new = secret.removeprefix(f"{first}-")
    assert "fits 0" in await keys.refused("use", "seal", new)
    await keys.done("add", "seal", f"secret/{secret}")
    assert "lists" in await keys.refused("add", "audit", f"secret/{secret}")
    assert "component signs with" in await keys.refused("retire", "seal", old)

    # Current: what is sealed from now on has its signature, by the real sealing program.
    shown = await keys.done("use", "seal", new, "--dry-run")
    assert yaml.safe_load(shown.stdout)["spec"]["sealWith"].startswith(new)
    assert "kubectl patch modelpolicy" in shown.stderr
    await keys.done("use", "seal", new)
    asked = await made.api.create(run(stage.namespace))
    await made.train(stage.namespace, train_job(asked))
    await made.seal(seal_job(asked))
    await made.wait_for(TRAINING_RUN, stage.namespace, "loan-v1", "Ready=True/Sealed")
    later = await made.wait_for(MODEL_VERSION, stage.namespace, "loan-v1", "Verified=True")
    assert later["status"]["keyId"].startswith(new)

    # Retired: what it sealed still verifies and serves, and it seals nothing any more.
    await keys.done("retire", "seal", old)
    rows = await keys.listed()
    assert rows[old]["versions"] == [f"{stage.namespace}/v1"]
    assert rows[old]["serving"] == [f"{stage.namespace}/{NAME}"]
    assert (rows[old]["signsNow"], rows[later["status"]["keyId"]]["signsNow"]) == (False, True)
    ended = parse_timestamp(rows[old]["validUntil"])

    async def over() -> bool:
        return datetime.now(UTC) >= ended

    await until(over)
    thiefs = await stage.seal("v9", 9)
    await made.wait_for(MODEL_VERSION, stage.namespace, "v9", "Verified=False/SignerExpired")
    sealed = thiefs["spec"]["artifact"]
    folder = names.model_prefix(stage.namespace, "credit", sealed["manifestDigest"])
    bundle = thiefs["spec"]["bundle"].encode()
    made.store.store(made.system).put(folder + BUNDLE, bundle)
    adopting = run(stage.namespace, "brought")
    adopting["spec"] = {
        "model": "credit",
        "requestedBy": adopting["spec"]["requestedBy"],
        "sealed": {
            "uri": f"{made.policy_object()['spec']['store']['uri']}/{folder.rstrip('/')}",
            "manifestDigest": sealed["manifestDigest"],
        },
    }
    await made.api.create(adopting)
    await made.wait_for(TRAINING_RUN, stage.namespace, "brought", "Ready=False/SealRefused")
    await judged_again(stage, "v1")
    await made.wait_for(MODEL_VERSION, stage.namespace, "v1", "Verified=True/SignatureValid")
    await stage.wait_for("Ready=True")
    assert await stage.serving() == label(version)
    assert "never put off" in await keys.refused("retire", "seal", old, "--at=720h")

    # Stolen after all: what it sealed stops at once, as the policy's default says.
    said = await keys.done("revoke", "seal", old)
    assert f"{stage.namespace}/{NAME}" in said.stderr
    await stage.wait_for("Ready=False/Stopped")
    assert (await keys.listed())[old]["state"] == "Revoked"


async def mount(installation: Installation, secret: str) -> None:
    """Do what the kubelet does when the operator's Deployment mounts another Secret."""
    installation.end()
    found = await installation.get(SECRET, installation.system, secret)
    folder = installation.folder / "audit"
    for entry in folder.iterdir():
        entry.unlink()
    for entry, value in found["data"].items():
        (folder / entry).write_bytes(base64.b64decode(value))
    installation.start()
    await asyncio.to_thread(installation.wait_until_healthy)


def operator_deployment(system: str) -> Obj:
    """Return the operator's Deployment, as it is shipped, in the installation's namespace."""
    shipped = Path(__file__).parents[2] / "manifests/base/operator.yaml"
    (found,) = (
        document
        for document in yaml.safe_load_all(shipped.read_text())
        if document["kind"] == "Deployment"
    )
    found["metadata"]["namespace"] = system
    return dict(found)


async def test_the_audit_key_is_changed_without_a_break(
    installation: Installation, kubeconfig: str
) -> None:
    made, keys = installation, Commands(kubeconfig, installation)
    first = names.AUDIT_KEY_SECRET
    private = load_private_key((made.folder / "audit/private.pem").read_bytes())
    old = key_id(private)
    await made.api.create(operator_deployment(made.system))
    await made.api.create(key_secret(first, made.system, private))
    await keys.done("add", "audit", f"secret/{first}")

    # A key without the old one's word would break the log.
    stranger = ec.generate_private_key(ec.SECP256R1())
    wordless = names.key_secret_name(first, key_id(stranger))
    await made.api.create(key_secret(wordless, made.system, stranger))
    await keys.done("add", "audit", f"secret/{wordless}")
    assert "the log would break" in await keys.refused("use", "audit", key_id(stranger))

    secret = made_secret(await keys.done("create", "audit"))
    new = secret.removeprefix(f"{first}-")
    await keys.done("add", "audit", f"secret/{secret}")
    await keys.done("use", "audit", new)
    patched = await made.get(APPS_DEPLOYMENT, made.system, names.OPERATOR_NAME)
    volumes = {volume["name"]: volume for volume in patched["spec"]["template"]["spec"]["volumes"]}
    assert volumes["audit-key"]["secret"] == {"secretName": secret, "defaultMode": 0o440}
    assert len(volumes) == 4, "the other volumes stay"
    assert "component signs with" in await keys.refused("retire", "audit", old)

    await mount(made, secret)
    await made.wait_for(MODEL_POLICY, None, made.policy, "AuditBroken=False")

    async def signs() -> bool:
        return bool((await keys.listed())[key_id(load_private_key(mounted))]["signsNow"])

    mounted = (made.folder / "audit/private.pem").read_bytes()
    assert (made.folder / "audit" / HANDOVER).exists()
    await until(signs)
    await keys.done("retire", "audit", old)
    log = made.folder / "logs/secure_mlops.log"
    anchor = await made.get(CONFIG_MAP, made.system, names.AUDIT_ANCHOR)
    head = anchor["data"]["head.json"].encode()
    for trusted in (private, load_private_key(mounted)):
        verdict = verify_log(log, public_pem(trusted.public_key()), head)
        assert verdict.ok, verdict.problems
    assert not verify_log(log, public_pem(stranger.public_key()), head).ok
    public = made.folder / "new.pub"
    public.write_text(public_pem(load_private_key(mounted).public_key()))
    (made.folder / "head.json").write_bytes(head)
    told = await asyncio.to_thread(
        run_hallmark,
        *("audit", "verify", str(log), f"--public-key={public}"),
        f"--anchor={made.folder / 'head.json'}",
    )
    assert told.returncode == 0, told.stdout
    assert "handed the log over" in told.stdout


async def test_an_approvers_key_is_retired_and_what_it_attested_counts(
    stage: Stage, kubeconfig: str, tmp_path: Path
) -> None:
    keys = Commands(kubeconfig, stage.installation)
    version = await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_field("stableModelVersion", "v1")
    rows = await keys.listed()
    (rita,) = (row for row in rows.values() if row["purpose"] == "approve")
    assert rita["versions"] == [f"{stage.namespace}/v1"]

    file = tmp_path / "rita.pem"
    with patch_environment(KUBECONFIG="/nowhere"):
        made = await asyncio.to_thread(
            run_hallmark, "keys", "create", "approve", f"--output={file}"
        )
    assert made.returncode == 0, made.stderr
    assert "PRIVATE" not in made.stdout + made.stderr
    public = tmp_path / "rita.pub"
    public.write_text(made.stdout)
    await keys.done("add", "approve", str(public), "--approver=rita")
    await keys.done("retire", "approve", rita["keyId"])
    ended = parse_timestamp((await keys.listed())[rita["keyId"]]["validUntil"])
    assert ended - datetime.now(UTC) < timedelta(seconds=2)

    async def over() -> bool:
        return datetime.now(UTC) > ended

    await until(over)
    await judged_again(stage, "v1")
    await stage.installation.wait_for(MODEL_VERSION, stage.namespace, "v1", "Approved=True")
    assert await stage.serving() == label(version)
    await stage.approved("v2", 2)
    await stage.installation.wait_for(
        MODEL_VERSION, stage.namespace, "v2", "Approved=False/AwaitingApproval"
    )
    found = await stage.installation.get(MODEL_DEPLOYMENT, stage.namespace, NAME)
    assert found["status"]["activeModelVersion"] == "v1"
