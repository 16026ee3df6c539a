"""What differs between two versions: objects, reports, SBOMs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hallmark.api.gates import bar, gate_of
from hallmark.api.model_version import ModelVersion
from hallmark.api.report import Report
from hallmark.api.training_run import TrainingRunSpec
from hallmark.supply_chain.components import is_of_system


@dataclass(frozen=True)
class Side:
    """All that is known of one version; what cannot be read is None."""

    version: ModelVersion
    spec: TrainingRunSpec | None = None
    report: Report | None = None
    sbom: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes:
        part: data, parameters, metrics, gates, groups or SBOM.
        what: Its name.
        before: In the first version; empty where it is not there.
        after: In the second.
        size: How much it moved, to put the biggest first.
    """

    part: str
    what: str
    before: str
    after: str
    size: float = 0.0


def differences(before: Side, after: Side) -> list[Change]:
    """Return what differs, by part; within a part the biggest first."""
    changes = [
        *_texts("gates", _gates(before.report), _gates(after.report)),
        *_texts("data", _data(before), _data(after)),
        *_texts("parameters", _parameters(before), _parameters(after)),
        *_metrics(before.report, after.report),
        *_texts("groups", _groups(before.report), _groups(after.report)),
        *_texts("SBOM", components(before.sbom), components(after.sbom)),
    ]
    order = ["gates", "data", "parameters", "metrics", "groups", "SBOM"]
    return sorted(changes, key=lambda one: (order.index(one.part), -one.size, one.what))


def _data(side: Side) -> dict[str, str]:
    spec, report = side.version.spec, side.report
    found = {"fingerprint": _short(spec.dataset_fingerprint)}
    if report is not None:
        found |= {"rows": str(report.rows), "quality": f"{report.quality:.2f}"}
        found |= {"target": report.target or "", "positive class": report.positive or ""}
        found |= {
            f"personal data in {decision.column}": f"{decision.detector} "
            f"({decision.action or 'allowed'})"
            for decision in report.pii
        }
    return found


def _gates(report: Report | None) -> dict[str, str]:
    return {
        f"{gate.metric} {gate.comparison}, asked by the {gate.source.lower()}": bar(gate_of(gate))
        for gate in (report.gates if report else ())
    }


def _parameters(side: Side) -> dict[str, str]:
    found = {"spec": _short(side.version.spec.training_run.spec_digest)}
    if side.report is not None:
        found |= {"algorithm": side.report.algorithm, "seed": str(side.report.seed)}
        found |= {f"parameter {key}": value for key, value in side.report.parameters.items()}
    if side.spec is not None and side.spec.schema_ is not None:
        found |= {
            f"feature {feature.name}": json.dumps(feature.to_wire(), sort_keys=True)
            for feature in side.spec.schema_.features
        }
    return found


def _metrics(before: Report | None, after: Report | None) -> Iterator[Change]:
    if before is None or after is None:
        return
    old = {metric.name: metric for metric in before.metrics}
    new = {metric.name: metric for metric in after.metrics}
    for name in old.keys() | new.keys():
        first, second = old.get(name), new.get(name)
        left = _interval(first) if first else ""
        right = _interval(second) if second else ""
        if left != right:
            yield Change("metrics", name, left, right, _moved(left, right))


def _interval(metric: Any) -> str:  # noqa: ANN401 - a MetricValue
    interval = f" ({metric.lower} to {metric.upper})" if metric.lower else ""
    return f"{metric.value}{interval}"


def _moved(left: str, right: str) -> float:
    """Return how far a number moved, as a part of itself; what is new or gone moved most."""
    try:
        first, second = (float(text.partition(" ")[0]) for text in (left, right))
    except ValueError:
        return float("inf")
    return abs(second - first) / max(abs(first), abs(second), 1e-9)


def _groups(report: Report | None) -> dict[str, str]:
    if report is None:
        return {}
    return {
        f"{fairness.attribute} = {group.group}": f"{group.rows} rows"
        + ("" if group.selection_rate is None else f", rate {group.selection_rate:.4f}")
        for fairness in report.fairness
        for group in fairness.groups
    }


def components(sbom: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the packages of an SBOM with their versions."""
    found = (sbom or {}).get("components")
    listed = [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []
    return {
        _said_name(part): str(part.get("version") or "")
        for part in listed
        if part.get("type") == "library"
    }


def _said_name(part: Mapping[str, Any]) -> str:
    """Return a package's name; one of the system's may have that of a Python package."""
    name = str(part.get("name"))
    return f"{name} (Debian)" if is_of_system(part.get("purl")) else name


def _texts(part: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in before.keys() | after.keys():
        left, right = before.get(name, ""), after.get(name, "")
        if left != right:
            yield Change(part, name, left, right, _moved(left, right) if part != "SBOM" else 0.0)


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
