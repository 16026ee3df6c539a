"""Dialects, encodings and compression; the same table in every form is the same table."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.dataset import CSVDialect, CSVEncoding, DataFormat
from hallmark.api.findings import Finding
from hallmark.data.conversion import convert
from hallmark.data.fingerprint import fingerprint
from hallmark.data.readers import read
from hallmark.data.readers_json_fast import read_uniform
from hallmark.data.table import ColumnSpec, ColumnType
from tests.examples import examples

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CSV, JSON, PARQUET = DataFormat.CSV, DataFormat.JSON_LINES, DataFormat.PARQUET
NUMBER, INTEGER = ColumnType.NUMBER, ColumnType.INTEGER


def frame_of(data: bytes, data_format: DataFormat = CSV, **options: Any) -> pl.DataFrame:  # noqa: ANN401
    found = read(data, data_format, **options)
    assert isinstance(found, pl.DataFrame), found
    return found


TEXT = "name,city\nJosé,Łódź\n"
DIALECTS: dict[str, tuple[bytes, CSVDialect]] = {
    "semicolons": (b"a;b\n1;x,y\n", CSVDialect(delimiter=";")),
    "tabs": (b"a\tb\n1\tx,y\n", CSVDialect(delimiter="\t")),
    "pipes": (b"a|b\n1|x,y\n", CSVDialect(delimiter="|")),
    "single quotes": (b"a,b\n1,'x,y'\n", CSVDialect(quote="'")),
    "a quoted header": (b'"a","b"\n1,"x,y"\n', CSVDialect()),
    "Latin-1": ("a,b\n1,é".encode("latin-1"), CSVDialect(encoding=CSVEncoding.LATIN1)),
    "Windows-1252": ("a,b\n1,€".encode("cp1252"), CSVDialect(encoding=CSVEncoding.WINDOWS_1252)),
    "UTF-16 from the little end": (
        b"\xff\xfe" + "a,b\n1,Ł".encode("utf-16-le"),
        CSVDialect(encoding=CSVEncoding.UTF16),
    ),
    "UTF-16 from the big end": (
        b"\xfe\xff" + "a,b\n1,😀".encode("utf-16-be"),
        CSVDialect(encoding=CSVEncoding.UTF16),
    ),
}
EXPECTED = {"Latin-1": "é", "Windows-1252": "€"} | {
    "UTF-16 from the little end": "Ł",
    "UTF-16 from the big end": "😀",
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_and_encodings(name: str) -> None:
    data, dialect = DIALECTS[name]
    frame = frame_of(data, dialect=dialect)
    assert frame.columns == ["a", "b"]
    assert frame.rows() == [("1", EXPECTED.get(name, "x,y"))]


def test_quotes_are_mere_text_where_the_dialect_has_none() -> None:
    frame = frame_of(b'size,n\n5" disk,"1\n', dialect=CSVDialect(quote=""))
    assert frame.rows() == [('5" disk', '"1')]


def test_an_undefined_byte_of_windows_1252_names_its_line() -> None:
    found = read(b"a,b\n1,2\n3,\x81\n", CSV, dialect=CSVDialect(encoding=CSVEncoding.WINDOWS_1252))
    assert isinstance(found, tuple)
    assert "other bytes in line 3" in found[0].sentence()


PLAIN = b"a,b\n1,2\n3,4\n"
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "gzip in two members": lambda data: gzip.compress(data[:6]) + gzip.compress(data[6:]),
    "zstd in two frames": lambda data: zstd.compress(data[:6]) + zstd.compress(data[6:]),
    "zstd behind a frame to skip": lambda data: (
        b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd.compress(data)
    ),
    "gzip padded with zeros": lambda data: gzip.compress(data) + b"\0" * 512,
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_compression_is_recognised(pack: Callable[[bytes], bytes]) -> None:
    assert frame_of(pack(PLAIN)).rows() == [("1", "2"), ("3", "4")]


def test_findings_name_the_file() -> None:
    found = read(b"a,b\n1\n", CSV, file="'loans.csv'")
    assert isinstance(found, tuple)
    assert found[0].sentence() == (
        "RaggedRow of 'loans.csv', first in row 1: expected 2 cells, found 1 cell."
    )


def test_each_kind_of_failure_is_counted_with_its_first_twenty_rows() -> None:
    found = read(b"a,b\n" + b"1\n" * 30 + b"1,2,3\n", CSV)
    assert isinstance(found, tuple)
    short, long = found
    assert (short.count, short.rows) == (30, list(range(1, 21)))
    assert (long.count, long.row) == (1, 31)


def test_a_declared_number_is_stored_as_one_where_no_digit_is_lost() -> None:
    declared = dict.fromkeys("abcdef", NUMBER) | {"b": INTEGER}
    data = b"a,b,c,d,e,f\n1.5,7,01,+1,4111111111111111,x\n,,2,2,3,4\n"
    assert frame_of(data, declared=declared).dtypes == [
        pl.Float64,
        pl.Int64,
        *[pl.String] * 4,
    ]


SMALL_BLOCKS: dict[str, Any] = {"piece_bytes": 16, "block_bytes": 256}
"""So small that every file has many blocks."""


def test_a_late_cell_that_is_no_number_keeps_the_whole_column_as_text() -> None:
    data = b"a,b\n" + b"1.50,2\n" * 50 + b"007,3\n"
    frame = frame_of(data, declared={"a": NUMBER, "b": INTEGER}, **SMALL_BLOCKS)
    assert frame.dtypes == [pl.String, pl.Int64]
    assert frame.get_column("a").to_list() == ["1.50"] * 50 + ["007"]


def test_rows_are_counted_over_blocks() -> None:
    found = read(b"a,b\n" + b"1,2\n" * 50 + b'"x,3\n', CSV, **SMALL_BLOCKS)
    assert isinstance(found, tuple)
    assert found[0].row == 51
    text = b'{"a":1}\n' * 50 + b'{"b":"x"}\n{"a":"x"}\n'
    found = read(text, JSON, **SMALL_BLOCKS)
    assert isinstance(found, tuple)
    assert found[0].row == 52


def test_json_columns_may_come_and_go_and_become_fractions() -> None:
    data = b'{"a":1}\n' * 50 + b'{"a":0.5,"b":"x"}\n' + b'{"b":"y"}\n' * 50
    frame = frame_of(data, JSON, **SMALL_BLOCKS)
    assert frame.dtypes == [pl.Float64, pl.String]
    assert frame.height == 101
    assert frame.row(50) == (0.5, "x")


SPECS = [
    ColumnSpec("id", ColumnType.TEXT),
    ColumnSpec("n", NUMBER, nullable=True),
    ColumnSpec("i", INTEGER, nullable=True),
    ColumnSpec("b", ColumnType.BOOLEAN, nullable=True),
    ColumnSpec("c \U0001f600,'\"", ColumnType.CATEGORY, nullable=True),
]
_SCHEMA = {
    spec.name: dtype
    for spec, dtype in zip(
        SPECS, (pl.String, pl.Float64, pl.Int64, pl.Boolean, pl.String), strict=True
    )
}
WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=5,
)
TABLES = st.lists(
    st.tuples(
        WORDS,
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        st.none() | st.booleans(),
        st.none() | WORDS,
    ),
    min_size=1,
    max_size=8,
).map(lambda rows: pl.DataFrame(rows, schema=_SCHEMA, orient="row"))


def write_csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(quote_style="non_numeric").encode()


def write_json(frame: pl.DataFrame) -> bytes:
    lines = (json.dumps(row, ensure_ascii=frame.height % 2 == 0) for row in frame.to_dicts())
    return "\n".join(lines).encode()


def write_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


WRITERS = {CSV: write_csv, JSON: write_json, PARQUET: write_parquet}
DECLARED = {spec.name: spec.type for spec in SPECS}


@examples(25)
@given(TABLES, st.sampled_from(["plain", *PACKED]))
def test_a_table_is_the_same_in_every_format_compressed_or_not(
    frame: pl.DataFrame, packing: str
) -> None:
    tables = []
    for data_format, write in WRITERS.items():
        data = write(frame)
        data = PACKED[packing](data) if packing != "plain" else data
        for declared in ({}, DECLARED):
            rows = frame_of(data, data_format, declared=declared, **SMALL_BLOCKS)
            converted = convert(rows, SPECS)
            assert not converted.findings
            assert converted.table is not None
            tables.append(converted.table)
    expected = convert(frame, SPECS).table
    assert expected is not None
    for table in tables:
        assert table.frame().equals(expected.frame())
        assert fingerprint(table) == fingerprint(expected)


@examples(300)
@given(
    st.text(st.sampled_from(list('a1,"\n\r\té')), max_size=400).map(str.encode),
    st.sampled_from(["", '"', "'"]),
)
def test_any_text_of_csv_marks_ends_in_rows_that_are_as_wide_as_the_header(
    text: bytes, quote: str
) -> None:
    found = read(b"a,b\n" + text, CSV, dialect=CSVDialect(quote=quote), **SMALL_BLOCKS)
    if isinstance(found, pl.DataFrame):
        assert found.width == 2
    else:
        assert "cannot be read as such" not in found[0].sentence()


NUMBERS = "1 -0 0.1 1e3 NaN 1e999 9223372036854775807 9223372036854775808 01 1."
OTHERS = 'true null "x" "{" ":" "" "\\"" "é" [] {} "\\u00e9"'
JSON_CELLS = st.sampled_from([*NUMBERS.split(), *OTHERS.split()])
JSON_LINES = st.lists(
    st.lists(st.tuples(st.sampled_from(["a", "b", ":"]), JSON_CELLS), max_size=3).map(
        lambda pairs: "{" + ", ".join(f'"{name}":{cell}' for name, cell in pairs) + "}"
    )
    | st.sampled_from(["", "1", "{", '{"a":1} x', '{"a":1}{"a":2}', '{"a" :1}']),
    min_size=1,
    max_size=4,
)


@examples(400)
@given(JSON_LINES)
def test_the_fast_way_through_json_gives_what_the_careful_one_gives(lines: list[str]) -> None:
    data = "\n".join(lines).encode()
    fast = read_uniform(data, 1024)
    if fast is None:
        return
    # A backslash in a name is nowhere in these lines: it sends the block to the careful reader.
    careful = frame_of(b'{"\\u0061":null}\n' + data, JSON).slice(1)
    careful = careful.select(fast.columns)
    text = [name for name, dtype in fast.schema.items() if dtype == pl.String]
    fast = fast.with_columns(pl.Series(name, fast[name]).replace("", None) for name in text)
    same = careful.with_columns(
        careful[name].cast(dtype) for name, dtype in fast.schema.items() if dtype == pl.Null
    )
    assert fast.equals(same)
    assert fast.schema == same.schema


@examples(100)
@given(st.lists(st.floats(min_value=-9e15, max_value=9e15), min_size=1, max_size=20))
def test_the_fast_way_reads_every_double_exactly(numbers: list[float]) -> None:
    data = "\n".join(json.dumps({"a": number}) for number in numbers).encode()
    fast = read_uniform(data, 8)
    assert fast is not None
    assert [number.hex() for number in fast["a"]] == [number.hex() for number in numbers]


def test_a_file_is_read_from_the_very_descriptor(tmp_path: Any) -> None:  # noqa: ANN401
    with tempfile.TemporaryFile() as file:
        pl.DataFrame({"a": [1, 2]}).write_parquet(file)
        assert frame_of(file, PARQUET).rows() == [(1,), (2,)]  # type: ignore[arg-type]


@examples(200)
@given(
    st.sampled_from([b"", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"PAR1", b"\xff\xfe", b"a,b\n"]),
    st.binary(max_size=200),
    st.sampled_from(DataFormat),
    st.sampled_from(CSVEncoding),
)
def test_any_bytes_behind_any_mark_end_in_rows_or_findings(
    mark: bytes, data: bytes, data_format: DataFormat, encoding: CSVEncoding
) -> None:
    found = read(mark + data, data_format, dialect=CSVDialect(encoding=encoding))
    assert isinstance(found, pl.DataFrame) or all(isinstance(finding, Finding) for finding in found)
