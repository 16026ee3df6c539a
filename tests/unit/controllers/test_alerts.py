"""The alert rules ask for metrics that the operator has."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from prometheus_client import REGISTRY

from hallmark.controllers import metrics

ALERTS = Path(__file__).parents[3] / "manifests/monitoring/alerts.yaml"


def test_every_rule_asks_for_a_metric_and_labels_that_exist() -> None:
    metrics.show_silence("bank", "credit", 2)
    known = {sample.name: sample for found in REGISTRY.collect() for sample in found.samples}
    rules = [
        rule
        for group in yaml.safe_load(ALERTS.read_text())["spec"]["groups"]
        for rule in group["rules"]
    ]
    assert rules
    for rule in rules:
        [name] = re.findall(r"hallmark_[a-z_]+", rule["expr"])
        assert name in known
        used = re.findall(r"\$labels\.([a-z_]+)", str(rule["annotations"]))
        assert set(used) <= known[name].labels.keys()
    metrics.forget_silence("bank", "credit")
