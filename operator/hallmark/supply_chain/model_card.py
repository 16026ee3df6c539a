"""The model card of a bill of materials: CycloneDX's form of what a report measured. Pure.

Groups of people are counted, never named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hallmark.api.report import AttributeFairness, Report, RobustnessReport
from hallmark.api.training_run import MetricValue

DATASET_REF = "dataset"


def model_card(report: Report) -> dict[str, Any]:
    """Return the ``modelCard`` of a report (https://cyclonedx.org/docs/1.6/json/)."""
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "classification",
            "modelArchitecture": report.algorithm,
            "datasets": [{"ref": DATASET_REF}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(report))},
        "considerations": {
            "fairnessAssessments": [_fairness_assessment(found) for found in report.fairness]
        },
        "properties": [
            {"name": f"hallmark:{name}", "value": value} for name, value in sorted(_facts(report))
        ],
    }


def _metrics(report: Report) -> Iterator[dict[str, Any]]:
    for metric in report.metrics:
        yield {"type": metric.name, "value": metric.value, **_interval(metric)}
    if report.robustness is not None:
        yield from _robustness(report.robustness)


def _interval(metric: MetricValue) -> dict[str, Any]:
    ends = {"lowerBound": metric.lower, "upperBound": metric.upper}
    stated = {name: value for name, value in ends.items() if value is not None}
    return {"confidenceInterval": stated} if stated else {}


def _robustness(found: RobustnessReport) -> Iterator[dict[str, Any]]:
    """Yield the certified share of rows by radius, and the share that noise leaves as it was."""
    for point in found.curve:
        for name, value, norm in (
            ("certifiedAccuracy", point.certified_accuracy, "maximum"),
            ("certifiedAccuracyL2", point.certified_accuracy_l2, "Euclidean"),
        ):
            where = f"changes up to {point.radius:g} standard deviations in the {norm} norm"
            yield {"type": name, "value": f"{value:.6f}", "slice": where}
    for level in found.noise:
        where = f"Gaussian noise of {level.deviations:g} standard deviations"
        yield {"type": "noiseStability", "value": f"{level.stability:.6f}", "slice": where}


def _fairness_assessment(found: AttributeFairness) -> dict[str, str]:
    def said(value: float | None) -> str:
        return "inconclusive" if value is None else f"{value:.6f}"

    return {
        "groupAtRisk": f"The {len(found.groups)} groups of '{found.attribute}'",
        "harms": (
            f"Demographic parity difference: {said(found.demographic_parity_difference)}; "
            f"equalized odds difference: {said(found.equalized_odds_difference)}."
        ),
    }


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    yield from ((f"parameter:{name}", value) for name, value in report.parameters.items())
    yield from (("rows", str(report.rows)), ("seed", str(report.seed)))
    yield from ((f"inconclusive:{name}", why) for name, why in report.inconclusive.items())
    if report.evaluation is not None:
        yield "confidence", report.evaluation.confidence
    if report.robustness is not None:
        yield "robustness:bound", report.robustness.bound
        yield "robustness:rows", str(report.robustness.rows)
