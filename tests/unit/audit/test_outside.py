"""What is kept outside the volume is the operator's, or counts for nothing."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from hallmark.audit.head import sign_head
from hallmark.audit.outside import (
    MAX_PENDING,
    PENDING_KEY,
    anchored,
    pending_text,
    read_pending,
    read_signed,
    signed_text,
)
from hallmark.audit.record import FIRST_PREVIOUS
from hallmark.errors import ArtifactError
from tests.unit.audit.factories import KEY, decided

PUBLIC_KEY = KEY.public_key()
OTHER = ec.generate_private_key(ec.SECP256R1())


def test_records_come_back_as_they_were_kept() -> None:
    records = [decided("a", message="Ä\ud800\n"), decided("b", actor="ada")]
    assert read_pending(PUBLIC_KEY, pending_text(KEY, records)) == records


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{}",
        "[]",
        "7",
        pending_text(OTHER, [decided("a")]),
        signed_text(KEY, "another.json", [{"decision_id": "a"}]),
        pending_text(KEY, [decided("a")]).replace("decision", "decisiom"),
        json.dumps({"payload": 7, "signature": 7}),
    ],
    ids=[
        "nothing",
        "an empty text",
        "an empty object",
        "a list",
        "a number",
        "signed by another key",
        "signed for another place",
        "changed",
        "numbers",
    ],
)
def test_what_the_operator_did_not_sign_so_is_nothing(text: str | None) -> None:
    assert read_pending(PUBLIC_KEY, text) == []


@given(st.text(max_size=200))
def test_nothing_that_may_stand_there_raises(text: str) -> None:
    assert read_signed(PUBLIC_KEY, PENDING_KEY, text) is None
    assert isinstance(anchored(text), str)


def test_more_than_there_is_room_for_is_refused() -> None:
    many = [decided(f"{number}", message="x" * 1000) for number in range(MAX_PENDING // 1000)]
    with pytest.raises(ArtifactError, match="more than there is room for"):
        pending_text(KEY, many)


def test_an_anchor_is_read_in_its_one_form() -> None:
    head = sign_head(KEY, 3, FIRST_PREVIOUS, "2026-06-01T12:00:00Z")
    text = head.to_bytes().decode()
    assert anchored(text) == head
    assert anchored(None) is None
    assert isinstance(anchored(text + " "), str)
    assert isinstance(anchored(json.dumps(json.loads(text), indent=1)), str)
