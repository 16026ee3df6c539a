"""What is found is found in whatever signs it is written, and what is clear stays clear in them."""

from __future__ import annotations

import functools
import random
import re
import string
import sys
import unicodedata
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.pii import PIIDetector
from hallmark.data.cells import Cells
from hallmark.data.detectors import DETECTORS, TextColumn
from hallmark.data.detectors.normal import normal, normal_text
from tests.data.pii_corpus import LabelledColumn, corpus
from tests.examples import examples, slow_but

SPACES = (
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
    "\u3000\u2800\t"
)
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u2043\u207b\u058a\u2796"
UNSEEN = (
    "\u200b\u200c\u200d\u2060\u2061\ufeff\u034f\u061c\u180e\u200e\u202a\u2066\ufe0f\u115f\u3164"
    "\x00\x1b"
)
MARKS = "\u0336\u20dd\u0305\u0332\u0489"
"""Marks that have no form of their own with a letter."""
DIGITS = [
    [chr(sign + digit) for digit in range(10)]
    for sign in range(128, sys.maxunicode)
    if unicodedata.decimal(chr(sign), None) == 0
    and all(unicodedata.decimal(chr(sign + digit), None) == digit for digit in range(10))
]
"""The decimal digits of every script."""
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}

LIKE = dict(zip("ABEKMHOPCTYXaeopcyx", "АВЕКМНОРСТУХаеорсух", strict=True))
Chance = random.Random
Writing = Callable[[str, Chance], str]


def spaced(text: str, chance: Chance) -> str:
    return "".join(chance.choice(SPACES) if sign == " " else sign for sign in text)


def dashed(text: str, chance: Chance) -> str:
    return "".join(chance.choice(DASHES) if sign == "-" else sign for sign in text)


def soft(text: str, _: Chance) -> str:
    return re.sub("(?<=[0-9A-Za-z])-(?=[0-9A-Za-z])", "\u00ad", text)


def in_another_script(text: str, chance: Chance) -> str:
    digits = chance.choice(DIGITS)
    return "".join(digits[int(sign)] if sign in string.digits else sign for sign in text)


def in_many_scripts(text: str, chance: Chance) -> str:
    return "".join(
        chance.choice(DIGITS)[int(sign)] if sign in string.digits else sign for sign in text
    )


def with_unseen(text: str, chance: Chance) -> str:
    return "".join(sign + chance.choice(["", "", chance.choice(UNSEEN)]) for sign in text)


def with_soft_hyphens(text: str, chance: Chance) -> str:
    return "".join(sign + chance.choice(["", "", "\u00ad"]) for sign in text)


def with_marks(text: str, chance: Chance) -> str:
    return "".join(sign + chance.choice(["", "", chance.choice(MARKS)]) for sign in text)


def wide(text: str, _: Chance) -> str:
    return text.translate(WIDE)


def partly_wide(text: str, chance: Chance) -> str:
    return "".join(chance.choice([sign, sign.translate(WIDE)]) for sign in text)


def another_at(text: str, chance: Chance) -> str:
    return text.replace("@", chance.choice("\uff20\ufe6b"))


def in_other_alphabets(text: str, chance: Chance) -> str:
    return "".join(chance.choice([sign, LIKE.get(sign, sign)]) for sign in text)


def decomposed(text: str, _: Chance) -> str:
    return unicodedata.normalize("NFD", text)


WRITINGS: dict[str, Writing] = {
    "other spaces": spaced,
    "other dashes": dashed,
    "soft hyphens": soft,
    "digits of another script": in_another_script,
    "digits of many scripts": in_many_scripts,
    "what is not seen": with_unseen,
    "soft hyphens anywhere": with_soft_hyphens,
    "marks": with_marks,
    "full-width signs": wide,
    "full-width signs here and there": partly_wide,
    "another at": another_at,
    "letters of other alphabets": in_other_alphabets,
    "decomposed letters": decomposed,
}


@functools.cache
def columns() -> tuple[LabelledColumn, ...]:
    """Return the corpus, which takes seconds to draw."""
    return corpus(seed=11)


def personal() -> list[LabelledColumn]:
    return [column for column in columns() if column.label is not None]


def clear() -> list[LabelledColumn]:
    return [column for column in columns() if column.label is None]


def found(name: str, cells: list[str]) -> dict[PIIDetector, set[int]]:
    column = Cells(pl.Series(name, cells, dtype=pl.String), numbers=False)
    return {detector.kind: set(rows.arg_true()) for detector, rows in column.find(DETECTORS)}


