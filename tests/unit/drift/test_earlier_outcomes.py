"""The truth about versions that served before: shown, and never a verdict about what serves."""

from __future__ import annotations

import pytest

from hallmark.api.bounds import EARLIER_VERSIONS
from hallmark.api.drift_state import DriftState
from hallmark.api.feedback import EarlierOutcomes, OutcomeReport
from hallmark.drift.decision import judge
from hallmark.drift.room import report_bytes
from hallmark.drift.shown import shown_differs
from tests.unit.drift.factories import baseline, inputs
from tests.unit.drift.test_quality import DRIFT, GOOD, judged, with_outcomes


def earlier(**versions: tuple[int, int]) -> OutcomeReport:
    """A good report with outcomes and right ones of versions that are named by one digit."""
    told = [
        EarlierOutcomes(version=name[-1] * 16, outcomes=count, correct=correct)
        for name, (count, correct) in versions.items()
    ]
    return GOOD.model_copy(update={"earlier": told})


def test_what_all_pods_were_told_is_added_and_decides_nothing() -> None:
    found = judged(earlier(v1=(1000, 0), v2=(30, 15)), earlier(v1=(1000, 500)))
    alone = judged(GOOD, GOOD)
    assert found.state.quality is not None
    assert [one.to_wire() for one in found.state.quality.earlier] == [
        {"version": "1" * 16, "outcomes": 2000, "accuracy": "0.2500"},
        {"version": "2" * 16, "outcomes": 30, "accuracy": "0.5000"},
    ]
    assert alone.state.quality == found.state.quality.replace(earlier=[])
    assert DriftState.model_validate(found.state.to_wire()) == found.state


def test_it_is_shown_also_where_what_serves_has_no_window_yet() -> None:
    only = earlier(v1=(10, 5)).model_copy(update={"windows": []})
    quality = judged(only).state.quality
    assert quality is not None
    assert (quality.voters, len(quality.earlier)) == (0, 1)


def test_as_many_versions_are_shown_as_a_history_has_those_with_most_outcomes() -> None:
    pods = [
        earlier(**{f"v{digit}": (count, 0) for digit in digits})
        for count, digits in ((5, "0123456789"), (9, "abc"))
    ]
    quality = judged(*pods).state.quality
    assert quality is not None
    assert [one.version[0] for one in quality.earlier] == [*"abc", *"0123456"]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(earlier(v1=(10, 11)), id="more right than told"),
        pytest.param(earlier(v1=(10, 1), w1=(9, 1)), id="a version twice"),
    ],
)
def test_what_makes_no_sense_is_not_believed(bad: OutcomeReport) -> None:
    assert [refused.reason for refused in judged(bad).refused] == ["WrongCounts"]


def test_a_change_of_it_is_worth_a_write_where_it_can_be_seen() -> None:
    def state(found: OutcomeReport) -> DriftState:
        return judge(inputs({"p": with_outcomes(found)}, drift=DRIFT)).state

    before = state(earlier(v1=(1000, 500)))
    assert not shown_differs(before, state(earlier(v1=(1001, 500))), 0.2)
    assert shown_differs(before, state(earlier(v1=(1100, 500))), 0.2)
    assert shown_differs(before, state(earlier(v1=(1000, 500), v2=(1, 1))), 0.2)


def test_a_full_report_fits_its_place() -> None:
    most = earlier(**{f"v{digit}": (10**9, 10**9) for digit in "0123456789"})
    assert len(most.earlier) == EARLIER_VERSIONS
    grown = len(most.model_dump_json(by_alias=True)) - len(GOOD.model_dump_json(by_alias=True))
    with_place = report_bytes(baseline().features, DRIFT)
    assert grown <= EARLIER_VERSIONS * 96 < with_place
