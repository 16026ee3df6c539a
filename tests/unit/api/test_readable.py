"""What the API server accepts in a moment, a duration, a decimal or a number, the code reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from hallmark.api.common import (
    LONGEST,
    Count,
    DecimalString,
    DurationString,
    Ordinal,
    PositiveDuration,
    Timestamp,
)
from hallmark.api.crd import KINDS, Schema, open_api_schema
from hallmark.api.texts import parse_duration, parse_timestamp, timestamp

SAFE = 2**53 - 1


def leaves(node: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Yield each value of a schema that is no object and no list."""
    for name, child in (node.get("properties") or {}).items():
        yield from leaves(child, f"{path}.{name}")
    for nested, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(node.get(nested), dict):
            yield from leaves(node[nested], path + mark)
    if node["type"] not in {"object", "array"}:
        yield path, node


ALL = [
    leaf
    for kind in KINDS
    for part in ("spec", "status")
    for leaf in leaves(open_api_schema(kind)["properties"][part], f"{kind.name}.{part}")
]


def schema_of(type_: Any) -> Schema:  # noqa: ANN401
    return TypeAdapter(type_).json_schema()


def rules_of(node: Schema) -> list[str]:
    return [rule["rule"] for rule in node.get("x-kubernetes-validations", [])]


MOMENT, DECIMAL = schema_of(Timestamp), schema_of(DecimalString)
DURATIONS = [schema_of(DurationString), schema_of(PositiveDuration)]
NUMBERLIKE = re.compile(r"\[0-9\]")
NO_NUMBERS = ("://", "sha256:", "{64}", "[-._a-zA-Z0-9]+", "(-[a-z0-9]+)*", "[a-z0-9]")
"""Marks of patterns of addresses, digests and names, in which digits are letters among others."""
QUANTITIES = (
    "^[0-9]+m?$",
    "^[0-9]+(Ki|Mi|Gi)?$",
    "^[1-9][0-9]*m?$",
    "^[1-9][0-9]*(Ki|Mi|Gi)?$",
)
"""Kubernetes reads these, nobody else does."""


def test_every_integer_is_one_that_every_reader_of_json_reads() -> None:
    integers = [(path, node) for path, node in ALL if node["type"] == "integer"]
    assert len(integers) > 30
    for path, node in integers:
        assert -SAFE <= node["minimum"] <= node["maximum"] <= SAFE, path


def test_no_field_is_a_float() -> None:
    assert not [path for path, node in ALL if node["type"] == "number"]


def test_every_text_that_is_read_as_a_number_is_of_a_type_that_is_tested_here() -> None:
    known = {MOMENT["pattern"], DECIMAL["pattern"], DURATIONS[0]["pattern"], *QUANTITIES}
    for path, node in ALL:
        pattern = str(node.get("pattern", ""))
        if NUMBERLIKE.search(pattern) and not any(mark in pattern for mark in NO_NUMBERS):
            assert pattern in known, path
        if node.get("format") == "date-time":
            assert pattern == MOMENT["pattern"], path
        if "duration(self)" in "".join(rules_of(node)):
            assert pattern == DURATIONS[0]["pattern"], path
        if pattern == DURATIONS[0]["pattern"]:
            longest = re.findall(r"duration\(self\) <= duration\('(.*?)'\)", str(rules_of(node)))
            assert longest, path
            assert min(map(parse_duration, longest)) <= LONGEST, path


# --- moments ---------------------------------------------------------------------------------


def api_server_takes(text: str) -> bool:
    """Return what the API server's check of a ``date-time`` says, which is laxer than RFC 3339.

    https://github.com/kubernetes/kube-openapi/blob/master/pkg/validation/strfmt/time.go
    """
    day, _, rest = text.lower().partition("t")
    found = re.search(
        r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$", rest
    )
    year, month, number = map(int, day.split("-"))
    try:
        # Go knows a year 0, which was a leap year.
        date(year or 2000, month, number)
    except ValueError:
        return False
    return bool(found and found[1] <= "23" and found[2] <= "59" and found[3] <= "59")


@given(st.from_regex(MOMENT["pattern"], fullmatch=True))
def test_every_moment_that_is_accepted_is_read(text: str) -> None:
    if not api_server_takes(text):
        return
    moment = parse_timestamp(text)
    assert moment.tzinfo is not None
    assert 1970 <= moment.year <= 9999
    assert TypeAdapter(Timestamp).validate_python(text) == text


