"""A verdict's counts in its record: what was judged can be judged again by anybody."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given, strategies as st

from hallmark.api.texts import timestamp
from hallmark.drift.decision import judge
from hallmark.drift.recount import MAX_UNPACKED, pack, recount, unpack
from tests.unit.drift.factories import ACTIVE, PROMOTED, baseline, inputs, report, traffic


@pytest.mark.parametrize("shifts", [[2.0], [0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
def test_the_counts_of_a_record_give_the_verdict_that_was_given(shifts: list[float]) -> None:
    reports = {f"pod-{n}": report(traffic(1000, n, shift=shift)) for n, shift in enumerate(shifts)}
    asked = inputs(reports)
    judged = judge(asked).state
    packed = pack(ACTIVE, asked.drift, timestamp(asked.since), reports, judged.pods)

    evidence = unpack(packed)
    assert evidence is not None
    counted = recount(evidence, baseline())
    assert (counted.voters, counted.drifting) == (judged.voters, judged.drifting)
    assert list(counted.top) == judged.top


def test_reports_that_cannot_be_read_are_left_out() -> None:
    packed = pack(ACTIVE, inputs({}).drift, timestamp(PROMOTED), {"pod": {"rows": "many"}}, {})
    evidence = unpack(packed)
    assert evidence is not None
    assert evidence.reports == {}


@given(st.text(max_size=64) | st.binary(max_size=64).map(lambda b: base64.b64encode(b).decode()))
def test_what_is_no_evidence_is_none(text: str) -> None:
    assert unpack(text) is None


def test_evidence_that_would_grow_without_end_is_none() -> None:
    bomb = zlib.compress(b" " * (MAX_UNPACKED + 1), 9)
    assert unpack(base64.b64encode(bomb).decode()) is None
