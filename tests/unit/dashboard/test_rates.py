"""Rates of requests: from reports that were heard twice, with their age, else unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.drift_report import RequestCounts
from hallmark_dashboard.traffic import Sample, Traffic
from hallmark_dashboard.views.rates import Rates, rates

SERVES, FORMER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
COUNTS = st.integers(0, 2**53 - 1)


def sample(heard: float, uptime: int, count: int, **more: Any) -> Sample:  # noqa: ANN401
    found = {"refused": 0, "failed": 0, "latency": [count, 0, 0, 0, 0, 0], **more}
    digest = found.pop("digest", SERVES)
    told = RequestCounts.model_validate({"uptime": uptime, "count": count, **found})
    return Sample(heard, "boot", digest, 72, told)


def test_two_reports_make_a_rate_by_the_pods_own_clock() -> None:
    first = sample(0, 10_000, 100)
    second = sample(
        59, 70_000, 700, refused=30, failed=6, shed=3, latency=[100 + 300, 200, 60, 30, 0, 10]
    )
    found = rates({"p": [first, second]}, SERVES, 1, now=79)
    assert found.known
    assert found.per_second == pytest.approx(10)
    assert (found.refused, found.failed, found.shed) == (0.05, 0.01, 0.005)
    assert (found.median, found.most) == ("at most 1 ms", "at most 100 ms")
    assert found.sentence == "As told by 1 of 1 Pod; the oldest report is 20 s old, over 60 s."


def test_pods_are_added_up_and_those_that_do_not_tell_are_said() -> None:
    kept = [sample(0, 0, 0), sample(60, 60_000, 600)]
    found = rates({"a": kept, "b": kept, "c": kept[:1]}, SERVES, 3, now=60)
    assert (found.per_second, found.known) == (20, False)
    assert "by 2 of 3 Pods" in found.sentence


GOOD = [sample(0, 0, 0), sample(60, 60_000, 600)]
UNKNOWN: dict[str, tuple[list[Sample], float]] = {
    "one report alone": (GOOD[:1], 60),
    "an old report": (GOOD, 60 + 72 + 61),
    "a report of another version": ([GOOD[0], sample(60, 60_000, 600, digest=FORMER)], 60),
    "counts that went back": ([GOOD[1], sample(60, 70_000, 599)], 60),
    "time that stood still": ([GOOD[0], sample(60, 0, 600)], 60),
    "more failures than requests": ([GOOD[0], sample(60, 60_000, 1, failed=2)], 60),
    "more turned away than came": ([GOOD[0], sample(60, 60_000, 1, shed=2)], 60),
}


@pytest.mark.parametrize(("kept", "now"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_tells_nothing_of_today_is_unknown(kept: list[Sample], now: float) -> None:
    found = rates({"p": kept}, SERVES, 1, now)
    assert (found.per_second, found.known) == (None, False)
    assert found.sentence.startswith("Unknown: ")


def test_without_a_pod_nothing_is_told() -> None:
    assert rates({"p": GOOD}, None, 1, 60) == Rates("No Pod answers.")
    assert rates({"p": GOOD}, SERVES, 0, 60) == Rates("No Pod answers.")


def test_no_request_has_no_share_and_no_latency() -> None:
    found = rates({"p": [sample(0, 0, 5), sample(60, 60_000, 5)]}, SERVES, 1, 60)
    assert (found.per_second, found.refused, found.failed, found.most) == (0, None, None, "")


COUNTED = st.builds(
    RequestCounts,
    uptime=COUNTS,
    count=COUNTS,
    refused=COUNTS,
    failed=COUNTS,
    latency=st.lists(COUNTS, max_size=6),
)


@given(st.lists(COUNTED, max_size=4))
def test_whatever_a_pod_claims_no_rate_is_negative(claimed: list[RequestCounts]) -> None:
    kept = [Sample(0, "boot", SERVES, 72, counts) for counts in claimed]
    found = rates({"p": kept}, SERVES, 1, 0)
    for number in (found.per_second, found.refused, found.failed):
        assert number is None or number >= 0
    assert found.refused is None or found.failed is None or found.refused + found.failed <= 1


def report(sequence: int, boot: str = "boot-0001", **requests: int) -> dict[str, Any]:
    more = {"requests": requests} if requests else {}
    return {"manifestDigest": SERVES, "bootID": boot, "sequence": sequence, "rows": 0, **more}


def heard(traffic: Traffic, told: dict[str, Any]) -> None:
    traffic.hear(
        {"metadata": {"namespace": "bank", "name": "loan", "uid": "1"}, "status": {"drift": told}}
    )


def test_a_pod_that_started_anew_counts_anew_and_one_that_went_is_forgotten() -> None:
    traffic = Traffic(lambda: 0.0)
    for number in (1, 2, 2):
        heard(traffic, {"p": report(number, uptime=number * 1000, count=number)})
    assert [one.requests.count for one in traffic.requests("bank", "loan")["p"]] == [1, 2]
    heard(traffic, {"p": report(1, "boot-0002", uptime=5, count=0), "q": report(1)})
    assert [len(kept) for kept in traffic.requests("bank", "loan").values()] == [1]
    heard(traffic, {"q": report(2)})
    assert traffic.requests("bank", "loan") == {}


def test_what_is_kept_of_a_pod_is_bounded() -> None:
    traffic = Traffic(lambda: 0.0)
    for number in range(1, 40):
        heard(traffic, {"p": report(number, uptime=number, count=number)})
    assert len(traffic.requests("bank", "loan")["p"]) == 8
