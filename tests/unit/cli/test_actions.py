import json

import pytest
from hypothesis import given, strategies as st

from hallmark.api.model_deployment import Action, ActionName
from hallmark.errors import ConfigurationError
from hallmark.resources.decisions import action_text


def test_the_text_is_canonical_and_reads_back() -> None:
    text = action_text(ActionName.ROLLBACK, "1", "otto", "Zu viele Absagen.", "loan-v1")

    assert text == (
        '{"action":"rollback","by":"otto","id":"1","reason":"Zu viele Absagen.","target":"loan-v1"}'
    )
    assert Action.model_validate(json.loads(text)).target == "loan-v1"


def test_no_target_stands_where_none_was_given() -> None:
    assert "target" not in json.loads(action_text(ActionName.PAUSE, "1", "otto", "", None))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"reason": 'He said "no".'}, "--reason: expected one line"),
        ({"reason": "a\\b"}, "--reason: expected one line"),
        ({"reason": "a\nb"}, "--reason: expected one line"),
        ({"target": '"'}, "--target: expected one line"),
        ({"user": 'o"tto'}, "your name: expected one line"),
        ({"reason": "x" * 257}, "reason: String should have at most 256 characters"),
    ],
    ids=[
        "a quote in the reason",
        "a backslash in the reason",
        "two lines in the reason",
        "a quote in the target",
        "a quote in the name",
        "a reason that is too long",
    ],
)
def test_what_admission_could_not_read_is_refused(changes: dict[str, str], found: str) -> None:
    whole = {"identity": "1", "user": "otto", "reason": "", "target": None, **changes}

    with pytest.raises(ConfigurationError, match=found):
        action_text(ActionName.ROLLBACK, **whole)  # type: ignore[arg-type]


PLAIN = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"\\'), max_size=60
)


@given(
    action=st.sampled_from(ActionName),
    user=PLAIN.filter(bool),
    reason=PLAIN,
    target=st.none() | PLAIN,
)
def test_cut_at_its_quotes_the_text_reads_as_json_does(
    action: ActionName, user: str, reason: str, target: str | None
) -> None:
    # Admission has no JSON parser: it takes every fourth part for a key, the second after it for
    # the key's value.
    text = action_text(action, "1", user, reason, target)
    parts = text.split('"')

    assert dict(zip(parts[1::4], parts[3::4], strict=True)) == json.loads(text)
