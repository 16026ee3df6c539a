"""Reading the annotation of people's actions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from hallmark.api.model_deployment import (
    ACTION_IDS,
    Action,
    ActionName,
    LastAction,
    ModelDeploymentStatus,
    RolloutState,
)
from hallmark.api.names import ANNOTATION_ACTION
from hallmark.policies.model_deployment.actions import (
    Acted,
    BadAction,
    act,
    lost_action,
    pending_action,
    with_action,
)
from hallmark.policies.model_deployment.inputs import Need, View
from hallmark.policies.model_deployment.triggers import Acknowledged, Refused, RollBack
from tests.unit.policies.model_deployment.rollouts import (
    candidate_status,
    entry,
    going_back_status,
    serving_status,
    version,
    view,
)

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


def ran(text: str, status: ModelDeploymentStatus = NOTHING) -> ModelDeploymentStatus:
    """Return the record after what the text asks for was looked at."""
    found = read(text, status)
    assert found is not None
    return with_action(status, found, text, "done", "2026-11-25T12:00:00Z")


def pause(identity: str, **more: str) -> str:
    return json.dumps({"id": identity, "action": "pause", "by": "ada", **more})


@pytest.mark.parametrize("again", ["1", "ABC", "abc"])
def test_an_id_that_was_used_does_nothing_and_is_told(again: str) -> None:
    status = ran(pause("2"), ran(pause("abc"), ran(pause("1"))))
    found = read(pause(again), status)
    assert isinstance(found, BadAction)
    assert "ran before" in found.message
    told = ran(pause(again), status)
    assert read(pause(again), told) is None
    assert told.action_ids == ["2", "abc", "1"]


def test_the_same_id_with_another_text_is_told_and_does_nothing() -> None:
    status = ran(pause("1"))
    assert isinstance(read(pause("1", reason="another"), status), BadAction)


def test_the_last_ids_are_remembered_and_no_more() -> None:
    status = NOTHING
    for number in range(ACTION_IDS + 3):
        status = ran(pause(str(number)), status)
    assert len(status.action_ids) == ACTION_IDS
    assert status.action_ids[0] == str(ACTION_IDS + 2)


@pytest.mark.parametrize("identity", ["", " 1", "1 ", "a b", "é", "1\u00a0", "-1", "x" * 65, "1\n"])
def test_an_id_is_letters_and_digits(identity: str) -> None:
    assert isinstance(read(pause(identity)), BadAction)


def test_of_a_key_given_twice_none_wins() -> None:
    found = read('{"id": "1", "action": "pause", "by": "ada", "by": "bob"}')
    assert isinstance(found, BadAction)
    assert "a name twice" in found.message


def test_an_action_on_what_is_gone_is_a_record() -> None:
    deployment = view(NOTHING).inputs.deployment
    asked = deployment.metadata.replace(annotations={ANNOTATION_ACTION: pause("7", reason="Why.")})
    record = lost_action(deployment.replace(metadata=asked))
    assert record is not None
    assert (record.actor, record.reason, record.outcome) == ("ada", "ActionLost", "refused")
    assert record.details == {"actionId": "7", "action": "pause", "why": "Why."}
    has_run = deployment.replace(metadata=asked, status=ran(pause("7", reason="Why.")))
    assert lost_action(has_run) is None
    assert lost_action(deployment) is None


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


S = RolloutState
V1, V2 = version(1), version(2)
SERVING = serving_status(entry(2, start=10), entry(1, end=10))
COMES = candidate_status(3, entry(2, start=10), entry(1, end=10), state=S.STARTING)
BACK = going_back_status(1, entry(2, start=10), entry(1, end=10))

LED_TO: dict[str, tuple[View, str, str | None, str, type[object] | None]] = {
    "a rollback begins": (
        view(SERVING, V1, V2, verified=(1,)),
        "rollback",
        None,
        "Rolling back to 'credit-v1'.",
        RollBack,
    ),
    "a rollback to a version by name": (
        view(SERVING, V1, V2, verified=(1,)),
        "rollback",
        "credit-v9",
        "Nothing was done: Expected version 'credit-v9'",
        None,
    ),
    "a rollback to what may not serve": (
        view(SERVING, version(1, revoked=True), V2),
        "rollback",
        None,
        "Nothing was done: ModelVersion 'credit-v1' was revoked",
        None,
    ),
    "a rollback while one is under way": (
        view(BACK, V1, V2),
        "rollback",
        None,
        "Nothing was done: a rollback is under way.",
        None,
    ),
    "a rollback where nothing serves": (
        view(candidate_status(1), V1),
        "rollback",
        None,
        "Nothing was done: no version serves.",
        None,
    ),
    "an acknowledgement": (
        view(SERVING, V1, V2),
        "acknowledge",
        None,
        "Acknowledged",
        Acknowledged,
    ),
    "an acknowledgement does not bring back what was revoked": (
        view(SERVING, V1, version(2, revoked=True)),
        "acknowledge",
        None,
        "Nothing was done: what serves was revoked",
        None,
    ),
    "nor what its signer was revoked for": (
        view(SERVING, V1, version(2, verified="SignerRevoked")),
        "acknowledge",
        None,
        "Nothing was done: what serves was revoked",
        None,
    ),
    "an acknowledgement of a rollback under way": (
        view(BACK, V1, V2),
        "acknowledge",
        None,
        "Nothing was done: a rollback is under way",
        None,
    ),
    "an acknowledgement where nothing serves": (
        view(candidate_status(1), V1),
        "acknowledge",
        None,
        "Nothing was done: no version serves.",
        None,
    ),
    "an abort": (view(COMES, V1, V2), "abort", None, "'credit-v3' was dropped.", Refused),
    "an abort without a candidate": (
        view(SERVING, V1, V2),
        "abort",
        None,
        "Nothing was done: there is no candidate.",
        None,
    ),
    "a promotion without a candidate": (
        view(SERVING, V1, V2),
        "promote",
        None,
        "Nothing was done: there is no candidate.",
        None,
    ),
}


@pytest.mark.parametrize(
    ("given", "name", "target", "outcome", "trigger"), LED_TO.values(), ids=LED_TO.keys()
)
def test_what_an_action_leads_to(
    given: View, name: str, target: str | None, outcome: str, trigger: type[object] | None
) -> None:
    found = act(given, Action(id="1", action=ActionName(name), by="ada", target=target))
    assert isinstance(found, Acted)
    assert found.outcome.startswith(outcome)
    assert (type(found.trigger) if found.trigger else None) is trigger
    assert found.status is None


def test_a_rollback_by_hand_asks_for_the_bytes_first() -> None:
    action = Action(id="1", action=ActionName.ROLLBACK, by="ada")
    assert act(view(SERVING, V1, V2), action) == Need(V1)


def changed(given: View, name: ActionName) -> ModelDeploymentStatus:
    found = act(given, Action(id="1", action=name, by="ada"))
    assert isinstance(found, Acted)
    assert found.status is not None
    return found.status


def test_a_pause_is_kept_and_a_promotion_lets_one_candidate_through() -> None:
    assert changed(view(SERVING), ActionName.PAUSE).paused
    assert not changed(view(SERVING.replace(paused=True)), ActionName.RESUME).paused
    released = changed(view(COMES), ActionName.PROMOTE).rollout
    assert released is not None
    assert released.released


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_nothing_that_can_be_written_there_raises(text: str) -> None:
    found = read(text)
    if isinstance(found, BadAction):
        assert len(found.message) <= 512
        last = LastAction(id=found.id, outcome="told", time="2026-11-25T12:00:00Z")
        assert read(text, ModelDeploymentStatus(last_action=last)) is None
