"""The audit log of a running operator: its anchor, a break, and what it rests on."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

from hallmark.api import names
from hallmark.api.admission.words import audit_anchor
from hallmark.audit.files import head_path
from hallmark.audit.outside import BREAK_KEY, HEAD_KEY
from hallmark.audit.verify import verify_log
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import (
    ADMISSION_BINDING,
    ADMISSION_POLICY,
    CONFIG_MAP,
    EVENT,
    MODEL_POLICY,
    NAMESPACE,
    Obj,
)
from hallmark.keys import load_private_key, public_pem
from tests.integration.operator_process import (
    Installation,
    deployed,
    installation,
    message,
    store,
)
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "store"]


def log_of(installation: Installation) -> Path:
    return installation.folder / "logs/secure_mlops.log"


def records(installation: Installation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_of(installation).read_text().splitlines()]


async def anchor(installation: Installation) -> Obj:
    return await installation.get(CONFIG_MAP, installation.system, names.AUDIT_ANCHOR)


async def anchored(installation: Installation) -> bool:
    """Whether the anchor names the log's last record."""
    found = await anchor(installation)
    written = records(installation)
    seq = json.loads(found["data"][HEAD_KEY])["seq"]
    return bool(written) and seq == written[-1]["seq"]


def verify(installation: Installation, found: Obj) -> bool:
    key = load_private_key((installation.folder / "audit/private.pem").read_bytes())
    head = found["data"][HEAD_KEY].encode()
    return verify_log(log_of(installation), public_pem(key.public_key()), head).ok


async def change_policy(installation: Installation, minimum: int) -> None:
    patch = {"spec": {"approvals": {"minimum": minimum}}}
    await installation.api.merge(MODEL_POLICY, None, installation.policy, patch)


async def test_the_anchor_follows_the_log_and_a_change_of_the_policy_is_a_record(
    installation: Installation,
) -> None:
    await installation.wait_for(MODEL_POLICY, None, installation.policy, "AuditBroken=False")
    await change_policy(installation, 3)

    async def recorded() -> list[dict[str, Any]]:
        found = [each for each in records(installation) if each["name"] == installation.policy]
        return [each for each in found if each["reason"] == "GuardChanged"]

    await until(recorded)
    (changed,) = await recorded()
    assert changed["message"] == (
        f"ModelPolicy '{installation.policy}' was changed: spec.approvals."
    )
    assert {"oldDigest", "newDigest", "spec.approvals"} <= changed["details"].keys()
    await until(lambda: anchored(installation))
    assert verify(installation, await anchor(installation))

    async def told() -> bool:
        events = await installation.api.list(EVENT, "default")
        return any(
            event["involvedObject"]["name"] == installation.policy
            and event["reason"] == "GuardChanged"
            for event in events
        )

    await until(told)
    url = f"http://127.0.0.1:{installation.port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        metrics = answer.read().decode()
    counted = 'hallmark_guard_changes_total{kind="ModelPolicy",reason="GuardChanged"}'
    assert counted in metrics
    assert "hallmark_audit_broken 0.0" in metrics


async def test_a_namespace_under_another_policy_is_a_record(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    labels = {"labels": {names.LABEL_POLICY: "lax"}}
    await api.merge(NAMESPACE, None, namespace, {"metadata": labels})

    async def recorded() -> bool:
        return any(
            each["name"] == namespace
            and each["details"] == {"oldPolicy": installation.policy, "newPolicy": "lax"}
            for each in records(installation)
        )

    await until(recorded)


async def test_a_crash_is_no_break(installation: Installation) -> None:
    await change_policy(installation, 4)
    installation.end(signal.SIGKILL)
    installation.start()
    installation.wait_until_healthy()
    await installation.wait_for(MODEL_POLICY, None, installation.policy, "AuditBroken=False")


async def test_a_broken_log_is_shown_held_and_acknowledged(
    api: ApiCluster, installation: Installation
) -> None:
    await change_policy(installation, 5)
    await until(lambda: anchored(installation))
    installation.end()
    path = log_of(installation)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    head_path(path).unlink()
    installation.start()
    installation.wait_until_healthy()
    shown = await installation.wait_for(
        MODEL_POLICY, None, installation.policy, "AuditBroken=True/AuditBroken", "Ready=True"
    )
    assert "the first bad record is 2, which is missing" in message(shown, "AuditBroken")
    assert records(installation)[0]["reason"] == "ChainBroken"
    broken = json.loads((await anchor(installation))["data"][BREAK_KEY])
    assert broken["id"] in message(shown, "AuditBroken")
    text = json.dumps({"break": broken["id"], "by": "admin", "reason": "A restored disk."})
    mark = {"metadata": {"annotations": {names.ANNOTATION_ACKNOWLEDGE: text}}}
    await api.merge(CONFIG_MAP, installation.system, names.AUDIT_ANCHOR, mark)

    async def unvouched() -> bool:
        return "nobody vouches for who did" in installation.log()

    await until(unvouched)
    made = [await api.create(each) for each in audit_anchor()]
    try:
        await installation.wait_for(
            MODEL_POLICY, None, installation.policy, "AuditBroken=False/AuditWhole"
        )
    finally:
        for kind, each in zip((ADMISSION_POLICY, ADMISSION_BINDING), made, strict=True):
            await api.delete(kind, None, each["metadata"]["name"], each["metadata"]["uid"])
    said = [each for each in records(installation) if each["reason"] == "BreakAcknowledged"]
    assert [(each["actor"], each["message"]) for each in said] == [("admin", "A restored disk.")]

    async def gone() -> bool:
        reasons = [
            each["reason"]
            for each in records(installation)
            if each["name"] == names.AUDIT_ANCHOR_POLICY
        ]
        return reasons.count("GuardDeleted") == 2

    await until(gone)


async def test_a_deleted_anchor_is_made_again_and_recorded(
    api: ApiCluster, installation: Installation
) -> None:
    found = await anchor(installation)
    uid = found["metadata"]["uid"]
    await api.delete(CONFIG_MAP, installation.system, names.AUDIT_ANCHOR, uid)
    await change_policy(installation, 6)

    async def recorded() -> bool:
        return any(each["reason"] == "AnchorChanged" for each in records(installation))

    await until(recorded)
    await until(lambda: anchored(installation))


async def test_a_volume_that_cannot_be_used_is_shown_and_ends_no_operator(
    installation: Installation,
) -> None:
    installation.end()
    folder = log_of(installation).parent
    kept = folder.rename(folder.with_name("kept"))
    folder.write_text("no folder")
    installation.start(HALLMARK_AUDIT_PATIENCE_SECONDS="2")
    installation.wait_until_healthy()
    try:
        # It is waited for a while, then shown; withdrawals would go on.
        shown = await installation.wait_for(
            MODEL_POLICY, None, installation.policy, "AuditBroken=True/AuditUnwritable"
        )
        assert "cannot be used" in message(shown, "AuditBroken")
    finally:
        folder.unlink()
        kept.rename(folder)
    await installation.wait_for(
        MODEL_POLICY, None, installation.policy, "AuditBroken=False/AuditWhole"
    )
