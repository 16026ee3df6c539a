"""What a model decides by: its inputs, and those among them that fairness is measured by. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api.report import Report
from hallmark.api.served import Baseline


@dataclass(frozen=True)
class ModelInputs:
    """The inputs of a version, by its sealed baseline.

    Attributes:
        names: In the schema's order.
        sensitive: Those that are sensitive attributes too.
        sentence: Why they cannot be told; empty where they can.
    """

    names: tuple[str, ...]
    sensitive: tuple[str, ...] = ()
    sentence: str = ""


def inputs_of(baseline: Baseline | None, report: Report | None, sentence: str) -> ModelInputs:
    """Return what a version decides by.

    Args:
        baseline: The sealed one; None where it cannot be read.
        report: The sealed one, which names the sensitive attributes.
        sentence: Why there is no baseline.
    """
    if baseline is None:
        return ModelInputs((), sentence=sentence)
    names = tuple(feature.name for feature in baseline.features)
    measured = {found.attribute for found in report.fairness} if report else set()
    measured |= {found.attribute for found in report.proxies} if report else set()
    return ModelInputs(names, tuple(name for name in names if name in measured))


def input_types(baseline: Baseline) -> dict[str, str]:
    """Return each input's type in words, with its categories where it has some."""
    return {
        feature.name: f"{feature.type}: {', '.join(feature.categories)}"
        if feature.categories
        else str(feature.type)
        for feature in baseline.features
    }
