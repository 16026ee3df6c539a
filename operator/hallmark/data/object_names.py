"""Names of objects in buckets, read as they are: a key is no URL.

Every character behind ``s3://bucket/`` belongs to the key: ``#``, ``?``, ``%20`` and a space too.
What a store or a proxy on the way might read as another name is refused: empty parts, ``.`` and
``..``, control characters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

SCHEMES = frozenset({"s3", "gs", "az"})
_URI = re.compile(r"([a-z0-9]+)://([^/]*)(?:/(.*))?", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._\-]{0,221}")
_KEY_BYTES = 1024


@dataclass(frozen=True)
class ObjectName:
    """The name of an object, or of a folder of them.

    Attributes:
        scheme: ``s3``, ``gs`` or ``az``.
        bucket: The bucket (container).
        key: The object's name, as the store knows it.
    """

    scheme: str
    bucket: str
    key: str

    def covers(self, other: ObjectName) -> bool:
        """Whether the other is this object, or below this folder."""
        if (self.scheme, self.bucket) != (other.scheme, other.bucket):
            return False
        folder = f"{self.key.rstrip('/')}/" if self.key.rstrip("/") else ""
        return other.key == self.key or other.key.startswith(folder)


def is_object(uri: str) -> bool:
    """Whether it names an object in a bucket."""
    return uri.partition("://")[0] in SCHEMES


def object_name(uri: str) -> ObjectName | None:
    """Return the parts of an object's name, or None where the bucket's name is none."""
    match = _URI.fullmatch(uri)
    if match is None or match[1] not in SCHEMES or not _BUCKET.fullmatch(match[2]):
        return None
    return ObjectName(match[1], match[2], match[3] or "")


def ambiguity(name: ObjectName) -> str | None:
    """Return what makes a key one that not every store reads as it stands, or None."""
    parts = name.key.split("/")
    if not name.key:
        return "none"
    if "" in parts:
        return "two slashes in a row, or one at an end"
    if not {".", ".."}.isdisjoint(parts):
        return "'.' or '..' as a part"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name.key):
        return "a control character"
    if len(name.key.encode()) > _KEY_BYTES:
        return f"more than {_KEY_BYTES} bytes"
    # Azure reads a backslash as a slash and drops a dot at the end of a part.
    if name.scheme == "az" and ("\\" in name.key or any(part.endswith(".") for part in parts)):
        return "a backslash, or a dot at the end of a part, which Azure does not keep"
    return None
