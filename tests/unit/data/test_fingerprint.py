from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.dataset import DataFormat
from hallmark.api.schema import Schema
from hallmark.data.conversion import convert
from hallmark.data.fingerprint import column_digest, fingerprint
from hallmark.data.readers import read
from hallmark.data.table import Table, declared_columns
from tests.data.hmda import hmda_csv, hmda_spec
from tests.examples import examples
from tests.unit.data.factories import category, schema

DOCUMENT = Path(__file__).parents[3] / "docs" / "fingerprint.md"
FEATURES = (
    {"name": "x", "type": "Number", "nullable": True},
    {"name": "k", "type": "Integer", "nullable": True},
    {"name": "b", "type": "Boolean", "nullable": True},
    category("c", "red", "grün", nullable=True),
)
DECLARED = schema(*FEATURES, target="y", sensitive=[{"name": "g"}])
CSV = """x,k,b,c,y,g
1.5,-2,true,red,yes,a
-0,9007199254740993,false,grün,no,b
,,,,no,b
"""


def load(data: bytes, data_format: DataFormat, declared: Schema = DECLARED) -> Table:
    frame = read(data, data_format)
    assert isinstance(frame, pl.DataFrame), frame
    table = convert(frame, declared_columns(declared)).table
    assert table is not None
    return table


def of(data: str | bytes, declared: Schema = DECLARED) -> str:
    data = data.encode() if isinstance(data, str) else data
    return fingerprint(load(data, DataFormat.CSV, declared))


def specified_column(code: int, name: str, cells: list[Any]) -> str:
    """Return a column's digest as docs/fingerprint.md says, with nothing but its bytes."""
    body = struct.pack("<BI", code, len(name.encode())) + name.encode()
    body += bytes(cell is not None for cell in cells)
    if code in (1, 2):
        body += b"".join(struct.pack("<d" if code == 1 else "<q", cell or 0) for cell in cells)
    elif code == 3:
        body += bytes(cell or 0 for cell in cells)
    else:
        texts = [(cell or "").encode() for cell in cells]
        body += b"".join(struct.pack("<I", len(text)) for text in texts) + b"".join(texts)
    return hashlib.sha256(body).hexdigest()


def specified(rows: int, digests: list[str]) -> str:
    body = b"hallmark.dev/fingerprint/v1\0" + struct.pack("<QI", rows, len(digests))
    return hashlib.sha256(body + b"".join(map(bytes.fromhex, digests))).hexdigest()


def test_the_documents_vectors_follow_from_its_table_of_bytes_and_from_the_code() -> None:
    vectors = dict(
        re.findall(
            r"\| (column `\w`|fingerprint) \| `(?:sha256:)?([0-9a-f]{64})`", DOCUMENT.read_text()
        )
    )
    columns = {
        "x": (1, [1.5, 0.0, None]),
        "k": (2, [-2, 9007199254740993, None]),
        "b": (3, [True, False, None]),
        "c": (4, ["red", "grün", None]),
        "y": (5, ["yes", "no", "no"]),
        "g": (5, ["a", "b", "b"]),
    }
    table = load(CSV.encode(), DataFormat.CSV)
    expected = {
        f"column `{name}`": specified_column(code, name, cells)
        for name, (code, cells) in columns.items()
    }
    assert {
        f"column `{column.name}`": column_digest(column).hex() for column in table.columns
    } == expected
    expected["fingerprint"] = specified(3, list(expected.values()))
    assert fingerprint(table) == f"sha256:{expected['fingerprint']}"
    assert vectors == expected


def test_the_three_formats_have_one_fingerprint() -> None:
    frame = pl.DataFrame(
        {
            "x": [1.5, -0.0, None],
            "k": [-2, 9007199254740993, None],
            "b": [True, False, None],
            "c": ["red", "grün", None],
            "y": ["yes", "no", "no"],
            "g": ["a", "b", "b"],
        }
    )
    parquet = io.BytesIO()
    frame.write_parquet(parquet)
    lines = "\n".join(json.dumps(row) for row in frame.to_dicts())
    assert (
        fingerprint(load(parquet.getvalue(), DataFormat.PARQUET))
        == fingerprint(load(lines.encode(), DataFormat.JSON_LINES))
        == of(CSV)
    )


