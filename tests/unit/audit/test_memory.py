"""What is kept of a log's records, whatever they say."""

from __future__ import annotations

import pytest

from hallmark.audit.memory import DECIDED_AT, LogMemory
from tests.unit.audit.factories import decided

TIME = "2026-06-01T12:00:00Z"
GAVE_WAY = {"event": "rollback", "outcome": "completed"}


@pytest.mark.parametrize(
    "moment",
    ["", "soon", "2026-06-01", "2026-13-40T99:00:00Z", "2026-06-01T12:00:00.²Z", "9" * 5000],
)
def test_a_decision_whose_moment_cannot_be_read_was_made_when_it_was_recorded(moment: str) -> None:
    memory = LogMemory()
    details = {"fromDigest": "sha256:ab", DECIDED_AT: moment}
    memory.hear(decided("one", details=details, **GAVE_WAY), TIME)
    found = memory.rolled_back("team", "sha256:ab")
    assert found is not None
    assert found.time == TIME


def test_long_names_and_reasons_are_cut() -> None:
    memory = LogMemory()
    details = {"fromDigest": "sha256:ab"}
    record = decided("one", details=details, name="n" * 5000, reason="r" * 5000, **GAVE_WAY)
    memory.hear(record, TIME)
    found = memory.rolled_back("team", "sha256:ab")
    assert found is not None
    assert (len(found.deployment), len(found.reason)) == (253, 64)


def test_nothing_is_kept_of_what_was_said_of_a_run_that_is_gone() -> None:
    memory = LogMemory()
    for event, outcome in (("gate", "passed"), ("seal", "sealed"), ("seal", "refused")):
        memory.hear(decided(outcome, kind="TrainingRun", event=event, outcome=outcome), TIME)
    memory.forget("uid-1")
    assert not memory._said
