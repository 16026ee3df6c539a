"""How the supply chain says what it refuses: bounded, printable findings."""

from __future__ import annotations

from hallmark.api.findings import Finding
from hallmark.api.texts import clip


def finding(check: str, expected: str, found: str) -> Finding:
    """Return a finding whose texts are clipped, whatever was read from a hostile file."""
    return Finding(check=clip(check, 64), expected=clip(expected), found=clip(found))
