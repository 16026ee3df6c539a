from __future__ import annotations

import io

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.dataset import DataFormat
from hallmark.api.findings import Finding
from hallmark.api.model_policy import ReadLimits
from hallmark.data.readers import read
from tests.examples import examples

CSV, JSON, PARQUET = DataFormat.CSV, DataFormat.JSON_LINES, DataFormat.PARQUET
SECRET = "4111111111111111"


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def rows(data: bytes, data_format: DataFormat) -> list[tuple[object, ...]]:
    frame = read(data, data_format)
    assert isinstance(frame, pl.DataFrame), frame
    return frame.rows()


def refusal(data: bytes, data_format: DataFormat, limits: ReadLimits | None = None) -> str:
    findings = read(data, data_format, limits)
    assert isinstance(findings, tuple), findings
    assert all(isinstance(finding, Finding) for finding in findings)
    return " ".join(finding.sentence() for finding in findings)


GOOD_CSV = {
    "a byte-order mark is skipped": (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
    "an empty cell is null": (b"a,b\n1,\n", [("1", None)]),
    "a quoted empty cell is null": (b'a,b\n"",2\n', [(None, "2")]),
    "lines may end with CR LF": (b"a,b\r\n1,2\r\n3,4", [("1", "2"), ("3", "4")]),
    "a quoted cell may hold commas, quotes and line ends": (
        b'a,b\n"1,""x""\ny",2\n',
        [('1,"x"\ny', "2")],
    ),
    "empty lines at the end are no rows": (b"a,b\n1,2\n\n\n", [("1", "2")]),
    "nothing is interpreted: a leading zero stays": (b"a\n007\n", [("007",)]),
    "a formula is only text": (b"a\n=1+1\n", [("=1+1",)]),
}


@pytest.mark.parametrize("case", GOOD_CSV.values(), ids=GOOD_CSV)
def test_csv(case: tuple[bytes, list[tuple[object, ...]]]) -> None:
    data, expected = case
    assert rows(data, CSV) == expected


BAD = {
    "an empty file": (b"", CSV, "expected rows, found an empty file"),
    "a header alone": (b"a,b\n", CSV, "expected at least one row, found none"),
    "a row that is too short names its number": (
        f"a,b,c\n1,2,3\n{SECRET},2\n".encode(),
        CSV,
        "first in row 2: expected 3 cells, found 2 cells",
    ),
    "a row that is too long names its number": (
        f"a,b\n1,2\n3,4\n{SECRET},6,7\n".encode(),
        CSV,
        "first in row 3: expected 2 cells, found 3 cells",
    ),
    "an empty line in the middle": (b"a,b\n1,2\n\n3,4\n", CSV, "found an empty line"),
    "a quotation that never ends": (
        f'a,b\n1,2\n1,"{SECRET}\n'.encode(),
        CSV,
        "a quotation that is not closed",
    ),
    "a quotation that goes on after its end": (b'a,b\n1,"x"y\n', CSV, "goes on after its end"),
    "a name twice, by position": (
        f"{SECRET},b,{SECRET}\n1,2,3\n".encode(),
        CSV,
        "the same name for columns number 1 and 3",
    ),
    "a column without a name": (b"a,,c\n1,2,3\n", CSV, "none for column number 2"),
    "a NUL byte names its line": (
        b"a,b\n1,2\n1,\0\n",
        CSV,
        "first in row 2: expected text without NUL bytes, found a NUL byte",
    ),
    "a byte that is not UTF-8 names its line": (
        b"a,b\n1,\xff\n",
        CSV,
        "first in row 1: expected UTF-8",
    ),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), CSV, "byte-order mark of UTF-16"),
    "gzip": (b"\x1f\x8b\x08\x00", CSV, "a whole gzip file, found one that ends early"),
    "Parquet that is called CSV": (b"PAR1xxxxPAR1", CSV, "a Parquet file"),
    "CSV that is called Parquet": (b"a,b\n1,2\n", PARQUET, "do not begin as one does"),
    "Parquet with a broken middle": (b"PAR1" + b"\x01" * 64 + b"PAR1", PARQUET, "a damaged one"),
    "lists in Parquet": (
        parquet(pl.DataFrame({"a": [1], "b": [[1, 2]]})),
        PARQUET,
        "a list in column number 2",
    ),
    "JSON that is no object": (b'{"a": 1}\n[1]\n', JSON, "row 2: expected a JSON object"),
    "a line that is no JSON tells its length": (
        f'{{"a": {SECRET}'.encode(),
        JSON,
        "text of 22 characters that is no JSON",
    ),
    "NaN in JSON": (b'{"a": NaN}\n', JSON, "NaN, which JSON does not know"),
    "infinity in JSON": (b'{"a": -Infinity}\n', JSON, "-Infinity, which JSON does not know"),
    "a number beyond doubles in JSON": (b'{"a": 1e999}\n', JSON, "a JSON number out of range"),
    "a whole number beyond 64 bits in JSON": (b'{"a": 9223372036854775808}', JSON, "out of range"),
    "a whole number of 5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", JSON, "too many digits"),
    "a name twice in a JSON object": (b'{"a": 1, "a": 2}\n', JSON, "a name twice"),
    "an object in a cell": (b'{"a": {"b": 1}}\n', JSON, "a JSON object in column number 1"),
    "two types in a column": (b'{"a": 1}\n{"a": "x"}\n', JSON, "row 2"),
    "JSON nested a hundred thousand deep": (b'{"a":' + b"[" * 100_000, JSON, "that is no JSON"),
    "no rows of JSON": (b"\n\n", JSON, "found none"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_bad_file_ends_in_a_sentence_without_its_values(
    case: tuple[bytes, DataFormat, str],
) -> None:
    data, data_format, expected = case
    sentences = refusal(data, data_format)
    assert expected in sentences
    assert SECRET not in sentences


SMALL = ReadLimits(max_bytes=64, max_rows=3, max_columns=2, max_cell_bytes=8)
TOO_MUCH = {
    "bytes": (b"a\n" + b"1\n" * 40, CSV, "at most 64 bytes"),
    "rows of CSV": (b"a\n1\n2\n3\n4\n", CSV, "at most 3 rows"),
    "rows of JSON": (b'{"a":1}\n' * 4, JSON, "at most 3 rows"),
    "columns of CSV": (b"a,b,c\n1,2,3\n", CSV, "at most 2 columns"),
    "columns of JSON": (b'{"a":1}\n{"b":1}\n{"c":1}', JSON, "at most 2 columns"),
    "a cell of CSV": (b"a\n1\n123456789\n", CSV, "a cell of 9 bytes in column number 1"),
    "a cell of JSON": (b'{"a":"123456789"}', JSON, "at most 8 bytes"),
}


@pytest.mark.parametrize("case", TOO_MUCH.values(), ids=TOO_MUCH)
def test_limits(case: tuple[bytes, DataFormat, str]) -> None:
    data, data_format, expected = case
    assert expected in refusal(data, data_format, SMALL)


def test_too_many_rows_of_parquet_are_refused_by_the_files_own_count() -> None:
    data = parquet(pl.DataFrame({"a": range(5)}))
    assert "at most 4 rows, found 5 rows" in refusal(data, PARQUET, ReadLimits(max_rows=4))


def test_absent_names_in_json_are_null() -> None:
    assert rows(b'{"a": 1}\n{"b": "x"}\n', JSON) == [(1, None), (None, "x")]


def test_categories_of_parquet_are_text() -> None:
    frame = pl.DataFrame({"a": pl.Series(["x", ""], dtype=pl.Categorical)})
    assert rows(parquet(frame), PARQUET) == [("x",), (None,)]


@examples(150)
@given(st.binary(max_size=200), st.sampled_from(DataFormat))
def test_any_bytes_end_in_rows_or_a_finding(data: bytes, data_format: DataFormat) -> None:
    assert isinstance(read(data, data_format), pl.DataFrame | tuple)


@examples(60)
@given(st.data())
def test_a_damaged_parquet_file_ends_in_rows_or_a_finding(data: st.DataObject) -> None:
    whole = bytearray(parquet(pl.DataFrame({"a": [1, 2, None], "b": ["x", "yy", ""]})))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    assert isinstance(read(bytes(whole), PARQUET), pl.DataFrame | tuple)


CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]),
    min_size=1,
    max_size=6,
)


@examples(100)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_what_was_written_as_csv_is_read(cells: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame(cells, schema=["a", "b"], orient="row")
    assert rows(frame.write_csv(quote_style="always").encode(), CSV) == cells
