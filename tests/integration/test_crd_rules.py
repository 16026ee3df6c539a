"""What the API server accepts, refuses and lets change of each kind, and with which words."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.integration import objects
from tests.integration.api import Obj, RefusedError
from tests.integration.conftest import OPERATOR, ROOT, World
from tests.integration.crd_accepted import ACCEPTED
from tests.integration.crd_refused_others import REFUSED_OTHERS
from tests.integration.crd_refused_policies import REFUSED_POLICIES
from tests.integration.crd_refused_runs import REFUSED_RUNS
from tests.integration.crd_specs import (
    APPROVAL,
    DEPLOYMENT,
    NO_SCHEMA,
    POLICY,
    RUN,
    SEALED,
    VERSION,
    allow,
    allowance,
    create,
    evaluation,
)

REFUSED = {**REFUSED_RUNS, **REFUSED_OTHERS, **REFUSED_POLICIES}


def kept(given: object, stored: object) -> bool:
    """Whether everything that was given is stored, beside what defaults added."""
    if isinstance(given, dict):
        there = stored if isinstance(stored, dict) else {}
        return all(kept(value, there.get(name)) for name, value in given.items())
    if isinstance(given, list) and isinstance(stored, list):
        return len(given) == len(stored) and all(map(kept, given, stored))
    return given == stored


@pytest.mark.parametrize(("make", "spec"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_the_api_server_takes(world: World, make: Any, spec: Obj) -> None:  # noqa: ANN401
    assert kept(spec, create(world, make, spec)["spec"])


@pytest.mark.parametrize(("make", "spec", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_the_api_server_refuses(
    world: World,
    make: Any,  # noqa: ANN401
    spec: Obj,
    words: str,
) -> None:
    with pytest.raises(RefusedError) as refusal:
        create(world, make, spec)
    assert words in str(refusal.value)
    assert refusal.value.code == 422


# Names.

LONG = "a" * 52


NAMES: dict[str, tuple[Any, str, str]] = {
    "a run's is too long": (RUN, LONG + "a", "at most 52 lower-case letters"),
    "a run's has a dot": (RUN, "a.b", "at most 52 lower-case letters"),
    "a version's has a dot": (VERSION, "a.b", "at most 52 lower-case letters"),
    "a policy's has a dot": (POLICY, "a.b", "at most 52 lower-case letters"),
    "a deployment's begins with a digit, as no Service may": (
        DEPLOYMENT,
        "1a",
        "begin with a letter",
    ),
    "a deployment's is too long": (DEPLOYMENT, LONG + "a", "at most 52 lower-case letters"),
}


@pytest.mark.parametrize(("make", "name", "words"), NAMES.values(), ids=NAMES.keys())
def test_a_name_is_refused_from_which_no_other_can_be_made(
    world: World,
    make: Any,  # noqa: ANN401
    name: str,
    words: str,
) -> None:
    spec = {"trainingRun": objects.model_version("")["spec"]["trainingRun"]}

    with pytest.raises(RefusedError, match=words):
        create(world, make, spec if make is VERSION else {}, name)


@pytest.mark.parametrize("make", [RUN, DEPLOYMENT], ids=["a run's", "a deployment's"])
def test_a_name_may_have_52_characters(world: World, make: Any) -> None:  # noqa: ANN401
    create(world, make, {}, LONG[: 52 - 9] + "-" + secrets.token_hex(4))


# What may change.

FROZEN: dict[str, tuple[Any, Obj, Obj, str]] = {
    "a run's model": (RUN, {}, {"model": "other"}, "'model' cannot change"),
    "a run's dataset": (
        RUN,
        {},
        {"dataset": {"configMap": {"key": "other.csv"}}},
        "'dataset' cannot change",
    ),
    "a run's schema": (RUN, {}, {"schema": {"sensitive": []}}, "'schema' cannot change"),
    "a run's default": (
        RUN,
        {},
        {"trainer": {"testFraction": "0.3"}},
        "'trainer' cannot change",
    ),
    "a run's personal-data rule": (
        RUN,
        {},
        allow(allowance()),
        "'pii' cannot change",
    ),
    "a run's evaluation": (RUN, {}, evaluation(resamples=999), "'evaluation' cannot change"),
    "a run's model card": (
        RUN,
        {"modelCard": {"users": ["clerks"]}},
        {"modelCard": {"users": ["anybody"]}},
        "'modelCard' cannot change",
    ),
    "a run's bundle": (
        RUN,
        {**NO_SCHEMA, "sealed": SEALED},
        {"sealed": {"uri": "s3://bundles/other/"}},
        "'sealed' cannot change",
    ),
    "a run's deadline": (RUN, {}, {"activeDeadline": "2h"}, "'activeDeadline' cannot change"),
    "a run's gates, removed": (RUN, {}, {"gates": None}, "'gates' cannot change"),
    "a run's time to live, added": (RUN, {}, {"jobTTL": "1h"}, "'jobTTL' cannot change"),
    "a run's time to live, removed": (
        RUN,
        {"jobTTL": "1h"},
        {"jobTTL": None},
        "'jobTTL' cannot change",
    ),
    "a run's resources, added": (
        RUN,
        {},
        {"resources": {"limits": {"memory": "1Gi"}}},
        "'resources' cannot change",
    ),
    "a run's requester": (RUN, {}, {"requestedBy": "x"}, "'requestedBy' cannot change"),
    "a version's number": (VERSION, {}, {"version": 2}, "The spec cannot change"),
    "a version's digest": (
        VERSION,
        {},
        {"artifact": {"manifestDigest": "sha256:" + "b" * 64}},
        "The spec cannot change",
    ),
    "an approval's decision": (APPROVAL, {}, {"decision": "Denied"}, "The spec cannot change"),
    "an approval's end, added": (
        APPROVAL,
        {},
        {"notAfter": "2030-01-01T00:00:00Z"},
        "The spec cannot change",
    ),
    "an approval's end, removed": (
        APPROVAL,
        {"notAfter": "2030-01-01T00:00:00Z"},
        {"notAfter": None},
        "The spec cannot change",
    ),
    "an approval's targets, removed": (
        APPROVAL,
        {"targets": ["a"]},
        {"targets": None},
        "The spec cannot change",
    ),
}


@pytest.mark.parametrize(("make", "spec", "change", "words"), FROZEN.values(), ids=FROZEN.keys())
def test_what_cannot_change(
    world: World,
    make: Any,  # noqa: ANN401
    spec: Obj,
    change: Obj,
    words: str,
) -> None:
    made = create(world, make, spec)

    with pytest.raises(RefusedError) as refusal:
        world.api.patch(made, {"spec": change}, OPERATOR if make is VERSION else None)
    assert words in str(refusal.value)


def rules(node: object) -> Iterator[str]:
    """Yield the message of every CEL rule at and below a node of a CRD."""
    if isinstance(node, dict):
        yield from (rule["message"] for rule in node.get("x-kubernetes-validations", ()))
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from rules(child)


def test_every_rule_refuses_something() -> None:
    refused = [words for *_, words in (*REFUSED.values(), *FROZEN.values(), *NAMES.values())]
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        for message in rules(yaml.safe_load(path.read_text())):
            assert any(words in message or message in words for words in refused), message


def test_a_run_can_be_suspended_and_resumed(world: World) -> None:
    made = create(world, RUN, {})

    assert world.api.patch(made, {"spec": {"suspend": True}})["spec"]["suspend"]
    assert not world.api.patch(made, {"spec": {"suspend": False}})["spec"]["suspend"]


def test_a_deployment_and_a_policy_can_change(world: World) -> None:
    deployment, policy = create(world, DEPLOYMENT, {}), create(world, POLICY, {})

    world.api.patch(deployment, {"spec": {"model": None, "modelVersion": "loan-v2"}})
    world.api.patch(policy, {"spec": {"approvals": {"minimum": 2}}})
