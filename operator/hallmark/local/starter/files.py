"""What a file is: its format and how it is written, by its name and its first bytes."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from hallmark.api.dataset import CSVDialect, CSVEncoding, DataFormat
from hallmark.api.findings import Finding
from hallmark.data import readers
from hallmark.errors import ConfigurationError
from hallmark.files import open_regular, read_first

_SUFFIXES = {
    ".csv": DataFormat.CSV,
    ".tsv": DataFormat.CSV,
    ".txt": DataFormat.CSV,
    ".parquet": DataFormat.PARQUET,
    ".pq": DataFormat.PARQUET,
    ".jsonl": DataFormat.JSON_LINES,
    ".ndjson": DataFormat.JSON_LINES,
    ".json": DataFormat.JSON_LINES,
}
_SHEETS = {".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"}
_COMPRESSED = {".gz", ".zst"}
_DELIMITERS = ",;\t|"
_BEGINNING = 1 << 16
_ENCODING = "Encoding"
"""The check of the assay that says least where another encoding goes further."""


def format_of(file: Path) -> DataFormat:
    """Return a file's format by its name, and by its first bytes where that says nothing.

    Raises:
        ConfigurationError: it is none that can be read, or cannot be read at all.
    """
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() not in _COMPRESSED]
    found = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if found is not None:
        return found
    if _SHEETS.intersection(suffixes):
        raise ConfigurationError(
            f"Expected a table in CSV, Parquet or JSON Lines, found a spreadsheet by its name "
            f"({file}). Save its sheet as 'CSV UTF-8' there, with the columns' names in the first "
            "line and no totals below, and numbers without currencies and marks between thousands."
        )
    beginning = _beginning(file)
    if beginning.startswith(b"PAR1"):
        return DataFormat.PARQUET
    if beginning.lstrip().startswith(b"{"):
        return DataFormat.JSON_LINES
    raise ConfigurationError(
        f"Expected a table in {file} with a name that ends in .csv, .tsv, .parquet or .jsonl "
        "(.gz and .zst may follow); rename it."
    )


def read_table(file: Path, data_format: DataFormat) -> tuple[pl.DataFrame, CSVDialect | None]:
    """Return a file's rows, and how it is written where it is not the usual CSV.

    Raises:
        ConfigurationError: it cannot be read; the sentences are those of the assay.
    """
    dialects: Iterator[CSVDialect | None] = iter([None])
    if data_format is DataFormat.CSV:
        dialects = _dialects(file)
    refusal: tuple[Finding, ...] = ()
    for dialect in dialects:
        try:
            with open_regular(file) as stream:
                found = readers.read(stream, data_format, dialect=dialect, file=f"'{file.name}'")
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read ({error.strerror}).") from error
        if isinstance(found, pl.DataFrame):
            usual = dialect is None or dialect == CSVDialect()
            return found, None if usual else dialect
        if not refusal or refusal[0].check == _ENCODING:
            refusal = found
    said = " ".join(finding.sentence() for finding in refusal[:3])
    raise ConfigurationError(f"{file} cannot be read as {data_format}. {said}")


def _dialects(file: Path) -> Iterator[CSVDialect]:
    """Yield how a CSV file may be written, likeliest first."""
    beginning = _beginning(file)
    encodings = [CSVEncoding.UTF8, CSVEncoding.WINDOWS_1252]
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = [CSVEncoding.UTF16]
    codec = "utf-16" if encodings == [CSVEncoding.UTF16] else "latin-1"
    delimiter = _delimiter(beginning.decode(codec, errors="replace"))
    for encoding in encodings:
        yield CSVDialect(delimiter=delimiter, encoding=encoding)
    yield CSVDialect(delimiter=delimiter, quote="")


def _delimiter(text: str) -> str:
    """Return what stands between the cells of the header, if the next lines agree; else a comma."""
    lines = [line for line in text.splitlines()[:20] if line.strip()][:-1] or text.splitlines()[:1]
    best, cells = ",", 1
    for delimiter in _DELIMITERS:
        widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
        width = min(widths, default=1)
        if len(widths) == 1 and width > cells:
            best, cells = delimiter, width
    return best


def _beginning(file: Path) -> bytes:
    """Return a file's first bytes, decompressed where they are gzip's.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        first = read_first(file, _BEGINNING)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror}).") from error
    if not first.startswith(b"\x1f\x8b"):
        return first
    try:
        with gzip.open(io.BytesIO(first)) as stream:
            return stream.read(_BEGINNING // 8)
    except (OSError, EOFError, zlib.error):
        return b""
