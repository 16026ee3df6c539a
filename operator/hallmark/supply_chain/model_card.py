"""The model card of a bill of materials: CycloneDX's form of what a report measured. Pure.

Groups of people are counted, never named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from hallmark.api.conditions import without_empty
from hallmark.api.metrics import MetricValue
from hallmark.api.model_card import ModelCard
from hallmark.api.report import AttributeFairness, Report, RobustnessReport
from hallmark.api.trainer import Algorithm

DATASET_REF = "dataset"
_FAMILIES: dict[str, str] = {
    Algorithm.LOGISTIC_REGRESSION: "linear model",
    Algorithm.LINEAR_SVM: "linear model",
    Algorithm.RANDOM_FOREST: "ensemble of decision trees",
    Algorithm.HIST_GRADIENT_BOOSTING: "gradient-boosted decision trees",
}


def model_card(report: Report, card: ModelCard) -> dict[str, Any]:
    """Return the ``modelCard`` of a report, with its author's words.

    https://cyclonedx.org/docs/1.6/json/#metadata_component_modelCard
    """
    family = _FAMILIES.get(report.algorithm)
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "classification",
            **({"architectureFamily": family} if family else {}),
            "modelArchitecture": report.algorithm,
            "datasets": [{"ref": DATASET_REF}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(report))},
        "considerations": {
            **without_empty(card.to_wire()),
            "fairnessAssessments": [_fairness_assessment(found) for found in report.fairness],
        },
        "properties": [
            {"name": f"hallmark:{name}", "value": value} for name, value in sorted(_facts(report))
        ],
    }


USE_CASES = "Use cases"
"""What the words are on that say what a model is for."""


def card_words(sbom: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the model's author says of it in the model card of an SBOM, with what it is on.

    A card that is none has no words.
    """
    try:
        considered = sbom["metadata"]["component"]["modelCard"]["considerations"]
        known = {key: text for key, text in considered.items() if key != "fairnessAssessments"}
        card = ModelCard.model_validate(known)
    except (KeyError, TypeError, AttributeError, ValidationError):
        return []
    risks = [
        f"{risk.name} ({risk.mitigation_strategy})" if risk.mitigation_strategy else risk.name
        for risk in card.ethical_considerations
    ]
    by_topic = {
        "Users": card.users,
        USE_CASES: card.use_cases,
        "Limitations": card.technical_limitations,
        "Trade-offs": card.performance_tradeoffs,
        "Risks to people": risks,
    }
    return [(topic, text) for topic, texts in by_topic.items() for text in texts]


def dataset_card(report: Report) -> dict[str, Any]:
    """Return what the ``data`` of the dataset's component says: counts, and sensitive columns."""
    counts = {
        "rows": str(report.rows),
        "train-rows": str(report.train_rows),
        "test-rows": str(report.test_rows),
        "quality": f"{report.quality:.2f}",
    }
    facts = [{"name": f"hallmark:{name}", "value": value} for name, value in counts.items()]
    return {
        "type": "dataset",
        "name": "training-dataset",
        "contents": {"properties": facts},
        "sensitiveData": sorted(proxy.attribute for proxy in report.proxies),
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
    measured = {
        "demographic parity difference": found.demographic_parity_difference,
        "demographic parity ratio": found.demographic_parity_ratio,
        "equalized odds difference": found.equalized_odds_difference,
        "equal opportunity difference": found.equal_opportunity_difference,
    }
    said = (
        f"{name}: {'inconclusive' if value is None else f'{value:.6f}'}"
        for name, value in measured.items()
    )
    why = f" {found.inconclusive}" if found.inconclusive else ""
    return {
        "groupAtRisk": f"The {len(found.groups)} groups of '{found.attribute}'",
        "harms": f"Measured on the test rows: {'; '.join(said)}.{why}",
    }


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    yield from ((f"parameter:{name}", value) for name, value in report.parameters.items())
    yield "seed", str(report.seed)
    yield from ((f"inconclusive:{name}", why) for name, why in report.inconclusive.items())
    for gate in report.gates:
        verdict = "passed" if gate.passed else "failed"
        side = f"{gate.comparison} {gate.threshold}, {gate.statistic}"
        yield f"gate:{gate.source}:{gate.metric}", f"{side}: {gate.value or 'no value'}, {verdict}"
    if report.evaluation is not None:
        yield "confidence", report.evaluation.confidence
    if report.robustness is not None:
        yield "robustness:bound", report.robustness.bound
        yield "robustness:rows", str(report.robustness.rows)
