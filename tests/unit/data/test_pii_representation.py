"""The verdict does not depend on how a column is stored: as a number, a decimal, a text."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Sequence
from decimal import Decimal

import polars as pl
import pytest

from hallmark.api.dataset import DataFormat
from hallmark.api.pii import PIIDetector
from hallmark.data.cells import readable
from hallmark.data.detectors import DETECTORS, TextColumn
from hallmark.data.detectors.identifiers import IDENTIFIERS
from hallmark.data.pii import guard
from hallmark.data.readers import read
from tests.data.pii_corpus import corpus
from tests.data.pii_draw import Draw, national_ids
from tests.examples import slow_but
from tests.unit.data.factories import pii, schema

Whole = Sequence[int]
DRAW = Draw(random.Random(7))  # noqa: S311 - reproducible rows


def texts(form: Callable[[int], str]) -> Callable[[Whole], pl.Series]:
    return lambda numbers: pl.Series([form(number) for number in numbers], dtype=pl.String)


def typed(dtype: pl.DataType | type[pl.DataType]) -> Callable[[Whole], pl.Series]:
    return lambda numbers: pl.Series(list(numbers), dtype=dtype)


def exponent(number: int) -> str:
    """Return the shortest exponent form: 4.111111111111111e15."""
    digits = str(number).rstrip("0")
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{digits[0]}{fraction}e{len(str(number)) - 1}"


STORED: dict[str, Callable[[Whole], pl.Series]] = {
    "Int64": typed(pl.Int64),
    "Int128": typed(pl.Int128),
    "UInt64": typed(pl.UInt64),
    "Int32": typed(pl.Int32),
    "UInt32": typed(pl.UInt32),
    "Float64": typed(pl.Float64),
    "a decimal": lambda numbers: pl.Series(list(map(Decimal, numbers)), dtype=pl.Decimal(38, 0)),
    "a decimal with places": lambda numbers: pl.Series(
        list(map(Decimal, numbers)), dtype=pl.Decimal(38, 4)
    ),
    "text": texts(str),
    "text of a dictionary": lambda numbers: texts(str)(numbers).cast(pl.Categorical),
    "text with a fraction": texts(lambda number: f"{number}.0"),
    "text with a longer fraction": texts(lambda number: f"{number}.000"),
    "text with a point": texts(lambda number: f"{number}."),
    "text with an exponent": texts(exponent),
    "text with a capital exponent": texts(lambda number: exponent(number).replace("e", "E+")),
    "text with a plus": texts(lambda number: f"+{number}"),
    "text with spaces around it": texts(lambda number: f" {number} "),
    "text with a decimal comma": texts(lambda number: f"{number},00"),
    "text in groups of three": texts(lambda number: f"{number:,}"),
    "text in groups of three, and a fraction": texts(lambda number: f"{number:,}.00"),
    "text in groups by apostrophes": texts(lambda number: f"{number:,}".replace(",", "'")),
    "text with underscores": texts(lambda number: f"{number:_}"),
    "text of a spreadsheet": texts(lambda number: f"'{number}"),
    "text of a spreadsheet's formula": texts(lambda number: f'="{number}"'),
    "text in quotes": texts(lambda number: f'"{number}"'),
    "text of full-width digits": texts(
        lambda number: str(number).translate({48 + i: 0xFF10 + i for i in range(10)})
    ),
}
"""How a file may hold a whole number."""
FEW = ("Int64", "Float64", "a decimal with places", "text", "text with a fraction")
"""The ways in which each country's numbers are held."""
NARROW = {"Int32": 2**31 - 1, "UInt32": 2**32 - 1, "Float64": 2**53}
EXPONENTS = 2**53
"""Beyond it the exponent form of a number is not looked into."""


def numbers(pattern: str) -> list[int]:
    """Return thirty whole numbers without leading zeros, drawn from a national id's form."""
    _, make, _ = national_ids(DRAW)[pattern]
    found: list[int] = []
    while len(found) < 30:
        digits = re.sub("[^0-9]", "", drawn := make())
        if len(digits) == len(drawn) and not digits.startswith("0"):
            found.append(int(digits))
    return found


