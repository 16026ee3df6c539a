"""Whole decisions: all that is told, recorded and planned in each situation of the tables.

The tables' own tests ask one thing of each situation. Here every word counts: conditions, Events,
audit records, what is to run, what stands in the status. Whoever changes a decision writes the
files anew with ``python -m tests.unit.policies.whole`` and reads what became different.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel

from hallmark.api.common import ConditionedStatus, timestamp
from hallmark.drift.decision import Memory
from hallmark.policies.conditions import ConditionUpdate
from hallmark.policies.decision import Event
from hallmark.policies.model_deployment.decide import decide as decide_deployment
from hallmark.policies.model_deployment.inputs import View
from hallmark.policies.model_version.decide import decide_version
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.training_run.decide import decide_run
from hallmark.policies.training_run.inputs import RunInputs
from tests.unit.policies.model_deployment import (
    test_conditions,
    test_desired,
    test_traffic,
    test_triggers,
)
from tests.unit.policies.model_version import test_decide as of_version
from tests.unit.policies.training_run import test_decide as of_run

HASH = re.compile(r"\b[0-9a-f]{12,}\b|[A-Za-z0-9+/]{40,}={0,2}")
"""Also signatures and keys in base64."""
FOLDER = Path(__file__).with_name("whole")
Told = Mapping[str, Any]
Situations = Mapping[str, Callable[[], Told]]


def deployments() -> Situations:
    """Return how to decide about ModelDeployments, by situation."""
    found: dict[str, Callable[[], Told]] = {}
    for module in (test_triggers, test_conditions, test_desired, test_traffic):
        for name, case in module.CASES.items():
            title = f"{module.__name__.rpartition('_')[2]}: {name}"
            found[title] = partial(_of_deployment, case[0])
    return found


def runs() -> Situations:
    """Return how to decide about TrainingRuns, by situation."""
    return {
        str(case.id): partial(_of_run, cast("RunInputs", case.values[0])) for case in of_run.STATES
    }


def versions() -> Situations:
    """Return how to decide about ModelVersions, by situation."""
    return {
        str(case.id): partial(_of_version, cast("VersionInputs", case.values[0]))
        for case in of_version.STATES
    }


@cache
def kept(table: str) -> Mapping[str, Told]:
    """Return what stands in a table's file."""
    text = (FOLDER / f"{table}.yaml").read_text()
    found: Mapping[str, Told] = yaml.load(text, yaml.CSafeLoader)
    return found


def _of_deployment(view: View) -> Told:
    asked = dataclasses.replace(
        view.inputs, deployment=view.inputs.deployment.replace(status=view.status)
    )
    return _told(decide_deployment(asked), view.status)


def _of_run(asked: RunInputs) -> Told:
    return _told(decide_run(asked), asked.run.status)


def _of_version(asked: VersionInputs) -> Told:
    return _told(decide_version(asked), asked.version.status)


def _told(decided: object, before: ConditionedStatus) -> Told:
    """Return a decision as plain values; of a status what differs from before."""
    return {type(decided).__name__: _plain(decided, before)}


def _plain(value: object, before: ConditionedStatus) -> Any:  # noqa: ANN401
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
            return _plain(_difference(before, value), before)
        case BaseModel() if hasattr(value, "metadata"):
            return f"{type(value).__name__} {value.metadata.name}"
        case BaseModel():
            return _plain(value.model_dump(mode="json", by_alias=True, exclude_none=True), before)
        case bytes():
            return f"{len(value)} bytes"
        case Mapping():
            filled = ((str(key), _plain(entry, before)) for key, entry in value.items())
            return {key: entry for key, entry in sorted(filled) if _says_something(entry)}
        case set() | frozenset():
            return sorted(_plain(entry, before) for entry in value)
        case list() | tuple():
            return [_plain(entry, before) for entry in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _fields(value, before)
        case _:
            return type(value).__name__


def _fields(value: Any, before: ConditionedStatus) -> dict[str, Any]:  # noqa: ANN401
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    filled = {
        name: _plain(entry, before)
        for name, entry in fields.items()
        if not isinstance(entry, Memory)
    }
    return {name: entry for name, entry in filled.items() if _says_something(entry)}


def _text(text: str) -> str:
    return HASH.sub(_named, text)


def _named(found: re.Match[str]) -> str:
    """Return a hash as it is where a table made it up; others change with fields and keys."""
    text = found[0]
    return text if text == text[:2] * (len(text) // 2) else "hash"


def _says_something(entry: object) -> bool:
    return entry is not None and entry is not False and entry not in ("", [], {}, ())


def _difference(before: ConditionedStatus, after: ConditionedStatus) -> dict[str, Any]:
    was, now = before.to_wire(), after.to_wire()
    return {name: now.get(name) for name in sorted({*was, *now}) if was.get(name) != now.get(name)}


TABLES: Mapping[str, Situations] = {
    "model_deployment": deployments(),
    "training_run": runs(),
    "model_version": versions(),
}


def main() -> None:
    """Write the files anew."""
    FOLDER.mkdir(exist_ok=True)
    for table, situations in TABLES.items():
        told = {name: decide() for name, decide in situations.items()}
        text = yaml.dump(told, width=100, allow_unicode=True, sort_keys=False)
        (FOLDER / f"{table}.yaml").write_text(text)


if __name__ == "__main__":
    main()
