"""Canonical JSON: the bytes that RFC 8785 asks for, so that other programs get the same digests."""

from __future__ import annotations

import json
from enum import StrEnum

import pytest
from hypothesis import given, strategies as st

from hallmark.api.texts import canonical_json, sorted_json


class Colour(StrEnum):
    """A text that is an enum's member."""

    RED = "Red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}', id="keys in order"),
        pytest.param(
            # A surrogate pair begins with U+D83D, which comes before U+FB33.
            {"\ufb33": 1, "\U0001f600": 2},
            '{"\U0001f600":2,"\ufb33":1}',
            id="keys by UTF-16 code units, not by code points",
        ),
        pytest.param([1.0, -0.0, 0.5], "[1,0,0.5]", id="whole floats like integers"),
        pytest.param([1e21, 1e20], "[1e+21,100000000000000000000]", id="exponents from 21 on"),
        pytest.param([1e-6, 1e-7], "[0.000001,1e-7]", id="exponents below a millionth"),
        pytest.param([2**53 - 1], "[9007199254740991]", id="the greatest integer"),
        pytest.param('"\\\n\x01\x7fä', '"\\"\\\\\\n\\u0001\x7fä"', id="no needless escapes"),
        pytest.param([Colour.RED], '["Red"]', id="an enum's text"),
    ],
)
def test_the_bytes_are_those_of_the_rfc(value: object, expected: str) -> None:
    assert canonical_json(value) == expected.encode()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("nan"), id="no number"),
        pytest.param(float("inf"), id="an infinity"),
        pytest.param(2**53, id="an integer that JavaScript cannot hold"),
        pytest.param("\ud800", id="half a surrogate pair"),
        pytest.param({1: 2}, id="a key that is no text"),
        pytest.param(object(), id="what is no JSON"),
    ],
)
def test_what_the_rfc_cannot_express_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical_json({"a": [value]})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)


@given(JSON)
def test_it_is_json_of_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value), parse_int=float) == value
    assert json.loads(sorted_json(value)) == value
