"""How a run ends: a refusal, or artifacts; and the message that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hallmark.api.common import Digest
from hallmark.api.findings import Finding
from hallmark.api.gates import most_telling_first
from hallmark.api.metrics import GateResult, MetricValue
from hallmark.api.tasks import TrainOutcome, TrainStage

MAX_MESSAGE_BYTES = 4096
"""The kubelet reads no more of a termination message."""
_MAX_SENTENCES = 1000
_MAX_LISTED = 24

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class RefusedRun:
    """A run that stops here; the outcome says where and why."""

    outcome: TrainOutcome


@dataclass(frozen=True)
class Artifacts:
    """A run that is done: its outcome, and every file by its upload slot, the manifest last."""

    outcome: TrainOutcome
    files: Mapping[str, bytes]


def refuse(
    stage: TrainStage,
    why: Sequence[Finding] | str,
    *,
    fingerprint: Digest | None = None,
    quality: str | None = None,
    metrics: Sequence[MetricValue] = (),
    gates: Sequence[GateResult] = (),
) -> RefusedRun:
    """Return a refusal at a stage, for findings or a sentence, with what was known by then."""
    return RefusedRun(
        TrainOutcome(
            stage=stage,
            message=why[:1024] if isinstance(why, str) else sentences(why),
            fingerprint=fingerprint,
            quality=quality,
            metrics=listed(most_telling_first(metrics, gates)),
            gates=listed(_worst_first(gates)),
        )
    )


def sentences(findings: Sequence[Finding]) -> str:
    """Return as many findings as fit, as sentences, and how many more there are."""
    text = ""
    for done, finding in enumerate(findings):
        sentence = finding.sentence()
        if len(text) + len(sentence) + 1 > _MAX_SENTENCES:
            return f"{text} And {len(findings) - done} more.".strip()[:1024]
        text = f"{text} {sentence}".strip()
    return text


def listed(entries: Sequence[Entry]) -> list[Entry]:
    """Return as many entries as an outcome may list."""
    return list(entries[:_MAX_LISTED])


def _worst_first(gates: Sequence[GateResult]) -> list[GateResult]:
    return sorted(gates, key=lambda gate: gate.passed)


def termination_message(outcome: TrainOutcome) -> bytes:
    """Return the outcome in at most 4,096 bytes.

    Intervals give way first, then the metrics that tell least, then the gates that passed.
    """
    document = outcome.to_bytes()
    if len(document) > MAX_MESSAGE_BYTES:
        bare = [MetricValue(name=metric.name, value=metric.value) for metric in outcome.metrics]
        outcome = outcome.model_copy(update={"metrics": bare})
        document = outcome.to_bytes()
    while len(document) > MAX_MESSAGE_BYTES:
        if outcome.metrics:
            outcome = outcome.model_copy(update={"metrics": outcome.metrics[:-1]})
        elif outcome.gates:
            outcome = outcome.model_copy(update={"gates": _worst_first(outcome.gates)[:-1]})
        else:
            outcome = outcome.model_copy(update={"message": outcome.message[: -64 - 1]})
        document = outcome.to_bytes()
    return document
