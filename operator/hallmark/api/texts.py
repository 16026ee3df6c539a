"""How moments, durations, digests and JSON are written; without pydantic, for a quick start."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

import rfc8785

GROUP = "hallmark.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

SCORE, LABEL = "prediction/score", "prediction/label"
"""What the model says of a row, where it is watched as features are; no column has such a name."""


def canonical_json(value: object) -> bytes:
    """Return ``value`` as canonical JSON (RFC 8785): what is signed, or named by its digest.

    Another program that knows the RFC gets the same bytes: keys in the order of their UTF-16
    code units, numbers as JavaScript writes them (``1.0`` is ``1``).

    Raises:
        ValueError: ``value`` holds NaN, an infinity, an integer beyond 2**53 - 1, half a surrogate
            pair, or what is no JSON.
    """
    return rfc8785.dumps(cast("Any", value))


def sorted_json(value: object) -> bytes:
    """Return ``value`` as UTF-8 JSON with sorted keys: to compare within one program.

    Several times faster than ``canonical_json``, and it takes any integer; no other program need
    get the same bytes, so that no digest of these is shown.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def sha256_digest(data: bytes) -> str:
    """Return ``sha256:<64 hex digits>`` of ``data``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def readable_duration(text: str) -> str:
    """Return ``text`` if it is a duration, else raise a ValueError."""
    parse_duration(text)
    return text


def readable_timestamp(text: str) -> str:
    """Return ``text`` if it is a moment, else raise a ValueError."""
    parse_timestamp(text)
    return text


_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> timedelta:
    """Return the length of a Go-style duration such as ``"1h30m"``.

    Raises:
        ValueError: ``text`` is not such a duration.
    """
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"Expected a duration such as '10m' or '1h30m', found {text!r}.")
    seconds = sum(Decimal(number) * _SECONDS[unit] for number, unit in parts)
    return timedelta(seconds=float(seconds))


def timestamp(moment: datetime) -> str:
    """Return ``moment`` (aware) as an RFC 3339 UTC time to the microsecond."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def parse_timestamp(text: str) -> datetime:
    """Return the aware UTC moment that an RFC 3339 text names.

    Raises:
        ValueError: ``text`` is not such a time.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError("Expected a time with its zone, such as 2027-01-31T00:00:00Z.")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("Expected a moment of the years 1 to 9999 in UTC.") from error


def clip(text: str, limit: int = 256) -> str:
    """Return ``text`` on one line, printable and at most ``limit`` characters long."""
    line = "".join(character if character.isprintable() else "?" for character in text)
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
