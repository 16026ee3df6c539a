from __future__ import annotations

import datetime as dt
import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.pii import PIIAction, PIIDetector
from hallmark.data.detectors import DETECTORS, TextColumn
from hallmark.data.pii import Guarded, check_rule, guard
from hallmark.data.pseudonyms import Pseudonyms
from tests.examples import examples
from tests.unit.data.factories import category, pii, schema

ADDRESS, CARD = "ann.lee@example.org", "4111 1111 1111 1111"
ACCOUNT = "DE89 3704 0044 0532 0130 00"


def frame(**columns: list[Any]) -> pl.DataFrame:
    return pl.DataFrame({"x": ["1", "2", "3"], "label": ["yes", "no", "yes"], **columns})


def sentences(guarded: Guarded) -> list[str]:
    return [finding.sentence() for finding in guarded.refusals]


def test_clear_rows_pass_unchanged() -> None:
    rows = frame(note=["a", "b", None])
    guarded = guard(rows, schema(), pii())
    assert (guarded.refusals, guarded.decisions, guarded.private) == ((), (), frozenset())
    assert guarded.frame.equals(rows)


def test_a_refusal_names_column_detector_count_and_first_row_but_no_value() -> None:
    guarded = guard(frame(note=["a", f"by {ADDRESS}", ADDRESS]), schema(), pii())
    assert sentences(guarded) == [
        "PII in column 'note' (2 times, first in row 2): expected no personal data, found what "
        "Email looks for."
    ]
    assert guarded.private == {"note"}


SCANNED = {
    "a declared category": ({"g": ["a", ADDRESS, "b"]}, schema(category("g", "a", "b"))),
    "the target": ({"label": ["yes", "no", ADDRESS]}, schema()),
    "a declared number that holds text": ({"x": ["1", ADDRESS, "3"]}, schema()),
    "a sensitive attribute": ({"s": ["a", ADDRESS, "b"]}, schema(sensitive=[{"name": "s"}])),
    "an undeclared column": ({"z": ["a", ADDRESS, "b"]}, schema()),
    "an undeclared column of whole numbers": ({"z": [1, 4111111111111111, 2]}, schema()),
    "an undeclared column of floats": ({"z": [1.5, 4111111111111111.0, 2.0]}, schema()),
    "an undeclared column of dates": ({"birth_date": [dt.date(1970, 1, 2)] * 3}, schema()),
}


@pytest.mark.parametrize("case", SCANNED.values(), ids=SCANNED)
def test_every_column_is_scanned(case: tuple[dict[str, list[Any]], Any]) -> None:
    columns, declared = case
    guarded = guard(frame(**columns), declared, pii())
    assert len(guarded.refusals) == 1
    assert "example" not in sentences(guarded)[0]
    assert "4111" not in sentences(guarded)[0]


def test_drop_and_mask_keep_the_values_from_what_comes_after() -> None:
    rule = pii(
        "Refuse",
        {"detector": "Email", "action": "Drop"},
        {"detector": "PaymentCard", "action": "Mask"},
    )
    guarded = guard(frame(mail=[ADDRESS] * 3, card=["x", CARD, "y"]), schema(), rule)
    assert guarded.refusals == ()
    assert guarded.frame.columns == ["x", "label", "card"]
    assert not {"x", CARD, "y"} & set(guarded.frame["card"])
    assert (guarded.private, guarded.masked) == ({"mail", "card"}, {"card"})
    assert [
        (decision.column, decision.detector, decision.action, decision.count)
        for decision in guarded.decisions
    ] == [
        ("mail", "Email", PIIAction.DROP, 3),
        ("card", "PaymentCard", PIIAction.MASK, 1),
    ]


def test_the_rule_for_a_column_goes_before_the_one_for_its_detector() -> None:
    rule = pii(
        "Mask",
        {"detector": "Email", "action": "Refuse"},
        {"detector": "Email", "action": "Drop", "column": "mail"},
    )
    guarded = guard(frame(mail=[ADDRESS] * 3, note=[ADDRESS] * 3), schema(), rule)
    assert [finding.column for finding in guarded.refusals] == ["note"]


