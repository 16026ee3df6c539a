"""What a person decided takes effect whatever the store does, and for the same bytes everywhere."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.latch import LATCH_KEY
from hallmark.api.model_version import ModelVersion
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.memory import LogMemory
from hallmark.audit.record import Record
from hallmark.bundles.stores import Stores
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_APPROVAL, MODEL_POLICY, MODEL_VERSION
from hallmark.controllers import metrics
from hallmark.controllers.queue import Outcome
from hallmark.policies.model_version.shown import shown_digest
from tests.examples import in_pairs
from tests.integration import objects
from tests.unit.controllers.version_world import SPACE, SYSTEM, VersionWorld
from tests.unit.policies.model_version.ballots import RITA, approval
from tests.unit.policies.training_run.runs import MODEL, bundle, version
from tests.unit.supply_chain.factories import trusted

REVOKED_AT = {"revokedAt": "2026-01-01T00:00:00Z"}
AT_ONCE = 5.0
"""Seconds: less than any store is waited for, and much more than a busy machine takes."""
MANY = 100
"""Versions, more than are read or looked at at the same time."""


@pytest.fixture
def world(tmp_path: Path) -> VersionWorld:
    made = VersionWorld(tmp_path / "store")
    made.add(version())
    return made


# --- the store -------------------------------------------------------------------------------


def folder_of(world: VersionWorld) -> Path:
    return world.folder / names.model_prefix(SPACE, MODEL, bundle().digest)


def lose(world: VersionWorld) -> None:
    for path in folder_of(world).iterdir():
        path.unlink()


def damage(world: VersionWorld) -> None:
    for path in folder_of(world).iterdir():
        path.write_bytes(b"\xff" * 9)


def at(endpoint: str, uri: str = "s3://hallmark") -> dict[str, Any]:
    return {"store": {"uri": uri, "endpoint": endpoint}}


def closed_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}"


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the address of a server that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


FAULTS = (
    "whole",
    "lost",
    "damaged",
    "silent",
    "refusing",
    "of no address",
    "without credentials",
    "with half of its credentials",
)


@contextmanager
def faulty(fault: str, folder: Path) -> Iterator[tuple[VersionWorld, dict[str, Any]]]:
    """Yield a world with that fault of its store, and what its policy says of it."""
    secret = folder / "credentials"
    secret.mkdir()
    for name in ("access-key-id", "secret-access-key"):
        (secret / name).write_text("x")
    if fault in {"whole", "lost", "damaged"}:
        world = VersionWorld(folder / "store")
        {"lost": lose, "damaged": damage}.get(fault, lambda _: None)(world)
        yield world, {}
        return
    world = VersionWorld(folder / "store", Stores(secret))
    if fault == "without credentials":
        for path in secret.iterdir():
            path.unlink()
        secret.rmdir()
    if fault == "with half of its credentials":
        (secret / "secret-access-key").unlink()
    address = "http://[" if fault == "of no address" else closed_port()
    with silent_server() as silent:
        yield world, at(silent if fault == "silent" else address)


def deny(world: VersionWorld, _: dict[str, Any]) -> None:
    world.say(approval("no", decision="Denied"))


def revoke(world: VersionWorld, _: dict[str, Any]) -> None:
    world.say(approval("no", decision="Revoked"))


def revoke_by_a_relay(world: VersionWorld, _: dict[str, Any]) -> None:
    world.say(approval("no", decision="Revoked", attested=True))


def revoke_the_signer(world: VersionWorld, store: dict[str, Any]) -> None:
    signer = {**trusted().to_wire(), **REVOKED_AT}
    world.rule(approvers=[RITA.to_wire()], signers=[signer], **store)


def revoke_the_approver(world: VersionWorld, store: dict[str, Any]) -> None:
    world.rule(approvers=[{**RITA.to_wire(), **REVOKED_AT}], **store)


def withdraw(world: VersionWorld, _: dict[str, Any]) -> None:
    world.remove(MODEL_APPROVAL, SPACE, "yes")


DECISIONS: dict[str, tuple[Callable[[VersionWorld, dict[str, Any]], None], dict[str, str]]] = {
    "a denial": (deny, {"Denied": "True/Denied", "Ready": "False/Denied"}),
    "a revocation": (revoke, {"Revoked": "True/Revoked", "Ready": "False/Revoked"}),
    "an attested revocation": (revoke_by_a_relay, {"Revoked": "True/Revoked"}),
    "a revoked signer": (
        revoke_the_signer,
        {"Verified": "False/SignerRevoked", "Ready": "False/Refused"},
    ),
    "a revoked approver": (revoke_the_approver, {"Approved": "False/AwaitingApproval"}),
    "a withdrawal": (withdraw, {"Approved": "False/AwaitingApproval"}),
}


@pytest.mark.parametrize(
    ("fault", "decision", "when"), in_pairs(FAULTS, DECISIONS, ["seen before", "after a restart"])
)
async def test_a_decision_needs_no_store(
    fault: str, decision: str, when: str, tmp_path: Path
) -> None:
    decide, expected = DECISIONS[decision]
    with faulty(fault, tmp_path) as (world, store):
        world.rule(approvers=[RITA.to_wire()], **store)
        world.add(version())
        world.say(approval(attested=True))
        await world.look()
        assert world.shown()["Approved"] == "True/Approved"
        if when == "after a restart":
            await world.operator.reader.close()
            world.operator = world._operator(world.operator.stores)
        decide(world, store)
        started = time.monotonic()
        assert await world.look() is Outcome.DONE
        assert time.monotonic() - started < AT_ONCE
        shown = world.shown()
        assert {type_: shown[type_] for type_ in expected} == expected
        await world.operator.reader.close()


async def test_many_versions_that_wait_for_a_silent_store_hold_nobody_up(
    tmp_path: Path,
) -> None:
    with faulty("silent", tmp_path) as (world, store):
        world.rule(approvers=[RITA.to_wire()], **store)
        sealed = version()
        for number in range(MANY):
            named = {"name": f"v{number}", "uid": f"uid-{number}"}
            world.add(sealed.replace(metadata=sealed.metadata.replace(**named)))
        task = asyncio.create_task(world.operator.queue.run())
        world.watch()
        async with asyncio.timeout(60):
            while not world.operator.queue.idle:
                await asyncio.sleep(0.05)
        last = f"v{MANY - 1}"
        reference = {"name": last, "uid": f"uid-{MANY - 1}"}
        world.say(approval("no", decision="Revoked", modelVersion=reference))
        started = time.monotonic()
        world.watch()
        async with asyncio.timeout(60):
            while world.shown(last).get("Revoked") != "True/Revoked":
                await asyncio.sleep(0.005)
        assert time.monotonic() - started < AT_ONCE
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await world.operator.reader.close()


async def test_a_store_that_is_away_shows_and_comes_back(tmp_path: Path) -> None:
    with faulty("refusing", tmp_path) as (world, store):
        world.rule(approvers=[RITA.to_wire()], **store)
        world.add(version())
        await world.settle(60)
        assert world.shown()["Verified"] == "Unknown/Pending"
        assert world.shown()["Reconciling"] == "True/Pending"
        assert "Check that the store's address is right" in world.message("Ready")


async def test_a_version_that_was_ready_stays_so_while_the_store_is_away(
    world: VersionWorld,
) -> None:
    await world.settle()
    assert world.shown()["Ready"] == "True/Sealed"
    stores = Stores(world.folder / "no-credentials")
    world.operator = world._operator(stores)
    floor = [{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.1"}]
    world.rule(approvers=[RITA.to_wire()], gates=floor, **at("http://["))
    await world.settle()
    assert world.shown()["Ready"] == "True/Sealed"
    assert world.shown()["Reconciling"] == "True/StoreUnavailable"
    assert world.shown()["Verified"] == "True/SignatureValid"


async def test_a_sealed_version_is_verified_in_two_looks(world: VersionWorld) -> None:
    await world.look()
    assert world.shown()["Ready"] == "False/Pending", "the first status waits for nothing"
    await world.settle()
    assert world.shown()["Ready"] == "True/Sealed"
    assert world.shown()["SBOMReady"] == "True/SBOMRecorded"


# --- twins -----------------------------------------------------------------------------------

TWIN = {"name": "credit-v2", "uid": "twin-uid"}


async def approved_twins(world: VersionWorld) -> None:
    world.add(version(**TWIN))
    world.say(approval("yes", approver="rob"))
    world.say(approval("yes-too", approver="rob", modelVersion=TWIN))
    await world.settle()
    for name in ("credit-v1", "credit-v2"):
        assert world.shown(name)["Approved"] == "True/Approved"


@pytest.mark.parametrize("decision", ["Denied", "Revoked"])
async def test_a_decision_on_one_twin_stops_the_other(world: VersionWorld, decision: str) -> None:
    await approved_twins(world)
    world.say(approval("no", decision=decision))
    await world.settle()
    for name in ("credit-v1", "credit-v2"):
        assert world.shown(name)[decision] == f"True/{decision}"
        assert world.shown(name)["Approved"] == f"False/{decision}"
    assert "'credit-v1', which has the same bytes" in world.message(decision, "credit-v2")
    event = {"Denied": "deny", "Revoked": "revoke"}[decision]
    recorded = [record.name for record in world.ledger.records.values() if record.event == event]
    assert sorted(recorded) == ["credit-v1", "credit-v2"]
    assert "It changes nothing" in world.message("Ready", "yes-too", MODEL_APPROVAL)


@pytest.mark.parametrize("decision", ["Denied", "Revoked"])
async def test_a_decision_is_remembered_when_everything_else_is_gone(
    world: VersionWorld, decision: str
) -> None:
    world.say(approval("no", decision=decision))
    await world.settle()
    world.remove(MODEL_APPROVAL, SPACE, "no")
    world.remove(MODEL_VERSION, SPACE, "credit-v1")
    await world.settle()
    world.operator = world._operator(world.operator.stores)
    world.add(version(uid="made-again"))
    reference = {"name": "credit-v1", "uid": "made-again"}
    world.say(approval("yes", approver="rob", modelVersion=reference))
    await world.settle()
    assert world.shown()[decision] == f"True/{decision}"
    assert world.shown()["Approved"] == f"False/{decision}"


async def test_what_is_remembered_is_written_again_where_it_was_deleted_or_damaged(
    world: VersionWorld,
) -> None:
    world.say(approval("no", decision="Denied"))
    await world.settle()
    (name,) = world.latches()
    good = world.get(CONFIG_MAP, name, SYSTEM)["data"]
    world.remove(CONFIG_MAP, SYSTEM, name)
    await world.settle()
    assert world.get(CONFIG_MAP, name, SYSTEM)["data"] == good
    for bad in ("", "{}", "[1]", "x" * 40_000, good[LATCH_KEY].replace("bank", "shop")):
        damaged = world.get(CONFIG_MAP, name, SYSTEM)
        world.put_raw({**damaged, "data": {LATCH_KEY: bad}})
        await world.settle()
        assert world.get(CONFIG_MAP, name, SYSTEM)["data"] == good
        assert world.shown()["Denied"] == "True/Denied"


async def test_a_rollback_is_remembered_with_the_bytes_whatever_is_deleted(
    world: VersionWorld,
) -> None:
    """The Deployment is gone, the version is made anew, and the log has lost what was old."""
    digest = version().spec.artifact.manifest_digest
    record = Record(
        "a rollback",
        AuditEvent.ROLLBACK,
        "Deployment",
        SPACE,
        "credit",
        "gone",
        AuditOutcome.COMPLETED,
        "DriftRollback",
        details={"fromDigest": digest, "decidedAt": "2026-05-31T00:00:00Z"},
    )
    world.ledger.append(record)
    world.rule(approvals={"renewAfterRollback": True}, approvers=[RITA.to_wire()])
    await world.settle()
    assert len(world.latches()) == 1
    world.ledger.memory = LogMemory()
    world.remove(MODEL_VERSION, SPACE, "credit-v1")
    await world.settle()
    world.add(version(uid="made-again"))
    anew = approval("anew", modelVersion={"name": "credit-v1", "uid": "made-again"})
    world.say(anew)
    await world.settle()
    status = world.get(MODEL_VERSION, "credit-v1")["status"]
    assert status["rolledBack"]["deployment"] == "credit"
    assert world.shown()["Approved"] == "True/Approved", "It was given after the rollback."
    world.ledger.append(
        replace(
            record,
            decision_id="another",
            details={"fromDigest": digest, "decidedAt": "2026-06-02T00:00:00Z"},
        )
    )
    await world.look()
    assert world.shown()["Approved"] == "False/AwaitingApproval"


async def test_other_bytes_and_other_namespaces_are_left_alone(world: VersionWorld) -> None:
    """The manifest names its namespace, so that its digest verifies nowhere else."""
    other = version(name="credit-v3", uid="u3")
    artifact = other.spec.artifact.replace(manifest_digest="sha256:" + "9" * 64)
    world.add(other.replace(spec=other.spec.replace(artifact=artifact)))
    world.say(approval("no", decision="Denied"))
    await world.settle()
    assert world.shown("credit-v3")["Denied"] == "False/NotDenied"


async def test_nothing_is_remembered_of_what_was_only_approved(world: VersionWorld) -> None:
    world.say(approval())
    await world.settle()
    assert world.latches() == []


async def test_a_version_that_is_being_deleted_is_judged_all_the_same(
    world: VersionWorld,
) -> None:
    await world.settle()
    obj = world.get(MODEL_VERSION, "credit-v1")
    terminating = {"deletionTimestamp": "2026-06-01T12:00:00Z", "finalizers": ["example.org/x"]}
    world.put_raw({**obj, "metadata": {**obj["metadata"], **terminating}})
    world.say(approval("no", decision="Revoked"))
    await world.settle()
    assert world.shown()["Revoked"] == "True/Revoked"
    assert len(world.latches()) == 1


# --- a bad object ----------------------------------------------------------------------------


async def test_a_bad_approval_shows_and_hides_no_good_one(world: VersionWorld) -> None:
    bad = approval("bad", notAfter="2030-01-01T00:00:00Z").to_wire()
    bad["spec"]["notAfter"] = "0000-01-01T00:00:00Z"
    world.put_raw(bad)
    world.say(approval("yes", approver="rob"))
    await world.settle()
    assert world.shown()["Approved"] == "True/Approved"
    assert world.shown("bad", MODEL_APPROVAL)["Stalled"] == "True/InvalidSpec"
    assert "notAfter" in world.message("Ready", "bad", MODEL_APPROVAL)
    assert len(world.operator.events) > 0
    world.say(approval("no", decision="Revoked"))
    await world.settle()
    assert world.shown()["Revoked"] == "True/Revoked"


async def test_a_bad_policy_stops_no_revocation(world: VersionWorld) -> None:
    await world.settle()
    policy = world.get(MODEL_POLICY, "default", "")
    policy["spec"]["signers"][0]["revokedAt"] = "0000-01-01T00:00:00Z"
    world.put_raw(policy)
    world.say(approval("no", decision="Revoked"))
    await world.settle()
    assert world.shown()["Revoked"] == "True/Revoked"


# --- a bug -----------------------------------------------------------------------------------


async def test_a_bug_shows_on_its_object_and_is_counted(
    world: VersionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("anna.smith@example.org")

    await world.settle()
    before = metrics.INTERNAL_ERRORS.labels("ModelVersion")._value.get()
    monkeypatch.setattr("hallmark.controllers.model_version.decide_version", broken)
    assert await world.look() is Outcome.FAILED
    assert world.shown()["Reconciling"] == "True/InternalError"
    assert world.shown()["Ready"] == "True/Sealed", "it stays what it was"
    message = world.message("Reconciling")
    assert "KeyError" in message
    assert "anna" not in message
    assert metrics.INTERNAL_ERRORS.labels("ModelVersion")._value.get() == before + 1
    events = len(world.operator.events)
    assert await world.look() is Outcome.FAILED
    assert len(world.operator.events) == events, "one Event for the same trouble"
    monkeypatch.undo()
    assert await world.look() is Outcome.DONE
    assert world.shown()["Reconciling"] == "False/Sealed"


async def test_a_bug_in_reading_the_files_stops_no_revocation(
    world: VersionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("never seen")

    monkeypatch.setattr("hallmark.cluster.evidence_reader.check_evidence", broken)
    world.say(approval("no", decision="Revoked"))
    await world.settle()
    assert world.shown()["Revoked"] == "True/Revoked"
    assert "RuntimeError" in world.message("Verified")


# --- what was shown -----------------------------------------------------------------------------


def serving(world: VersionWorld, active: ModelVersion | None) -> None:
    """Put a Deployment of the model that serves a version."""
    made = objects.model_deployment(SPACE, "credit", model=MODEL)
    digest = active.spec.artifact.manifest_digest if active else None
    world.put_raw({**made, "status": {"activeDigest": digest} if digest else {}})


async def test_an_approval_on_what_is_not_shown_any_more_counts_for_nothing(
    world: VersionWorld,
) -> None:
    artifact = version().spec.artifact.replace(manifest_digest="sha256:" + "2" * 64)
    other = version(name="credit-v0", uid="uid-v0", artifact=artifact)
    world.add(other)
    beside, alone = shown_digest(version(), other), shown_digest(version(), None)

    serving(world, other)
    world.say(approval("late", shownDigest=alone))
    await world.look()
    assert world.shown()["Approved"] == "False/AwaitingApproval"
    world.say(approval("right", shownDigest=beside))
    await world.look()
    assert world.shown()["Approved"] == "True/Approved"

    # What was heard stays heard: what serves later was not there to be shown.
    serving(world, None)
    await world.look()
    assert world.shown()["Approved"] == "True/Approved"
    found = world.get(MODEL_VERSION, version().metadata.name)["status"]["approvals"]
    reasons = {record["name"]: record["reason"] for record in found}
    assert reasons == {"late": "ShownOtherwise", "right": "Accepted"}
    named = [record.details.get("shownDigest") for record in world.ledger.records.values()]
    assert {alone, beside} <= set(named)
    await world.operator.reader.close()
