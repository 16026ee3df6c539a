"""What each step of a key's life changes, and whom it would lock out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.texts import timestamp
from hallmark.api.trust import TrustedKey
from hallmark.cli.key_changes import (
    FIELDS,
    Change,
    added,
    found_key,
    keys_of,
    left_without,
    made_current,
    retired,
    revoked,
)
from hallmark.cli.key_list import hanging
from hallmark.cli.objects import Objects
from hallmark.errors import ConfigurationError
from hallmark.keys import Purpose, UnusableKey, key_id, public_pem, usable_key

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DAY = timedelta(days=1)
PEMS = [public_pem(ec.generate_private_key(ec.SECP256R1()).public_key()) for _ in range(4)]
OLD, NEW, AUDIT, OTHER = (TrustedKey(key_id=key_id(pem), public_key=pem) for pem in PEMS)
EVERY = pytest.mark.parametrize("purpose", list(Purpose))


def policy(**changes: Any) -> ModelPolicySpec:  # noqa: ANN401
    return ModelPolicySpec.model_validate(
        {
            "signers": [OLD.to_wire()],
            "auditors": [AUDIT.to_wire()],
            "store": {"uri": "s3://hallmark"},
            "images": {"trainer": "t", "sealer": "s", "predictor": "p"},
            **changes,
        }
    )


def listed(purpose: Purpose, *keys: TrustedKey) -> ModelPolicySpec:
    """Return a policy that lists exactly these keys for a purpose."""
    more = {"approver": "rita"} if purpose is Purpose.APPROVE else {}
    others = {"signers": [OTHER.to_wire()], "auditors": []}
    return policy(**{**others, FIELDS[purpose]: [{**key.to_wire(), **more} for key in keys]})


def patched(spec: ModelPolicySpec, change: Change) -> ModelPolicySpec:
    """Return what the shown JSON patch makes of a policy, as kubectl would apply it."""
    document: dict[str, Any] = {"spec": spec.to_wire()}
    for operation in change.operations:
        *parents, last = operation["path"].split("/")[1:]
        place: Any = document
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        match operation["op"], place:
            case "test", _:
                assert place[last] == operation["value"]
            case "remove", _:
                del place[last]
            case "add", list():
                assert last == "-"
                place.append(operation["value"])
            case "add", _:
                place[last] = operation["value"]
    return ModelPolicySpec.model_validate(document["spec"])


def merged(spec: ModelPolicySpec, change: Change) -> ModelPolicySpec:
    """Return what the merge patch makes of a policy, as the command applies it."""
    whole = {**spec.to_wire(), **change.fields}
    return ModelPolicySpec.model_validate(
        {name: value for name, value in whole.items() if value is not None}
    )


def same_three_ways(spec: ModelPolicySpec, change: Change) -> ModelPolicySpec:
    """Return the policy afterwards; what is printed, written and shown as a command agree."""
    assert merged(spec, change) == change.spec
    assert patched(spec, change) == change.spec
    return change.spec


@EVERY
def test_a_key_is_added_beside_those_that_are_there(purpose: Purpose) -> None:
    for before in (listed(purpose, OLD), listed(purpose) if purpose != "seal" else policy()):
        change = added(before, purpose, NEW, "rita" if purpose is Purpose.APPROVE else "")
        after = same_three_ways(before, change)
        found = [key.key_id for key in keys_of(after, purpose)]
        assert found == [*(key.key_id for key in keys_of(before, purpose)), NEW.key_id]


@EVERY
def test_no_key_has_two_purposes(purpose: Purpose) -> None:
    with pytest.raises(ConfigurationError, match="a key of its own for each purpose"):
        added(policy(), purpose, AUDIT, "rita" if purpose is Purpose.APPROVE else "")


@pytest.mark.parametrize(("purpose", "approver"), [("approve", ""), ("seal", "rita")])
def test_an_approvers_key_has_a_name_and_no_other_has(purpose: str, approver: str) -> None:
    with pytest.raises(ConfigurationError, match="--approver"):
        added(policy(), Purpose(purpose), NEW, approver)


def test_another_key_seals_and_the_first_one_again() -> None:
    before = listed(Purpose.SEAL, OLD, NEW)
    after = same_three_ways(before, made_current(before, NEW, first=False, now=NOW))
    assert after.seal_with == NEW.key_id
    again = same_three_ways(after, made_current(after, OLD, first=True, now=NOW))
    assert again == before
    assert not made_current(before, OLD, first=True, now=NOW).operations


@pytest.mark.parametrize(
    "marks",
    [
        {"valid_until": timestamp(NOW)},
        {"valid_from": timestamp(LATER)},
        {"revoked_at": timestamp(NOW)},
        {"key_id": "0" * 64},
    ],
    ids=["ended", "not yet", "revoked", "no key of that id"],
)
def test_a_key_that_counts_for_nothing_is_not_made_current(marks: dict[str, str]) -> None:
    key = NEW.replace(**marks)
    with pytest.raises(ConfigurationError, match="nothing could be sealed"):
        made_current(listed(Purpose.SEAL, OLD, key), key, first=False, now=NOW)


@EVERY
def test_a_retired_key_ends_and_the_others_stay(purpose: Purpose) -> None:
    before = listed(purpose, OLD, NEW)
    change = retired(before, purpose, keys_of(before, purpose)[0], LATER, NEW.key_id)
    gone, left = keys_of(same_three_ways(before, change), purpose)
    assert gone.valid_until == timestamp(LATER)
    assert left == keys_of(before, purpose)[1]
    assert isinstance(usable_key(gone, LATER), UnusableKey)
    assert not isinstance(usable_key(gone, LATER, NOW), UnusableKey)


def test_an_end_is_brought_forward_and_never_put_off() -> None:
    before = listed(Purpose.SEAL, OLD.replace(valid_until=timestamp(NOW + 2 * DAY)), NEW)
    (key, _) = before.signers
    sooner = retired(before, Purpose.SEAL, key, NOW + DAY, NEW.key_id)
    assert same_three_ways(before, sooner).signers[0].valid_until == timestamp(NOW + DAY)
    with pytest.raises(ConfigurationError, match="never put off"):
        retired(before, Purpose.SEAL, key, NOW + 3 * DAY, NEW.key_id)


def test_a_revoked_key_is_not_retired() -> None:
    before = listed(Purpose.SEAL, OLD.replace(revoked_at=timestamp(NOW)), NEW)
    with pytest.raises(ConfigurationError, match="not revoked"):
        retired(before, Purpose.SEAL, before.signers[0], LATER, NEW.key_id)


ENDS_FIRST = NEW.replace(valid_until=timestamp(NOW + timedelta(minutes=1)))
LOCKED_OUT = {
    "the only one": ([OLD], NEW.key_id, "no other key"),
    "beside one that is revoked": (
        [OLD, NEW.replace(revoked_at=timestamp(NOW))],
        NEW.key_id,
        "no other key",
    ),
    "beside one that ends before": ([OLD, ENDS_FIRST], NEW.key_id, "no other key"),
    "the one that signs now": ([OLD, NEW], OLD.key_id, "component signs with"),
    "nobody knows which signs now": ([OLD, NEW], None, "could not be read"),
}


@pytest.mark.parametrize("purpose", [Purpose.SEAL, Purpose.AUDIT])
@pytest.mark.parametrize(("keys", "current", "why"), LOCKED_OUT.values(), ids=LOCKED_OUT.keys())
def test_nobody_is_locked_out(
    purpose: Purpose, keys: list[TrustedKey], current: str | None, why: str
) -> None:
    before = listed(purpose, *keys)
    with pytest.raises(ConfigurationError, match=why) as refused:
        retired(before, purpose, keys[0], LATER, current)
    assert "hallmark keys" in str(refused.value), "it says what to do"
    assert left_without(before, purpose, keys[0], LATER, current)


def test_an_approver_without_a_key_is_not_locked_out() -> None:
    before = listed(Purpose.APPROVE, OLD)
    assert left_without(before, Purpose.APPROVE, OLD, LATER, None) is None


@EVERY
def test_a_revoked_key_is_marked_once(purpose: Purpose) -> None:
    before = listed(purpose, OLD, NEW)
    key = keys_of(before, purpose)[1]
    after = same_three_ways(before, revoked(before, purpose, key, NOW))
    marked = keys_of(after, purpose)[1]
    assert isinstance(usable_key(marked, NOW, NOW - DAY), UnusableKey)
    with pytest.raises(ConfigurationError, match="already"):
        revoked(after, purpose, marked, LATER)


def test_the_shown_command_fails_where_the_entry_is_another_one() -> None:
    change = revoked(listed(Purpose.SEAL, OLD, NEW), Purpose.SEAL, NEW, NOW)
    with pytest.raises(AssertionError):
        patched(listed(Purpose.SEAL, NEW, OLD), change)
    assert change.command("default").startswith("kubectl patch modelpolicy default --type=json -p ")


@pytest.mark.parametrize("beginning", ["", "x", "0" * 64])
def test_a_beginning_that_fits_no_key_is_refused_with_those_there_are(beginning: str) -> None:
    with pytest.raises(ConfigurationError, match=OLD.key_id[:12]):
        found_key(policy(), Purpose.SEAL, beginning)


def test_a_key_is_found_by_its_beginning() -> None:
    assert found_key(policy(), Purpose.SEAL, OLD.key_id[:6]) == OLD


@EVERY
def test_what_the_user_may_not_see_is_not_told_as_nothing(purpose: Purpose) -> None:
    unseen = hanging(Objects(hidden=("You may not list modelversions.",)), purpose, OLD.key_id)
    assert ("may not see" in unseen.sentence(purpose)) is (purpose is not Purpose.AUDIT)
    assert "may not see" not in hanging(Objects(), purpose, OLD.key_id).sentence(purpose)
