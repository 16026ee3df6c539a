"""What a gate can name, and when it passes: evaluated in the training Job, and again from the seal.

Everything that a gate can name follows from the spec, so that a name that nobody measures refuses
a run before it starts.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import combinations

from hallmark.api.metrics import Comparison, Gate, GateResult, MetricValue, Statistic
from hallmark.api.training_run import TrainingRunSpec

PERFORMANCE = (
    "accuracy",
    "balancedAccuracy",
    "rocAuc",
    "prAuc",
    "logLoss",
    "brier",
    "expectedCalibrationError",
)
"""How well the model separates the classes."""

ROBUSTNESS = (
    "certifiedAccuracy",
    "meanRobustRadius",
    "certifiedAccuracyL2",
    "meanRobustRadiusL2",
    "attackedAccuracy",
    "noiseStability",
)
"""How much a row must change before the model decides otherwise."""

DATA = (
    "dataQuality",
    "quality.completeness",
    "quality.validity",
    "quality.uniqueness",
    "quality.consistency",
    "quality.balance",
    "duplicateFraction",
    "contradictionFraction",
    "outlierFraction",
    "anomalyFraction",
    "minorityFraction",
    "smallestGroupRows",
    "targetLeakage",
    "sharedRowFraction",
)
"""What is counted in the whole dataset: exact, so that its bound is its value."""

DEMOGRAPHIC_PARITY_DIFFERENCE = "demographicParityDifference"
DEMOGRAPHIC_PARITY_RATIO = "demographicParityRatio"
EQUALIZED_ODDS_DIFFERENCE = "equalizedOddsDifference"
EQUAL_OPPORTUNITY_DIFFERENCE = "equalOpportunityDifference"
FAIRNESS = (
    DEMOGRAPHIC_PARITY_DIFFERENCE,
    DEMOGRAPHIC_PARITY_RATIO,
    EQUALIZED_ODDS_DIFFERENCE,
    EQUAL_OPPORTUNITY_DIFFERENCE,
)
"""Named ``<metric>.<attribute>`` and, for two attributes together, ``<metric>.<one>_x_<other>``."""

PROXY = "proxyAuc"
"""Named ``proxyAuc.<attribute>``."""


def attribute_key(*attributes: str) -> str:
    """Return what stands behind the dot in a metric's name; a space is an underscore there."""
    return "_x_".join(attributes).replace(" ", "_")


def attribute_sets(spec: TrainingRunSpec) -> list[tuple[str, ...]]:
    """Return the attributes by which fairness is measured: each, and each pair if asked for."""
    names = [attribute.name for attribute in spec.schema_.sensitive] if spec.schema_ else []
    pairs = combinations(names, 2) if spec.evaluation.intersections else ()
    return [*((name,) for name in names), *pairs]


def known_metrics(spec: TrainingRunSpec) -> tuple[str, ...]:
    """Return every name that a gate of this run may give."""
    return (*PERFORMANCE, *ROBUSTNESS, *DATA, *_by_attribute(spec))


def _by_attribute(spec: TrainingRunSpec) -> Iterator[str]:
    if spec.schema_ is None:
        return
    if spec.schema_.target.positive is not None:
        for names in attribute_sets(spec):
            yield from (f"{metric}.{attribute_key(*names)}" for metric in FAIRNESS)
    for attribute in spec.schema_.sensitive:
        yield f"{PROXY}.{attribute_key(attribute.name)}"


def unknown_metrics(spec: TrainingRunSpec, floors: Sequence[Gate]) -> str:
    """Return a sentence on the gates that name what nobody measures; empty where all are known.

    Args:
        spec: The run's spec with its gates.
        floors: The policy's gates.
    """
    known = known_metrics(spec)
    wrong = [
        f"{owner} names the metric '{gate.metric}', which is not measured"
        f"{_instead(gate.metric, known, spec)}."
        for owner, gates in (("A gate", spec.gates), ("A gate of the policy", floors))
        for gate in gates
        if gate.metric not in known
    ]
    if not wrong:
        return ""
    return f"{' '.join(wrong)[:500]} Measured are: {', '.join(known)}."[:1024]


def _instead(metric: str, known: Sequence[str], spec: TrainingRunSpec) -> str:
    fair = metric.partition(".")[0] in FAIRNESS
    if fair and spec.schema_ is not None and spec.schema_.target.positive is None:
        return ": fairness needs 'positive' in the schema's target"
    near = difflib.get_close_matches(metric, known, n=1)
    return f": did you mean '{near[0]}'?" if near else ""


