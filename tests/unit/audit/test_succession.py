"""The audit key is changed without a break, and nobody changes it without the old one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit import AuditLog
from hallmark.audit.events import LogReason
from hallmark.audit.files import head_path
from hallmark.audit.head import Head
from hallmark.audit.outside import pending_texts, read_pending
from hallmark.audit.succession import (
    HANDOVER,
    Handover,
    Keys,
    Succession,
    changes_in,
    hand_over,
    keys_of,
    read_handover,
)
from hallmark.audit.verify import read_log, verify_log
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.keys import key_id, private_pem, public_pem, text_signature
from tests.unit.audit.factories import decided, head_of, open_log, open_unverified

A, B, C, THIEF = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
PEM = {key: public_pem(key.public_key()) for key in (A, B, C, THIEF)}


def handover(old: ec.EllipticCurvePrivateKey, new: ec.EllipticCurvePrivateKey) -> Keys:
    found = keys_of(hand_over(old, new.public_key()))
    assert found is not None
    return found


def write(
    path: Path,
    key: ec.EllipticCurvePrivateKey,
    *ids: str,
    before: ec.EllipticCurvePrivateKey | None = None,
    **options: object,
) -> Head:
    """Record decisions in a run of the operator with a key; return the anchor at its end."""
    word = handover(before, key) if before else None
    log = open_log(path, key=key, handover=word, **options)
    assert log.broken is None, log.broken
    for identity in ids:
        log.append(decided(identity))
    head = log.head()
    log.close()
    assert head is not None
    return head


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "secure_mlops.log"


@pytest.fixture
def rotated(path: Path) -> Path:
    write(path, A, "a1", "a2")
    write(path, B, "b1", before=A)
    write(path, B, "b2", before=A, rotate_at=1000)
    write(path, C, "c1", before=B)
    return path


@pytest.mark.parametrize("trusted", [A, B, C], ids=["first", "second", "newest"])
def test_whoever_trusts_any_of_the_keys_verifies_all_of_the_log(
    rotated: Path, trusted: ec.EllipticCurvePrivateKey
) -> None:
    head = head_of(rotated)
    assert head is not None
    verdict, records = read_log(rotated, PEM[trusted], head.to_bytes())
    assert verdict.ok, verdict.problems
    reasons = [record.reason for record in records]
    assert reasons.count(LogReason.KEY_HANDED_OVER) == 2
    assert sum("handed the log over" in note for note in verdict.notes) == 2
    assert head.key_id == key_id(C)


def test_a_stranger_verifies_nothing(rotated: Path) -> None:
    assert not verify_log(rotated, PEM[THIEF]).ok


def test_a_key_may_come_back(path: Path) -> None:
    write(path, A, "a1")
    write(path, B, "b1", before=A)
    write(path, A, "a2", before=B)
    write(path, B, "b2", before=A)
    for key in (A, B):
        assert verify_log(path, PEM[key]).ok


def test_a_handover_is_recorded_once(rotated: Path) -> None:
    before = rotated.read_bytes()
    write(rotated, C, before=B)
    assert rotated.read_bytes() == before


def test_a_handover_before_the_first_record_needs_none(path: Path) -> None:
    write(path, B, "b1", before=A)
    verdict, records = read_log(path, PEM[B])
    assert verdict.ok
    assert [record.reason for record in records] == ["Promoted"]


def test_without_the_old_keys_word_a_new_key_is_a_break(path: Path) -> None:
    anchor = write(path, A, "a1")
    log = open_log(path, key=B, anchor=anchor)
    assert log.broken is not None
    log.close()


def test_after_a_break_a_handover_that_lies_there_still_does_no_harm(path: Path) -> None:
    anchor = write(path, A, "a1")
    broken = open_log(path, key=B, anchor=anchor)
    assert broken.broken is not None
    broken.acknowledge(broken.broken.id, "ann", "The key was lost.")
    broken.append(decided("b1"))
    broken.close()
    write(path, B, "b2", before=A)
    assert verify_log(path, PEM[B]).ok


def test_the_key_before_is_not_taken_back(path: Path) -> None:
    write(path, A, "a1")
    anchor = write(path, B, "b1", before=A)
    log = open_log(path, key=A, anchor=anchor)
    assert log.broken is not None
    assert "handed the log over" in log.broken.message
    log.close()


def test_an_older_copy_of_before_the_change_is_found(path: Path, tmp_path: Path) -> None:
    write(path, A, "a1")
    shutil.copytree(path.parent, tmp_path / "copy")
    anchor = write(path, B, "b1", before=A)
    shutil.rmtree(path.parent)
    shutil.copytree(tmp_path / "copy", path.parent)
    log = open_log(path, key=B, handover=handover(A, B), anchor=anchor)
    assert log.broken is not None
    log.close()


class Full(Exception):
    """Raised in place of a crash."""


@pytest.mark.parametrize("allowed", range(8))
def test_a_crash_at_any_sync_of_the_change_leaves_a_log_that_goes_on(
    path: Path, allowed: int
) -> None:
    anchor = write(path, A, "a1", "a2")
    left = [allowed]

    def sync(descriptor: int) -> None:
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        left[0] -= 1

    log = open_unverified(path, key=B, handover=handover(A, B), sync=sync)
    try:
        log.verify_rest(anchor)
        log.append(decided("b1"))
    except ArtifactError:
        assert log.head() is None or log.ready
    finally:
        log.close()

    write(path, B, "b1", "b2", before=A, anchor=anchor)
    verdict, records = read_log(path, PEM[A])
    assert verdict.ok, verdict.problems
    assert [record.reason for record in records].count(LogReason.KEY_HANDED_OVER) == 1


def test_a_full_volume_at_the_change_waits_and_signs_no_head(path: Path) -> None:
    anchor = write(path, A, "a1")
    full = [True]

    def sync(descriptor: int) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")

    log = open_unverified(path, key=B, handover=handover(A, B), sync=sync)
    with pytest.raises(ArtifactError):
        log.verify_rest(anchor)
    assert log.head() is None
    log.probe()
    with pytest.raises(ArtifactError):
        log.append(decided("b1"))
    full[0] = False
    log.verify_rest(anchor)
    log.append(decided("b1"))
    log.close()
    assert verify_log(path, PEM[B]).ok


def test_what_waits_outside_is_read_with_the_key_before(path: Path) -> None:
    data = pending_texts(A, [decided("revoked")])
    log = open_unverified(path, key=B, handover=handover(A, B))
    assert read_pending(log.public_keys, data) == [decided("revoked")]
    assert read_pending(open_unverified(path, key=B).public_keys, data) == []


# -- forgeries --------------------------------------------------------------------------------


def forged_log(path: Path, made_by: Handover) -> None:
    """Continue A's log with a record that claims a handover to the thief, and what he likes."""
    word = Keys(A.public_key(), THIEF.public_key(), made_by)
    log = open_unverified(path, key=THIEF, handover=word)
    log.verify_rest(head_of(path))
    log.append(decided("forged"))
    log.close()


