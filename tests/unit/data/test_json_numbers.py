"""Numbers of JSON Lines are exact, whatever stands beside them; a refusal names the rows."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.dataset import DataFormat
from hallmark.api.findings import Finding
from hallmark.data.readers import read
from tests.examples import examples

SMALL: dict[str, Any] = {"piece_bytes": 64, "block_bytes": 256}
"""Blocks of a few lines: a column's whole numbers and fractions stand in different ones."""
WHOLE = st.integers(-(2**70), 2**70) | st.integers(2**53 - 3, 2**53 + 3) | st.integers(-5, 5)
FRACTIONS = st.floats(allow_nan=False, allow_infinity=False)


def lines(cells: list[Any], name: str = "a") -> bytes:
    return "\n".join(json.dumps({name: cell}) for cell in cells).encode()


def exact(cell: object) -> bool:
    """Whether a column that has fractions too can hold the cell."""
    return not isinstance(cell, int) or (-(2**63) <= cell < 2**63 and int(float(cell)) == cell)


@examples(400)
@given(st.lists(WHOLE | FRACTIONS | st.none(), min_size=1, max_size=60), st.booleans())
def test_numbers_are_exact_or_refused_with_their_rows(cells: list[Any], small: bool) -> None:
    found = read(lines(cells), DataFormat.JSON_LINES, **(SMALL if small else {}))
    fractions = any(isinstance(cell, float) for cell in cells)
    wrong = [
        row
        for row, cell in enumerate(cells, start=1)
        if isinstance(cell, int)
        and (not -(2**63) <= cell < 2**63 or (fractions and not exact(cell)))
    ]
    if isinstance(found, pl.DataFrame):
        assert wrong == []
        values = found["a"].to_list()
        assert values == cells
        assert found["a"].dtype in (pl.Int64, pl.Float64, pl.String)
        return
    told = {row for finding in found for row in finding.rows}
    assert sum(finding.count for finding in found) <= len(wrong)
    assert told <= set(wrong)
    assert min(told) in wrong


REFUSED = {
    "a whole number that no double holds, beside a fraction": (
        [1, 2**53 + 1, 0.5],
        ["whole numbers that a double holds, in a column that has fractions too", "row 2"],
    ),
    "the same with the fraction first": ([0.5, 1, 2**53 + 1], ["row 3", "fractions too"]),
    "a longer one": ([1, 0.5, 10**20], ["row 3", "at most 64 bits", "number out of range"]),
    "a longer one first": ([10**20, 1, 2, 3], ["JSONLines, first in row 1", "out of range"]),
    "an object first": ([{"b": 1}, 1, 2, 3], ["JSONLines, first in row 1", "a JSON object"]),
    "an array first": ([[1], "x", "y"], ["JSONLines, first in row 1", "a JSON array"]),
    "a text among numbers": ([1, 2, "x"], ["row 3", "here number", "a JSON text"]),
}


@pytest.mark.parametrize("small", [False, True], ids=["one block", "many blocks"])
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_the_row_that_is_wrong_is_blamed(case: tuple[list[Any], list[str]], small: bool) -> None:
    cells, words = case
    found = read(lines(cells), DataFormat.JSON_LINES, **(SMALL if small else {}))
    assert isinstance(found, tuple)
    (finding,) = found
    assert finding.count == 1
    for word in words:
        assert word in finding.sentence()


def test_a_whole_number_in_an_earlier_block_is_blamed_when_a_fraction_comes() -> None:
    data = lines([1] * 40 + [2**53 + 1] + [2] * 40 + [0.5])
    found = read(data, DataFormat.JSON_LINES, **SMALL)
    assert isinstance(found, tuple)
    assert (found[0].row, found[0].count) == (41, 1)


def test_large_numbers_that_a_double_holds_stand_beside_fractions() -> None:
    frame = read(lines([2**53 + 2, 2**60, -(2**63), 0.5]), DataFormat.JSON_LINES)
    assert isinstance(frame, pl.DataFrame)
    assert frame["a"].to_list() == [2.0**53 + 2, 2.0**60, -(2.0**63), 0.5]


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "not declared"])
def test_a_column_is_named_if_the_schema_knows_it(declared: bool) -> None:
    names: dict[str, Any] = {"declared": {"income": None}} if declared else {}
    found = read(lines([1, "x"], "income"), DataFormat.JSON_LINES, **names)
    assert isinstance(found, tuple)
    assert ("column 'income'" if declared else "column number 1") in found[0].sentence()
    assert all(isinstance(finding, Finding) for finding in found)