@pytest.mark.parametrize("action", ["Drop", "Mask"])
@pytest.mark.parametrize("column", ["g", "s", "label"])
def test_a_column_that_is_needed_can_be_neither_dropped_nor_masked(
    action: str, column: str
) -> None:
    declared = schema(category("g", "a", "b"), sensitive=[{"name": "s"}])
    columns = {"g": ["a"] * 3, "s": ["a"] * 3, "label": ["yes"] * 3, column: [ADDRESS] * 3}
    guarded = guard(frame(**columns), declared, pii(action))
    assert "which a declared column cannot" in sentences(guarded)[0]


def test_both_data_of_one_column_are_named() -> None:
    guarded = guard(frame(note=["a", ADDRESS, CARD]), schema(), pii())
    assert [finding.row for finding in guarded.refusals] == [2, 3]


def test_without_a_header_line_a_persons_data_are_not_taken_for_a_columns_name() -> None:
    rows = pl.DataFrame({"Ann Lee": ["Bob Ray"], ADDRESS: ["bob@example.org"]})
    guarded = guard(rows, schema(), pii())
    assert sentences(guarded) == [
        "PII, first in row 1: expected no personal data, found what Email looks for in column "
        "number 2.",
        "PII: expected no personal data, found what Email looks for in the name of column number "
        "2.",
    ]


def test_a_column_with_a_strange_name_is_named_by_its_position() -> None:
    guarded = guard(frame(**{"é<b>": [ADDRESS] * 3}), schema(), pii("Drop"))
    assert guarded.decisions[0].column == "column number 3"
    assert guarded.frame.width == 2


def test_an_action_that_the_policy_does_not_allow_is_refused() -> None:
    rule = pii("Refuse", {"detector": "Email", "action": "Mask"})
    allowed = [PIIAction.REFUSE, PIIAction.DROP]
    assert [finding.sentence() for finding in check_rule(rule, allowed)] == [
        "PIIRule: expected one of the policy's actions: Drop, Refuse, found Mask as the action "
        "for Email."
    ]
    assert check_rule(pii(), allowed) == []


def test_pseudonyms_are_equal_for_equal_values_of_a_run_and_of_no_other() -> None:
    rows = frame(a=[ADDRESS, "bob@example.org", ADDRESS], b=["x@example.org", None, ADDRESS])
    first, second = (guard(rows, schema(), pii("Mask")).frame for _ in range(2))
    first_pseudonym, other_pseudonym, again = first["a"]
    assert first_pseudonym == again == first["b"][2]
    assert first_pseudonym != other_pseudonym
    assert first["b"][1] is None
    assert all(re.fullmatch("[0-9a-f]{32}", pseudonym) for pseudonym in first["a"])
    assert set(first["a"]).isdisjoint(second["a"])


def test_a_pseudonym_is_the_first_half_of_the_hmac() -> None:
    # RFC 4231, test case 2.
    expected = "5bdcc146bf60754e6a042426089575c7"
    assert Pseudonyms(b"Jefe").of("what do ya want for nothing?") == expected


def test_whole_numbers_are_masked_too() -> None:
    rows = frame(card=[4111111111111111, 5500000000000004, 4111111111111111])
    masked = guard(rows, schema(), pii("Mask")).frame["card"]
    assert masked.dtype == pl.String
    assert masked[0] == masked[2] != masked[1]


def test_an_identifier_can_be_masked_but_not_dropped() -> None:
    declared = schema(identifiers=["mail"])
    rows = frame(mail=[ADDRESS] * 3)
    assert guard(rows, declared, pii("Mask")).masked == {"mail"}
    assert sentences(guard(rows, declared, pii("Drop"))) == [
        "PII in column 'mail' (3 times, first in row 1): expected a column that can be dropped, "
        "which an identifier cannot: mask it, or leave it out of the schema, found what Email "
        "looks for."
    ]


def test_an_identifier_whose_name_is_a_datum_can_be_neither_masked_nor_dropped() -> None:
    rows = frame(**{ACCOUNT: [1, 2, 3]})
    for action in ("Mask", "Drop"):
        [sentence] = sentences(guard(rows, schema(identifiers=[ACCOUNT]), pii(action)))
        assert "which a declared column cannot" in sentence
        assert ACCOUNT not in sentence


ALLOWED = pii(
    "Refuse",
    allow=[{"detector": "IPAddress", "column": "hop", "reason": "Addresses of our own routers."}],
)