def ambiguous_attributes(spec: TrainingRunSpec) -> str:
    """Return a sentence if two attributes would share the name of a metric, else nothing."""
    seen: dict[str, tuple[str, ...]] = {}
    for names in attribute_sets(spec):
        other = seen.setdefault(attribute_key(*names), names)
        if other != names:
            return (
                f"Expected sensitive attributes with distinct names in metrics, found "
                f"'{' x '.join(other)}' and '{' x '.join(names)}', both "
                f"'{attribute_key(*names)}'; rename a column."
            )
    return ""


def most_telling_first(
    metrics: Iterable[MetricValue], gates: Iterable[Gate | GateResult]
) -> list[MetricValue]:
    """Return what gates name, then what every run measures, then the rest, each in its order.

    Args:
        metrics: Of a run.
        gates: Of the run and of its policy.
    """
    asked = {gate.metric for gate in gates}
    headline = (*PERFORMANCE, *DATA[:1], *ROBUSTNESS)
    ranks = {name: number for number, name in enumerate(headline)}
    return sorted(
        metrics, key=lambda metric: (metric.name not in asked, ranks.get(metric.name, len(ranks)))
    )


def gate_of(result: GateResult) -> Gate:
    """Return the gate that a verdict is about."""
    return Gate(
        metric=result.metric,
        comparison=result.comparison,
        threshold=result.threshold,
        statistic=result.statistic,
    )


def bar(gate: Gate) -> str:
    """Return what a gate asks for, in words: ``at least 0.8 of its lower confidence bound``."""
    lowest = gate.comparison is Comparison.AT_LEAST
    asked = f"{'at least' if lowest else 'at most'} {gate.threshold}"
    if gate.statistic is Statistic.ESTIMATE:
        return asked
    return f"{asked} of its {'lower' if lowest else 'upper'} confidence bound"


def is_looser(before: Gate, after: Gate) -> bool:
    """Tell whether a gate of the same metric and comparison lets something pass that was stopped.

    Args:
        before: As it was asked for.
        after: As it is asked for.
    """
    estimate_is_enough = (
        before.statistic is Statistic.BOUND and after.statistic is Statistic.ESTIMATE
    )
    old, new = Decimal(before.threshold), Decimal(after.threshold)
    lower_bar = new < old if before.comparison is Comparison.AT_LEAST else new > old
    return estimate_is_enough or lower_bar


def evaluate_gates(
    gates: Sequence[Gate],
    floors: Sequence[Gate],
    metrics: Iterable[MetricValue],
    inconclusive: Mapping[str, str] | None = None,
) -> list[GateResult]:
    """Return each gate's verdict: the run's, then the policy's. All must pass.

    A metric that is missing, undefined, inconclusive or not finite never passes. What is compared
    is the text that the report shows, so that anyone can repeat the verdict from it.

    Args:
        gates: The run's gates.
        floors: The policy's gates; a run cannot weaken them, for both apply.
        metrics: Every metric that was measured.
        inconclusive: Why a metric has no value, by name.
    """
    values = {metric.name: metric for metric in metrics}
    why = inconclusive or {}
    return [
        _evaluate(gate, values.get(gate.metric), why.get(gate.metric), is_floor=is_floor)
        for is_floor, asked in ((False, gates), (True, floors))
        for gate in asked
    ]


def _evaluate(
    gate: Gate, metric: MetricValue | None, why: str | None, *, is_floor: bool
) -> GateResult:
    text = None if metric is None or why else _compared(gate, metric)
    value = _number(text)
    return GateResult(
        metric=gate.metric,
        comparison=gate.comparison,
        threshold=gate.threshold,
        statistic=gate.statistic,
        value=None if value is None else text,
        inconclusive=why[:256] if why else None,
        passed=value is not None and _passes(gate, value),
        source="Policy" if is_floor else "Run",
    )


def _compared(gate: Gate, metric: MetricValue) -> str | None:
    """Return the text that the gate looks at; a bound that nobody computed is none."""
    if gate.statistic is Statistic.ESTIMATE or metric.name in DATA:
        return metric.value
    return metric.lower if gate.comparison is Comparison.AT_LEAST else metric.upper


def _number(text: str | None) -> Decimal | None:
    try:
        number = Decimal(text) if text is not None else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _passes(gate: Gate, value: Decimal) -> bool:
    threshold = Decimal(gate.threshold)
    return value >= threshold if gate.comparison is Comparison.AT_LEAST else value <= threshold


def failure(results: Iterable[GateResult]) -> str:
    """Return a sentence on every gate that did not pass; empty where all did."""
    return " ".join(_sentence(result) for result in results if not result.passed)


def _sentence(result: GateResult) -> str:
    owner = "The policy's gate" if result.source == "Policy" else "Gate"
    if result.inconclusive is not None:
        found = f"it is inconclusive: {result.inconclusive.rstrip('.')}"
    elif result.value is None:
        found = "it could not be measured"
    else:
        found = f"measured {result.value}"
    return f"{owner} {result.metric} failed: expected {bar(gate_of(result))}, {found}."
