"""What Prometheus sees of delayed truth; groups, reasons and earlier versions are bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hallmark.drift.quality_evidence import calibration_error
from hallmark_predictor.truth import Fault, Truth

if TYPE_CHECKING:
    from prometheus_client import Metric


def families(truth: Truth) -> Iterator[Metric]:
    """Yield the metrics of what a Pod was told."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    counter = truth.counter
    outcomes = CounterMetricFamily(
        "hallmark_predictor_outcomes", "Answers whose truth was told, by result.", labels=["result"]
    )
    outcomes.add_metric(["Right"], counter.correct)
    outcomes.add_metric(["Wrong"], counter.outcomes - counter.correct)
    yield outcomes
    earlier = CounterMetricFamily(
        "hallmark_predictor_earlier_outcomes",
        "Answers of versions that served before whose truth was told, by result.",
        labels=["version", "result"],
    )
    for version, (count, right) in counter.earlier.items():
        earlier.add_metric([version, "Right"], right)
        earlier.add_metric([version, "Wrong"], count - right)
    yield earlier
    refused = CounterMetricFamily(
        "hallmark_predictor_refused_outcomes", "Outcomes that were not counted.", labels=["reason"]
    )
    for fault in Fault:
        refused.add_metric([fault], truth.faults[fault])
    yield refused
    kept = counter.kept
    if not kept:
        return
    newest = kept[-1]
    yield GaugeMetricFamily(
        "hallmark_predictor_realised_accuracy",
        "Share of right answers in the newest closed window of outcomes.",
        value=newest.correct / newest.outcomes,
    )
    yield GaugeMetricFamily(
        "hallmark_predictor_realised_calibration_error",
        "Expected calibration error in the newest closed window of outcomes.",
        value=calibration_error([newest]),
    )
    groups = GaugeMetricFamily(
        "hallmark_predictor_realised_group_accuracy",
        "Share of right answers of a group in the newest closed window of outcomes.",
        labels=["group"],
    )
    for told in newest.groups:
        groups.add_metric([told.group], told.correct / told.outcomes)
    yield groups
