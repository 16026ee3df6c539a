"""Every word of each decision is what was read and kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.policies.whole import TABLES, Told, kept

SITUATIONS = [
    pytest.param(decide, kept(table).get(name), id=f"{table}: {name}")
    for table, situations in TABLES.items()
    for name, decide in situations.items()
]


@pytest.mark.parametrize(("decide", "was"), SITUATIONS)
def test_a_decision_is_told_as_before(decide: Callable[[], Told], was: Told | None) -> None:
    told = decide()
    assert told == was, "If it is meant: python -m tests.unit.policies.whole, and read the change."


@pytest.mark.parametrize("table", TABLES)
def test_no_situation_is_kept_that_nobody_asks_about(table: str) -> None:
    assert kept(table).keys() == TABLES[table].keys()
