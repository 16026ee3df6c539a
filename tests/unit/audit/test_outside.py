"""What is kept outside the volume is the operator's, or counts for nothing."""

from __future__ import annotations

import json
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, strategies as st

from hallmark.audit.head import sign_head
from hallmark.audit.outside import (
    MAX_PENDING,
    PIECE,
    anchored,
    pending_texts,
    read_pending,
    read_signed,
    require_room,
    signed_text,
)
from hallmark.audit.record import FIRST_PREVIOUS, Record
from hallmark.errors import ArtifactError
from tests.unit.audit.factories import KEY, decided

PUBLIC_KEY = KEY.public_key()
OTHER = ec.generate_private_key(ec.SECP256R1())


def texts(*records: Record, key: ec.EllipticCurvePrivateKey = KEY) -> dict[str, str]:
    return pending_texts(key, records)


FIRST = "pending-000000.json"


def test_records_come_back_as_they_were_kept() -> None:
    records = [decided("a", message="Ä\ud800\n"), decided("b", actor="ada")]
    assert read_pending([PUBLIC_KEY], texts(*records)) == records
    many = [decided(str(number)) for number in range(3 * PIECE + 1)]
    assert read_pending([PUBLIC_KEY], {"head.json": "{}", **texts(*many)}) == many


def test_one_more_record_makes_one_piece_anew() -> None:
    many = [decided(str(number)) for number in range(2 * PIECE + 2)]
    before = pending_texts(KEY, many[:-1])
    more = pending_texts(KEY, many, len(many) - 1)
    assert list(more) == ["pending-000002.json"]
    assert read_pending([PUBLIC_KEY], {**before, **more}) == many


@pytest.mark.parametrize(
    "data",
    [
        {},
        {FIRST: ""},
        {FIRST: "{}"},
        {FIRST: "[]"},
        {FIRST: "7"},
        texts(decided("a"), key=OTHER),
        {FIRST: signed_text(KEY, "pending-000001.json", "eJw=")},
        {FIRST: texts(decided("a"))[FIRST].replace("eJ", "eK", 1)},
        {FIRST: json.dumps({"payload": 7, "signature": 7})},
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
def test_what_the_operator_did_not_sign_so_is_nothing(data: dict[str, str]) -> None:
    assert read_pending([PUBLIC_KEY], data) == []


@given(st.text(max_size=200))
def test_nothing_that_may_stand_there_raises(text: str) -> None:
    assert read_signed([PUBLIC_KEY], FIRST, text) is None
    assert read_pending([PUBLIC_KEY], {FIRST: text}) == []
    assert isinstance(anchored(text), str)


def test_more_than_there_is_room_for_is_refused() -> None:
    many = [decided(f"{number}", message=secrets.token_hex(500)) for number in range(900)]
    with pytest.raises(ArtifactError, match="more than there is room for"):
        require_room({"head.json": "{}"}, texts(*many))


def test_a_revoked_key_of_a_thousand_versions_has_room() -> None:
    digest = "sha256:" + "ab" * 32
    many = [
        decided(f"verify:uid-{number}", message="The key was revoked.", details={"digest": digest})
        for number in range(3000)
    ]
    require_room({}, texts(*many))
    assert read_pending([PUBLIC_KEY], texts(*many)) == many


def test_what_another_version_kept_is_not_dropped_in_silence() -> None:
    later = signed_text(KEY, FIRST, "of a later version")
    with pytest.raises(ArtifactError, match="start the one that wrote them"):
        read_pending([PUBLIC_KEY], {FIRST: later})


def test_an_anchor_is_read_in_its_one_form() -> None:
    head = sign_head(KEY, 3, FIRST_PREVIOUS, "2026-06-01T12:00:00Z")
    text = head.to_bytes().decode()
    assert anchored(text) == head
    assert anchored(None) is None
    assert isinstance(anchored(text + " "), str)
    assert isinstance(anchored(json.dumps(json.loads(text), indent=1)), str)


def test_as_much_waits_as_there_is_room_for() -> None:
    (key, text), *_ = texts(decided("1")).items()
    require_room({}, {key: "x" * MAX_PENDING})
    with pytest.raises(ArtifactError, match="than there is room for"):
        require_room({key: text}, {f"{key}-other": "x" * (MAX_PENDING - len(text) + 1)})
