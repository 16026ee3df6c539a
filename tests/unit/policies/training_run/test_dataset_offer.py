"""A run mounts what its owner offers to runs, and nothing where the operator's keys are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.texts import timestamp
from hallmark.policies.decision import Decision
from hallmark.policies.training_run.decide import (
    LOOK_SELDOM,
    LOOK_SOON,
    YOUNG,
    decide_run,
)
from hallmark.policies.training_run.inputs import MountedObject, RunInputs, TrainingJob
from tests.unit.policies.training_run.runs import NOW, inputs, job, policy, run, trained

OFFERED = {names.LABEL_DATASET: "true"}
KINDS = ("ConfigMap", "PersistentVolumeClaim", "Secret")


def asked(*labels: Mapping[str, str] | None, kind: str = "ConfigMap", **changes: Any) -> RunInputs:  # noqa: ANN401
    mounted = tuple(MountedObject(kind, f"loans-{n}", found) for n, found in enumerate(labels))
    return inputs(mounted=mounted, **changes)


def ready(decision: Decision) -> str:
    found = next(update for update in decision.conditions if update.type == "Ready")
    return f"{found.status}/{found.reason}"


def says(decision: Decision) -> str:
    return next(update.message for update in decision.conditions if update.type == "Ready")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_offered_is_trained_on(kind: str) -> None:
    decided = decide_run(asked(OFFERED, {**OFFERED, "team": "credit"}, kind=kind))
    assert isinstance(decided.wanted, TrainingJob)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "labels",
    [
        {},
        {names.LABEL_DATASET: "false"},
        {names.LABEL_DATASET: ""},
        {names.LABEL_DATASET: "True"},
        {names.LABEL_DATASET: "yes"},
        {"dataset": "true"},
        {"hallmark.dev/datasets": "true"},
        {names.LABEL_DEPLOYMENT: "credit"},
    ],
    ids=str,
)
def test_what_is_not_offered_is_not_mounted(kind: str, labels: dict[str, str]) -> None:
    decided = decide_run(asked(OFFERED, labels, kind=kind))
    assert decided.wanted is None
    assert ready(decided.decision) == "False/DatasetNotOffered"
    assert f"{kind} 'loans-1'" in says(decided.decision)
    assert f"{names.LABEL_DATASET}=true" in says(decided.decision), "what to do"
    assert decided.decision.status is None, "no outcome: the label may come"


def test_what_is_missing_is_waited_for() -> None:
    decided = decide_run(asked(None))
    assert decided.wanted is None
    assert ready(decided.decision) == "False/DatasetMissing"
    reconciling = {update.type: update.status for update in decided.decision.conditions}
    assert reconciling["Reconciling"] == "True"
    assert reconciling["Stalled"] == "False"


@pytest.mark.parametrize(
    ("age", "again"), [(timedelta(seconds=1), LOOK_SOON), (YOUNG, LOOK_SELDOM)]
)
def test_it_is_looked_for_now_and_then(age: timedelta, again: timedelta) -> None:
    made = run()
    created = made.metadata.replace(creation_timestamp=timestamp(NOW - age))
    for labels in (None, {}):
        decided = decide_run(asked(labels, run=made.replace(metadata=created)))
        assert decided.decision.requeue == again.total_seconds()


def test_a_spec_that_cannot_be_is_said_before_anything_is_looked_for() -> None:
    decided = decide_run(asked(None, run=run(activeDeadline="0s")))
    assert ready(decided.decision) == "False/InvalidSpec"
    assert decided.decision.requeue is None


def test_a_job_is_not_resumed_with_what_is_offered_no_more() -> None:
    decided = decide_run(asked({}, job=job(suspended=True)))
    assert decided.wanted is None
    assert ready(decided.decision) == "False/DatasetNotOffered"
    running = decide_run(asked({}, job=job()))
    assert ready(running.decision) == "False/Training", "what runs has mounted it already"


SYSTEM = {
    "new": inputs(),
    "offered": asked(OFFERED),
    "without a policy": inputs(policy=None),
    "with a Job": inputs(job=job()),
    "trained": inputs(run=trained()),
    "under a lenient policy": inputs(policy=policy(sources={"allowed": []})),
}


@pytest.mark.parametrize("found", SYSTEM.values(), ids=SYSTEM)
def test_nothing_is_made_where_the_keys_are(found: RunInputs) -> None:
    decided = decide_run(replace(found, system=found.run.metadata.namespace))
    assert decided.wanted is None
    assert decided.decision.apply == ()
    assert ready(decided.decision) == "False/SystemNamespace"
    assert "create it in another namespace" in says(decided.decision)