def test_a_thief_with_the_volume_hands_nothing_over_to_himself(path: Path) -> None:
    write(path, A, "a1")
    unsigned = hand_over(A, B.public_key())
    claims = unsigned.model_copy(update={"new_key": PEM[THIEF]})
    forged_log(path, claims)
    assert not verify_log(path, PEM[A]).ok
    assert not verify_log(path, PEM[B]).ok


def test_a_thief_does_not_make_himself_the_predecessor(path: Path) -> None:
    """He rewrites the past with his own key, and lets it lead to the trusted one."""
    write(path, THIEF, "t1", "t2")
    log = open_unverified(path, key=THIEF, handover=None)
    log.verify_rest(head_of(path))
    word = handover(THIEF, A)
    log._handover, log._due = word, True
    log.append(decided("t3"))
    log.close()
    changes = list(changes_in(path.read_bytes().splitlines()))
    assert key_id(Succession(A.public_key(), changes).at(1)) == key_id(THIEF), "it claims so"
    verdict = verify_log(path, PEM[A])
    assert not verdict.ok
    assert any("was not signed with the audit key" in problem for problem in verdict.problems)


def test_any_field_of_a_recorded_handover_that_is_changed_is_found(rotated: Path) -> None:
    whole = rotated.read_bytes()
    at = whole.index(b'"KeyHandedOver"')
    start, end = whole.rindex(b"\n", 0, at) + 1, whole.index(b"\n", at)
    head = head_of(rotated)
    assert head is not None
    for place in range(start, end, 17):
        rotated.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not verify_log(rotated, PEM[C], head.to_bytes()).ok, place


# -- the file beside the key ------------------------------------------------------------------


def test_the_operator_reads_the_handover_beside_its_key(path: Path, tmp_path: Path) -> None:
    write(path, A, "a1")
    mounted = tmp_path / "private.pem"
    mounted.write_bytes(private_pem(B))
    (tmp_path / HANDOVER).write_bytes(hand_over(A, B.public_key()).to_bytes())
    log = AuditLog.open(path, mounted)
    log.verify_rest(head_of(path))
    assert log.broken is None
    log.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[" * 5000,
        b"\xff",
        hand_over(A, C.public_key()).to_bytes(),
        hand_over(A, B.public_key()).model_copy(update={"new_key": PEM[C]}).to_bytes(),
        hand_over(THIEF, B.public_key())
        .model_copy(update={"old_key": PEM[A], "signature": text_signature(THIEF, b"x")})
        .to_bytes(),
        hand_over(A, B.public_key()).to_bytes().replace(b"BEGIN", b"BEGYN"),
    ],
    ids=["empty", "no fields", "deep", "no text", "of another", "changed", "unsigned", "no key"],
)
def test_a_handover_that_is_none_is_refused_in_a_sentence(
    path: Path, tmp_path: Path, data: bytes
) -> None:
    mounted = tmp_path / "private.pem"
    mounted.write_bytes(private_pem(B))
    (tmp_path / HANDOVER).write_bytes(data)
    with pytest.raises(ConfigurationError, match="hallmark keys create audit"):
        AuditLog.open(path, mounted)


def test_a_handover_has_one_form() -> None:
    word = hand_over(A, B.public_key())
    assert read_handover(word.to_bytes()).handover == word
    spaced = word.model_copy(update={"new_key": word.new_key + "\n"})
    assert keys_of(spaced) is None


def test_the_head_beside_a_log_is_the_new_keys(rotated: Path) -> None:
    assert head_path(rotated).read_bytes().count(key_id(C).encode()) == 1
