"""A machine's clock may jump; what was counted meanwhile is believed all the same."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from hypothesis import given, strategies as st

from hallmark.api.drift_report import DriftReport
from hallmark.api.feedback import Feedback, OutcomeReport
from hallmark.drift.counts import BinCounter
from hallmark.drift.outcome_counter import Outcome, OutcomeCounter
from hallmark.drift.reports import Expected, believe
from hallmark.drift.windows import WindowCounter
from tests.examples import examples
from tests.unit.drift import factories
from tests.unit.drift.factories import ACTIVE, PROMOTED, received

HOUR, KEEP = 3600, 5
ROWS = factories.traffic(2000, seed=1)
BINS = {feature.name: len(feature.counts) for feature in factories.baseline().features}
FEEDBACK = Feedback(window=100)


class Part(NamedTuple):
    """Rows or outcomes that come together, and what the clock says at the first and the last."""

    rows: int
    first: int
    last: int


PARTS = st.lists(
    st.builds(Part, st.integers(1, 250), *[st.integers(-2 * HOUR, 2 * HOUR)] * 2), max_size=8
)


@examples(100)
@given(PARTS)
def test_a_report_is_believed_wherever_the_clock_was_set(parts: list[Part]) -> None:
    windows = WindowCounter(
        BinCounter(factories.baseline().features, factories.schema()), 100, KEEP
    )
    outcomes = OutcomeCounter(FEEDBACK)
    start = told = 0
    for part in parts:
        first, last = (PROMOTED + timedelta(seconds=at) for at in (part.first, part.last))
        windows.add(ROWS[start : start + part.rows], first, last)
        start += part.rows
        for _ in range(part.rows):
            told += 1
            outcomes.add(Outcome(told, True, 0.5, True), first if told % 2 else last)
    found = received(DriftReport, windows.report(ACTIVE, "boot-0001", 1))
    whole = found.model_copy(update={"outcomes": received(OutcomeReport, outcomes.report())})
    assert believe("pod", whole, Expected(ACTIVE, BINS, None, feedback=FEEDBACK)) == whole
    assert len(whole.windows) == min(KEEP, start // 100)
