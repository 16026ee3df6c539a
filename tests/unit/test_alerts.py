"""The shipped alerts name metrics that the operator has, and labels that these have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from hallmark.api.model_deployment import ModelDeploymentStatus, Unserved
from hallmark.cluster.kinds import HALLMARK_KINDS
from hallmark.controllers import metrics

FILE = Path(__file__).parents[2] / "manifests" / "monitoring" / "alerts.yaml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]
]


@pytest.fixture(autouse=True)
def something_to_count() -> Iterator[None]:
    """A metric with labels has no sample before something is counted; others forget theirs."""
    unserved = Unserved(since="2026-11-25T12:00:00Z", reason="Refused")
    metrics.show_deployment("alerts", "credit", ModelDeploymentStatus(unserved=unserved))
    metrics.RECONCILES.labels("ModelPolicy", "ok")
    yield
    metrics.forget_deployment("alerts", "credit")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_about_something_that_is_measured(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"hallmark_\w+", rule["expr"]))
    assert named
    known = {family.name for family in REGISTRY.collect()}
    assert {name.removesuffix("_total") for name in named} <= known
    samples = (sample for family in REGISTRY.collect() for sample in family.samples)
    labels = {label for sample in samples if sample.name in named for label in sample.labels}
    told = set(re.findall(r"\$labels\.([a-z_]+)", str(rule["annotations"])))
    assert told <= labels
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]


@pytest.mark.parametrize("name", ["internal_errors", "status_refused"])
@pytest.mark.parametrize("kind", HALLMARK_KINDS, ids=lambda kind: kind.kind)
def test_the_first_error_of_a_kind_is_an_increase(kind: Any, name: str) -> None:  # noqa: ANN401
    value = REGISTRY.get_sample_value(f"hallmark_{name}_total", {"kind": kind.kind})
    assert value is not None
