"""The shipped alerts name metrics that the operator has, and labels that these have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from hallmark.api.bounds import Oddity
from hallmark.api.drift_state import DriftState
from hallmark.api.mirror import MirrorCounts, MirrorRecord
from hallmark.api.model_deployment import ModelDeploymentStatus, Rollout, Unserved
from hallmark.api.reasons import DeploymentReason
from hallmark.cluster.kinds import HALLMARK_KINDS
from hallmark.controllers import metrics
from hallmark.policies.conditions import holds, stalled
from hallmark.policies.model_deployment.decide import decide
from hallmark.policies.model_deployment.inputs import Need
from hallmark.policies.model_deployment.troubles import troubles
from tests.unit.policies.model_deployment.situations import SITUATIONS

FILE = Path(__file__).parents[2] / "manifests" / "monitoring" / "alerts.yaml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]
]


COPIED = MirrorRecord(
    started="2026-11-25T12:00:00Z",
    dropped=90,
    all=MirrorCounts(requests=9, failed=2, taken=7, refused=1, rows=12, other=3),
)


@pytest.fixture(autouse=True)
def something_to_count() -> Iterator[None]:
    """A metric with labels has no sample before something is counted; others forget theirs."""
    status = ModelDeploymentStatus(
        unserved=Unserved(since="2026-11-25T12:00:00Z", reason="Refused"),
        drift_state=DriftState(odd=[Oddity.PROBING]),
        rollout=Rollout(mirror=COPIED),
    )
    trouble = holds("RolledBack", "DriftRollback")
    metrics.show_deployment("alerts", "credit", status, [trouble])
    metrics.show_policy("strict", stalled("InvalidKey", "A key cannot be read."))
    metrics.RECONCILES.labels("ModelPolicy", "ok")
    yield
    metrics.forget("alerts", "credit")
    metrics.forget("", "strict")


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


# -- what somebody on call must know ----------------------------------------------------------


def alerts_of(condition: str, reason: str) -> list[str]:
    """Return the alerts whose rule looks at a trouble with these labels."""
    told = {"condition": condition, "reason": reason}
    found = []
    for rule in RULES:
        asked = re.fullmatch(r"hallmark_deployment_trouble\{(.*)\} > 0", rule["expr"])
        if asked is None:
            continue
        matchers = re.findall(r'(\w+)(=~?)"([^"]*)"', asked[1])
        assert ",".join(f'{name}{how}"{value}"' for name, how, value in matchers) == asked[1]
        if all(
            re.fullmatch(value, told[name]) if how == "=~" else told[name] == value
            for name, how, value in matchers
        ):
            found.append(rule["alert"].removeprefix("Hallmark"))
    return found


_ROLLBACKS = [reason for reason in DeploymentReason if reason.endswith("Rollback")]
MATRIX = {
    ("DriftDetected", "DriftDetected"): "TrafficDrifts",
    ("DriftDetected", "TargetDrifts"): "TrafficDrifts",
    ("DriftDetected", "InputRejected"): "InputRejected",
    ("DriftDetected", "QualityBelowFloor"): "QualityBelowFloor",
    ("DriftDetected", "RequestsFail"): "RequestsFail",
    ("DriftDetected", "AnswersLate"): "AnswersLate",
    ("DriftDetected", "Probed"): "Probed",
    ("DriftDetected", "BaselineMissing"): "BaselineMissing",
    **{("RolledBack", reason): "RolledBack" for reason in _ROLLBACKS},
    ("Available", "Unavailable"): "Unavailable",
    ("Available", "Stopped"): "Stopped",
    ("Verified", "VerificationFailed"): "NotVerified",
    ("Verified", "PredictorRefused"): "NotVerified",
    ("Approved", "Denied"): "WithdrawnServes",
    ("Approved", "Revoked"): "WithdrawnServes",
    ("Stalled", "NoVerifiedTarget"): "NoVerifiedTarget",
    ("Stalled", "InvalidSpec"): "SpecNotAllowed",
    ("Stalled", "ForeignObject"): "SpecNotAllowed",
}
"""Each condition that somebody on call must know, and the one alert that tells of it."""
TOLD_OTHERWISE = {
    **dict.fromkeys(_ROLLBACKS, "RolledBack"),
    "Stopped": "Stopped",
    "AuditBroken": "AuditBroken",
}
"""Why else it is Stalled, and which alert tells of that; all else is ``IntentUnserved``."""


@pytest.mark.parametrize(("trouble", "alert"), MATRIX.items(), ids=map("/".join, MATRIX))
def test_each_trouble_has_one_alert(trouble: tuple[str, str], alert: str) -> None:
    assert alerts_of(*trouble) == [alert]


def test_there_is_no_alert_about_what_cannot_be() -> None:
    about = {rule["alert"] for rule in RULES if "deployment_trouble" in rule["expr"]}
    assert about == {f"Hallmark{alert}" for alert in MATRIX.values()}
    oddities = {str(oddity) for oddity in Oddity}
    assert oddities == {"Borderline", "Outside", "Probing"}
    assert any(rule["expr"] == "hallmark_deployment_odd_rows > 0" for rule in RULES)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_whatever_happens_to_a_deployment_somebody_is_told(situation: str) -> None:
    decided = decide(SITUATIONS[situation].inputs)
    if isinstance(decided, Need):
        return
    names = {rule["alert"] for rule in RULES}
    for condition, reason in troubles(decided.status, decided.conditions):
        if (condition, reason) in MATRIX:
            continue
        assert condition == "Stalled", reason
        if (other := TOLD_OTHERWISE.get(reason)) is not None:
            assert f"Hallmark{other}" in names
        else:
            assert decided.status.unserved is not None, reason


def test_what_is_over_is_shown_no_more() -> None:
    of = {"model_namespace": "alerts", "model_deployment": "credit"}
    labels = {**of, "condition": "RolledBack", "reason": "DriftRollback"}
    assert REGISTRY.get_sample_value("hallmark_deployment_trouble", labels) == 1
    metrics.show_deployment("alerts", "credit", ModelDeploymentStatus(), [])
    assert REGISTRY.get_sample_value("hallmark_deployment_trouble", labels) is None
    assert REGISTRY.get_sample_value("hallmark_drift_silent_pods", of) == 0
    metrics.forget("alerts", "credit")
    assert REGISTRY.get_sample_value("hallmark_drift_silent_pods", of) is None
    told = {"policy": "strict", "reason": "InvalidKey"}
    assert REGISTRY.get_sample_value("hallmark_policy_unusable", told) == 1
    metrics.show_policy("strict", [])
    assert REGISTRY.get_sample_value("hallmark_policy_unusable", told) is None


def test_a_mirror_is_shown_while_there_is_one() -> None:
    of = {"model_namespace": "alerts", "model_deployment": "credit"}

    def shown() -> dict[str, float]:
        families = [one for one in REGISTRY.collect() if one.name == "hallmark_deployment_mirror"]
        return {
            sample.labels["count"]: sample.value
            for sample in families[0].samples
            if of.items() <= sample.labels.items()
        }

    assert shown() == {
        "Copies": 9,
        "Failed": 2,
        "Refused": 1,
        "Dropped": 90,
        "Rows": 12,
        "OtherLabel": 3,
    }
    [blind] = [rule for rule in RULES if rule["alert"] == "HallmarkMirrorBlind"]
    assert set(re.findall(r'count="(\w+)"', blind["expr"])) <= shown().keys()
    metrics.show_deployment("alerts", "credit", ModelDeploymentStatus(), [])
    assert shown() == {}


@pytest.mark.parametrize("reason", ["Canary", "Mirroring"])
def test_who_is_watched_for_long_is_no_refused_intent(reason: str) -> None:
    """Each reason to wait has one alert."""
    found = []
    for rule in RULES:
        asked = re.search(r'unserved_since_seconds\{reason(=~?|!~)"([^"]*)"\}', rule["expr"])
        if asked and bool(re.fullmatch(asked[2], reason)) is (asked[1] != "!~"):
            found.append(rule["alert"])
    assert found == ["HallmarkCanaryWaits"]
