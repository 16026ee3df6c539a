"""Drift as a page shows it: PSI by feature against its limit, its course, and the histograms. Pure.

PSI is computed here as the operator does (``hallmark.drift.psi``) from the counts that predictors
declare; the verdict is the operator's alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.drift.budget import spent
from hallmark.drift.opinion import jensen_shannon, null_share
from hallmark.drift.psi import Reference
from hallmark_dashboard.traffic import SeenWindow


@dataclass(frozen=True)
class Point:
    """The PSI of a feature in one Pod's window."""

    end: str
    pod: str
    rows: int
    psi: float
    limit: float
    drifts: bool


@dataclass(frozen=True)
class Bin:
    """A bin: which values it holds, and the share of rows in it then and now."""

    label: str
    short: str
    """The label below a bar: the end of the bin, or the category."""
    baseline: float
    now: float


@dataclass(frozen=True)
class FeatureCourse:
    """A feature: its newest PSI, its course over windows, and its histogram.

    ``evidence`` is the power of ten that the operator found, where it says so; ``distance`` the
    Jensen-Shannon distance of the newest window; ``nulls`` the share of rows without a value in it
    and in training, where there are any.
    """

    feature: str
    psi: float | None
    limit: float
    course: tuple[Point, ...]
    bins: tuple[Bin, ...]
    evidence: str = ""
    distance: float | None = None
    nulls: tuple[float, float] | None = None


@dataclass(frozen=True)
class DriftDetail:
    """What is said of a ModelDeployment's traffic.

    Attributes:
        verdict: The operator's.
        voters: How many Pods have enough windows.
        drifting: How many of them drift.
        idle: How many of them answered no row lately, and do not count.
        threshold: The PSI above which a window drifts.
        window: Rows in a window.
        consecutive: How many windows in a row must drift.
        features: The one that moved most first.
        rows: Rows that the Pods counted.
        windows: How many windows were seen since the dashboard began to watch.
        sentence: Why there is no more, or nothing.
        risk: The error budget for the whole life of the ModelDeployment.
        needed: The power of ten that the evidence of a feature must reach.
        spent: How much of the budget was spent.
    """

    verdict: str
    voters: int
    drifting: int
    threshold: float
    window: int
    consecutive: int
    features: tuple[FeatureCourse, ...]
    rows: int
    windows: int
    sentence: str
    risk: str = ""
    needed: str = ""
    spent: float = 0.0
    idle: int = 0


def drift_detail(
    deployment: ModelDeployment,
    baseline: Baseline | None,
    why_not: str,
    rows: Mapping[str, int],
    windows: Sequence[SeenWindow],
) -> DriftDetail:
    """Return what is said of a ModelDeployment's traffic.

    Args:
        deployment: the ModelDeployment.
        baseline: the signed baseline of what serves, where it could be read.
        why_not: why it could not.
        rows: rows by Pod.
        windows: windows of any version, oldest first; others than of what serves do not count.
    """
    spec, state = deployment.spec.drift, deployment.status.drift_state
    current = [seen for seen in windows if seen.manifest_digest == deployment.status.active_digest]
    features: list[FeatureCourse] = []
    if baseline is not None:
        watched = set(spec.features)
        found = [one for one in baseline.counted if not watched or one.name in watched]
        features = [
            _course(feature, len(found), current, float(spec.threshold)) for feature in found
        ]
    elif state is not None:
        features = [
            FeatureCourse(top.feature, _number(top.psi), float(spec.threshold), (), ())
            for top in state.top
        ]
    proof = {top.feature: top.evidence for top in state.top} if state else {}
    features = [replace(one, evidence=proof.get(one.feature, "")) for one in features]
    sentence = "" if baseline is not None else why_not
    if baseline is not None and not current:
        sentence = f"No window of {spec.window} rows was closed since the dashboard began to watch."
    return DriftDetail(
        state.verdict if state else "Inconclusive",
        state.voters if state else 0,
        state.drifting if state else 0,
        float(spec.threshold),
        spec.window,
        spec.consecutive,
        tuple(sorted(features, key=lambda one: -(one.psi or 0.0))),
        sum(rows.values()),
        len(current),
        sentence,
        spec.false_rollback_risk,
        state.needed if state else "",
        spent(spec, state.windows) if state else 0.0,
        state.idle if state else 0,
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _course(
    feature: BaselineFeature, features: int, windows: Sequence[SeenWindow], threshold: float
) -> FeatureCourse:
    reference = Reference([feature])
    course, newest = [], None
    for seen in windows:
        counts = seen.window.counts.get(feature.name)
        if counts is None:
            continue
        try:
            found = reference.stability({feature.name: counts})
        except ValueError:  # the bins are not the baseline's, or there are no rows
            continue
        psi, chance = float(found.psi[0]), float(found.limit[0])
        newest = counts
        limit = max(threshold, chance)
        course.append(Point(seen.window.end, seen.pod, seen.window.rows, psi, limit, psi > limit))
    return FeatureCourse(
        feature.name,
        course[-1].psi if course else None,
        threshold,
        tuple(course),
        tuple(_bins(feature, newest)) if newest else (),
        distance=jensen_shannon(newest, feature.counts) if newest else None,
        nulls=_nulls(feature, newest) if newest else None,
    )


def _nulls(feature: BaselineFeature, counts: Sequence[int]) -> tuple[float, float] | None:
    """Return the share of nulls now and in training, or None where there is none at all."""
    now, then = null_share(counts), null_share(feature.counts)
    return (now, then) if now or then else None


def _bins(feature: BaselineFeature, counts: Sequence[int]) -> list[Bin]:
    labels = bin_labels(feature)
    then, now = sum(feature.counts) or 1, sum(counts) or 1
    return [
        Bin(label, short, before / then, after / now)
        for label, short, before, after in zip(
            labels, _short_labels(feature, labels), feature.counts, counts, strict=False
        )
    ]


def _short_labels(feature: BaselineFeature, labels: Sequence[str]) -> list[str]:
    """Return a label for each bar: numbers have as few digits as tell their bins apart."""
    edges = feature.edges
    if not edges:
        return list(labels)
    for digits in (2, 3, 4, 6):
        written = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(written)) == len(written):
            break
    return [*(f"≤ {end}" for end in written), f"> {written[-1]}", "none"]


def bin_labels(feature: BaselineFeature) -> list[str]:
    """Return which values each bin of a feature holds."""
    if feature.edges is not None:
        edges = [f"{edge:g}" for edge in feature.edges]
        if not edges:
            return ["any", "none"]
        inner = [f"{low} to {high}" for low, high in pairwise(edges)]
        return [f"up to {edges[0]}", *inner, f"above {edges[-1]}", "none"]
    return [*(feature.categories or []), "other", "none"]
