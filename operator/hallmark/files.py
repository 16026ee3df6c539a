"""Files from outside, read bounded: whatever stands in a file's place, nothing waits for it.

A named pipe would be waited for without an end, a device may have no end, and a file may be longer
than the memory. Each is an ``OSError`` whose ``strerror`` says what was found, like a file that is
not there, so that whoever reads one has one thing to answer.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader, BufferedWriter
from pathlib import Path

KEY_BYTES = 64 << 10
"""The longest file of a key, a password or another short text."""
DOCUMENT_BYTES = 64 << 20
"""The longest document of our own, such as a task or a trust."""
_PIECE = 1 << 16
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file, or what links lead to, to be read.

    Raises:
        OSError: there is none, it may not be read, or it is something else.
    """
    return os.fdopen(_descriptor(path, os.O_RDONLY), "rb")


def read_first(path: Path, most: int) -> bytes:
    """Return the first ``most`` bytes of a regular file.

    Raises:
        OSError: as ``open_regular`` says.
    """
    with open_regular(path) as file:
        # Room is made for what is there, not for what may be there at most.
        data = file.read(min(most, max(_PIECE, os.fstat(file.fileno()).st_size)))
        while len(data) < most and (more := file.read(min(most - len(data), _PIECE))):
            data += more
    return data


def read_whole(path: Path, most: int) -> bytes:
    """Return all bytes of a regular file, ``most`` at most.

    Raises:
        OSError: as ``open_regular`` says, or it is longer.
    """
    data = read_first(path, most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"longer than {most} bytes", str(path))
    return data


def read_line(path: Path) -> str:
    """Return a short text without what surrounds it: a password, a token, a word of the kernel.

    Raises:
        OSError: as ``read_whole`` says, or it is no UTF-8.
    """
    data = read_whole(path, KEY_BYTES)
    try:
        return data.decode().strip()
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "it is no text in UTF-8", str(path)) from None


def open_to_write(path: Path, flags: int, mode: int = 0o600) -> int:
    """Return a descriptor of a regular file to be written, made where the flags say so.

    Raises:
        OSError: as ``open_regular`` says.
    """
    return _descriptor(path, flags, mode)


def create(path: Path, mode: int = 0o666) -> BufferedWriter:
    """Open a new file to be written; what stood there is taken away, not written to.

    Raises:
        OSError: it cannot be made.
    """
    path.unlink(missing_ok=True)
    return os.fdopen(_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def _descriptor(path: Path, flags: int, mode: int = 0o600) -> int:
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, mode)
    except ValueError:  # A byte 0 in the name.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    found = os.fstat(descriptor).st_mode
    if stat.S_ISREG(found):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    what = next((kind for test, kind in _KINDS if test(found)), "something else")
    raise OSError(errno.EINVAL, f"expected a regular file, found {what}", str(path))
