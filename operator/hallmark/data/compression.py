"""gzip and zstd, recognised by their magic bytes, decompressed piece by piece within limits."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from hallmark.api.model_policy import ReadLimits
from hallmark.data.failures import unreadable

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

PIECE_BYTES = 1 << 20
"""Bytes that are read, and at most returned, at once."""
_ZSTD_WINDOW_LOG = 27
"""128 MiB: what the zstd command accepts too."""
_RATIO_FROM = 64 << 20
"""Below so many bytes no ratio is suspicious: a small table may repeat itself."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive (or an Excel workbook)",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\0": "an xz file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x04\x22\x4d\x18": "an lz4 file",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"SQLite format 3\0": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"FEA1": "a Feather file",
    b"%PDF-": "a PDF",
    b"Rar!": "a RAR archive",
    b"\x1f\x9d": "a file of compress (.Z)",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a picture",
    b"\x93NUMPY": "a NumPy array",
    b"\x80\x04\x95": "a Python pickle",
    b"\x80\x05\x95": "a Python pickle",
}
_HEAD = 16


class _Codec(Protocol):
    """One member or frame; the interface of the standard library's decompressors."""

    @property
    def eof(self) -> bool:
        """Whether the member is at its end."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more can be returned without further input."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the member's end."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return at most ``max_length`` bytes."""


class _Gunzip:
    """zlib's decompressor behind that interface."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        piece = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = len(piece) < max_length
        return piece


def _zstd() -> ZstdDecompressor:
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


def codec_of(head: bytes) -> tuple[str, Callable[[], _Codec]] | None:
    """Return the compression's name and codec by a file's first bytes, or None for none.

    Raises:
        Unreadable: it is of a kind that is never read.
    """
    if head.startswith(_GZIP):
        return "gzip", _Gunzip
    if head.startswith(_ZSTD) or (head[1:4] == _ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F):
        return "zstd", _zstd
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise unreadable("Format", "CSV, Parquet or JSON Lines, plain or in gzip or zstd", name)
    return None


def peek(file: BinaryIO) -> bytes:
    """Return a file's first 16 bytes; it stands at its start afterwards."""
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    return head


def plain_pieces(
    file: BinaryIO, limits: ReadLimits, piece_bytes: int = PIECE_BYTES
) -> Iterator[bytes]:
    """Yield what a file holds, decompressed, in pieces of at most ``piece_bytes``.

    Raises:
        Unreadable: damaged, compressed twice, or beyond a limit.
    """
    codec = codec_of(peek(file))
    if codec is None:
        while piece := file.read(piece_bytes):
            yield piece
        return
    name, make = codec
    size = 0
    for piece in _decompressed(file, name, make, piece_bytes):
        if not size and codec_of(piece[:_HEAD]):
            raise unreadable("Compression", "a file compressed once", f"{name} around another")
        size += len(piece)
        _check_size(size, file.tell(), limits)
        yield piece


def _check_size(size: int, read: int, limits: ReadLimits) -> None:
    if size > limits.max_decompressed_bytes:
        raise unreadable(
            "DecompressedSize", f"at most {limits.max_decompressed_bytes} bytes", "more of them"
        )
    if size > _RATIO_FROM and size > limits.max_compression_ratio * read:
        raise unreadable(
            "CompressionRatio",
            f"at most {limits.max_compression_ratio} bytes from one compressed byte",
            f"{size // read} after {size} bytes",
        )


def _decompressed(
    file: BinaryIO, name: str, make: Callable[[], _Codec], piece_bytes: int
) -> Iterator[bytes]:
    """Yield the pieces of all members, none of them empty."""
    data = file.read(piece_bytes)
    while data:
        codec = make()
        while not codec.eof:
            try:
                piece = codec.decompress(data, piece_bytes)
            except (zlib.error, ZstdError, EOFError, MemoryError):
                raise unreadable(
                    "Compression",
                    f"a whole {name} file",
                    f"damaged bytes or another format among the first {file.tell()} bytes",
                ) from None
            if piece:
                yield piece
            data = b""
            if not codec.eof and codec.needs_input:
                data = file.read(piece_bytes)
                if not data:
                    raise unreadable(
                        "Compression",
                        f"a whole {name} file",
                        f"one that ends early, after {file.tell()} bytes",
                    )
        data = _next_member(codec.unused_data, file, piece_bytes)


def _next_member(data: bytes, file: BinaryIO, piece_bytes: int) -> bytes:
    """Return the bytes of the next member, if any: a gzip file may be padded with zeros."""
    while not (data := data.lstrip(b"\0")):
        data = file.read(piece_bytes)
        if not data:
            break
    return data
