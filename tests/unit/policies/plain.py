"""Decisions as plain values, to be kept in a file and read there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel

from hallmark.api.conditions import ConditionedStatus
from hallmark.api.texts import timestamp
from hallmark.api.trust import Trust
from hallmark.drift.decision import Memory
from hallmark.policies.conditions import ConditionUpdate
from hallmark.policies.decision import Event

HASH = re.compile(r"\b[0-9a-f]{12,}\b|[A-Za-z0-9+/]{40,}={0,2}")
"""Also signatures and keys in base64."""
Told = Mapping[str, Any]


def told(decided: object, before: ConditionedStatus) -> Told:
    """Return a decision as plain values; of a status what differs from before."""
    return {type(decided).__name__: plain(decided, before)}


def plain(value: object, before: ConditionedStatus) -> Any:  # noqa: ANN401
    """Return values that YAML knows, without what is empty."""
    match value:
        case Enum():
            return str(value.value)
        case None | bool() | int() | float():
            return value
        case str():
            return _text(value)
        case datetime():
            return timestamp(value)
        case ConditionUpdate():
            return _text(f"{value.type} {value.status} {value.reason}: {value.message}")
        case Event():
            kind = "Warning" if value.warning else "Normal"
            return _text(f"{kind} {value.reason}: {value.message}")
        case ConditionedStatus():
            return plain(_difference(before, value), before)
        case Trust():
            approvers = ", ".join(approval.approver for approval in value.approvals)
            return f"of {value.model_version}, approved by {approvers}"
        case BaseModel() if hasattr(value, "metadata"):
            return f"{type(value).__name__} {value.metadata.name}"
        case BaseModel():
            return plain(
                value.model_dump(mode="json", by_alias=True, exclude_defaults=True), before
            )
        case bytes():
            return f"{len(value)} bytes"
        case Mapping():
            filled = ((str(key), plain(entry, before)) for key, entry in value.items())
            return {key: entry for key, entry in sorted(filled) if _says_something(entry)}
        case set() | frozenset():
            return sorted(plain(entry, before) for entry in value)
        case list() | tuple():
            return [plain(entry, before) for entry in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _fields(value, before)
        case _:
            return type(value).__name__


def _fields(value: Any, before: ConditionedStatus) -> dict[str, Any]:  # noqa: ANN401
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    filled = {
        name: plain(entry, before)
        for name, entry in fields.items()
        if not isinstance(entry, Memory)
    }
    return {name: entry for name, entry in filled.items() if _says_something(entry)}


def _text(text: str) -> str:
    return HASH.sub(_named, text)


def _named(found: re.Match[str]) -> str:
    """Return a hash as it is where a table made it up; others change with fields and keys."""
    text = found[0]
    return f"{text[:2]}.." if text == text[:2] * (len(text) // 2) else "hash"


def _says_something(entry: object) -> bool:
    return entry is not None and entry is not False and entry not in ("", [], {}, ())


def _difference(before: ConditionedStatus, after: ConditionedStatus) -> dict[str, Any]:
    was, now = before.to_wire(), after.to_wire()
    return {name: now.get(name) for name in sorted({*was, *now}) if was.get(name) != now.get(name)}
