"""Everything that is measured of a model but robustness: performance, fairness, proxies."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hallmark.api.gates import FAIRNESS, PROXY, attribute_key
from hallmark.api.metrics import Evaluation
from hallmark.api.report import AttributeFairness, CalibrationBin, Proxy
from hallmark.api.schema import SensitiveAttribute
from hallmark.data.table import ColumnType
from hallmark.training import fairness
from hallmark.training.bootstrap import Resampling, measure_performance
from hallmark.training.dataset import ValidatedDataset
from hallmark.training.fairness import Groups
from hallmark.training.gates import Measurement
from hallmark.training.matrix import Matrix
from hallmark.training.metrics import Predictions, calibration
from hallmark.training.proxies import find_proxies

AnnounceStep = Callable[[str], None]
"""The callback that is told what is measured next, without a value."""

MAX_PAIR_GROUPS = 512
"""So many groups of pairs of attributes does the report list in all."""


@dataclass(frozen=True)
class Evaluated:
    """The measurements of a model.

    Attributes:
        metrics: By the name that gates use.
        calibration: Bins of the test rows.
        fairness: By attribute, then by pair of attributes.
        proxies: By attribute.
    """

    metrics: dict[str, Measurement]
    calibration: list[CalibrationBin]
    fairness: list[AttributeFairness]
    proxies: list[Proxy]


def evaluate(
    data: ValidatedDataset,
    predictions: Predictions,
    test: npt.NDArray[np.intp],
    rows: Matrix,
    evaluation: Evaluation,
    resampling: Resampling,
    announce: AnnounceStep,
) -> Evaluated:
    """Return the measurements of a model on the test rows, and of sensitive attributes.

    Args:
        data: The checked rows.
        predictions: What the model said of the test rows.
        test: The numbers of the test rows.
        rows: Shape (rows, features): all, as the model takes them.
        evaluation: How sure a measurement must be.
        resampling: How intervals are made.
        announce: Told of each step.
    """
    announce("Measuring performance.")
    with threadpool_limits(1):
        metrics = dict(measure_performance(predictions, resampling))
    everyone = [_groups(data, attribute) for attribute in data.schema.sensitive]
    reports: list[AttributeFairness] = []
    for test_groups in _attribute_sets(everyone, test, pairs=evaluation.intersections):
        announce(f"Measuring fairness, {len(reports)} done.")
        measured, report = _fairness(test_groups, predictions, evaluation)
        metrics.update(measured)
        reports.append(report)
    proxies: list[Proxy] = []
    for groups in everyone:
        announce(f"Looking for proxies, {len(proxies)} of {len(everyone)} done.")
        names = [feature.name for feature in data.schema.features]
        minimum = evaluation.minimum_group_rows
        proxy = find_proxies(groups, rows, names, minimum, resampling)
        metrics[f"{PROXY}.{attribute_key(*groups.attributes)}"] = proxy.measurement
        proxies.append(proxy.proxy)
    return Evaluated(metrics, _calibration(predictions), _shortened(reports), proxies)


def _groups(data: ValidatedDataset, attribute: SensitiveAttribute) -> Groups:
    column = data.table.column(attribute.name)
    declared: Collection[str] = attribute.categories or column.spec.categories or ()
    if column.spec.type is ColumnType.BOOLEAN:
        declared = ("False", "True")
    return fairness.group_rows(
        attribute.name, column.values.to_list(), declared, attribute.categories or ()
    )


def _attribute_sets(
    everyone: list[Groups], test: npt.NDArray[np.intp], *, pairs: bool
) -> list[Groups]:
    """Return the groups of the test rows, by attribute and then by pair."""
    single = [fairness.of_rows(groups, test) for groups in everyone]
    both = [fairness.intersection(*pair) for pair in combinations(single, 2)] if pairs else []
    return [*single, *both]


def _fairness(
    groups: Groups, predictions: Predictions, evaluation: Evaluation
) -> tuple[dict[str, Measurement], AttributeFairness]:
    counts = fairness.count(groups, predictions)
    confidence = float(evaluation.confidence)
    measured: dict[str, Measurement] = {}
    if predictions.positive is not None:
        measured = fairness.measure(groups, counts, evaluation.minimum_group_rows, confidence)
    report = fairness.report(groups, predictions, counts, measured, confidence)
    key = attribute_key(*groups.attributes)
    return {f"{name}.{key}": measured[name] for name in FAIRNESS if name in measured}, report


def _shortened(reports: list[AttributeFairness]) -> list[AttributeFairness]:
    """Return the reports without the groups of pairs that would make them too long."""
    room, kept = MAX_PAIR_GROUPS, []
    for report in reports:
        if " x " in report.attribute:
            if len(report.groups) > room:
                left_out = report.groups_left_out + len(report.groups)
                report = report.model_copy(update={"groups": [], "groups_left_out": left_out})
            room -= len(report.groups)
        kept.append(report)
    return kept


def _calibration(predictions: Predictions) -> list[CalibrationBin]:
    predicted, observed, bins = calibration(predictions)
    return [
        CalibrationBin(
            rows=int(inside.sum()),
            predicted=round(float(predicted[inside].mean()), 6),
            observed=round(float(observed[inside].mean()), 6),
        )
        for inside in (bins == number for number in np.unique(bins))
    ]
