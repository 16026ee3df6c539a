"""Defaults, subresources and columns of each kind."""

from __future__ import annotations

import pytest

from tests.integration.api import Obj, RefusedError
from tests.integration.conftest import OPERATOR, World
from tests.integration.crd_specs import (
    APPROVAL,
    DEPLOYMENT,
    DETECTORS,
    POLICY,
    RUN,
    UNIQUE,
    VERSION,
    create,
    csv,
)


def test_defaults_stand_in_the_stored_object(world: World) -> None:
    run, deployment = create(world, RUN, {}), create(world, DEPLOYMENT, {})

    assert run["spec"]["trainer"] == {
        "algorithm": "LogisticRegression",
        "testFraction": "0.25",
        "seed": 0,
    }
    assert run["spec"]["pii"] == {"defaultAction": "Refuse"}
    assert run["spec"]["evaluation"] == {
        "confidence": "0.95",
        "resamples": 1000,
        "epsilon": "0.1",
        "minimumGroupRows": 30,
        "intersections": True,
    }
    assert run["spec"]["gates"][0]["statistic"] == "Estimate"
    assert deployment["spec"]["drift"] == {
        "threshold": "0.2",
        "falseRollbackRisk": "0.01",
        "window": 500,
        "consecutive": 2,
    }
    assert deployment["spec"]["strategy"]["keepWarm"] == "1h"


def test_defaults_of_a_dialect_and_of_a_policy(world: World) -> None:
    run, policy = create(world, RUN, csv()), create(world, POLICY, {})

    assert run["spec"]["dataset"]["csv"] == {"delimiter": ",", "quote": '"', "encoding": "UTF-8"}
    assert policy["spec"]["pii"]["allowable"] == DETECTORS
    assert policy["spec"]["sources"]["limits"] == {
        "maxBytes": 4 << 30,
        "maxDecompressedBytes": 16 << 30,
        "maxCompressionRatio": 200,
        "maxRows": 10_000_000,
        "maxColumns": 1024,
        "maxCellBytes": 1 << 16,
    }


def test_an_unknown_field_is_not_stored(world: World) -> None:
    assert "magic" not in create(world, DEPLOYMENT, {"magic": True})["spec"]


@pytest.mark.parametrize("kind", [RUN, VERSION, APPROVAL, DEPLOYMENT, POLICY])
def test_an_object_that_nobody_looked_at_is_not_ready(world: World, kind: str) -> None:
    """By kstatus an object is Current without a status, and InProgress where that lags."""
    made = create(world, kind, {})
    assert made.get("status", {}).keys() <= {"observedGeneration"}
    found = world.api.get(made)
    assert found["status"] == {"observedGeneration": -1}
    assert found["metadata"]["generation"] == 1


def test_a_status_comes_through_its_subresource_alone(world: World) -> None:
    made = create(world, DEPLOYMENT, {})
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }

    world.api.patch(made, {"status": {"conditions": [ready]}})
    assert world.api.get(made)["status"] == {"observedGeneration": -1}
    world.api.patch(made, {"status": {"conditions": [ready]}}, OPERATOR, "status")
    assert world.api.get(made)["status"]["conditions"] == [ready]
    with pytest.raises(RefusedError, match=UNIQUE):
        world.api.patch(made, {"status": {"conditions": [ready, ready]}}, OPERATOR, "status")


METRIC = {"name": "m" * 160, "value": "0.9", "lower": "0.8", "upper": "1.0"}
RESULT = {
    "metric": "m" * 160,
    "comparison": "AtLeast",
    "threshold": "0.8",
    "statistic": "Bound",
    "inconclusive": "w" * 256,
    "passed": False,
    "source": "Run",
}
TOO_MUCH: dict[str, tuple[Obj, str]] = {
    "the lower end of an interval": (
        {"metrics": [{**METRIC, "lower": "0" * 33}]},
        "status.metrics[0].lower: Too long",
    ),
    "the upper end of an interval": (
        {"metrics": [{**METRIC, "upper": "0" * 33}]},
        "status.metrics[0].upper: Too long",
    ),
    "a metric's name": (
        {"metrics": [{**METRIC, "name": "m" * 161}]},
        "status.metrics[0].name: Too long",
    ),
    "a gate's metric": (
        {"gates": [{**RESULT, "metric": "m" * 161}]},
        "status.gates[0].metric: Too long",
    ),
    "another statistic": (
        {"gates": [{**RESULT, "statistic": "Median"}]},
        'supported values: "Estimate", "Bound"',
    ),
    "why a gate is inconclusive": (
        {"gates": [{**RESULT, "inconclusive": "w" * 257}]},
        "status.gates[0].inconclusive: Too long",
    ),
}


