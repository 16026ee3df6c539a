"""Files that were made to hurt a reader, and the words in which each must end.

``python -m tests.unit.data.hostile.corpus`` reads them all in one process whose address space is
limited and prints one JSON line per file.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from hallmark.api.dataset import CSVDialect, CSVEncoding, DataFormat
from hallmark.api.model_policy import ReadLimits
from hallmark.data.readers import read

ADDRESS_SPACE = 6 << 30
"""Bytes: a reader that believes a bomb does not stay within them."""
SECRET = "4111111111111111"
CSV, JSON, PARQUET = DataFormat.CSV, DataFormat.JSON_LINES, DataFormat.PARQUET


@dataclass(frozen=True)
class Hostile:
    """A file, how it is declared, and what its refusal says."""

    make: Callable[[], bytes]
    format: DataFormat
    words: str
    dialect: CSVDialect = field(default_factory=CSVDialect)
    limits: ReadLimits = field(default_factory=ReadLimits)


def zstd_run(prefix: bytes, byte: bytes, blocks: int) -> bytes:
    """Return a zstd frame of a prefix and 128 KiB of one byte in every four bytes after it."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0x00, 0x38])  # a window of 128 KiB
    raw = struct.pack("<I", len(prefix) << 3)[:3] + prefix
    run = struct.pack("<I", (1 << 17) << 3 | 1 << 1)[:3] + byte
    last = struct.pack("<I", 1 << 3 | 1 << 1 | 1)[:3] + byte
    return head + raw + run * blocks + last


def parquet(frame: pl.DataFrame, **options: str) -> bytes:
    """Return the frame as a Parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def varint(number: int) -> bytes:
    """Return a number as Thrift's compact protocol writes it (zigzag, three bytes)."""
    value = number << 1
    return bytes([value & 127 | 128, value >> 7 & 127 | 128, value >> 14])


ROWS = pl.DataFrame({"a": range(12_345), "b": ["x", "y", "z"] * 4_115})


def lying_footer(times: int) -> bytes:
    """Return a Parquet file whose footer says one row more, in its first ``times`` places."""
    data = parquet(ROWS, compression="uncompressed")
    length = struct.unpack("<I", data[-8:-4])[0]
    pages, footer = data[: -8 - length], data[-8 - length :]
    assert footer.count(varint(12_345)) >= 2
    return pages + footer.replace(varint(12_345), varint(12_346), times)


def damaged_gzip() -> bytes:
    """Return a gzip file with a wrong checksum."""
    data = bytearray(gzip.compress(b"a,b\n1,2\n" * 100))
    data[-6] ^= 1
    return bytes(data)


REPEATED = b"a,b\n" + (b"1," + b"2" * 1000 + b"\n") * 130_000
UTF16 = CSVDialect(encoding=CSVEncoding.UTF16)