def test_a_real_table_has_one_fingerprint_in_the_three_formats() -> None:
    declared = Schema.model_validate(hmda_spec(with_protected=True)["schema"])
    frame = pl.read_csv(io.BytesIO(hmda_csv()))
    parquet = io.BytesIO()
    frame.write_parquet(parquet)
    assert (
        of(hmda_csv(), declared)
        == fingerprint(load(parquet.getvalue(), DataFormat.PARQUET, declared))
        == fingerprint(load(frame.write_ndjson().encode(), DataFormat.JSON_LINES, declared))
    )


def test_a_compressed_file_has_the_fingerprint_of_its_rows() -> None:
    assert of(gzip.compress(CSV.encode())) == of(CSV)


def test_an_identifier_counts_after_everything_else() -> None:
    declared = DECLARED.model_copy(update={"identifiers": ["id"]})
    lines = [f"{line},{end}" for line, end in zip(CSV.split(), ("id", "1", "2", "3"), strict=True)]
    table = load("\n".join(lines).encode(), DataFormat.CSV, declared)
    digests = [column_digest(column).hex() for column in table.columns]
    assert digests[-1] == specified_column(5, "id", ["1", "2", "3"])
    assert fingerprint(table) == f"sha256:{specified(3, digests)}"


def test_long_columns_of_text_are_digested_as_one() -> None:
    cells = [None if i % 7 == 0 else "ä" * (i % 5) or "b" for i in range(40_000)]
    declared = schema({"name": "x", "type": "Number"}, sensitive=[{"name": "g"}])
    frame = pl.DataFrame({"x": [1.0] * 40_000, "label": ["yes"] * 40_000, "g": cells})
    table = convert(frame, declared_columns(declared)).table
    assert table is not None
    assert column_digest(table.column("g")).hex() == specified_column(5, "g", cells)


CHANGES = {
    "a cell": CSV.replace("1.5", "1.25"),
    "the last bit of a cell": CSV.replace("1.5", "1.5000000000000002"),
    "a null for an empty one": CSV.replace("-0,", ",", 1),
    "two columns' names": CSV.replace("y,g", "g,y"),
    "two rows": "\n".join(CSV.split("\n")[i] for i in (0, 2, 1, 3)),
    "a row less": "\n".join(CSV.split("\n")[:3]),
    "a text moved to its neighbour": CSV.replace("no,b", "nob,", 1).replace("no,b", "no,b", 1),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_a_change_shows(changed: str) -> None:
    assert of(changed) != of(CSV)


def test_a_declared_type_shows() -> None:
    text = "x,label\n1,yes\n"
    kinds = [{"name": "x", "type": kind} for kind in ("Number", "Integer", "Boolean")]
    kinds.append(category("x", "1"))
    assert len({of(text, schema(kind)) for kind in kinds}) == 4


def test_what_does_not_count() -> None:
    columns = [line.split(",") for line in CSV.strip().split("\n")]
    turned = "\n".join(",".join([*reversed(row), "more"]) for row in columns)
    turned = turned.replace("more", "other", 1)
    assert of(turned) == of(CSV)


@examples(60)
@given(
    st.lists(st.text("ab", max_size=3), min_size=2, max_size=4),
    st.lists(st.text("ab", max_size=3), min_size=2, max_size=4),
)
def test_different_texts_differ_even_where_their_joint_bytes_are_equal(
    left: list[str], right: list[str]
) -> None:
    def digest(cells: list[str]) -> str:
        text = "x,label\n" + "".join(f'1,"{cell}"\n' for cell in cells)
        return of(text, schema())

    assert (digest(left) == digest(right)) == (left == right)