def test_a_runs_status_holds_intervals_and_inconclusive_gates(world: World) -> None:
    made, status = create(world, RUN, {}), {"metrics": [METRIC], "gates": [RESULT]}

    patched = world.api.patch(made, {"status": status}, OPERATOR, "status")["status"]
    assert patched == {"observedGeneration": -1, **status}


@pytest.mark.parametrize(("status", "words"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_a_runs_status_is_bounded(world: World, status: Obj, words: str) -> None:
    made = create(world, RUN, {})

    with pytest.raises(RefusedError) as refusal:
        world.api.patch(made, {"status": status}, OPERATOR, "status")
    assert words in str(refusal.value)


def test_a_deployment_scales(world: World) -> None:
    made = create(world, DEPLOYMENT, {})
    status = {"replicas": 1, "selector": "hallmark.dev/deployment=loan"}
    world.api.patch(made, {"status": status}, OPERATOR, "status")

    scaled = world.api.patch(made, {"spec": {"replicas": 3}}, None, "scale")
    assert scaled["spec"] == {"replicas": 3}
    assert scaled["status"] == status
    assert world.api.get(made)["spec"]["replicas"] == 3


COLUMNS = {
    "trun": "NAME MODEL READY REASON QUALITY ACCURACY STAGE PERCENT AGE",
    "mver": "NAME MODEL VERSION VERIFIED APPROVED READY REASON AGE",
    "mapr": "NAME VERSION DECISION APPROVER READY REASON AGE",
    "mdep": "NAME READY REASON ACTIVE CANDIDATE DRIFT PODS AGE",
    "mpol": "NAME READY REASON APPROVALS AGE",
}


@pytest.mark.parametrize(("short", "columns"), COLUMNS.items(), ids=COLUMNS.keys())
def test_kubectl_get_prints(world: World, short: str, columns: str) -> None:
    makers = {"trun": RUN, "mver": VERSION, "mapr": APPROVAL, "mdep": DEPLOYMENT, "mpol": POLICY}
    create(world, makers[short], {})

    printed = world.cluster.kubectl("get", short, f"--namespace={world.namespace}").stdout
    assert printed.splitlines()[0].split() == columns.split()


def test_a_column_shows_the_condition_of_its_type(world: World) -> None:
    made = create(world, RUN, {})
    conditions = [
        {
            "type": type_,
            "status": "False",
            "reason": reason,
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for type_, reason in (("DataValidated", "DataInvalid"), ("Ready", "Training"))
    ]
    world.api.patch(made, {"status": {"conditions": conditions}}, OPERATOR, "status")

    name, space = made["metadata"]["name"], f"--namespace={world.namespace}"
    row = world.cluster.kubectl("get", "trun", name, space, "--no-headers").stdout.split()
    assert row[:4] == [name, "loan", "False", "Training"]


def test_kubectl_tells_our_deployments_from_the_others(world: World) -> None:
    create(world, DEPLOYMENT, {})
    space = f"--namespace={world.namespace}"

    theirs = world.cluster.kubectl("get", "deployments", space, "--output=name").stdout
    ours = world.cluster.kubectl("get", "mdep", space, "--output=name").stdout
    assert "hallmark.dev" not in theirs
    assert ours.startswith("deployment.hallmark.dev/")


def test_approvals_are_selected_by_their_version(world: World) -> None:
    create(world, APPROVAL, {"modelVersion": {"name": "chosen", "uid": "1"}}, "chosen-one")

    printed = world.cluster.kubectl(
        "get",
        "mapr",
        f"--namespace={world.namespace}",
        "--field-selector=spec.modelVersion.name=chosen",
        "--output=name",
    ).stdout
    assert printed.split() == ["modelapproval.hallmark.dev/chosen-one"]


def test_kubectl_explains_a_field(world: World) -> None:
    printed = world.cluster.kubectl("explain", "mdep.spec.strategy.keepWarm").stdout

    assert "kept for an instant rollback" in " ".join(printed.split())