CORPUS: dict[str, Hostile] = {
    "a gzip bomb": Hostile(
        lambda: gzip.compress(REPEATED), CSV, "CompressionRatio: expected at most 200 bytes"
    ),
    "a gzip bomb within the ratio": Hostile(
        lambda: gzip.compress(REPEATED),
        CSV,
        "DecompressedSize: expected at most 1048576 bytes",
        limits=ReadLimits(max_decompressed_bytes=1 << 20),
    ),
    "a gzip bomb around JSON": Hostile(
        lambda: gzip.compress((b'{"a":"' + b"x" * 1000 + b'"}\n') * 130_000),
        JSON,
        "CompressionRatio",
    ),
    "a gzip bomb around Parquet": Hostile(
        lambda: gzip.compress(b"PAR1" + b"\0" * (128 << 20) + b"PAR1"), PARQUET, "CompressionRatio"
    ),
    "a zstd bomb of 100 GB in 3 MB": Hostile(
        lambda: zstd_run(b"a,b\n1,", b"2", 800_000), CSV, "found a longer one (or no line ends)"
    ),
    "a zstd bomb of line ends": Hostile(
        lambda: zstd_run(b"a,b\n1,2", b"\n", 800_000), CSV, "CompressionRatio"
    ),
    "a zstd bomb around Parquet": Hostile(
        lambda: zstd_run(b"PAR1", b"\0", 800_000), PARQUET, "CompressionRatio"
    ),
    "a billion columns": Hostile(
        lambda: zstd_run(b"a", b",", 8_000), CSV, "found a longer one (or no line ends)"
    ),
    "five million columns": Hostile(
        lambda: b"a" + b"," * 5_000_000 + b"\n1\n", CSV, "found 5000001 columns"
    ),
    "a million names in a JSON object": Hostile(
        lambda: b"{" + b",".join(b'"%d":1' % number for number in range(600_000)) + b"}",
        JSON,
        "at most 1024 columns",
    ),
    "gzip within gzip": Hostile(
        lambda: gzip.compress(gzip.compress(b"a,b\n1,2\n")), CSV, "a file compressed once"
    ),
    "zstd within gzip": Hostile(
        lambda: gzip.compress(zstd_run(b"a,b\n1,2\n", b"1", 1)), CSV, "a file compressed once"
    ),
    "a gzip file that ends early": Hostile(
        lambda: gzip.compress(b"a,b\n1,2\n" * 100)[:-9], CSV, "one that ends early"
    ),
    "a gzip file with a wrong checksum": Hostile(damaged_gzip, CSV, "damaged bytes"),
    "a gzip file with something behind it": Hostile(
        lambda: gzip.compress(b"a,b\n1,2\n") + b"4111", CSV, "damaged bytes or another format"
    ),
    "a zstd file that ends early": Hostile(
        lambda: zstd_run(b"a,b\n1,2\n3,", b"4", 1)[:-2], CSV, "one that ends early"
    ),
    "a zstd window of 2 GB": Hostile(
        lambda: b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x01\0\0", CSV, "a whole zstd file"
    ),
    "a ZIP archive": Hostile(lambda: b"PK\x03\x04" + b"\0" * 100, CSV, "a ZIP archive"),
    "an xz file within gzip": Hostile(
        lambda: gzip.compress(b"\xfd7zXZ\0" + b"\0" * 10), CSV, "an xz file"
    ),
    "NUL bytes": Hostile(lambda: b"a,b\n1,2\n3,\0\0\n", CSV, "first in row 2"),
    "NUL bytes in the header": Hostile(lambda: b"a,\0b\n1,2\n", CSV, "first in row 0"),
    "NUL bytes in JSON": Hostile(lambda: b'{"a":1}\n{"a":\0}\n', JSON, "first in row 2"),
    "mixed encodings": Hostile(
        lambda: "a,b\n1,é\n".encode() + "2,é\n".encode("latin-1"), CSV, "first in row 2"
    ),
    "UTF-16 that is called UTF-8": Hostile(
        lambda: "a,b\n1,2\n".encode("utf-16"), CSV, "'csv.encoding' UTF-16"
    ),
    "UTF-8 that is called UTF-16": Hostile(
        lambda: b"a,b\n1,2\n", CSV, "UTF-16 with a byte-order mark", UTF16
    ),
    "half a surrogate pair in UTF-16": Hostile(
        lambda: b"\xff\xfe" + "a,b\n1,".encode("utf-16-le") + b"\x00\xd8x\0\n\0",
        CSV,
        "other bytes in line 2",
        UTF16,
    ),
    "UTF-16 of an odd length": Hostile(
        lambda: "a,b\n1,2\n".encode("utf-16") + b"3", CSV, "other bytes in line 3", UTF16
    ),
    "half a surrogate pair in UTF-8": Hostile(
        lambda: b"a,b\n1,\xed\xa0\x80\n", CSV, "first in row 1"
    ),
    "half a surrogate pair in JSON": Hostile(
        lambda: b'{"a":"\\ud800"}\n', JSON, "half of a surrogate pair"
    ),
    "half a surrogate pair in a JSON name": Hostile(
        lambda: b'{"\\udfff":1}\n', JSON, "half of a surrogate pair"
    ),
    "a cell of 6 MB": Hostile(
        lambda: b"a,b\n1,2\n1," + b"x" * 6_000_000 + b"\n", CSV, "a cell of 6000000 bytes"
    ),
    "a cell of 10 MB": Hostile(
        lambda: b"a,b\n1,2\n1," + b"x" * 10_000_000 + b"\n", CSV, "records of at most 8388608"
    ),
    "a cell of 10 MB in JSON": Hostile(
        lambda: b'{"a":"' + b"x" * 10_000_000 + b'"}\n', JSON, "lines of at most 8388608"
    ),
    "a cell of 10 MB in Parquet": Hostile(
        lambda: parquet(pl.DataFrame({"a": ["x" * 10_000_000]})), PARQUET, "of 10000000 bytes"
    ),
    "a name of 10 KB": Hostile(
        lambda: b"a," + b"b" * 10_000 + b"\n1,2\n", CSV, "one of 10000 bytes for column number 2"
    ),
    "the same name twice": Hostile(
        lambda: f"{SECRET},b,{SECRET}\n1,2,3\n".encode(), CSV, "columns number 1 and 3"
    ),
    "the same name twice in JSON": Hostile(lambda: b'{"a":1,"a":null}\n' * 2, JSON, "a name twice"),
    "a quotation that never ends": Hostile(
        lambda: b'a,b\n1,2\n3,"' + b"4,5\n" * 1_000_000, CSV, "not closed"
    ),
    "a quotation that ends beyond a block": Hostile(
        lambda: b'a,b\n1,2\n3,"' + b"4,5\n" * 3_000_000 + b'"\n', CSV, "first in row 2"
    ),
    "an odd quote among many": Hostile(
        lambda: b'a,b\n"1","2"\n3,5" disk\n"4","5"\n', CSV, "first in row 2"
    ),
    "JSON nested a million deep": Hostile(lambda: b'{"a":' * 1_000_000, JSON, "no JSON"),
    "arrays nested a million deep": Hostile(
        lambda: b'{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", JSON, "no JSON"
    ),
    "a whole number of a million digits": Hostile(
        lambda: b'{"a":' + b"9" * 1_000_000 + b"}", JSON, "a number with too many digits"
    ),
    "a whole number beyond 64 bits among fractions": Hostile(
        lambda: b'{"a":1.5}\n{"a":99999999999999999999}\n', JSON, "out of range"
    ),
    "NaN": Hostile(lambda: b'{"a":NaN}\n', JSON, "NaN, which JSON does not know"),
    "infinity": Hostile(lambda: b'{"a":1}\n{"a":-Infinity}\n', JSON, "-Infinity"),
    "a number beyond doubles": Hostile(lambda: b'{"a":1e999}\n', JSON, "out of range"),
    "text among numbers in a later block": Hostile(
        lambda: b'{"aaaaaaaa":1}\n' * 700_000 + b'{"aaaaaaaa":"1"}\n',
        JSON,
        "first in row 700001: expected plain values of one type",
    ),
    "lines that end with CR alone": Hostile(lambda: b"a,b\r1,2\r3,4\r", CSV, "a CR alone"),
    "CR, LF and CRLF mixed": Hostile(
        lambda: b"a,b\r\n1,2\n3,4\r5,6\r\n", CSV, "first in row 2: expected lines that end"
    ),
    "ragged rows": Hostile(
        lambda: b"a,b\n1,2\n" + b"1\n1,2,3\n" * 30, CSV, "(30 times, in rows 2, 4, 6,"
    ),
    "a million ragged rows": Hostile(
        lambda: b"a,b\n" + b"1\n" * 1_000_000, CSV, "(1000000 times, in rows 1, 2, 3,"
    ),
    "rows of every length": Hostile(
        lambda: b"a,b\n" + b"".join(b"," * width + b"\n" for width in range(2, 60)),
        CSV,
        "found something else",
    ),
    "eight million empty lines": Hostile(
        lambda: b"a,b\n1,2\n" + b"\n" * 8_000_000 + b"3,4\n", CSV, "found an empty line"
    ),
    "Parquet that ends early": Hostile(
        lambda: parquet(ROWS)[:-100], PARQUET, "one that ends early"
    ),
    "Parquet with nested types": Hostile(
        lambda: parquet(pl.DataFrame({"a": [{"b": [1]}]})), PARQUET, "a struct in column number 1"
    ),
    "Parquet whose footer counts another number of rows": Hostile(
        lambda: lying_footer(1), PARQUET, "its row groups have another number of rows"
    ),
    "Parquet whose pages hold less than the footer says": Hostile(
        lambda: lying_footer(-1), PARQUET, "pages with another number of values"
    ),
    "Parquet with a footer longer than the file": Hostile(
        lambda: b"PAR1" + b"\xff" * 64 + b"\xff\xff\xff\x7fPAR1", PARQUET, "a footer of"
    ),
    "Parquet with a footer of lists": Hostile(
        lambda: b"PAR1" + b"\x19\xfc\xff\xff\x3f" * 1000 + struct.pack("<I", 5000) + b"PAR1",
        PARQUET,
        "a damaged one",
    ),
    "Parquet nested a thousand deep in its footer": Hostile(
        lambda: b"PAR1" + b"\x1c" * 1000 + struct.pack("<I", 1000) + b"PAR1",
        PARQUET,
        "a footer nested too deep",
    ),
    "Parquet of one value repeated": Hostile(
        lambda: parquet(pl.DataFrame({"a": [1]}).select(pl.repeat(1, 1_000_000).alias("a"))),
        PARQUET,
        "at most 1048576 bytes, found 8000000 bytes in 1000000 rows",
        limits=ReadLimits(max_decompressed_bytes=1 << 20),
    ),
    "encrypted Parquet": Hostile(lambda: b"PARE" + b"\0" * 100 + b"PARE", PARQUET, "an encrypted"),
    "random bytes behind gzip's mark": Hostile(
        lambda: b"\x1f\x8b" + zlib.compress(b"x" * 1000), PARQUET, "a whole gzip file"
    ),
}


def outcomes() -> Iterator[dict[str, object]]:
    """Read every file and yield its sentences, seconds and the process's memory by then."""
    for name, hostile in CORPUS.items():
        data = hostile.make()
        started = time.process_time()
        found = read(data, hostile.format, hostile.limits, dialect=hostile.dialect)
        seconds = time.process_time() - started
        sentences = (
            f"rows: {found.shape}"
            if isinstance(found, pl.DataFrame)
            else " ".join(finding.sentence() for finding in found)
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        yield {"name": name, "sentences": sentences, "seconds": seconds, "peak_mib": peak}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for outcome in outcomes():
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()
