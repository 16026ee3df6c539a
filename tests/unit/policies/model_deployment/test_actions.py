"""Reading the annotation of people's actions."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.api.model_deployment import (
    Action,
    ActionName,
    LastAction,
    ModelDeploymentStatus,
)
from hallmark.api.names import ANNOTATION_ACTION
from hallmark.policies.model_deployment.actions import BadAction, pending_action

NOTHING = ModelDeploymentStatus()


def read(text: str, status: ModelDeploymentStatus = NOTHING) -> Action | BadAction | None:
    return pending_action({ANNOTATION_ACTION: text}, status)


def test_an_action_is_read() -> None:
    text = json.dumps({"id": "1", "action": "rollback", "by": "ada", "target": "credit-v1"})
    found = read(text)
    assert isinstance(found, Action)
    assert (found.action, found.target) == (ActionName.ROLLBACK, "credit-v1")


def test_each_id_runs_once() -> None:
    text = json.dumps({"id": "1", "action": "pause", "by": "ada"})
    last = LastAction(id="1", outcome="done", time="2026-11-25T12:00:00Z")
    assert read(text, ModelDeploymentStatus(last_action=last)) is None


def test_no_annotation_is_no_action() -> None:
    assert pending_action({}, NOTHING) is None
    assert read("") is None


def test_the_refusal_says_what_is_expected() -> None:
    found = read('{"id": "1", "action": "explode", "by": "ada"}')
    assert isinstance(found, BadAction)
    assert "action" in found.message
    assert "rollback" in found.message


def test_no_value_of_the_annotation_is_repeated() -> None:
    found = read('{"id": "1", "action": "4111 1111 1111 1111", "by": "ada"}')
    assert isinstance(found, BadAction)
    assert "4111" not in found.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_nothing_that_can_be_written_there_raises(text: str) -> None:
    found = read(text)
    if isinstance(found, BadAction):
        assert len(found.message) <= 512
        last = LastAction(id=found.id, outcome="told", time="2026-11-25T12:00:00Z")
        assert read(text, ModelDeploymentStatus(last_action=last)) is None
