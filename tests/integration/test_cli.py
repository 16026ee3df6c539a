"""The command line against a real API server."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hallmark.api.model_deployment import Action
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import ANNOTATION_ACTION, SYSTEM_NAMESPACE
from hallmark.policies.model_version.shown import shown_digest
from tests.integration import objects
from tests.integration.api import Obj
from tests.integration.command_line import hallmark, patch_environment
from tests.integration.conftest import OPERATOR, World


def test_the_installed_command_runs() -> None:
    command = [sys.executable, "-m", "hallmark.cli", "--help"]

    assert "approve" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def version(world: World) -> Obj:
    """A ModelVersion."""
    made = objects.model_version(world.namespace, f"loan-{secrets.token_hex(3)}")
    return world.api.create(made, OPERATOR)


def approvals(world: World, version: Obj) -> list[Obj]:
    path = (
        f"/apis/hallmark.dev/v1alpha1/namespaces/{world.namespace}/modelapprovals"
        f"?fieldSelector=spec.modelVersion.name={version['metadata']['name']}"
    )
    return list(world.api.request("GET", path)["items"])


def test_a_reviewer_approves_exactly_what_was_read(world: World, version: Obj) -> None:
    name = version["metadata"]["name"]
    options = ("-n", world.namespace, "--as=rita", "--reason=Read.", "--target=loan")
    done = hallmark(world, "approve", name, *options, "--not-after=720h")

    assert done.returncode == 0, done.stderr
    assert "Approved by rita: loan version 1" in done.stdout
    (made,) = approvals(world, version)
    assert made["spec"]["modelVersion"] == {"name": name, "uid": version["metadata"]["uid"]}
    assert made["spec"]["manifestDigest"] == objects.DIGEST
    assert made["spec"]["targets"] == ["loan"]
    assert made["spec"]["approver"] == "rita"


@pytest.mark.parametrize(("verb", "decision"), [("deny", "Denied"), ("revoke", "Revoked")])
def test_a_reviewer_decides_against_it(
    world: World, version: Obj, verb: str, decision: str
) -> None:
    options = ("-n", world.namespace, "--as=rita", "--reason=Leak.")
    done = hallmark(world, verb, version["metadata"]["name"], *options)

    assert done.returncode == 0, done.stderr
    assert [each["spec"]["decision"] for each in approvals(world, version)] == [decision]


def test_the_same_decision_twice_is_said(world: World, version: Obj) -> None:
    command = ("approve", version["metadata"]["name"], "-n", world.namespace, "--as=rita")
    assert hallmark(world, *command, "--reason=Read.").returncode == 0

    again = hallmark(world, *command, "--reason=Read again.")
    assert again.returncode == 1
    assert "already exists" in again.stderr


def test_a_dry_run_prints_and_creates_nothing(world: World, version: Obj) -> None:
    name = version["metadata"]["name"]
    options = ("-n", world.namespace, "--as=rita", "--reason=Read.", "--dry-run")
    done = hallmark(world, "approve", name, *options)

    assert yaml.safe_load(done.stdout)["spec"]["approver"] == "rita"
    assert approvals(world, version) == []


def test_a_stranger_gets_the_api_servers_sentence(world: World, version: Obj) -> None:
    name = version["metadata"]["name"]
    done = hallmark(world, "approve", name, "-n", world.namespace, "--as=alice", "--reason=x")

    assert done.returncode == 1
    assert done.stderr.startswith("error: The API server refused POST /apis/hallmark.dev/")
    assert 'User "alice" cannot create resource "modelapprovals"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_group_that_is_acted_in_counts(world: World, version: Obj) -> None:
    name = version["metadata"]["name"]
    options = ("-n", world.namespace, "--as=zoe", "--as-group=a", "--as-group=system:masters")
    done = hallmark(world, "deny", name, *options, "--reason=x")

    assert done.returncode == 0, done.stderr
    assert approvals(world, version)[0]["spec"]["approver"] == "zoe"


def test_an_engineer_asks_for_a_rollback(world: World) -> None:
    deployment = objects.model_deployment(world.namespace, f"loan-{secrets.token_hex(3)}")
    world.api.create(deployment)
    name = deployment["metadata"]["name"]
    options = ("-n", world.namespace, "--as=otto", "--reason=Too many refusals.")
    done = hallmark(world, "rollback", name, *options, "--target=loan-v1")

    assert done.returncode == 0, done.stderr
    text = world.api.get(deployment)["metadata"]["annotations"][ANNOTATION_ACTION]
    asked = Action.model_validate(json.loads(text))
    assert (asked.action, asked.by, asked.target) == ("rollback", "otto", "loan-v1")


def test_an_author_does_not_roll_back(world: World) -> None:
    deployment = objects.model_deployment(world.namespace, f"loan-{secrets.token_hex(3)}")
    world.api.create(deployment)
    name = deployment["metadata"]["name"]
    done = hallmark(world, "rollback", name, "-n", world.namespace, "--as=alice", "--reason=x")

    assert done.returncode == 1
    assert f"You may not rollback ModelDeployment {name}" in done.stderr


def test_without_keys_no_policy_is_printed(world: World) -> None:
    done = hallmark(world, "keys", "init", "--namespace=default")

    assert done.returncode == 1
    assert "Add --apply to make what is missing." in done.stderr
    assert done.stdout == ""


def test_keys_are_made_once_and_the_policy_is_taken(world: World) -> None:
    first = hallmark(world, "keys", "init", "--apply")

    assert first.returncode == 0, first.stderr
    for more in ((), ("--apply",)):
        again = hallmark(world, "keys", "init", *more)
        assert again.stdout == first.stdout
        assert again.stderr.count("stays as it is") == 3
    for name in ("hallmark-sealing-key", "hallmark-audit-key", "hallmark-store"):
        secret: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret"}
        secret["metadata"] = {"name": name, "namespace": SYSTEM_NAMESPACE}
        assert world.api.get(secret)["data"]
    world.cluster.kubectl("apply", "--server-side", "--dry-run=server", "-f=-", input=first.stdout)


def test_whoever_changes_policies_revokes_a_key_without_reading_a_secret(world: World) -> None:
    name = f"keys-{secrets.token_hex(3)}"
    policy = objects.model_policy(name)
    world.api.create(policy)
    petra = (f"--policy={name}", "--as=petra")
    listed = hallmark(world, "keys", "list", *petra)
    assert listed.returncode == 0, listed.stderr
    assert "Misconfigured" in listed.stdout
    held = hallmark(world, "keys", "revoke", "seal", "bbb", *petra)
    assert held.returncode == 1
    assert "add --force" in held.stderr
    done = hallmark(world, "keys", "revoke", "seal", "bbb", "--force", *petra)
    assert done.returncode == 0, done.stderr
    assert "onKeyRevocation: Stop" in done.stderr
    (signer,) = world.api.get(policy)["spec"]["signers"]
    assert signer["revokedAt"]
    nobody = hallmark(world, "keys", "revoke", "seal", "bbb", f"--policy={name}", "--as=rita")
    assert nobody.returncode == 1


def test_another_kubeconfig_is_used(world: World, version: Obj, tmp_path: Path) -> None:
    name = version["metadata"]["name"]
    there = tmp_path / "config"
    shutil.copy(world.cluster.kubeconfig, there)
    with patch_environment(KUBECONFIG="/nowhere"):
        options = ("-n", world.namespace, "--as=rita", "--reason=Leak.", f"--kubeconfig={there}")
        done = hallmark(world, "deny", name, *options)

    assert done.returncode == 0, done.stderr
    assert len(approvals(world, version)) == 1


def test_waiting_for_an_action_ends(world: World) -> None:
    deployment = objects.model_deployment(world.namespace, f"loan-{secrets.token_hex(3)}")
    world.api.create(deployment)
    name = deployment["metadata"]["name"]
    options = ("-n", world.namespace, "--as=otto", "--reason=x", "--wait", "--timeout=1s")
    done = hallmark(world, "pause", name, *options)

    assert done.returncode == 3
    assert "The time is up" in done.stderr


def test_an_approval_of_what_is_not_shown_any_more_is_not_made(world: World, version: Obj) -> None:
    name, space = version["metadata"]["name"], world.namespace
    asked = ("approve", name, "-n", space, "--as=rita", "--reason=Read.", "--dry-run", "--shown")
    found = ModelVersion.model_validate(version)
    alone = shown_digest(found, None)
    right = hallmark(world, *asked, alone)
    assert right.returncode == 0, right.stderr
    assert yaml.safe_load(right.stdout)["spec"]["shownDigest"] == alone

    wrong = hallmark(world, *asked, "sha256:" + "9" * 64)
    assert wrong.returncode == 1
    assert f"expected {alone}, as {name} is shown now, while nothing serves" in wrong.stderr
    assert f"hallmark review {name}" in wrong.stderr
