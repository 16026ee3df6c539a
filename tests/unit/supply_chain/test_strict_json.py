"""JSON from strangers: what is read, and what is refused with one kind of error."""

from __future__ import annotations

import pytest

from hallmark.api.texts import canonical_json
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

REFUSED = {
    "a name twice": '{"a": 1, "a": 1}',
    "a name twice inside": '{"b": [{"a": 1, "a": 1}]}',
    "a name twice, spelled otherwise": '{"a": 1, "\\u0061": 1}',
    "NaN": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "what is read as infinity": '{"a": 1e999}',
    "what is read as infinity, inside": '{"a": [{"b": -1e400}]}',
    "half a pair": '{"a": "\\ud800"}',
    "half a pair in a name": '{"\\udfff": 1}',
    "a number of many digits": '{"a": ' + "1" * 5000 + "}",
    "a byte order mark": "\ufeff{}",
    "no object": "[]",
    "two objects": "{} {}",
    "nested deeply": '{"a": ' * 50_000 + "1" + "}" * 50_000,
    "nothing": "",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_two_readers_could_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(UnreadableJSON):
        parse_object(text, 1 << 20)
    with pytest.raises(UnreadableJSON):
        parse_object(text.encode(), 1 << 20)


@pytest.mark.parametrize("number", ["0", "-0.0", "1.0", "1e308", "5e-324", "9007199254740991"])
def test_what_is_read_has_a_canonical_form(number: str) -> None:
    read = parse_object(f'{{"a": {number}}}', 100)
    assert parse_object(canonical_json(read), 400) == read