COLUMNS: dict[str, tuple[str, Whole, PIIDetector]] = {
    "telephones": (
        "customer_phone",
        [2_125_552_000 + i * 37 for i in range(30)],
        PIIDetector.PHONE,
    ),
    "telephones of nine digits": (
        "Handy",
        [151_234_560 + i * 37 for i in range(30)],
        PIIDetector.PHONE,
    ),
    "cards": ("ref", [int(DRAW.card()) for _ in range(30)], PIIDetector.PAYMENT_CARD),
    "one card": ("card", [4_111_111_111_111_111], PIIDetector.PAYMENT_CARD),
    "days of birth": (
        "date_of_birth",
        [int(f"{DRAW.day():%Y%m%d}") for _ in range(30)],
        PIIDetector.DATE_OF_BIRTH,
    ),
    "days of birth, the day first": (
        "dob",
        [int(f"{DRAW.day():%d%m%Y}") for _ in range(30)],
        PIIDetector.DATE_OF_BIRTH,
    ),
    "passports": ("passport", [100_000_000 + i * 7919 for i in range(30)], PIIDetector.NATIONAL_ID),
    "passwords": ("password", [482_915_307 + i * 7919 for i in range(30)], PIIDetector.SECRET),
    "addresses of network cards": (
        "mac",
        [246_813_579_246 + i * 7919 for i in range(30)],
        PIIDetector.MAC_ADDRESS,
    ),
    **{
        f"numbers called {identifier.names[0]} ({identifier.country})": (
            identifier.names[0],
            [10 ** (identifier.digits - 1) + i * 7919 for i in range(5)],
            PIIDetector.NATIONAL_ID,
        )
        for identifier in IDENTIFIERS
        if identifier.digits
    },
    **{
        f"{country} in a column called {name}": (name, numbers(country), PIIDetector.NATIONAL_ID)
        for country in ("DE", "NL", "PL", "TR", "RO", "CA", "GB", "ZA", "NO")
        for name in ("ref", "tax_id")
    },
    "five numbers of Romania": ("ref", numbers("RO")[:5], PIIDetector.NATIONAL_ID),
}


def verdict(name: str, column: pl.Series) -> dict[str, int]:
    rows = pl.DataFrame({"x": [1] * len(column), "label": ["yes"] * len(column)})
    guarded = guard(rows.with_columns(column.alias(name)), schema(), pii())
    return {decision.detector: decision.count for decision in guarded.decisions}


def holds(stored: str, whole: Whole) -> bool:
    """Whether a type holds the numbers."""
    largest = EXPONENTS if "exponent" in stored else NARROW.get(stored, max(whole))
    return max(whole) <= largest


CALLED = [column for column in COLUMNS if column.startswith("numbers called")]
QUICK = [*CALLED[::5], *COLUMNS.keys() - CALLED]


@pytest.mark.parametrize("column", slow_but(*QUICK, of=COLUMNS))
def test_a_number_is_found_however_it_is_stored(column: str) -> None:
    name, whole, kind = COLUMNS[column]
    expected = verdict(name, typed(pl.Int64)(whole))
    assert expected.get(kind.value) == len(whole), expected
    for stored in FEW if column in CALLED else STORED:
        if holds(stored, whole):
            found = verdict(name, STORED[stored](whole))
            # Behind a plus, some numbers are valid telephone numbers, too.
            others = {PIIDetector.PHONE.value} if "plus" in stored else set()
            assert found | expected == found, stored
            assert found.keys() - expected.keys() <= others, stored


def in_json(numbers: Whole, form: Callable[[int], str]) -> pl.Series:
    text = "\n".join(f'{{"x": {form(number)}}}' for number in numbers)
    frame = read(text.encode(), DataFormat.JSON_LINES)
    assert isinstance(frame, pl.DataFrame)
    return frame["x"]


def in_csv(numbers: Whole, form: Callable[[int], str]) -> pl.Series:
    text = "x,y\n" + "\n".join(f"{form(number)},1" for number in numbers)
    frame = read(text.encode(), DataFormat.CSV)
    assert isinstance(frame, pl.DataFrame)
    return frame["x"]


