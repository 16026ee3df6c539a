"""A file that is not what it is called: the finding says what it is, not what came of it."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.dataset import CSVDialect, CSVEncoding, DataFormat
from hallmark.data.conversion import convert
from hallmark.data.pii import guard
from hallmark.data.readers import read
from hallmark.data.schema import validate
from hallmark.data.sniffing import foreign
from hallmark.data.table import ColumnType, declared_columns
from tests.data.parquet_writer import Column, Physical, parquet
from tests.examples import examples
from tests.unit.data.factories import pii, schema

CSV, JSON, PARQUET = DataFormat.CSV, DataFormat.JSON_LINES, DataFormat.PARQUET
ROWS = b"age,label\n1,yes\n2,no\n"
DECLARED = {"age": ColumnType.NUMBER, "label": ColumnType.TEXT}
PAGE = b"\n<!DOCTYPE html>\n<html><body>Sign in as ann.lee@example.org</body></html>"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", ROWS)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = len(ROWS)
        archive.addfile(member, io.BytesIO(ROWS))
    return buffer.getvalue()


def columns(*names: str) -> bytes:
    return parquet(
        *(Column(name, Physical.BOOLEAN, [True]) for name in names),
    )


def frame_file(**options: Any) -> bytes:  # noqa: ANN401
    buffer = io.BytesIO()
    pl.DataFrame({"age": [1, 2], "label": ["yes", "no"]}).write_parquet(buffer, **options)
    return buffer.getvalue()


FILES: dict[str, tuple[bytes, DataFormat, str]] = {
    "an empty file": (b"", CSV, "an empty file"),
    "an empty file as JSON": (b"", JSON, "an empty file"),
    "an empty file as Parquet": (b"", PARQUET, "an empty file"),
    "nothing in gzip": (gzip.compress(b""), CSV, "an empty file"),
    "a byte-order mark alone": (b"\xef\xbb\xbf", CSV, "a line of column names"),
    "a header alone": (b"age,label\n", CSV, "at least one row, found none"),
    "a page of HTML": (PAGE, CSV, "an HTML page, such as an error or a login page"),
    "a page of HTML as JSON": (PAGE, JSON, "an HTML page"),
    "a page of HTML as Parquet": (PAGE, PARQUET, "an HTML page"),
    "a page of HTML in gzip": (gzip.compress(PAGE), CSV, "an HTML page"),
    "a store's error": (b'<?xml version="1.0"?><Error/>', CSV, "XML, such as a store's error"),
    "JSON Lines as CSV": (b'{"age": 1, "label": "yes"}\n', CSV, "'format' is JSONLines"),
    "a JSON array as CSV": (b'[\n {"age": 1}]', CSV, "found JSON"),
    "a JSON array as JSON Lines": (
        b'[{"age": 1}]',
        JSON,
        "a JSON array; write each of",
    ),
    "JSON over several lines": (
        b'{\n "age": 1\n}\n',
        JSON,
        "over several lines; write",
    ),
    "CSV as JSON Lines": (ROWS, JSON, "expected a JSON object, found text"),
    "CSV as Parquet": (ROWS, PARQUET, "21 bytes that do not begin as one does"),
    "Parquet as CSV": (frame_file(), CSV, "a Parquet file"),
    "Parquet as JSON Lines": (frame_file(), JSON, "a Parquet file"),
    "a ZIP archive": (zipped(), CSV, "a ZIP archive"),
    "a ZIP archive in gzip": (gzip.compress(zipped()), CSV, "a ZIP archive"),
    "a tar archive": (tarred(), CSV, "a tar archive"),
    "a tar archive in gzip": (gzip.compress(tarred()), CSV, "a tar archive"),
    "a tar archive as JSON": (tarred(), JSON, "a tar archive"),
    "a file cut in its gzip": (gzip.compress(ROWS)[:-9], CSV, "a whole gzip file"),
    "a pickle": (b"\x80\x04\x95abc", CSV, "a Python pickle"),
    "a PDF": (b"%PDF-1.7", CSV, "a PDF"),
    "a pointer of Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        CSV,
        "a pointer of Git LFS instead of the file",
    ),
    "UTF-16 without its mark": ("age,label\n1,yes\n".encode("utf-16-le"), CSV, "as in UTF-16"),
    "UTF-16 from the other end": ("age,label\n1,yes\n".encode("utf-16-be"), CSV, "as in UTF-16"),
    "UTF-16 as JSON": ('{"age": 1}'.encode("utf-16-le"), JSON, "as in UTF-16"),
    "UTF-32": ("age,label\n".encode("utf-32"), CSV, "the byte-order mark of UTF-32"),
    "another delimiter": (ROWS.replace(b",", b";"), CSV, "between ';'; set 'csv.delimiter'"),
    "tabs": (ROWS.replace(b",", b"\t"), CSV, "between '\\t'; set 'csv.delimiter'"),
    "a name twice": (b"age,age,label\n1,2,yes\n", CSV, "'age' for columns number 1 and 2"),
    "a name twice that nobody declared": (
        b"ann,ann,label\n1,2,yes\n",
        CSV,
        "the same name for columns number 1 and 2",
    ),
    "a name twice in Parquet": (columns("age", "age"), PARQUET, "'age' for columns number 1 and 2"),
    "an undeclared name twice in Parquet": (columns("b", "b"), PARQUET, "the same name for"),
    "a Parquet column without a name": (columns("age", " "), PARQUET, "a name for every column"),
    "a Parquet file that ends early": (frame_file()[:-20], PARQUET, "one that ends early"),
    "a Parquet file cut in the middle": (
        frame_file()[:40] + frame_file()[-8:],
        PARQUET,
        "a damaged one",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_cause_is_told(name: str) -> None:
    data, data_format, words = FILES[name]
    found = read(data, data_format, declared=DECLARED)
    assert isinstance(found, tuple), found
    assert words in found[0].sentence()
    assert not any("example.org" in finding.sentence() for finding in found)
    assert not any("ann" in finding.sentence() for finding in found)


def test_an_encrypted_file_is_called_so() -> None:
    plain = frame_file()
    found = read(b"PARE" + plain[4:-4] + b"PARE", PARQUET)
    assert isinstance(found, tuple)
    assert "an encrypted one" in found[0].sentence()


FITTING: dict[str, tuple[bytes, DataFormat]] = {
    "CSV": (ROWS, CSV),
    "CSV with a mark": (b"\xef\xbb\xbf" + ROWS, CSV),
    "JSON": (b'{"age": 1}\n', JSON),
    "JSON with spaces": (b'  \n{ "age": 1}\n', JSON),
    "one short line": (b"a\n1\n", CSV),
    "a header in braces": (b"{age},label\n1,yes\n", CSV),
    "a header with an angle": (b"<age,label\n1,yes\n", CSV),
}


@pytest.mark.parametrize("case", FITTING.values(), ids=FITTING)
def test_what_fits_is_read(case: tuple[bytes, DataFormat]) -> None:
    data, data_format = case
    assert isinstance(read(data, data_format), pl.DataFrame)


@examples(300)
@given(st.binary(max_size=600), st.sampled_from(DataFormat))
def test_any_head_is_judged(head: bytes, data_format: DataFormat) -> None:
    assert foreign(head, data_format) is None or foreign(head, data_format)


def test_utf_16_with_its_mark_is_read_if_declared() -> None:
    data = b"\xff\xfe" + ROWS.decode().encode("utf-16-le")
    dialect = CSVDialect(encoding=CSVEncoding.UTF16)
    assert isinstance(read(data, CSV, dialect=dialect), pl.DataFrame)


MISSING = {
    "another case": ({"X": ["1"], "label": ["a"]}, "but column number 1, whose name differs in"),
    "a space": ({"label": ["a"], " x": ["1"]}, "but column number 2, whose name differs in"),
    "a full stop": ({"x.": ["1"], "label": ["a"]}, "but column number 1, whose name differs in"),
    "no declared column": ({"1": ["2"], "3": ["4"]}, "the file may have no header line"),
    "one of them": ({"y": ["1"], "label": ["a"]}, "found no such column."),
}


@pytest.mark.parametrize("case", MISSING.values(), ids=MISSING)
def test_why_a_column_is_missing(case: tuple[dict[str, list[str]], str]) -> None:
    columns, words = case
    found = convert(pl.DataFrame(columns), declared_columns(schema()))
    assert found.table is None
    assert words in found.findings[0].sentence()


def remarks(text: bytes, data_format: DataFormat = JSON) -> list[str]:
    frame = read(text, data_format)
    assert isinstance(frame, pl.DataFrame)
    declared = schema()
    guarded = guard(frame, declared, pii("Drop"))
    converted = convert(guarded.frame, declared_columns(declared))
    assert converted.table is not None
    found = validate(converted.table, declared, guarded.undeclared)
    return [remark.sentence() for remark in found.remarks if remark.check == "Columns"]


LINE = b'{"x": 1, "label": "yes"}\n' * 2


def test_an_extra_key_is_named() -> None:
    assert remarks(LINE + b'{"x": 1, "label": "no", "lable": "no", "note": "a"}') == [
        "Columns (2 times): expected declared columns only, found 2 more, which are not used: "
        "'lable', 'note'."
    ]


def test_an_extra_key_that_may_be_a_datum_is_told_by_its_place() -> None:
    (told,) = remarks(LINE + '{"x": 1, "label": "no", "Zoë Çelik": 1}'.encode())
    assert told.endswith("which are not used: column number 3.")
    assert remarks(LINE + b'{"x": 1, "label": "no", "ann@example.org": 1}') == []


def test_many_extra_keys_are_not_all_named() -> None:
    names = ", ".join(f'"extra_{number}": 1' for number in range(500))
    (told,) = remarks(LINE + f'{{"x": 1, "label": "no", {names}}}'.encode())
    assert "found 500 more" in told
    assert len(told) < 400
