"""Text in a declared encoding into UTF-8, piece by piece."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from hallmark.api.dataset import CSVEncoding, DataFormat
from hallmark.data.failures import unreadable
from hallmark.data.sniffing import HEAD_BYTES, foreign

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_UTF32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_PYTHON = {CSVEncoding.LATIN1: "latin-1", CSVEncoding.WINDOWS_1252: "cp1252"}


def utf8_pieces(
    pieces: Iterator[bytes], encoding: CSVEncoding, data_format: DataFormat = DataFormat.CSV
) -> Iterator[bytes]:
    """Yield the text as UTF-8 without its byte-order mark.

    Bytes that are declared as UTF-8 are not looked at here: who knows the rows says where one
    is wrong.

    Raises:
        Unreadable: the bytes are not in the encoding.
    """
    first = b""
    for piece in pieces:
        first += piece
        if len(first) >= HEAD_BYTES:
            break
    _check_head(first, encoding, data_format)
    name, start = _encoding_of(first, encoding)
    if name is None:
        yield first[start:]
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(name)()
    line = 1
    for piece, last in _with_last(first[start:], pieces):
        try:
            text = decoder.decode(piece, final=last)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(name, "ignore")
            raise unreadable(
                "Encoding",
                f"text in {encoding.value}",
                f"other bytes in line {line + before.count(chr(10))}",
            ) from None
        line += text.count("\n")
        yield text.encode()


def _check_head(head: bytes, encoding: CSVEncoding, data_format: DataFormat) -> None:
    if not head:
        raise unreadable("File", "rows", "an empty file")
    if head[:4] in _UTF32_MARKS:
        raise unreadable("Encoding", f"text in {encoding.value}", "the byte-order mark of UTF-32")
    found = foreign(head, data_format) if encoding is not CSVEncoding.UTF16 else None
    if found is not None:
        raise unreadable("Format", data_format.value, found)


def _encoding_of(head: bytes, declared: CSVEncoding) -> tuple[str | None, int]:
    """Return Python's name of the encoding, None for UTF-8, and the length of its mark."""
    if head[:4] == b"PAR1":
        raise unreadable("Encoding", f"{declared.value} text", "a Parquet file")
    utf16 = _UTF16_MARKS.get(head[:2])
    if declared is CSVEncoding.UTF16:
        if utf16 is None:
            raise unreadable("Encoding", "UTF-16 with a byte-order mark", "no such mark")
        return utf16, 2
    if utf16 and declared is CSVEncoding.UTF8:
        raise unreadable(
            "Encoding",
            "UTF-8 (or 'csv.encoding' UTF-16 for a CSV file)",
            "the byte-order mark of UTF-16",
        )
    if head.startswith(_UTF8_MARK):
        if declared is not CSVEncoding.UTF8:
            raise unreadable(
                "Encoding", f"text in {declared.value}", "the byte-order mark of UTF-8"
            )
        return None, len(_UTF8_MARK)
    return _PYTHON.get(declared), 0


def _with_last(first: bytes, rest: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    for piece in rest:
        yield first, False
        first = piece
    yield first, True
