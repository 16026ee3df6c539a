"""Clients whose rows look made to find the boundary: what follows, and what does not."""

import pytest

from hallmark.api.bounds import Oddity
from hallmark.api.drift import Drift, Probing
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.audit.events import AuditEvent
from hallmark.drift.odd import is_probed
from hallmark.policies.model_deployment.audit import Step, events
from hallmark.policies.model_deployment.conditions import conditions
from hallmark.policies.model_deployment.findings import drift_records
from hallmark.policies.model_deployment.traffic import is_off
from tests.unit.policies.model_deployment.rollouts import (
    drifted,
    entry,
    serving_status,
    version,
    view,
)

CALM = serving_status(entry(2, start=10)).replace(drift_state=drifted(2, "NoDrift"))


def odd(*kinds: Oddity, clients: int = 0) -> ModelDeploymentStatus:
    state = drifted(2, "NoDrift").replace(odd=list(kinds), probing_clients=clients)
    return CALM.replace(drift_state=state)


PROBED = odd(Oddity.PROBING, clients=1)


def drift_detected(status: ModelDeploymentStatus, **spec: object) -> tuple[str, str]:
    said = conditions(view(status, version(2), **spec), None, "Said.")
    found = next(one for one in said if one.type == "DriftDetected")
    return found.status, found.reason


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("False", "NoDrift")),
        ({"drift": {"probing": {}}}, ("False", "NoDrift")),
        ({"drift": {"probing": {"clients": 1}}}, ("True", "Probed")),
    ],
    ids=["nothing is declared", "one client of two", "one of one"],
)
def test_a_condition_tells_of_what_was_declared(
    spec: dict[str, object], expected: tuple[str, str]
) -> None:
    assert drift_detected(PROBED, **spec) == expected


def test_probing_hides_no_drift() -> None:
    both = PROBED.replace(drift_state=drifted(2).replace(odd=[Oddity.PROBING], probing_clients=3))
    assert drift_detected(both, drift={"probing": {"clients": 1}}) == ("True", "DriftDetected")


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (CALM, PROBED, True),
        (PROBED, PROBED, False),
        (PROBED, odd(Oddity.PROBING, clients=2), True),
        (PROBED, odd(Oddity.BORDERLINE, Oddity.PROBING, clients=1), True),
        (odd(Oddity.BORDERLINE, Oddity.PROBING, clients=2), PROBED, False),
        (CALM, odd(Oddity.OUTSIDE), True),
        (PROBED, CALM, False),
    ],
    ids=["new", "same", "one more client", "one more kind", "fewer", "outside", "over"],
)
def test_each_new_oddity_is_a_record_and_an_event(
    before: ModelDeploymentStatus, now: ModelDeploymentStatus, told: bool
) -> None:
    given = view(now, version(2))
    records = list(drift_records(before, given))
    assert len(records) == told
    if told:
        (record,) = records
        state = now.drift_state
        assert state is not None
        assert (record.event, record.reason) == (AuditEvent.DRIFT, "OddRows")
        assert record.details["odd"] == ", ".join(state.odd)
        assert record.details["probingClients"] == str(state.probing_clients)
    said = [event.reason for event in events(before, given, Step(given))]
    assert said.count("OddRows") == told


def test_a_hostile_client_keeps_nothing_from_becoming_stable() -> None:
    assert not is_off(odd(*Oddity, clients=3).drift_state)


@pytest.mark.parametrize("clients", [1, 2, 3])
def test_as_many_clients_as_declared_are_needed(clients: int) -> None:
    state = odd(Oddity.PROBING, clients=2).drift_state
    assert state is not None
    assert is_probed(state, Drift(probing=Probing(clients=clients))) is (clients <= 2)
    assert not is_probed(state, Drift())
