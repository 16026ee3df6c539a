"""One TrainingRun: what happens, or why was it refused? Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hallmark.api.conditions import ConditionStatus
from hallmark.api.training_run import RunCondition, TrainingRun
from hallmark_dashboard.views.gates import GateLine, gate_lines
from hallmark_dashboard.views.rows import RunRow, run_row
from hallmark_dashboard.views.standing import State


@dataclass(frozen=True)
class Step:
    """A step of the run."""

    name: str
    state: State
    sentence: str
    since: str


@dataclass(frozen=True)
class YamlLine:
    """A line of the spec, and whether it is what the refusal is about."""

    text: str
    marked: bool


@dataclass(frozen=True)
class RunDetail:
    """What is said of one run.

    Attributes:
        row: As in a list.
        headline: The first line.
        steps: In their order.
        gates: Nearest first.
        refusal: Why it was refused, as a sentence; empty where it was not.
        lines: The spec, with the lines marked that the refusal is about.
        excerpt: Those lines and what stands around them; nothing where none is marked.
        version: The ModelVersion that came of it.
        fingerprint: The dataset's.
        started: When.
        ended: When.
    """

    row: RunRow
    headline: str
    steps: tuple[Step, ...]
    gates: tuple[GateLine, ...]
    refusal: str
    lines: tuple[YamlLine, ...]
    excerpt: tuple[YamlLine, ...]
    version: str
    fingerprint: str
    started: str
    ended: str


def run_detail(run: TrainingRun, spec_yaml: str) -> RunDetail:
    """Return what is said of one run.

    Args:
        run: the run.
        spec_yaml: its spec as YAML, without inline rows.
    """
    row, status = run_row(run), run.status
    refusal = row.standing.sentence if row.standing.state is State.STOPPED else ""
    steps = []
    for type_ in RunCondition:
        condition = status.condition(type_)
        if condition is None:
            steps.append(Step(type_.value, State.UNKNOWN, "It was not reached.", ""))
            continue
        holds = condition.status is ConditionStatus.TRUE
        failed = condition.status is ConditionStatus.FALSE and row.standing.state is State.STOPPED
        state = State.GOOD if holds else State.STOPPED if failed else State.WAITING
        steps.append(Step(type_.value, state, condition.message, condition.last_transition_time))
    failed_gates = {gate.metric for gate in status.gates if not gate.passed}
    marked = about(refusal, spec_yaml, failed_gates if refusal else ())
    lines = [YamlLine(text, number in marked) for number, text in enumerate(spec_yaml.splitlines())]
    return RunDetail(
        row,
        _headline(row, status.model_version or ""),
        tuple(steps),
        tuple(gate_lines(status.gates, status.metrics)),
        refusal,
        tuple(lines),
        tuple(excerpt(lines)),
        status.model_version or "",
        status.dataset_fingerprint or "",
        status.start_time or "",
        status.completion_time or "",
    )


def _headline(row: RunRow, version: str) -> str:
    match row.standing.state:
        case State.GOOD:
            return f"{row.name} is sealed as ModelVersion {version or row.name}."
        case State.STOPPED:
            return f"{row.name} was refused: {row.standing.word}."
        case State.WAITING:
            where = f": {row.stage}, {row.percent} %" if row.percent is not None else ""
            return f"{row.name} is under way ({row.standing.word}){where}."
    return f"Nothing is known of {row.name} yet."


_NAMED = re.compile(r"'([^']{1,63})'")


def about(sentence: str, spec_yaml: str, metrics: Collection[str] = ()) -> frozenset[int]:
    """Return the numbers of the lines that a refusal's sentence is about.

    Those are the lines that name what it names in quotes: a column, a metric, a field; and those
    that name the metrics of gates that failed.
    """
    names = {*_NAMED.findall(sentence), *metrics}
    if not names:
        return frozenset()
    words = re.compile(r"[A-Za-z0-9_.\- ]+")
    return frozenset(
        number
        for number, line in enumerate(spec_yaml.splitlines())
        if names & {word.strip(" -") for word in words.findall(line)}
    )


_AROUND = 3
"""Lines that are shown before and after a marked one."""


def excerpt(lines: Sequence[YamlLine]) -> Iterator[YamlLine]:
    """Yield the marked lines with those around them, and an ellipsis for what is left out."""
    at = [number for number, line in enumerate(lines) if line.marked]
    last = 0
    for number, line in enumerate(lines):
        if at and min(abs(number - marked) for marked in at) <= _AROUND:
            if number > last:
                yield YamlLine("…", marked=False)
            last = number + 1
            yield line
