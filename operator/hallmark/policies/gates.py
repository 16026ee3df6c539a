"""Gates judged anew from a sealed report: what a training Job claims is not trusted alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from hallmark.api.training_run import Comparison, Gate, GateResult, MetricValue


def judge(
    gates: Sequence[Gate], floors: Sequence[Gate], metrics: Iterable[MetricValue]
) -> tuple[GateResult, ...]:
    """Return the verdict on each gate of the run and each floor of the policy.

    A metric that is missing, not a number or not finite never passes.
    """
    values = {each.name: each.value for each in metrics}
    run = [_judge(gate, values.get(gate.metric), is_floor=False) for gate in gates]
    policy = [_judge(gate, values.get(gate.metric), is_floor=True) for gate in floors]
    return (*run, *policy)


def failures(results: Iterable[GateResult]) -> str:
    """Return a sentence for the gates that did not pass; empty where all did."""
    return " ".join(
        f"{'The policy demands' if each.source == 'Policy' else 'Expected'} {each.metric} "
        f"{'at least' if each.comparison is Comparison.AT_LEAST else 'at most'} {each.threshold}, "
        f"found {each.value or 'no number'}."
        for each in results
        if not each.passed
    )


def _judge(gate: Gate, value: str | None, *, is_floor: bool) -> GateResult:
    number = _number(value)
    passed = number is not None and (
        number >= Decimal(gate.threshold)
        if gate.comparison is Comparison.AT_LEAST
        else number <= Decimal(gate.threshold)
    )
    return GateResult(
        metric=gate.metric,
        comparison=gate.comparison,
        threshold=gate.threshold,
        value=value if number is not None else None,
        passed=passed,
        source="Policy" if is_floor else "Run",
    )


def _number(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
