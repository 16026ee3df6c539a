"""Errors and late answers as verdicts of their own, which few clients do not decide."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.drift import Drift, RequestLimits
from hallmark.api.drift_report import AnswerBlock
from hallmark.api.texts import timestamp
from hallmark.drift.answer_counter import AnswerCounter
from hallmark.drift.clients import ALONE
from hallmark.drift.decision import DriftVerdict, judge
from hallmark.drift.latency import bound_of
from hallmark.drift.reports import ReportFault
from tests.unit.drift.factories import PROMOTED, inputs, received, report, traffic

LIMITS = RequestLimits(minimum=100, max_errors="0.01", max_latency="25ms")
DRIFT = Drift(requests=LIMITS)
CALM = report(traffic(1000, seed=1))
QUICK, SLOW, FAILED = 0, 3, None
"""The buckets of an answer within 1 ms, of one above 25 ms, and of none."""


def kept(sent: list[tuple[str, int | None]], *, seed: int = 0) -> list[AnswerBlock]:
    counter = AnswerCounter(LIMITS, 100)
    for place in np.random.default_rng(seed).permutation(len(sent)):
        client, bucket = sent[place]
        counter.add(client, bucket, PROMOTED)
    return [received(AnswerBlock, block) for block in counter.kept]


def honest(bucket: int | None, clients: int = 6) -> list[tuple[str, int | None]]:
    return [(f"client-{number % clients}", bucket) for number in range(1200)]


@given(st.sampled_from([SLOW, FAILED]), st.integers(1, 1000), st.integers(0, 100))
def test_one_client_cannot_cause_it(bucket: int | None, times: int, seed: int) -> None:
    for block in kept(honest(QUICK) + [("hostile", bucket)] * times, seed=seed):
        assert (block.failed, block.late) == (0, 0)


@given(st.sampled_from([SLOW, FAILED]), st.integers(1, 1000), st.integers(0, 100))
def test_one_client_cannot_hide_it(bucket: int | None, times: int, seed: int) -> None:
    blocks = kept(honest(bucket) + [("hostile", QUICK)] * times, seed=seed)
    assert blocks
    for block in blocks:
        if bucket is FAILED:
            assert block.failed == block.requests
        else:
            assert block.late == block.timed > 0


def test_who_is_alone_is_the_traffic() -> None:
    alone = [("gateway", FAILED)] * (ALONE * LIMITS.minimum)
    assert kept(alone[1:]) == []
    [block] = kept(alone)
    assert (block.requests, block.failed, block.timed) == (len(alone), len(alone), 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 9).map(str), st.sampled_from([None, *range(6)])), max_size=1500
    )
)
def test_every_block_makes_sense_whatever_comes(sent: list[tuple[str, int | None]]) -> None:
    blocks = kept(sent)[-5:]
    for block in blocks:
        assert block.requests >= LIMITS.minimum
        assert 0 <= block.failed <= block.requests
        assert 0 <= block.late <= block.timed
    assert judged(blocks).refused == ()


@pytest.mark.parametrize(("limit", "place"), [("1ms", 0), ("2ms", 1), ("100ms", 3), ("500ms", 4)])
def test_a_limit_is_rounded_up_to_a_bound(limit: str, place: int) -> None:
    assert bound_of(limit) == place


# -- the verdict ------------------------------------------------------------------------------


def blocks(*found: tuple[int, int, int], start: datetime = PROMOTED) -> list[AnswerBlock]:
    """Of 200 requests: how many failed, how many answers were timed, how many of these late."""
    return [
        AnswerBlock(
            number=number,
            start=timestamp(start),
            requests=200,
            failed=failed,
            timed=timed,
            late=late,
        )
        for number, (failed, timed, late) in enumerate(found, 1)
    ]


def judged(*pods: list[AnswerBlock], drift: Drift = DRIFT) -> DriftVerdict:
    reports = {
        f"p{place}": CALM.model_copy(update={"answers": found}) for place, found in enumerate(pods)
    }
    return judge(inputs(reports, drift=drift))


BAD, GOOD = blocks((3, 100, 6), (3, 100, 6)), blocks((3, 100, 6), (2, 100, 5))


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([BAD], True, id="both blocks are above the limits"),
        pytest.param([GOOD], False, id="on the limit is not above it"),
        pytest.param([BAD[:1]], False, id="one block of two"),
        pytest.param([BAD, GOOD], False, id="half of the Pods"),
        pytest.param([BAD, GOOD, BAD], True, id="two of three Pods"),
        pytest.param([BAD, []], True, id="a Pod without blocks has no vote"),
        pytest.param(
            [blocks(*[(3, 100, 6)] * 2, start=PROMOTED - timedelta(seconds=1))], False, id="before"
        ),
        pytest.param([[]], False, id="silence"),
    ],
)
def test_more_than_half_of_the_pods_decide(pods: list[list[AnswerBlock]], expected: bool) -> None:
    found = judged(*pods)
    answers = found.state.answers
    assert (answers is not None and answers.fails) is expected
    assert (answers is not None and answers.late) is expected
    assert ("at most 0.01 of the requests to fail" in found.message) is expected
    assert ("to take at most 25ms of the processor's time" in found.message) is expected
    assert found.state.verdict == "NoDrift", "these are verdicts of their own"


@pytest.mark.parametrize(
    ("pods", "within"),
    [
        ([blocks(*[(0, 100, 5)] * 2)], "25ms"),
        ([blocks(*[(9, 100, 0)] * 2)], "25ms"),
        ([blocks(*[(0, 0, 0)] * 2)], ""),
        ([blocks((0, 100, 0), (0, 0, 0))], ""),
        ([blocks((0, 100, 0))], ""),
        ([BAD, GOOD], ""),
        ([BAD, GOOD, GOOD], "25ms"),
        ([[]], ""),
    ],
)
def test_only_what_was_seen_is_in_time(pods: list[list[AnswerBlock]], within: str) -> None:
    answers = judged(*pods).state.answers
    assert (answers.within if answers else "") == within


def test_what_is_not_declared_is_not_looked_at() -> None:
    assert judged(BAD, drift=Drift()).state.answers is None
    for field in ("max_errors", "max_latency"):
        answers = judged(BAD, drift=Drift(requests=LIMITS.replace(**{field: None}))).state.answers
        assert answers is not None
        assert (answers.fails, answers.late) == (field != "max_errors", field != "max_latency")


FIRST = blocks((0, 200, 0))[0]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param([FIRST.model_copy(update={"failed": 201})], id="more failed than there were"),
        pytest.param([FIRST.model_copy(update={"late": 201})], id="more late than there were"),
        pytest.param([FIRST.model_copy(update={"requests": 99})], id="too few requests"),
        pytest.param([FIRST, FIRST], id="one block twice"),
        pytest.param(
            [FIRST.model_copy(update={"start": "2026-13-01T00:00:00Z"})], id="no real time"
        ),
    ],
)
def test_blocks_that_make_no_sense_decide_nothing(bad: list[AnswerBlock]) -> None:
    assert [one.reason for one in judged(bad).refused] == [ReportFault.WRONG_COUNTS]


def test_the_verdict_is_shown_when_it_changes() -> None:
    before = judged(GOOD).state
    reports = {"p0": CALM.model_copy(update={"answers": BAD})}
    assert judge(inputs(reports, drift=DRIFT, former=before)).changed
