from datetime import timedelta

import numpy as np
from hypothesis import given, strategies as st

from hallmark.api.texts import timestamp
from hallmark.drift.counts import BinCounter
from hallmark.drift.windows import WindowCounter
from tests.examples import examples
from tests.unit.drift import factories
from tests.unit.drift.factories import PROMOTED


def counter(window: int = 100, keep: int = 2) -> WindowCounter:
    bins = BinCounter(factories.baseline().features, factories.schema())
    return WindowCounter(bins, window, keep)


@examples(30)
@given(st.lists(st.integers(0, 450), max_size=8), st.integers(1, 5))
def test_batches_of_any_size_close_the_windows_that_single_rows_would(
    sizes: list[int], keep: int
) -> None:
    rows = factories.traffic(sum(sizes), seed=1)
    batched, single = counter(keep=keep), counter(keep=keep)
    for part in np.split(rows, np.cumsum(sizes)[:-1] if sizes else []):
        batched.add(part, PROMOTED, PROMOTED)
    for index in range(len(rows)):
        single.add(rows[index : index + 1], PROMOTED, PROMOTED)
    found = batched.report(factories.ACTIVE, "boot-0001", 1)
    assert found == single.report(factories.ACTIVE, "boot-0001", 1)
    assert batched.closed == len(rows) // 100
    assert [w.number for w in found.windows] == list(
        range(max(1, batched.closed - keep + 1), batched.closed + 1)
    )
    assert found.rows == len(rows)
    assert all(sum(c) == found.rows for c in found.counts.values())
    assert all(w.rows == 100 and sum(c) == 100 for w in found.windows for c in w.counts.values())


def test_a_window_starts_with_its_first_row_and_ends_with_its_last() -> None:
    windows = counter()
    at = [PROMOTED + timedelta(seconds=s) for s in range(4)]
    windows.add(factories.traffic(60, seed=1), at[0], at[0])
    windows.add(factories.traffic(60, seed=2), at[1], at[2])
    windows.add(factories.traffic(80, seed=3), at[3], at[3])
    first, second = windows.report(factories.ACTIVE, "boot-0001", 1).windows
    assert (first.start, first.end) == (timestamp(at[0]), timestamp(at[2]))
    assert (second.start, second.end) == (timestamp(at[2]), timestamp(at[3]))
