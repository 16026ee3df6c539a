"""What the command line shows of a real API server's objects, and makes there."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from hallmark.api.texts import timestamp
from hallmark.api.training_run import TrainingRunSpec
from hallmark.local.folder import now
from hallmark.local.starter import make_starter, starter_text
from tests.data import tables
from tests.data.hmda import hmda_csv
from tests.integration import objects
from tests.integration.api import Obj
from tests.integration.command_line import hallmark
from tests.integration.conftest import AUTHOR, OPERATOR, World

LONG_AGO = "2020-01-01T00:00:00Z"


def condition(type_: str, status: str, reason: str, message: str = "") -> Obj:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": LONG_AGO,
        "observedGeneration": 1,
    }


def stalled(reason: str, message: str) -> list[Obj]:
    return [
        condition("Ready", "False", reason, message),
        condition("Reconciling", "False", reason),
        condition("Stalled", "True", reason, message),
    ]


def waiting(reason: str, message: str) -> list[Obj]:
    return [
        condition("Ready", "False", reason, message),
        condition("Reconciling", "True", reason),
        condition("Stalled", "False", reason),
    ]


def with_status(world: World, obj: Obj, conditions: list[Obj], **status: Any) -> Obj:  # noqa: ANN401
    """Write a status as the operator would."""
    change = {"status": {"conditions": conditions, "observedGeneration": 1, **status}}
    return world.api.patch(obj, change, OPERATOR, subresource="status")


@pytest.fixture(scope="module")
def place(world: World) -> World:
    """A namespace of its own with a chain in it: a refused run, two versions, a Deployment."""
    space = f"look-{secrets.token_hex(3)}"
    world.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
    bad = world.api.create(objects.training_run(space, "loan-v0"))
    gate = "Gate accuracy failed: expected at least 0.7, measured 0.6."
    failed = condition("GatesPassed", "False", "GateFailed", gate)
    with_status(world, bad, [failed, *stalled("GateFailed", gate)], completionTime=LONG_AGO)
    for number, digest in ((1, "a"), (2, "c")):
        digests = {"manifestDigest": f"sha256:{digest * 64}", "size": 1, "uri": "s3://x/models/y"}
        made = objects.model_version(space, f"loan-v{number}", version=number, artifact=digests)
        version = world.api.create(made, OPERATOR)
        approved = number == 1
        message = "0 of 2 approvals; a reviewer creates a ModelApproval."
        with_status(
            world,
            version,
            [
                condition("Verified", "True", "SignatureValid"),
                condition("SBOMReady", "True", "SBOMRecorded"),
                condition("PolicyPassed", "False", "PolicyFailed", "Package evil is denied.")
                if not approved
                else condition("PolicyPassed", "True", "PolicyPassed"),
                condition("Approved", "True", "Approved")
                if approved
                else condition("Approved", "False", "AwaitingApproval", message),
                *(
                    [condition("Ready", "True", "Sealed", "Verified.")]
                    if approved
                    else stalled("Refused", "Package evil is denied.")
                ),
            ],
            approvals=[
                {
                    "uid": f"u-{number}",
                    "name": f"loan-v{number}-approved",
                    "decision": "Approved",
                    "approver": "rita\x1b[31m",
                    "accepted": approved,
                    "reason": "Accepted" if approved else "SelfApproval",
                    "message": "" if approved else "'rita' asked for this version.",
                    "time": LONG_AGO,
                }
            ],
        )
    deployment = world.api.create(objects.model_deployment(space, "loan", suspend=True))
    with_status(
        world,
        deployment,
        waiting("AwaitingApproval", "ModelVersion 'loan-v2' has 0 of 2 approvals."),
        activeModelVersion="loan-v1",
        activeDigest=f"sha256:{'a' * 64}",
        candidateModelVersion="loan-v2",
        candidateDigest=f"sha256:{'c' * 64}",
        driftState={
            "verdict": "Drift",
            "voters": 1,
            "drifting": 1,
            "top": [{"feature": "income", "psi": "0.4100"}],
        },
    )
    return World(world.api, space, world.cluster)


def look(place: World, *arguments: str) -> tuple[int, str, str]:
    done = hallmark(place, *arguments, "-n", place.namespace)
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout
    return done.returncode, done.stdout, done.stderr


def test_status_says_what_serves_what_waits_and_what_was_refused(place: World) -> None:
    code, out, _ = look(place, "status")

    assert code == 0
    assert "AwaitingApproval" in out
    assert "Drift" in out
    assert "Gate accuracy failed" in out


def test_status_is_data_for_programs(place: World) -> None:
    for form, load in (("json", json.loads), ("yaml", yaml.safe_load)):
        _, out, _ = look(place, "status", "-o", form)
        found = load(out)
        assert [one["metadata"]["name"] for one in found["versions"]] == ["loan-v1", "loan-v2"]
        assert found["runs"][0]["status"]["conditions"]


def test_the_tree_has_every_link(place: World) -> None:
    code, out, _ = look(place, "tree", "loan")

    assert code == 0
    for text in ("version 2 (loan-v2, cccccccccccc)", "seal: SignatureValid", "does not count",
                 "in loan: serves", "in loan: candidate", "run loan-v0: GateFailed"):  # fmt: skip
        assert text in out
    assert look(place, "tree", "nothing")[0] == 1


def test_explain_lists_every_unmet_condition_and_what_to_do(place: World) -> None:
    code, out, _ = look(place, "explain", "mdep/loan")

    assert code == 3
    for text in ("AwaitingApproval", "spec.suspend is true", "Package evil is denied",
                 "0 of 2 approvals", "SelfApproval", "hallmark approve loan-v2"):  # fmt: skip
        assert text in out
    code, out, _ = look(place, "explain", "loan-v2")
    assert code == 10
    assert "1. " in out
    assert "To do: " in out
    assert look(place, "explain", "trun/loan-v0")[0] == 10
    code, out, _ = look(place, "explain", "mver/loan-v1")
    assert (code, "nothing to explain" in out) == (0, True)
    assert look(place, "explain", "pod/x")[0] == 1
    assert look(place, "explain", "nobody")[0] == 1


def test_drift_is_shown_with_its_limit(place: World) -> None:
    code, out, _ = look(place, "drift", "loan")

    assert code == 10
    assert "income" in out
    assert "0.4100" in out
    assert json.loads(look(place, "drift", "loan", "-o", "json")[1])["state"]["drifting"] == 1


def test_a_difference_says_what_could_not_be_read(place: World) -> None:
    code, _, err = look(place, "diff", "loan-v1", "loan-v2")

    assert code == 0
    assert "Reports and SBOMs are not compared" in err
    assert look(place, "diff", "loan-v1", "loan-v9")[0] == 1
    assert look(place, "sbom", "loan-v1")[0] == 1


def test_what_is_over_is_listed_and_then_deleted(place: World) -> None:
    code, out, _ = look(place, "prune", "--older-than=1h", "--keep=1")
    assert code == 0
    assert "loan-v0" in out
    assert "add --yes" in out
    assert "loan-v2" not in out

    assert look(place, "prune", "--older-than=1h", "--yes")[0] == 0
    assert "Nothing is over" in look(place, "prune", "--older-than=1h")[1]


def test_a_deployment_is_made_and_changed(place: World) -> None:
    name = f"other-{secrets.token_hex(2)}"
    code, out, _ = look(place, "deploy", name, "--model=loan", "--window=200", "--dry-run")
    assert code == 0
    assert yaml.safe_load(out)["spec"] == {"model": "loan", "drift": {"window": 200}}

    code, _, err = look(place, "deploy", name, "--model=loan", "--window=200")
    assert code == 0, err
    assert look(place, "deploy", name, "--version=loan-v1", "--replicas=2")[0] == 0
    made = place.api.get(objects.model_deployment(place.namespace, name))["spec"]
    assert (made.get("model"), made["modelVersion"], made["replicas"]) == (None, "loan-v1", 2)
    assert made["drift"]["window"] == 200
    assert look(place, "deploy", name, "--model=a", "--version=b")[0] == 1
    assert look(place, "deploy", name, "--window=1")[0] == 1
    assert look(place, "deploy", name, "--replicas=1", "--wait", "--timeout=1s")[0] == 3


def test_nothing_is_asked_where_nothing_serves(place: World) -> None:
    name = f"other-{secrets.token_hex(2)}"
    look(place, "deploy", name, "--model=loan")

    code, _, err = look(place, "predict", name, "-d", "{}")
    assert code == 1
    assert "No version of" in err
    assert look(place, "predict", "loan", "-d", "no JSON")[0] == 1
    assert look(place, "predict", "loan", "-d", "1")[0] == 1


def test_a_run_is_created_followed_and_never_overwritten(world: World, tmp_path: Path) -> None:
    name = f"loan-{secrets.token_hex(3)}"
    file = tmp_path / "run.yaml"
    made = objects.training_run(world.namespace, name, requestedBy=AUTHOR.name)
    del made["metadata"]["namespace"]
    file.write_text(yaml.safe_dump(made))
    options = ("train", str(file), "-n", world.namespace, f"--as={AUTHOR.name}", "--timeout=1s")

    first = hallmark(world, *options)
    assert first.returncode == 3, first.stderr
    assert f"Created TrainingRun {world.namespace}/{name}" in first.stderr
    again = hallmark(world, *options, "--no-wait")
    assert (again.returncode, "Following" in again.stderr) == (0, True)

    gate = "Gate accuracy failed."
    run = objects.training_run(world.namespace, name)
    with_status(world, run, stalled("GateFailed", gate), completionTime=timestamp(now()))
    refused = hallmark(world, *options)
    assert refused.returncode == 10
    assert "was refused (GateFailed): Gate accuracy failed." in refused.stdout

    made["spec"]["model"] = "another"
    file.write_text(yaml.safe_dump(made))
    other = hallmark(world, *options)
    assert other.returncode == 1
    assert "with another spec" in other.stderr


def test_who_may_not_is_told_which_right_is_missing(world: World) -> None:
    done = hallmark(world, "status", "-n", world.namespace, "--as=nobody")

    assert done.returncode == 1
    assert "You may not list trainingruns.hallmark.dev in namespace" in done.stderr


def hostile() -> bytes:
    """Return a table whose names and categories are no friend of YAML, shells or CEL."""
    frame = pd.DataFrame(
        {
            "no": ["yes", "no", "1e3", "0x1F", "~", "a: b", "# c", "'", '"', "\\", "é😀", "- d"]
            * 20,
            "on": [True, False] * 120,
            "it is-a.name": [number / 7 for number in range(240)],
            "sex": ["<b>", "null"] * 120,
            "target": ["{{x}}", "${y}", "%z"] * 80,
        }
    )
    return frame.to_csv(index=False).encode()


INITIAL = {
    "mortgages": hmda_csv,
    "credit card": lambda: tables.credit_card().csv,
    "titanic": lambda: tables.titanic().csv,
    "penguins": lambda: tables.penguins().csv,
    "digits": lambda: tables.digits().csv,
    "hostile": hostile,
}


@pytest.mark.parametrize("data", INITIAL.values(), ids=INITIAL)
def test_what_init_writes_is_taken_by_the_api_server(
    world: World, tmp_path: Path, data: Callable[[], bytes]
) -> None:
    (tmp_path / "table.csv").write_bytes(data())
    made = make_starter(tmp_path / "table.csv", AUTHOR.name)
    run = yaml.safe_load(starter_text(made))
    run["metadata"]["namespace"] = world.namespace

    taken = world.api.create(run, AUTHOR, dry_run=True)
    assert TrainingRunSpec.model_validate(taken["spec"]) == made.run.spec
