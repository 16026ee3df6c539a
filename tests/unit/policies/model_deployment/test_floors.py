"""What a ModelPolicy demands of drift watching, and who does not meet it."""

import pytest

from hallmark.api.model_policy import DriftFloors
from hallmark.policies.model_deployment.bounds import bounded
from hallmark.policies.model_deployment.floors import below_floors
from tests.unit.policies.model_deployment.rollouts import deployment, policy, spec

FLOORS = DriftFloors(
    max_threshold="0.2",
    max_window=1000,
    max_consecutive=2,
    min_false_rollback_risk="0.001",
    features=["income", "age"],
    max_rejections="0.2",
    automatic_rollback=True,
)
CLOSE = {
    "threshold": "0.2",
    "window": 1000,
    "consecutive": 2,
    "falseRollbackRisk": "0.001",
    "features": ["age", "income", "more"],
    "rejections": {"limit": "0.2"},
}


def test_on_the_floors_is_close_enough() -> None:
    assert list(below_floors(spec(drift=CLOSE), FLOORS)) == []
    assert list(below_floors(spec(drift=CLOSE | {"features": []}), FLOORS)) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"threshold": "0.200000001"}, "Expected spec.drift.threshold at most 0.2 "),
        ({"threshold": "1000"}, "found 1000; nothing new is promoted"),
        ({"window": 1001}, "spec.drift.window at most 1000"),
        ({"consecutive": 3}, "spec.drift.consecutive at most 2"),
        ({"falseRollbackRisk": "0.0009"}, "spec.drift.falseRollbackRisk at least 0.001"),
        ({"features": ["income"]}, "spec.drift.features with 'age' "),
        ({"rejections": {"limit": "0.21"}}, "spec.drift.rejections.limit at most 0.2 "),
        ({"rejections": None}, "found none"),
    ],
)
def test_each_way_to_watch_less_closely_is_told(change: dict[str, object], sentence: str) -> None:
    drift = {key: value for key, value in (CLOSE | change).items() if value is not None}
    (found,) = below_floors(spec(drift=drift), FLOORS)
    assert sentence in found
    assert list(below_floors(spec(drift=drift), DriftFloors())) == []


def test_rollback_can_be_demanded_to_be_automatic() -> None:
    (found,) = below_floors(spec(drift=CLOSE, rollback="Manual"), FLOORS)
    assert "Expected spec.rollback Automatic" in found


def test_what_is_below_is_said_of_the_object_and_changes_nothing_of_it() -> None:
    under = policy()
    strict = under.replace(spec=under.spec.replace(drift=FLOORS))
    on = deployment(drift=CLOSE | {"window": 5000})
    fitted, beyond = bounded(on, strict)
    assert fitted.spec.drift == on.spec.drift
    assert len(beyond) == 1
    assert bounded(on, under)[1] == ()