@functools.cache
def plain(column: LabelledColumn) -> frozenset[int]:
    """Return the cells in which the column's datum is found as it stands."""
    assert column.label is not None
    return frozenset(found(column.name, list(column.cells))[column.label])


@examples(80)
@given(
    st.deferred(lambda: st.sampled_from(personal())),
    st.sampled_from(sorted(WRITINGS)),
    st.randoms(use_true_random=False),
)
def test_a_datum_is_found_in_whatever_signs_it_is_written(
    column: LabelledColumn, writing: str, chance: Chance
) -> None:
    assert column.label is not None
    written = [WRITINGS[writing](cell, chance) for cell in column.cells]
    assert found(column.name, written).get(column.label, set()) >= plain(column)


READINGS = [(kind, writing) for kind in PIIDetector for writing in WRITINGS]


@pytest.mark.parametrize(
    "reading", slow_but(*READINGS[::5], of=READINGS), ids=lambda reading: " in ".join(reading)
)
def test_each_detector_reads_each_writing(reading: tuple[PIIDetector, str]) -> None:
    kind, writing = reading
    chance = random.Random(5)  # noqa: S311 - reproducible rows
    its = [column for column in personal() if column.label is kind]
    for column in its[:: 1 + len(its) // 6]:
        written = [WRITINGS[writing](cell, chance) for cell in column.cells]
        assert found(column.name, written).get(kind, set()) >= plain(column), column.about


HIDING = {"soft hyphens anywhere", "letters of other alphabets"}
"""What hides the words that say what a number is: 'version', 'order'."""


EACH = 4
"""One part of so many of the clear columns is written in each way in `make test`."""


@pytest.mark.parametrize("part", slow_but(0, of=range(EACH)))
@pytest.mark.parametrize("writing", sorted({*WRITINGS} - HIDING))
def test_what_is_clear_stays_clear(writing: str, part: int) -> None:
    chance = random.Random(6)  # noqa: S311 - reproducible rows
    for column in clear()[(part + len(writing)) % EACH :: EACH]:
        written = [WRITINGS[writing](cell, chance) for cell in column.cells]
        assert found(column.name, written) == {}, column.about


CASELESS = {
    PIIDetector.EMAIL,
    PIIDetector.IBAN,
    PIIDetector.MAC_ADDRESS,
    PIIDetector.IP_ADDRESS,
    PIIDetector.NATIONAL_ID,
    PIIDetector.PHONE,
    PIIDetector.PAYMENT_CARD,
    PIIDetector.DATE_OF_BIRTH,
}
"""Of names, streets and keys, capital letters are a part."""


@pytest.mark.parametrize("change", slow_but(str.swapcase, of=[str.lower, str.upper, str.swapcase]))
def test_case_hides_nothing(change: Callable[[str], str]) -> None:
    for column in personal():
        if column.label in CASELESS:
            written = found(column.name, list(map(change, column.cells)))
            assert written.get(column.label, set()) >= plain(column), column.about


NAMES = {
    "a no-break space": "phone\u00a0number",
    "a soft hyphen": "pho\u00adne",
    "a zero-width space": "ph\u200bone",
    "a byte-order mark": "\ufeffphone",
    "full-width letters": "ｐｈｏｎｅ",
    "a dash": "home\u2011phone",
    "a decomposed letter": unicodedata.normalize("NFD", "téléphone"),
    "a mark": "p\u0336h\u0336o\u0336n\u0336e\u0336",
    "capitals": "HOME PHONE",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_columns_name_is_read_in_whatever_signs_it_is_written(name: str) -> None:
    assert PIIDetector.PHONE in found(name, ["2125552368", "2125552369"])


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_any_text_has_one_normal_form(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    once = normal(series)
    assert len(once) == len(series)
    assert normal(once).to_list() == once.to_list()
    assert [normal_text(text) for text in texts] == once.to_list()
    assert series.to_list() == texts


def test_plain_text_is_not_copied() -> None:
    series = pl.Series(["a b", "c-d", "1.5", "x\ny"])
    assert normal(series) is series


def test_a_detector_gets_each_reading_once() -> None:
    seen: list[list[str]] = []

    class Reader:
        kind = PIIDetector.EMAIL

        def find(self, column: TextColumn) -> pl.Series:
            seen.append(column.texts.to_list())
            return column.nothing()

    cells = pl.Series("x", ["12\u00ad34", "+12345", "5.0", "7"], dtype=pl.String)
    Cells(cells, numbers=False).find([Reader()])
    assert seen == [
        ["1234", "+12345", "5", "7"],
        ["1234", "12345", "5", "7"],
        ["12-34", "+12345", "5", "7"],
    ]