REFUSED_MOMENTS = [
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "10000-01-01T00:00:00Z",
    "2027-13-01T00:00:00Z",
    "2027-00-01T00:00:00Z",
    "2027-01-00T00:00:00Z",
    "2027-02-30T00:00:00Z",
    "2027-02-29T00:00:00Z",
    "2027-01-01T24:00:00Z",
    "2027-01-01T00:60:00Z",
    "2016-12-31T23:59:60Z",
    "9999-12-31T23:59:59-10:00",
    "2027-01-01T00:00:00+00:00",
    "2027-01-01t00:00:00z",
    "2027-01-01 00:00:00Z",
    "2027-01-01T00:00:00",
    "2027-01-01T00:00Z",
    "2027-01-01T00:00:00,5Z",
    "2027-01-01T00:00:00.Z",
    "2027-01-01T00:00:00.1234567Z",
    "2027-01-01T00:00:00Z\n",
    " 2027-01-01T00:00:00Z",
    "٢٠٢٧-01-01T00:00:00Z",
    "2027-W01-1T00:00:00Z",
    "20270101T000000Z",
    "",
]


@pytest.mark.parametrize("text", REFUSED_MOMENTS)
def test_a_moment_of_another_form_is_refused(text: str) -> None:
    assert not (re.fullmatch(MOMENT["pattern"][1:-1], text, re.ASCII) and api_server_takes(text))


@given(st.text(max_size=32) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T.*Z", fullmatch=True))
def test_what_is_taken_for_a_moment_can_be_read(text: str) -> None:
    """Also where another release of the CRD let it in."""
    try:
        TypeAdapter(Timestamp).validate_python(text)
    except ValidationError:
        return
    parse_timestamp(text)


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2028-02-29T23:59:59.5Z"]
)
def test_the_first_and_the_last_moment_are_read(text: str) -> None:
    TypeAdapter(Timestamp).validate_python(text)
    assert parse_timestamp(text) >= datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2027-01-31", "2027-01-31T00:00:00", "9999-12-31T23:59:59"])
def test_a_moment_without_a_zone_is_none(text: str) -> None:
    """It would be another one on another machine."""
    with pytest.raises(ValueError, match="with its zone"):
        parse_timestamp(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_that_is_written_is_read_back(moment: datetime) -> None:
    assert parse_timestamp(timestamp(moment)) == moment


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader_of_moments(text: str) -> None:
    try:
        parse_timestamp(text)
    except ValueError:
        return


# --- durations -------------------------------------------------------------------------------


@given(st.from_regex(DURATIONS[0]["pattern"], fullmatch=True))
def test_every_duration_that_is_accepted_is_read(text: str) -> None:
    length = parse_duration(text)
    assert length >= timedelta()
    if len(text) > DURATIONS[0]["maxLength"]:
        return
    assert TypeAdapter(DurationString).validate_python(text) == text
    assert (datetime.now(UTC) + length).year < 9999


def test_the_longest_duration_fits_a_field_of_a_child() -> None:
    assert all("duration(self) <= duration('87600h')" in rules_of(node) for node in DURATIONS)
    assert parse_duration("87600h") == LONGEST
    assert LONGEST.total_seconds() < 2**31


@pytest.mark.parametrize("text", ["h", "1e3h", "-1s", "1h ", "1us", "9999999h", ""])
def test_a_duration_of_another_form_is_refused(text: str) -> None:
    for type_ in (DurationString, PositiveDuration):
        with pytest.raises(ValidationError):
            TypeAdapter(type_).validate_python(text)


# --- numbers ---------------------------------------------------------------------------------


@given(st.from_regex(DECIMAL["pattern"], fullmatch=True))
def test_every_decimal_that_is_accepted_is_read(text: str) -> None:
    number = Decimal(text)
    assert number.is_finite()
    assert abs(float(text)) < 1e10


@pytest.mark.parametrize(
    "text", ["9" * 400, "0." + "1" * 400, "1e5", "NaN", "Infinity", ".5", "1.", "+1", "1_0", "０"]
)
def test_a_decimal_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(DecimalString).validate_python(text)


@pytest.mark.parametrize("number", [-1, 2**53, 2**63 - 1, -(2**63), 10**30, 1e30, 0.5])
def test_a_number_that_not_every_reader_reads_is_refused(number: float) -> None:
    for type_ in (Count, Ordinal):
        with pytest.raises(ValidationError):
            TypeAdapter(type_).validate_python(number)
