"""How the supply chain says what it refuses: bounded, printable findings."""

from __future__ import annotations

from hallmark.api.artifacts import Finding

_LIMIT = 256


def clip(text: str, limit: int = _LIMIT) -> str:
    """Return ``text`` on one line, printable and at most ``limit`` characters long."""
    line = "".join(each if each.isprintable() else "?" for each in text)
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def finding(check: str, expected: str, found: str) -> Finding:
    """Return a finding whose texts are clipped, whatever was read from a hostile file."""
    return Finding(check=clip(check, 64), expected=clip(expected), found=clip(found))
