"""Refused rows as a verdict of their own, which no single client decides."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hallmark.api.drift import Drift, Rejections
from hallmark.api.drift_report import DriftReport, RefusedFeature, RejectionBlock
from hallmark.api.drift_state import DriftState
from hallmark.api.texts import timestamp
from hallmark.drift.clients import ALONE, MAX_CLIENTS
from hallmark.drift.decision import DriftVerdict, judge
from hallmark.drift.rejection_counter import RejectionCounter
from hallmark.drift.reports import ReportFault
from tests.unit.drift.factories import PROMOTED, inputs, received, report, traffic

DECLARED = Rejections(limit="0.1", minimum=100)
DRIFT = Drift(rejections=DECLARED)
CALM = report(traffic(1000, seed=1))
Request = tuple[str, int, int]
"""Who, rows answered, rows refused."""


def share_of(requests: list[Request]) -> float | None:
    """The share of refused rows in the newest block; None without any."""
    counter = RejectionCounter(DECLARED, 2)
    for client, answered, refused in requests:
        counter.add(client, answered, refused, PROMOTED)
    return counter.kept[-1].refused / counter.kept[-1].rows if counter.kept else None


def honest(clients: int, rounds: int, *, refused: bool = False) -> list[Request]:
    row = (0, 1) if refused else (1, 0)
    return [(f"client-{one}", *row) for _ in range(rounds) for one in range(clients)]


# -- blocks -----------------------------------------------------------------------------------


def test_a_changed_upstream_of_many_clients_is_seen() -> None:
    assert share_of(honest(5, 60, refused=True)) == 1


def test_who_is_alone_is_the_traffic() -> None:
    one = [("gateway", 1, 1)] * (ALONE * DECLARED.minimum // 2)
    assert share_of(one[1:]) is None
    assert share_of(one + one[:20]) == 0.5


CLIENTS = st.integers(4, 8)


@settings(deadline=None)
@given(CLIENTS, st.integers(1, 800), st.integers(0, 1000))
def test_one_client_with_a_minority_of_the_rows_cannot_cause_it(
    clients: int, rows: int, seed: int
) -> None:
    """It sends all but as many rows as the others together, in requests of any size."""
    sent = honest(clients, 200)
    mixed = sent + [("hostile", 0, rows)] * ((len(sent) - 1) // rows)
    counter = RejectionCounter(DECLARED, 100)
    for place in np.random.default_rng(seed).permutation(len(mixed)):
        counter.add(*mixed[place], PROMOTED)
    assert {block.refused for block in counter.kept} == {0}


@settings(deadline=None)
@given(CLIENTS, st.integers(1, 3))
def test_one_client_cannot_hide_it(clients: int, times: int) -> None:
    mixed = []
    for one in honest(clients, 200, refused=True):
        mixed += [one] + [("hostile", 1, 0)] * times
    assert share_of(mixed) == 1


def test_a_bulk_request_weighs_no_more_than_a_block() -> None:
    few = honest(4, 10)
    assert share_of([("hostile", 0, 10**6), *few]) is None
    assert share_of([("hostile", 0, 10**6), *few * 10]) == 0


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**5).map(str), st.integers(0, 10**9), st.integers(0, 10**9)
        ).filter(lambda request: request[1] + request[2] > 0),
        max_size=200,
    )
)
def test_every_block_makes_sense_whatever_comes(requests: list[Request]) -> None:
    counter = RejectionCounter(DECLARED, 5)
    for client, answered, refused in requests:
        counter.add(client, answered, refused, PROMOTED)
    for block in counter.kept:
        assert DECLARED.minimum <= block.rows
        assert 0 <= block.refused <= block.rows
    told = [received(RejectionBlock, block) for block in counter.kept]
    assert judged(told).refused == ()


def test_memory_is_bounded_whoever_sends() -> None:
    counter = RejectionCounter(Rejections(minimum=1_000_000), 1)
    for number in range(2 * MAX_CLIENTS):
        counter.add(f"client-{number}", 1, 0, PROMOTED)
    assert len(counter._clients) <= MAX_CLIENTS + 1


# -- the verdict ------------------------------------------------------------------------------


def blocks(*refused: int, start: datetime = PROMOTED) -> list[RejectionBlock]:
    return [
        RejectionBlock(number=number, start=timestamp(start), rows=200, refused=rows)
        for number, rows in enumerate(refused, 1)
    ]


def with_blocks(found: list[RejectionBlock]) -> DriftReport:
    faults = [
        RefusedFeature(feature="income", out_of_range=40),
        RefusedFeature(feature="stranger", missing=900),
    ]
    return CALM.model_copy(update={"rejections": found, "refused": faults})


def judged(*pods: list[RejectionBlock], drift: Drift = DRIFT) -> DriftVerdict:
    reports = {f"p{index}": with_blocks(found) for index, found in enumerate(pods)}
    return judge(inputs(reports, drift=drift))


HIGH, LOW = blocks(100, 30), blocks(100, 20)


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([HIGH], True, id="both blocks are above the limit"),
        pytest.param([LOW], False, id="on the limit is not above it"),
        pytest.param([HIGH[:1]], False, id="one block of two"),
        pytest.param([HIGH, LOW], False, id="half of the Pods"),
        pytest.param([HIGH, LOW, HIGH], True, id="two of three Pods"),
        pytest.param([HIGH, []], True, id="a Pod without blocks has no vote"),
        pytest.param([blocks(100, 30, start=PROMOTED - timedelta(seconds=1))], False, id="before"),
        pytest.param([[]], False, id="nothing refused"),
    ],
)
def test_more_than_half_of_the_pods_decide(
    pods: list[list[RejectionBlock]], expected: bool
) -> None:
    found = judged(*pods)
    assert found.state.input_rejected is expected
    assert ("refuse more rows than the limit (0.1 of the rows)" in found.message) is expected
    assert found.state.rejected_for == ("'income' is out of range" if expected else "")
    assert found.state.verdict == "NoDrift", "it is a verdict of its own"


def test_without_a_limit_refused_rows_are_only_counted() -> None:
    found = judged(HIGH, drift=Drift())
    assert not found.state.input_rejected


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(blocks(201), id="more refused than there were"),
        pytest.param([blocks(5)[0].model_copy(update={"rows": 99})], id="too few rows"),
        pytest.param([blocks(5)[0], blocks(5)[0]], id="one block twice"),
        pytest.param(
            [blocks(5)[0].model_copy(update={"start": "2026-13-01T00:00:00Z"})], id="no real time"
        ),
    ],
)
def test_blocks_that_make_no_sense_decide_nothing(bad: list[RejectionBlock]) -> None:
    found = judged(bad)
    assert [one.reason for one in found.refused] == [ReportFault.WRONG_COUNTS]


def test_the_verdict_is_shown_when_it_changes() -> None:
    before = judged(LOW).state
    after = judge(inputs({"p0": with_blocks(HIGH)}, drift=DRIFT, former=before))
    assert after.changed
    assert isinstance(after.state, DriftState)