def test_what_is_allowed_stays_and_the_report_says_why() -> None:
    rows = frame(hop=["203.0.113.7", "198.51.100.9", "192.0.2.77"])
    guarded = guard(rows, schema(), ALLOWED)
    assert guarded.refusals == ()
    assert guarded.frame.equals(rows)
    assert guarded.private == {"hop"}
    [decision] = guarded.decisions
    assert (decision.action, decision.reason) == (None, "Addresses of our own routers.")


def test_an_allowance_is_for_one_detector_and_one_column() -> None:
    rows = frame(hop=[ADDRESS] * 3, other=["203.0.113.7", "198.51.100.9", "192.0.2.77"])
    refused = guard(rows, schema(), ALLOWED).refusals
    assert [finding.column for finding in refused] == ["hop", "other"]


UNUSED = {
    "the column is clear": ({"hop": ["a", "b", None]}, "found none; remove the allowance"),
    "another detector finds something there": (
        {"hop": [CARD] * 3},
        "found none; remove the allowance",
    ),
    "the column is gone": ({"other": ["a", "b", "c"]}, "found no such column; remove the"),
}


@pytest.mark.parametrize("case", UNUSED.values(), ids=UNUSED)
def test_an_allowance_that_nothing_needs_is_remarked(
    case: tuple[dict[str, list[Any]], str],
) -> None:
    columns, expected = case
    [remark] = guard(frame(**columns), schema(), ALLOWED).remarks
    assert remark.sentence().startswith(
        "UnusedAllowance in column 'hop': expected what IPAddress looks for, which the run allows "
        f"here, {expected}"
    )


def test_an_allowance_that_is_needed_is_not_remarked() -> None:
    assert guard(frame(hop=["a", "203.0.113.7", "b"]), schema(), ALLOWED).remarks == ()
    assert guard(frame(hop=["a", "b", "c"]), schema(), pii()).remarks == ()


def test_an_allowance_that_the_policy_does_not_permit_is_refused() -> None:
    refused = check_rule(ALLOWED, list(PIIAction), [PIIDetector.EMAIL])
    assert [finding.sentence() for finding in refused] == [
        "PIIRule in column 'hop': expected an allowance for a kind of data that the policy lets a "
        "run allow: Email, found one for IPAddress."
    ]
    assert check_rule(ALLOWED, list(PIIAction), [PIIDetector.IP_ADDRESS]) == []


def test_a_datum_in_a_columns_name_is_refused_dropped_or_renamed() -> None:
    rows = frame(**{ADDRESS: [1, 2, 3]})
    refused = guard(rows, schema(), pii())
    assert sentences(refused) == [
        "PII: expected no personal data, found what Email looks for in the name of column number 3."
    ]
    assert guard(rows, schema(), pii("Drop")).frame.columns == ["x", "label"]
    renamed = guard(rows, schema(), pii("Mask")).frame
    assert re.fullmatch("[0-9a-f]{32}", renamed.columns[2])
    assert renamed[renamed.columns[2]].to_list() == [1, 2, 3]


class NamesOfShips:
    """A second implementation of the interface, such as a wrapper of another library."""

    kind = PIIDetector.PERSON_NAME

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that begin as such names do."""
        return column.texts.filter(column.texts.str.starts_with("HMS "))


def test_another_detector_can_be_plugged_in() -> None:
    rows = frame(note=["a", "HMS Beagle", f"HMS Erebus, {ADDRESS}"])
    guarded = guard(rows, schema(), pii("Drop"), (*DETECTORS, NamesOfShips()))
    assert [(decision.detector, decision.count) for decision in guarded.decisions] == [
        ("Email", 1),
        ("PersonName", 2),
    ]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@examples(60)
@given(st.lists(st.one_of(st.none(), TEXT, st.just(ADDRESS)), min_size=3, max_size=3), TEXT)
def test_any_text_passes_through_and_an_address_is_never_missed(
    cells: list[str | None], name: str
) -> None:
    rows = frame().with_columns(pl.Series(f"n{name}", cells, dtype=pl.String))
    guarded = guard(rows, schema(), pii())
    emails = [decision for decision in guarded.decisions if decision.detector == PIIDetector.EMAIL]
    assert sum(decision.count for decision in emails) >= cells.count(ADDRESS)
    assert not any(ADDRESS in sentence for sentence in sentences(guarded))
