"""What people take for numbers or dates is said with what to change, never with a cell's value."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hallmark.errors import ConfigurationError
from hallmark.local.starter import make_starter, starter_text
from hallmark.local.starter.choices import choose_target
from hallmark.local.starter.columns import guess_column
from hallmark.local.starter.writing import DATES, MISSING, MOST_CODES, what_it_lacks

ROWS = range(1, 200)
THOUSANDS = [number * 1_234_567 % 900_000 + 1000 for number in ROWS]


def grouped(mark: str, point: str) -> list[str]:
    return [f"{value:,}".replace(",", mark) + f"{point}50" for value in THOUSANDS]


WRITTEN: dict[str, tuple[list[str], str]] = {
    "decimal commas": ([f"{n},5" for n in ROWS], "numbers with a decimal comma: write"),
    "German thousands": (grouped(".", ","), "a decimal comma and marks between thousands: write"),
    "American thousands": (grouped(",", "."), "numbers with marks between thousands: write"),
    "Swiss thousands": (grouped("\u2019", "."), "numbers with marks between thousands: write"),
    "French thousands": (grouped("\u202f", ","), "a decimal comma and marks between thousands"),
    "dollars": ([f"${n}.50" for n in ROWS], "numbers with a currency: write"),
    "euros behind": ([f"{n} \u20ac" for n in ROWS], "numbers with a currency: write"),
    "ISO currencies": ([f"CHF {n}" for n in ROWS], "numbers with a currency: write"),
    "percent": ([f"{n} %" for n in ROWS], "numbers with a percent sign: write"),
    "minus in brackets": ([f"({n}.25)" for n in ROWS], "a minus in brackets: write"),
    "spaces": ([f" {n}" for n in ROWS], "numbers: write them like 1234.5, without spaces"),
    "other texts among them": (
        [*map(str, ROWS), "see file"],
        "numbers, 1 cell with another text: correct or empty such cells",
    ),
}
DATED = {
    "ISO dates": "20{0:02d}-03-15",
    "ISO times": "20{0:02d}-03-15T10:00:00Z",
    "German dates": "{0}.3.2021",
    "American dates": "3/{0}/21",
    "months in words": "{0} Mar 2021",
}
LEFT_ALONE = {
    "prose": [f"what was said at {n}" for n in ROWS],
    "versions": [f"1.{n}.3" for n in ROWS],
    "addresses": [f"10.0.0.{n}" for n in ROWS],
    "few codes": [f"{n % MOST_CODES},5" for n in ROWS],
    "numbers that are rare": [str(n) if n % 2 else f"word {n}" for n in ROWS],
    "nothing": [],
    "words for nothing alone": ["n/a"] * 9,
}


@pytest.mark.parametrize(("cells", "said"), WRITTEN.values(), ids=WRITTEN)
def test_a_number_written_otherwise_is_told(cells: list[str], said: str) -> None:
    found = what_it_lacks(pl.Series("x", cells))

    assert found
    assert said in found
    assert all(cell not in found for cell in cells if len(cell.strip()) > 3)


@pytest.mark.parametrize("word", sorted(MISSING))
@pytest.mark.parametrize("change", [str, str.upper, "  {} ".format])
def test_each_word_for_nothing_is_told(word: str, change: type[str]) -> None:
    cells = [*map(str, ROWS), change(word), change(word)]
    found = what_it_lacks(pl.Series("x", cells))

    assert found == "numbers, 2 cells with a word for nothing, as n/a: empty such cells"


@pytest.mark.parametrize("form", DATED.values(), ids=DATED)
def test_dates_are_told(form: str) -> None:
    assert what_it_lacks(pl.Series("x", [form.format(n % 28 + 1) for n in ROWS])) == DATES


def test_a_column_of_dates_is_told() -> None:
    days = pl.Series("x", ROWS).cast(pl.Int32).cast(pl.Date)

    assert guess_column(days, 2).why == DATES


@pytest.mark.parametrize("cells", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_other_texts_are_left_alone(cells: list[str]) -> None:
    assert what_it_lacks(pl.Series("x", cells, dtype=pl.String)) is None


def test_labels_that_differ_in_capitals_alone_are_told() -> None:
    guess = guess_column(pl.Series("x", ["Yes", "yes", "No", "n/a"] * 9), 2)

    assert guess.feature
    assert "count as different" in guess.why
    assert "'n/a' may stand for an empty cell" in guess.why


HINDERED = {
    "one class": (["no"] * 200, "'churn' is named like one, but it is the same in every row"),
    "empty cells": (["", *["yes", "no"] * 99, "no"], "but empty in 1 rows: delete those"),
    "a rare class": (["maybe", *["no", "yes"] * 99, "no"], "its rarest class has 1 rows"),
}


@pytest.mark.parametrize(("cells", "said"), HINDERED.values(), ids=HINDERED)
@pytest.mark.parametrize("another", [True, False])
def test_a_column_named_like_a_target_that_cannot_be_one_is_told(
    cells: list[str], said: str, another: bool
) -> None:
    text = [cell or None for cell in cells]
    columns = [guess_column(pl.Series("churn", text), 1)]
    if another:
        columns.append(guess_column(pl.Series("b", ["x", "y"] * 100), 2))
        assert said in choose_target(columns, None).why
        return
    with pytest.raises(ConfigurationError, match=said):
        choose_target(columns, None)


@pytest.mark.parametrize(("classes", "least"), [(3, "0.47"), (10, "0.28")])
def test_a_model_of_many_classes_must_be_better_than_chance(
    tmp_path: Path, classes: int, least: str
) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a,kind\n" + "".join(f"{n}.5,k{n % classes}\n" for n in range(400)))

    first = make_starter(file, "ada").run.spec.gates[0]

    assert (first.metric, first.threshold) == ("balancedAccuracy", least)


def test_no_value_of_a_column_that_is_left_out_is_written(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    lines = [f'"${n},123.45",{"yn"[n % 2]}\n' for n in range(1, 200)]
    file.write_text("income,paid\n" + "".join(lines))
    with pytest.raises(ConfigurationError) as refused:
        make_starter(file, "ada")

    assert "'income': numbers with a currency and marks between thousands" in str(refused.value)
    assert "123" not in str(refused.value).replace("1234.5", "")


@pytest.mark.parametrize("name", ["t.xlsx", "t.XLS", "t.ods", "t.numbers"])
def test_a_spreadsheet_is_told_how_to_become_a_table(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"PK\x03\x04")
    with pytest.raises(ConfigurationError, match="Save its sheet as 'CSV UTF-8'"):
        make_starter(file, "ada")


def test_the_yaml_says_what_to_change(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    lines = [f'"{n},5",{n % 7}.5,{"yn"[n % 2]}\n' for n in ROWS]
    file.write_text("rate,age,paid\n" + "".join(lines))

    text = starter_text(make_starter(file, "ada"))

    assert "left out: rate: numbers with a decimal comma: write them like 1234.5" in text
