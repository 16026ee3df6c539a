"""What every model can do: a copy with other values, and texts that are cut to their length."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hallmark.api.common import ApiModel
from hallmark.api.drift_state import DriftState
from hallmark.api.model_deployment import (
    HistoryEntry,
    LastAction,
    LastRollback,
    ModelDeploymentStatus,
    Outcome,
    Rollout,
    RolloutState,
)
from hallmark.api.model_version import SBOMSummary
from tests.unit.policies.model_deployment.rollouts import approval, digest, entry

ROLLOUT = Rollout(state=RolloutState.STARTING, intent_hash="a", message="Before.")


def test_a_copy_has_the_new_values_and_the_others() -> None:
    changed = ROLLOUT.replace(message="After.", manifest_digest=digest(1))
    assert changed == Rollout(
        state=RolloutState.STARTING,
        intent_hash="a",
        message="After.",
        manifest_digest=digest(1),
    )
    assert ROLLOUT.message == "Before."


@pytest.mark.parametrize("name", ["messages", "intentHash", "trustSHA256", ""])
def test_a_name_that_is_no_field_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match="Rollout has no field"):
        ROLLOUT.replace(**{name: "x"})


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (ROLLOUT, {"message": 1}),
        (ROLLOUT, {"message": None}),
        (ROLLOUT, {"state": "Starting"}),
        (ROLLOUT, {"released": "true"}),
        (ROLLOUT, {"manifest_digest": "sha256:short"}),
        (ROLLOUT, {"intent_hash": "a" * 65}),
        (ModelDeploymentStatus(), {"rollout": {"state": "Starting"}}),
        (ModelDeploymentStatus(), {"history": (entry(1),)}),
        (ModelDeploymentStatus(), {"replicas": "1"}),
        (entry(1), {"outcome": None}),
    ],
    ids=[
        "a number for a text",
        "nothing for a text",
        "a text for an enum",
        "a text for a flag",
        "a digest that is none",
        "a text that is too long",
        "a dict for a model",
        "a tuple for a list",
        "a text for a number",
        "nothing for an outcome",
    ],
)
def test_a_value_of_another_type_is_refused(model: ApiModel, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.replace(**changes)


def test_a_copy_of_a_copy_is_the_same_on_the_wire() -> None:
    history = [entry(1), entry(2, end=3)]
    status = ModelDeploymentStatus(
        history=history, rollout=ROLLOUT, drift_state=DriftState(manifest_digest=digest(1))
    )
    assert status.replace().to_wire() == status.to_wire()
    assert status.replace(history=list(history)) == status


LONG = "x" * 5000


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (Rollout(message=LONG).message, 1024),
        (ROLLOUT.replace(message=LONG).message, 1024),
        (approval().replace(message=LONG).message, 512),
        (LastAction(id="1", outcome=LONG, time="2026-11-25T12:00:00Z").outcome, 256),
        (
            LastRollback(
                from_="a",
                to="b",
                from_digest=digest(1),
                to_digest=digest(2),
                reason="Manual",
                message=LONG,
                time="2026-11-25T12:00:00Z",
            ).message,
            512,
        ),
        (SBOMSummary(components=1, spec_version=LONG).spec_version, 256),
    ],
    ids=[
        "why a rollout was refused",
        "the same in a copy",
        "why an approval does not count",
        "what an action led to",
        "why there was a rollback",
        "an SBOM's version",
    ],
)
def test_a_long_text_of_the_operator_is_cut(text: str, limit: int) -> None:
    assert text == "x" * limit


def test_a_long_name_is_no_text_of_the_operator() -> None:
    with pytest.raises(ValidationError):
        HistoryEntry(
            version=LONG,
            manifest_digest=digest(1),
            from_="2026-11-25T12:00:00Z",
            outcome=Outcome.STABLE,
        )