def in_parquet(numbers: Whole, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    buffer = io.BytesIO()
    pl.DataFrame({"x": typed(dtype)(numbers)}).write_parquet(buffer)
    frame = read(buffer.getvalue(), DataFormat.PARQUET)
    assert isinstance(frame, pl.DataFrame)
    return frame["x"]


FILES: dict[str, Callable[[Whole], pl.Series]] = {
    "JSON's number": lambda numbers: in_json(numbers, str),
    "JSON's fraction": lambda numbers: in_json(numbers, lambda number: f"{number}.0"),
    "JSON's exponent": lambda numbers: in_json(numbers, exponent),
    "JSON's text": lambda numbers: in_json(numbers, lambda number: f'"{number}"'),
    "JSON in a text": lambda numbers: in_json(numbers, lambda number: f'"{{\\"c\\": {number}}}"'),
    "JSON's fraction in a text": lambda numbers: in_json(
        numbers, lambda number: f'"{{\\"c\\":{number}.0}}"'
    ),
    "CSV": lambda numbers: in_csv(numbers, str),
    "CSV in quotes": lambda numbers: in_csv(numbers, lambda number: f'"{number}"'),
    "CSV with a spreadsheet's sign": lambda numbers: in_csv(numbers, lambda number: f"'{number}"),
    "CSV with a fraction": lambda numbers: in_csv(numbers, lambda number: f"{number}.00"),
    "CSV with an exponent": lambda numbers: in_csv(numbers, exponent),
    "Parquet": lambda numbers: in_parquet(numbers, pl.Int64),
    "Parquet's doubles": lambda numbers: in_parquet(numbers, pl.Float64),
    "Parquet's decimals": lambda numbers: in_parquet(numbers, pl.Decimal(20, 2)),
}


@pytest.mark.parametrize("file", FILES)
def test_a_card_is_found_in_every_kind_of_file(file: str) -> None:
    cards = [number for number in COLUMNS["cards"][1] if number < EXPONENTS]
    found = verdict("ref", FILES[file](cards))
    assert found == {"PaymentCard": len(cards)}


class Names:
    """A detector that finds nothing and remembers how columns are called."""

    kind = PIIDetector.PHONE

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def find(self, column: TextColumn) -> pl.Series:
        """Return nothing."""
        self.seen.add(column.name)
        return column.nothing()


@pytest.mark.parametrize("stored", STORED)
def test_the_columns_name_reaches_the_detectors(stored: str) -> None:
    names = Names()
    numbers = STORED[stored]([2_125_552_368, 1_125_552_369] if "32" not in stored else [10**6])
    cells = readable(numbers.alias("home_phone"))
    assert cells is not None
    cells.candidates([names])
    cells.find([names])
    assert names.seen == {"home_phone"}


def test_fractions_count_among_the_cells_of_a_column() -> None:
    # As text, three of four cells are no telephone numbers; as floats they are none either.
    values = [2_125_552_368.0, 0.25, 0.5, 0.75]
    for column in (pl.Series(values), pl.Series(list(map(str, values)))):
        assert verdict("mobil", column) == {}


@pytest.mark.parametrize("part", slow_but(0, of=range(4)))
def test_clear_numbers_stay_clear_however_they_are_stored(part: int) -> None:
    for column in corpus(seed=3)[part::4]:
        if column.label is not None or not all(
            re.fullmatch("[1-9][0-9]{4,15}", cell) for cell in column.cells
        ):
            continue
        whole = [int(cell) for cell in column.cells]
        for stored in (*FEW, "text with an exponent"):
            if holds(stored, whole):
                found = verdict(column.name, STORED[stored](whole))
                assert found == {}, (column.about, stored)


def test_every_detector_has_a_number_or_needs_letters() -> None:
    with_numbers = {kind for _, _, kind in COLUMNS.values()}
    letters = {
        PIIDetector.EMAIL,
        PIIDetector.IBAN,
        PIIDetector.IP_ADDRESS,
        PIIDetector.PERSON_NAME,
        PIIDetector.POSTAL_ADDRESS,
    }
    assert with_numbers | letters == {detector.kind for detector in DETECTORS}
