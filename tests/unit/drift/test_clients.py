"""Counts by client: few clients neither cause nor hide what is seen in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.drift.clients import (
    ALONE,
    GROUPS,
    LEFT_OUT,
    MAX_CLIENTS,
    Clients,
    Share,
    judged,
)
from hallmark.drift.fair import BLOCK, MOST_ROWS, FairCounter

GOOD, BAD = 0, 1


def few(honest: int, hostile: int) -> bool:
    """Whether so many hostile clients are no more than are left out, beside so many others."""
    return hostile <= max(1, min(GROUPS, honest + hostile) // LEFT_OUT)


CROWDS = st.tuples(st.integers(2, 60), st.integers(1, 4)).filter(lambda sizes: few(*sizes))
COUNTS = st.lists(st.integers(1, 10**6), min_size=4, max_size=4)


@given(CROWDS, st.integers(1, 50), COUNTS)
def test_few_clients_cannot_cause_it(crowd: tuple[int, int], each: int, sent: list[int]) -> None:
    honest, hostile = crowd
    found = Clients(2)
    for number in range(honest):
        found.add(f"honest-{number}", GOOD, each)
    for number in range(hostile):
        found.add(f"hostile-{number}", BAD, sent[number])
    share = found.fair([BAD], [GOOD, BAD])
    assert share.found == 0
    assert share.of <= honest * each


@given(CROWDS, st.integers(1, 50), COUNTS)
def test_few_clients_cannot_hide_it(crowd: tuple[int, int], each: int, sent: list[int]) -> None:
    honest, hostile = crowd
    found = Clients(2)
    for number in range(honest):
        found.add(f"honest-{number}", BAD, each)
    for number in range(hostile):
        found.add(f"hostile-{number}", GOOD, sent[number])
    share = found.fair([BAD], [GOOD, BAD])
    assert share.found == share.of


@pytest.mark.parametrize("clients", [3, 5, 16, 50, 1000])
@pytest.mark.parametrize(("percent", "limit"), [(5, 0.01), (2, 0.01), (50, 0.2)])
def test_what_happens_to_everybody_is_seen(clients: int, percent: int, limit: float) -> None:
    """Chance decides whom it happens to."""
    found = Clients(2)
    for number, chance in enumerate(np.random.default_rng(clients).random(2000)):
        found.add(f"client-{number % clients}", BAD if 100 * chance < percent else GOOD)
    share = found.fair([BAD], [GOOD, BAD])
    assert share.found > limit * share.of > 0


@given(st.lists(st.tuples(st.integers(0, 99).map(str), st.integers(0, 1)), max_size=300))
def test_what_is_left_is_a_part_of_everything(sent: list[tuple[str, int]]) -> None:
    found = Clients(2)
    for client, column in sent:
        found.add(client, column)
    everything, fair = (share([BAD], [GOOD, BAD]) for share in (found.everything, found.fair))
    assert everything == Share(len(sent), sum(column for _, column in sent))
    assert 0 <= fair.found <= fair.of <= everything.of
    assert fair.found <= everything.found


def test_one_client_is_nobody_else_nor_are_two_at_odds() -> None:
    found = Clients(2)
    assert found.fair([BAD], [GOOD, BAD]) == Share()
    found.add("one", BAD, 1000)
    assert found.fair([BAD], [GOOD, BAD]) == Share()
    found.add("other", GOOD, 1000)
    assert found.fair([BAD], [GOOD, BAD]) == Share()


def test_who_is_alone_is_the_traffic() -> None:
    assert judged(Share(19, 0), Share(20 * ALONE - 1, 9), 20) is None
    assert judged(Share(19, 0), Share(20 * ALONE, 9), 20) == Share(20 * ALONE, 9)
    assert judged(Share(20, 1), Share(10**9, 10**9), 20) == Share(20, 1)


# -- what a Pod tells -------------------------------------------------------------------------


@pytest.mark.parametrize("requests", [BLOCK - 1, BLOCK, 3 * BLOCK + 100])
def test_blocks_are_added_up_whatever_their_number(requests: int) -> None:
    counter = FairCounter()
    for number in range(requests):
        client = f"client-{number % 20}"
        counter.rows(client, 1, 0)
        if number % 10 == 0:
            counter.rows("hostile", 0, 10_000)
            counter.failed("hostile")
        counter.answered(client, 2)
    told = counter.told()
    assert (told.refused, told.failed) == (0, 0)
    assert 0.2 * requests < told.rows <= requests
    assert 0.2 * requests < told.requests <= requests
    assert told.late[:2] == told.timed[:2], "above 1 and 5 ms"
    assert told.late[2:] == [0, 0, 0], "within 25 ms"


def test_a_request_of_many_rows_weighs_no_more_than_some() -> None:
    counter = FairCounter()
    for number in range(8):
        counter.rows(f"client-{number}", 10_000 - number, number)
    told = counter.told()
    assert told.rows == 5 * MOST_ROWS, "three of eight had most of either"
    assert told.refused == 5, "who had a row refused is not without one"


def test_memory_is_bounded_whoever_sends() -> None:
    found = Clients(2)
    for number in range(2 * MAX_CLIENTS):
        found.add(f"client-{number}", GOOD)
    assert len(found) <= MAX_CLIENTS + 1
    assert found.total == 2 * MAX_CLIENTS
