"""How moments, digests and numbers are written, everywhere the same. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache

from hallmark.api.conditions import TroubleReason
from hallmark.api.model_approval import ApprovalReason
from hallmark.api.reasons import DeploymentReason, PolicyReason, RunReason, VersionReason
from hallmark.api.reference import reasons
from hallmark.api.texts import parse_timestamp

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def ago(moment: str, now: datetime) -> str:
    """Return how long ago a moment was, in words; nothing for no moment."""
    if not moment:
        return ""
    try:
        passed = now - parse_timestamp(moment)
    except ValueError:
        return moment
    if passed < timedelta(seconds=1):
        return "just now" if passed > timedelta(seconds=-2) else f"in {lasting(-passed)}"
    return f"{lasting(passed)} ago"


def lasting(time: timedelta) -> str:
    """Return a time as its largest unit: ``4 minutes``."""
    seconds = int(time.total_seconds())
    for length, unit in _UNITS:
        if seconds >= length:
            number = seconds // length
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return "0 seconds"


def short(digest: str | None) -> str:
    """Return the first twelve characters of a digest's hex."""
    return (digest or "").removeprefix("sha256:")[:12]


def plural(number: int, noun: str, many: str = "") -> str:
    """Return a count with its noun: ``1 row``, ``2 rows``."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def listed(names: list[str], most: int = 5) -> str:
    """Return names as a phrase: ``a, b and c``; beyond ``most`` how many more there are."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


_PARTS = re.compile(r"[A-Z]?[^A-Z._]*[._]?")
"""What a line of a narrow column may end with, in a name such as ``equalizedOdds.age_x_sex``."""


def parts(name: str) -> list[str]:
    """Return a name in the parts between which it may be broken; joined they are the name."""
    return [part for part in _PARTS.findall(name) if part]


_ACCOUNT = "system:serviceaccount:"


def account(name: str) -> str:
    """Return namespace and name of a ServiceAccount (``people:rita``), nothing for anybody else."""
    return name.removeprefix(_ACCOUNT) if name.startswith(_ACCOUNT) else ""


@cache
def meanings() -> Mapping[str, str]:
    """Return the reference's own sentence for each reason that means one thing in all kinds."""
    found: dict[str, set[str]] = {}
    kinds = (
        RunReason,
        VersionReason,
        ApprovalReason,
        DeploymentReason,
        PolicyReason,
        TroubleReason,
    )
    for kind in kinds:
        for reason, sentence in reasons(kind):
            found.setdefault(reason, set()).add(sentence)
    return {reason: said.pop() for reason, said in found.items() if len(said) == 1}
