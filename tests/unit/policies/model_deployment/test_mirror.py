"""What Pods of the version that serves say of a candidate, and what of it refuses or holds it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.mirror import Mirror, MirrorAnalysis, MirrorCounts, MirrorRecord
from hallmark.api.model_deployment import RolloutState, Strategy
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment import mirror
from hallmark.policies.model_deployment.inputs import View
from tests.examples import examples
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    asked,
    candidate_status,
    digest,
    entry,
    pod,
    version,
    view,
    workload,
)

STRATEGY = Strategy(
    mirror=Mirror(
        analysis=MirrorAnalysis(max_latency="80ms", max_score_difference="0.04"),
    )
)
LATE, APART = 3, 2
"""The places of 100ms and of 0.05, the bounds that the limits are rounded up to."""


def counts(**numbers: int) -> MirrorCounts:
    """Return counts; ``late``, ``apart`` and their wholes stand at the bounds above."""
    at = {"timed": LATE, "late": LATE, "scored": APART, "apart": APART}
    lists = {name: [0] * at[name] + [numbers.pop(name)] for name in at if name in numbers}
    return MirrorCounts.model_validate(numbers | lists)


NEEDED = ("requests", "taken", "timed", "rows", "scored")
ENOUGH = {**dict.fromkeys(NEEDED, 999), "late": 0, "apart": 0}


def mirroring(fair: MirrorCounts | None = None, everything: MirrorCounts | None = None) -> View:
    fair = fair or MirrorCounts()
    record = MirrorRecord(started=timestamp(NOW), fair=fair, all=everything or fair)
    status = candidate_status(
        2,
        entry(1),
        state=RolloutState.MIRRORING,
        mirror=record,
        intent_hash=asked(2, strategy=STRATEGY),
    )
    return view(
        status,
        version(1),
        version(2),
        workloads=(workload(1), workload(2)),
        pods=(replace(pod(2, ready=True), name="two"), replace(pod(1, ready=True), name="one")),
        strategy=STRATEGY,
    )


@pytest.mark.parametrize(
    ("seen", "refused"),
    [
        ({}, False),
        ({"requests": 19, "failed": 19}, False),
        ({"requests": 100, "failed": 1}, False),
        ({"requests": 100, "failed": 2}, True),
        ({"taken": 100, "refused": 1}, False),
        ({"taken": 100, "refused": 2}, True),
        ({"timed": 100, "late": 5}, False),
        ({"timed": 100, "late": 6}, True),
        ({"rows": 99, "other": 99}, False),
        ({"rows": 100, "other": 5}, False),
        ({"rows": 100, "other": 6}, True),
        ({"scored": 100, "apart": 5}, False),
        ({"scored": 100, "apart": 6}, True),
    ],
    ids=str,
)
def test_what_refuses_a_candidate(seen: dict[str, int], refused: bool) -> None:
    found = mirror.refusal(mirroring(counts(**seen)))
    assert (found is not None) is refused
    assert found is None or found.reason == "MirrorFailed"


@pytest.mark.parametrize("missing", NEEDED)
def test_each_number_must_be_known_before_the_mirror_is_passed(missing: str) -> None:
    assert mirror.lacking(mirroring(counts(**ENOUGH))) == ""
    assert mirror.lacking(mirroring(counts(**{**ENOUGH, missing: 1}))).startswith("1 of ")


def test_who_sends_ten_times_the_minimum_alone_is_the_traffic() -> None:
    few = counts(rows=99)
    assert mirror.refusal(mirroring(few, counts(rows=999, other=999))) is None
    assert mirror.refusal(mirroring(few, counts(rows=1000, other=999))) is not None


def test_without_copies_nothing_is_copied_and_after_a_denial_neither() -> None:
    found = mirroring()
    assert mirror.copies(found) == mirror.Copies(digest(2), timestamp(NOW), 100)
    denied = replace(found.inputs, versions=(version(1), version(2, denied=True)))
    assert mirror.copies(replace(found, inputs=denied)) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
NAMES = [*MirrorCounts.model_fields, "anything"]
CLAIMS = st.dictionaries(
    st.sampled_from(NAMES),
    st.integers(0, 2**53 - 1) | st.lists(st.integers(0, 2**53 - 1), max_size=5) | ANYTHING,
)


@examples(300)
@given(CLAIMS | ANYTHING, CLAIMS | ANYTHING)
def test_no_part_is_more_than_its_whole_whatever_pods_claim(fair: Any, everything: Any) -> None:  # noqa: ANN401
    given = mirroring()
    report = {
        "manifestDigest": digest(1),
        "bootID": "boot-0001",
        "sequence": 1,
        "mirror": {
            "candidate": digest(2),
            "since": timestamp(NOW),
            "all": everything,
            "fair": fair,
        },
    }
    told = replace(given.inputs, reports={"one": report, "two": report})
    rollout = mirror.observed(replace(given, inputs=told))
    assert rollout is not None
    assert rollout.mirror is not None
    for seen in (rollout.mirror.fair, rollout.mirror.all):
        assert seen.failed <= seen.requests
        assert seen.refused <= seen.taken
        assert seen.other <= seen.rows
        assert all(late <= timed for timed, late in zip(seen.timed, seen.late, strict=True))
        assert all(apart <= of for of, apart in zip(seen.scored, seen.apart, strict=True))
    after = replace(given, inputs=told, status=given.status.replace(rollout=rollout))
    assert mirror.said(after)
    mirror.refusal(after)
    mirror.lacking(after)
