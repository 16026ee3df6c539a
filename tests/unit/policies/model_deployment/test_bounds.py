"""What a ModelDeployment asks for beyond its policy runs with the maximum, and is said."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api.model_policy import DeploymentBounds, ModelPolicy
from hallmark.api.resources import Resources
from hallmark.api.scheduling import Scheduling, TopologySpread
from hallmark.policies.model_deployment.bounds import bounded, progress_deadline
from tests.unit.policies.model_deployment.rollouts import deployment, policy, spec


def under(**bounds: object) -> ModelPolicy:
    made = policy()
    deployments = DeploymentBounds.model_validate(bounds)
    return made.replace(spec=made.spec.replace(deployments=deployments))


def resources(**parts: dict[str, str]) -> Resources:
    return Resources.model_validate(parts)


SMALL = {"max_resources": {"cpu": "2", "memory": "1Gi"}}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, int]] = {
    "no resources are none": ({}, None, 0),
    "what fits stays": ({"requests": {"cpu": "2"}}, {"requests": {"cpu": "2"}}, 0),
    "2000m are 2": ({"requests": {"cpu": "2000m"}}, {"requests": {"cpu": "2000m"}}, 0),
    "2001m are more": ({"requests": {"cpu": "2001m"}}, {"requests": {"cpu": "2"}}, 1),
    "1024Mi are 1Gi": ({"limits": {"memory": "1024Mi"}}, {"limits": {"memory": "1024Mi"}}, 0),
    "1025Mi are more": ({"limits": {"memory": "1025Mi"}}, {"limits": {"memory": "1Gi"}}, 1),
    "plain bytes count": (
        {"limits": {"memory": "1073741825"}},
        {"limits": {"memory": "1Gi"}},
        1,
    ),
    "a request is no more than its limit": (
        {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
        {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}},
        1,
    ),
    "a request is no more than its limit in other units": (
        {"requests": {"memory": "900Mi"}, "limits": {"memory": "500000000"}},
        {"requests": {"memory": "500000000"}, "limits": {"memory": "500000000"}},
        1,
    ),
    "everything at once": (
        {"requests": {"cpu": "9", "memory": "9Gi"}, "limits": {"cpu": "8", "memory": "8Gi"}},
        {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
        6,
    ),
}


@pytest.mark.parametrize(("asked", "runs", "count"), CASES.values(), ids=CASES.keys())
def test_resources(asked: dict[str, Any], runs: dict[str, Any] | None, count: int) -> None:
    given = deployment(**({"resources": resources(**asked)} if asked else {}))
    fitted, beyond = bounded(given, under(**SMALL))
    found = fitted.spec.resources
    assert (found.to_wire() if found else None) == runs
    assert len(beyond) == count
    assert fitted.spec.replace(resources=given.spec.resources) == given.spec


def test_replicas_and_who_says_so() -> None:
    fitted, beyond = bounded(deployment(replicas=9), under(max_replicas=3))
    assert fitted.spec.replicas == 3
    (sentence,) = beyond
    assert "spec.replicas of at most 3" in sentence
    assert "found 9" in sentence


@pytest.mark.parametrize(
    ("asked", "most", "used"),
    [("30s", "1h", "30s"), ("999999h", "1h", "1h"), ("60m", "1h", "60m"), ("2m", "90s", "90s")],
)
def test_the_progress_deadline(asked: str, most: str, used: str) -> None:
    rules = under(max_progress_deadline=most)
    given = spec(strategy={"progress_deadline": asked})
    assert progress_deadline(given, rules) == used
    _, beyond = bounded(deployment(strategy={"progress_deadline": asked}), rules)
    assert bool(beyond) is (used != asked)


def test_without_a_policy_the_defaults_hold() -> None:
    assert progress_deadline(spec(strategy={"progress_deadline": "999999h"}), None) == "1h"
    fitted, beyond = bounded(deployment(resources=resources(requests={"cpu": "1000"})), None)
    assert fitted.spec.resources is not None
    assert fitted.spec.resources.to_wire() == {"requests": {"cpu": "64"}}
    assert beyond


@pytest.mark.parametrize(
    ("allowed", "asked", "runs"),
    [
        ([], None, None),
        ([], "models", None),
        (["models"], "models", "models"),
        (["models"], "system-node-critical", None),
    ],
)
def test_pods_rank_no_higher_than_the_policy_allows(
    allowed: list[str], asked: str | None, runs: str | None
) -> None:
    spread = TopologySpread()
    scheduling = Scheduling(priority_class_name=asked, topology_spread=[spread])
    fitted, beyond = bounded(deployment(scheduling=scheduling), under(priority_classes=allowed))
    assert fitted.spec.scheduling == Scheduling(priority_class_name=runs, topology_spread=[spread])
    assert bool(beyond) is (asked != runs)
    assert all(f"found '{asked}'; Pods run without it" in sentence for sentence in beyond)
