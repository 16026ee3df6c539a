"""The shipped alerts name metrics that the operator has, and labels that these have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import hallmark.controllers.metrics  # noqa: F401 - it registers them
from hallmark.cluster.kinds import HALLMARK_KINDS

FILE = Path(__file__).parents[2] / "manifests" / "monitoring" / "alerts.yaml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_about_something_that_is_measured(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"hallmark_\w+", rule["expr"]))
    assert named
    known = {family.name for family in REGISTRY.collect()}
    assert {name.removesuffix("_total") for name in named} <= known
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]


@pytest.mark.parametrize("name", ["internal_errors", "status_refused"])
@pytest.mark.parametrize("kind", HALLMARK_KINDS, ids=lambda kind: kind.kind)
def test_the_first_error_of_a_kind_is_an_increase(kind: Any, name: str) -> None:  # noqa: ANN401
    value = REGISTRY.get_sample_value(f"hallmark_{name}_total", {"kind": kind.kind})
    assert value is not None
