from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

from hallmark.data.lazy import lazy


@dataclass(frozen=True)
class Column:
    """Its property is there once another column computes its own."""

    both: Barrier

    @lazy
    def met(self) -> int:
        """Which of both came last."""
        return self.both.wait(timeout=10)


def test_objects_are_computed_at_the_same_time_and_each_once() -> None:
    both = Barrier(2)
    columns = [Column(both), Column(both)]
    with ThreadPoolExecutor(2) as threads:
        first = list(threads.map(lambda column: column.met, columns))
    assert sorted(first) == [0, 1]
    # A second computation would wait for a second one in vain.
    assert [column.met for column in columns] == first
