"""Every type of Parquet, of polars and of JSON by every declared type: exact values, or a sentence.

A case's expectations are what each declared type makes of its cells; where there is none, the
column is refused with a finding on the cell. A null is a null in all of them.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.dataset import DataFormat
from hallmark.api.findings import Finding
from hallmark.data.conversion import convert
from hallmark.data.pii import guard
from hallmark.data.readers import read
from hallmark.data.schema import validate
from hallmark.data.table import ColumnType, declared_columns
from tests.data.parquet_writer import BYTE, FALSE, I32, STRUCT, TRUE, Column, Physical, parquet
from tests.examples import examples
from tests.unit.data.factories import category, pii, schema

NUMBER, INTEGER, BOOLEAN, CATEGORY = (
    ColumnType.NUMBER,
    ColumnType.INTEGER,
    ColumnType.BOOLEAN,
    ColumnType.CATEGORY,
)
DECLARED = (NUMBER, INTEGER, BOOLEAN, CATEGORY)
Cells = Sequence[Any]


@dataclass(frozen=True)
class Case:
    """A file with one column ``x``, and what each declared type makes of it.

    Attributes:
        file: The file.
        format: Its format.
        number: The cells as Number, or None where they are refused.
        integer: As Integer.
        boolean: As Boolean.
        category: As Category.
        refusal: What the reader says of the file, if it does not read it at all.
    """

    file: Callable[[], bytes]
    format: DataFormat = DataFormat.PARQUET
    number: Cells | None = None
    integer: Cells | None = None
    boolean: Cells | None = None
    category: Cells | None = None
    refusal: str | None = None

    def expected(self, declared: ColumnType) -> Cells | None:
        """Return the cells as a declared type."""
        return {
            NUMBER: self.number,
            INTEGER: self.integer,
            BOOLEAN: self.boolean,
            CATEGORY: self.category,
        }[declared]


def stored(physical: Physical, values: Sequence[Any], form: str = "", **options: Any) -> Case:  # noqa: ANN401
    """Return a case of a type that polars itself does not write."""
    cells = [struct.pack(form, cell) if form and cell is not None else cell for cell in values]
    kinds = {"number", "integer", "boolean", "category", "refusal"}
    told = {key: value for key, value in options.items() if key in kinds}
    column = {key: value for key, value in options.items() if key not in kinds}
    return Case(lambda: parquet(Column("x", physical, cells, **column)), **told)


def framed(values: Sequence[Any] | pl.Series, dtype: Any, **told: Any) -> Case:  # noqa: ANN401
    """Return a case of a type that polars writes."""

    def file() -> bytes:
        buffer = io.BytesIO()
        pl.DataFrame({"x": pl.Series(values, dtype=dtype)}).write_parquet(buffer)
        return buffer.getvalue()

    return Case(file, **told)


def in_zone(known: str, unknown: str) -> bytes:
    """Return a file of timestamps whose Arrow schema, in base64 in the footer, names a zone."""
    buffer = io.BytesIO()
    pl.DataFrame({"x": pl.Series([1], dtype=pl.Datetime("us", known))}).write_parquet(buffer)
    data = buffer.getvalue()
    (arrow,) = re.findall(rb"ARROW:schema[^A-Za-z0-9+/]{1,8}([A-Za-z0-9+/=]+)", data)
    renamed = base64.b64decode(arrow).replace(known.encode(), unknown.encode())
    return data.replace(arrow, base64.b64encode(renamed))


def lines(*cells: str, **told: Any) -> Case:  # noqa: ANN401
    """Return a case of JSON."""
    text = "\n".join(f'{{"x": {cell}}}' for cell in cells)
    return Case(text.encode, DataFormat.JSON_LINES, **told)


BIT: dict[str, Any] = {
    "number": [1.0, 0.0, None],
    "integer": [1, 0, None],
    "boolean": [True, False, None],
    "category": ["1", "0", None],
}
"""What 1 and 0 become, whatever holds them."""
TIME: dict[str, Any] = {}
"""What moments become: nothing."""
P = Physical


def first_of(told: dict[str, Any]) -> dict[str, Any]:
    """Return what the first cell becomes."""
    return {key: cells[:1] for key, cells in told.items()}


def nothing(cells: Cells) -> dict[str, Any]:
    """Return what nulls become."""
    return dict.fromkeys(("number", "integer", "boolean", "category"), cells)


def whole(*cells: int | None) -> dict[str, Any]:
    """Return what whole numbers up to 2^53 become, of which none is 0 or 1."""
    return {
        "number": [None if cell is None else float(cell) for cell in cells],
        "integer": list(cells),
        "category": [None if cell is None else str(cell) for cell in cells],
    }


def integer(width: int, *, signed: bool) -> list[tuple[int, int, object]]:
    return [(10, STRUCT, [(1, BYTE, width), (2, TRUE if signed else FALSE, None)])]


def moment(kind: int, unit: int, *, utc: bool) -> list[tuple[int, int, object]]:
    return [(kind, STRUCT, [(1, TRUE if utc else FALSE, None), (2, STRUCT, [(unit, STRUCT, [])])])]


STORED = {
    "a bit": stored(
        P.BOOLEAN,
        [True, False, None],
        boolean=[True, False, None],
        category=["true", "false", None],
    ),
    **{
        f"{'a signed' if signed else 'an unsigned'} number of {width} bits, {how}": stored(
            P.INT64 if width == 64 else P.INT32,
            [1, 0, None],
            "<q" if width == 64 else "<i",
            **({"converted": old} if how == "old" else {"logical": integer(width, signed=signed)}),
            **BIT,
        )
        for signed, first in ((False, 11), (True, 15))
        for old, width in enumerate((8, 16, 32, 64), start=first)
        for how in ("old", "new")
    },
    "the ends of 8 bits": stored(P.INT32, [-128, 127], "<i", converted=15, **whole(-128, 127)),
    "the end of 8 unsigned bits": stored(P.INT32, [255], "<i", converted=11, **whole(255)),
    "the end of 32 unsigned bits": stored(P.INT32, [-1], "<i", converted=13, **whole(2**32 - 1)),
    "the ends of 32 bits": stored(
        P.INT32, [-(2**31), 2**31 - 1], "<i", **whole(-(2**31), 2**31 - 1)
    ),
    "beyond what a double holds": stored(
        P.INT64, [2**53 + 1, 2], "<q", integer=[2**53 + 1, 2], category=["9007199254740993", "2"]
    ),
    "beyond 2^53, and a double all the same": stored(P.INT64, [2**60], "<q", **whole(2**60)),
    "the ends of 64 bits": stored(
        P.INT64,
        [-(2**63), 2**63 - 1],
        "<q",
        integer=[-(2**63), 2**63 - 1],
        category=[str(-(2**63)), str(2**63 - 1)],
    ),
    "the end of 64 unsigned bits": stored(
        P.INT64, [-1, 5], "<q", converted=14, category=["18446744073709551615", "5"]
    ),
    "a number of 16 bits": stored(
        P.FIXED_LEN_BYTE_ARRAY,
        [1.0, 0.0, None],
        "<e",
        length=2,
        logical=[(15, STRUCT, [])],
        **BIT,
    ),
    "a fraction of 16 bits": stored(
        P.FIXED_LEN_BYTE_ARRAY, [0.5], "<e", length=2, logical=[(15, STRUCT, [])], number=[0.5]
    ),
    "a float": stored(P.FLOAT, [1.0, 0.0, None], "<f", **BIT),
    "a float's fraction": stored(
        P.FLOAT, [0.1], "<f", number=[struct.unpack("<f", struct.pack("<f", 0.1))[0]]
    ),
    "a double": stored(P.DOUBLE, [1.0, 0.0, None], "<d", **BIT),
    "a double's fraction": stored(P.DOUBLE, [0.1, None], "<d", number=[0.1, None]),
    "minus zero": stored(
        P.DOUBLE, [-0.0], "<d", number=[0.0], integer=[0], boolean=[False], category=["0"]
    ),
    "a double that is not finite": stored(P.DOUBLE, [float("nan"), float("inf")], "<d"),
    "a double beyond 2^53": stored(P.DOUBLE, [2.0**60], "<d", number=[2.0**60]),
    **{
        f"a decimal in {physical.name}": stored(
            physical,
            [100, 0, None],
            form,
            converted=5,
            scale=2,
            precision=9,
            **BIT,
        )
        for physical, form in ((P.INT32, "<i"), (P.INT64, "<q"))
    },
    "a decimal in bytes": stored(
        P.BYTE_ARRAY,
        [b"\x64", b"\0", None],
        logical=[(5, STRUCT, [(1, I32, 2), (2, I32, 20)])],
        scale=2,
        precision=20,
        converted=5,
        **BIT,
    ),
    "a decimal of 38 digits": stored(
        P.FIXED_LEN_BYTE_ARRAY,
        [(10**37 + 1).to_bytes(16, "big"), (7).to_bytes(16, "big")],
        length=16,
        converted=5,
        scale=0,
        precision=38,
        category=[str(10**37 + 1), "7"],
    ),
    "a decimal beyond what a double holds": stored(
        P.INT64,
        [(2**53 + 1) * 100],
        "<q",
        converted=5,
        scale=2,
        precision=18,
        integer=[2**53 + 1],
        category=["9007199254740993"],
    ),
    "a decimal's fraction": stored(
        P.INT64, [30, -125], "<q", converted=5, scale=2, precision=18, number=[0.3, -1.25]
    ),
    "a decimal of 76 digits": stored(
        P.FIXED_LEN_BYTE_ARRAY,
        [(7).to_bytes(32, "big")],
        length=32,
        converted=5,
        scale=0,
        precision=76,
        refusal="a decimal of more than 38 digits in column 'x'",
    ),
    "a day": stored(P.INT32, [1, None], "<i", converted=6, **TIME),
    "a day that no calendar has": stored(P.INT32, [-(2**31)], "<i", converted=6, **TIME),
    "milliseconds of a day": stored(P.INT32, [1], "<i", converted=7, **TIME),
    "microseconds of a day": stored(P.INT64, [1], "<q", converted=8, **TIME),
    "nanoseconds of a day": stored(P.INT64, [1], "<q", logical=moment(7, 3, utc=False), **TIME),
    "milliseconds": stored(P.INT64, [1, None], "<q", converted=9, **TIME),
    "microseconds": stored(P.INT64, [1, None], "<q", converted=10, **TIME),
    **{
        f"{unit}, {'of the world' if utc else 'of a place'}, far away": stored(
            P.INT64, [2**62, 1], "<q", logical=moment(8, number, utc=utc), **TIME
        )
        for number, unit in ((1, "milliseconds"), (2, "microseconds"), (3, "nanoseconds"))
        for utc in (False, True)
    },
    "96 bits": stored(P.INT96, [struct.pack("<qI", 0, 2440588), None], **TIME),
    "96 bits, far away": stored(P.INT96, [struct.pack("<qI", -1, 2**32 - 1)], **TIME),
    "an interval": stored(
        P.FIXED_LEN_BYTE_ARRAY, [b"a" * 12], length=12, converted=21, refusal="an interval in"
    ),
    "text": stored(P.BYTE_ARRAY, [b"a", b"", None], converted=0, category=["a", None, None]),
    "text by the newer annotation": stored(
        P.BYTE_ARRAY, [b"1"], logical=[(1, STRUCT, [])], **first_of(BIT)
    ),
    "an enumeration": stored(P.BYTE_ARRAY, [b"a", None], converted=4, category=["a", None]),
    "an enumeration by the newer annotation": stored(
        P.BYTE_ARRAY, [b"a"], logical=[(4, STRUCT, [])], category=["a"]
    ),
    "JSON": stored(P.BYTE_ARRAY, [b'{"a": 1}'], converted=19, category=['{"a": 1}']),
    "JSON by the newer annotation": stored(
        P.BYTE_ARRAY, [b"7"], logical=[(12, STRUCT, [])], **whole(7)
    ),
    "text that is not UTF-8": stored(
        P.BYTE_ARRAY, [b"\xff"], converted=0, refusal="text in it that is not UTF-8"
    ),
    "an enumeration that is not UTF-8": stored(
        P.BYTE_ARRAY, [b"\xff"], converted=4, refusal="text in it that is not UTF-8"
    ),
    "BSON": stored(P.BYTE_ARRAY, [b"\x05\0\0\0\0"], converted=20, refusal="BSON in column 'x'"),
    "bytes": stored(P.BYTE_ARRAY, [b"a"], refusal="bytes that are not marked as text in"),
    "bytes of one length": stored(
        P.FIXED_LEN_BYTE_ARRAY, [b"abc"], length=3, refusal="bytes that are not marked as text in"
    ),
    "a UUID": stored(
        P.FIXED_LEN_BYTE_ARRAY,
        [b"a" * 16],
        length=16,
        logical=[(14, STRUCT, [])],
        refusal="a UUID in column 'x'",
    ),
    "a geometry": stored(
        P.BYTE_ARRAY, [b"a"], logical=[(17, STRUCT, [])], refusal="a geometry in column 'x'"
    ),
    "a type of tomorrow": stored(
        P.INT32, [1], "<i", logical=[(40, STRUCT, [])], refusal="a later version of the format"
    ),
    "an older annotation of tomorrow": stored(
        P.INT32, [1], "<i", converted=40, refusal="a later version of the format"
    ),
    "nulls": stored(
        P.INT32,
        [None, None],
        logical=[(11, STRUCT, [])],
        **nothing([None, None]),
    ),
    "an old compression": stored(P.INT32, [1], "<i", codec=3, refusal="found LZO"),
}
FRAMED = {
    **{
        f"a column of {dtype}": framed([1, 0, None], dtype, **BIT)
        for dtype in (
            *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
            *(pl.Float32, pl.Float64, pl.Decimal(38, 0), pl.Decimal(10, 4)),
        )
    },
    "polars' booleans": framed(
        [True, None], pl.Boolean, boolean=[True, None], category=["true", None]
    ),
    "a dictionary of text": framed(["a", None, "a"], pl.Categorical, category=["a", None, "a"]),
    "an enumeration of polars": framed(["a", None], pl.Enum(["a", "b"]), category=["a", None]),
    "a dictionary of digits": framed(["1", "0", None], pl.Categorical, **BIT),
    "a column of nulls": framed(
        [None, None],
        pl.Null,
        **nothing([None, None]),
    ),
    "dates": framed([dt.date(2020, 1, 2), None], pl.Date, **TIME),
    "timestamps with a zone": framed(
        [dt.datetime(2020, 1, 2, tzinfo=dt.UTC)], pl.Datetime("us", "Europe/Berlin"), **TIME
    ),
    "times": framed([dt.time(1, 2), None], pl.Time, **TIME),
    "durations": framed([dt.timedelta(1), None], pl.Duration("us"), **TIME),
    "lists": framed([[1], None], pl.List(pl.Int64), refusal="a list in column 'x'"),
    "lists of one length": framed([[1, 2]], pl.Array(pl.Int64, 2), refusal="a list in column 'x'"),
    "structs": framed([{"a": 1}], pl.Struct({"a": pl.Int64}), refusal="a struct in column 'x'"),
    "structs in lists": framed(
        [[{"a": 1}]], pl.List(pl.Struct({"a": pl.Int64})), refusal="a list in column 'x'"
    ),
    "an extension of a number": framed(
        pl.Series([1, 0, None], dtype=pl.Int8).ext.to(pl.Extension("arrow.bool8", pl.Int8, "")),
        None,
        **BIT,
    ),
    "an extension of a list": framed(
        pl.Series([[1]]).ext.to(pl.Extension("a.tensor", pl.List(pl.Int64), "")),
        None,
        refusal="a list in column 'x'",
    ),
    "timestamps of an unknown zone": Case(
        lambda: in_zone("Europe/Berlin", "Europe/Xanadu"), refusal="a zone that is not known"
    ),
    "polars' bytes": framed([b"a"], pl.Binary, refusal="bytes that are not marked as text in"),
}
LINES = {
    "JSON's whole numbers": lines("1", "0", "null", **BIT),
    "JSON's exponents": lines("1e0", "0E0", "null", **BIT),
    "JSON's fractions": lines("0.1", "1", number=[0.1, 1.0]),
    "JSON's large whole numbers": lines(
        str(2**53 + 1), integer=[2**53 + 1], category=["9007199254740993"]
    ),
    "JSON's texts": lines('"1"', '"0"', '""', **BIT),
    "JSON's words": lines('"a"', "null", category=["a", None]),
    "JSON's booleans": lines("true", "null", boolean=[True, None], category=["true", None]),
    "JSON's nulls": lines("null", **nothing([None])),
    "JSON's objects": lines('{"a": 1}', refusal="a JSON object in column 'x'"),
    "JSON's arrays": lines("[1]", refusal="a JSON array in column 'x'"),
    "JSON's longest numbers": lines("1" * 20, refusal="a JSON number out of range in column 'x'"),
    "JSON's infinite numbers": lines("1e999", refusal="a JSON number out of range in column 'x'"),
    "JSON's two types": lines("1", '"a"', refusal="a JSON text in column 'x'"),
}
CASES = STORED | FRAMED | LINES


def feature(declared: ColumnType) -> dict[str, Any]:
    if declared is CATEGORY:
        return category("x", "0", "1", nullable=True)
    return {"name": "x", "type": declared.value, "nullable": True}


@pytest.mark.parametrize("declared", DECLARED)
@pytest.mark.parametrize("name", CASES)
def test_each_type_is_read_exactly_or_refused_in_a_sentence(
    name: str, declared: ColumnType
) -> None:
    case = CASES[name]
    wanted = schema(feature(declared))
    frame = read(case.file(), case.format, declared={"x": declared})
    if case.refusal is not None:
        assert isinstance(frame, tuple), frame
        assert case.refusal in frame[0].sentence()
        return
    assert isinstance(frame, pl.DataFrame), frame
    rows = frame.with_columns(label=pl.Series(["yes"] * frame.height))
    guarded = guard(rows, wanted, pii())
    converted = convert(guarded.frame, declared_columns(wanted))
    assert converted.table is not None
    validate(converted.table, wanted)  # what is wrong there is told, and ends nothing
    expected = case.expected(declared)
    if expected is None:
        (found,) = converted.findings
        assert (found.check, found.column, found.row) == ("Type", "x", found.rows[0])
        assert "Decimal" not in found.found
        assert "object" not in found.found
    else:
        assert converted.findings == ()
        assert converted.table.column("x").values.to_list() == expected


@pytest.mark.parametrize("name", CASES)
def test_each_type_may_stand_in_a_column_that_nobody_declared(name: str) -> None:
    case = CASES[name]
    frame = read(case.file(), case.format)
    if isinstance(frame, tuple):
        assert all(isinstance(found, Finding) and "'x'" not in found.found for found in frame)
        return
    for spelled in ("x", "phone", "ssn", "date_of_birth", "card", "password"):
        rows = frame.rename({"x": spelled})
        rows = rows.with_columns(x=pl.lit(1), label=pl.lit("yes"))
        assert guard(rows.select("label", spelled), schema(), pii("Mask")).frame.height


DOUBLES = st.floats(allow_nan=False, allow_infinity=False)


@examples(200)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1, max_size=5))
def test_a_whole_number_is_the_same_double_or_refused_in_every_form(
    cells: list[int | None],
) -> None:
    text = [None if cell is None else str(cell) for cell in cells]
    decimals = [None if cell is None else Decimal(cell) for cell in cells]
    expected = [
        float(cell) if cell is not None and int(float(cell)) == cell else None for cell in cells
    ]
    forms = (
        pl.Series("x", cells, dtype=pl.Int64),
        pl.Series("x", cells, dtype=pl.Int128),
        pl.Series("x", text, dtype=pl.String),
        pl.Series("x", decimals, dtype=pl.Decimal(38, 0)),
        pl.Series("x", decimals, dtype=pl.Decimal(38, 3)),
    )
    wanted = declared_columns(schema(feature(NUMBER)))
    for form in forms:
        found = convert(form.to_frame().with_columns(label=pl.lit("yes")), wanted)
        assert found.table is not None
        assert found.table.column("x").values.to_list() == expected, form.dtype


@examples(200)
@given(st.lists(st.decimals(-(10**12), 10**12, places=6), min_size=1, max_size=5))
def test_a_decimal_is_the_nearest_double(cells: list[Decimal]) -> None:
    form = pl.DataFrame({"x": pl.Series(cells, dtype=pl.Decimal(38, 6))})
    found = convert(
        form.with_columns(label=pl.lit("yes")), declared_columns(schema(feature(NUMBER)))
    )
    assert found.table is not None
    assert found.table.column("x").values.to_list() == [float(cell) for cell in cells]
