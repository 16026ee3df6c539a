"""How many Pods a weight is, and what a candidate's own traffic says."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from hallmark.api.canary import (
    Canary,
    CanaryAnalysis,
    CanaryCounts,
    CanaryRecord,
    CanaryStep,
)
from hallmark.api.drift_report import FairCounts, RequestCounts
from hallmark.api.drift_state import DriftState, Verdict
from hallmark.api.model_deployment import RolloutState, Strategy, StrategyType
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment import analysis, canary
from hallmark.policies.model_deployment.analysis import Evidence
from hallmark.policies.model_deployment.inputs import Need, View, Wait
from hallmark.policies.model_deployment.look import look
from hallmark.policies.model_deployment.shares import Split, fitting, split
from hallmark.policies.model_deployment.triggers import Ready, Stepped
from tests.unit.drift.factories import baseline, report, traffic
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    asked,
    at,
    candidate_status,
    digest,
    entry,
    pod,
    version,
    view,
    workload,
)

WEIGHTS, REPLICAS = st.integers(1, 99), st.integers(1, 1000)


@given(WEIGHTS, REPLICAS)
def test_no_other_number_of_pods_is_nearer_to_the_weight(weight: int, replicas: int) -> None:
    found = split(weight, replicas)
    numbers = range(1, replicas + 1)
    others = [
        Split(number, replicas) if weight <= 50 else Split(replicas, number) for number in numbers
    ]
    assert found in others
    nearest = min(abs(100 * other.share - weight) for other in others)
    assert abs(100 * found.share - weight) == nearest
    assert max(found.candidate, found.active) == replicas, "one of them could serve alone"
    assert min(found.candidate, found.active) >= 1, "both have traffic"


@given(REPLICAS, WEIGHTS, WEIGHTS)
def test_a_greater_weight_is_never_a_smaller_share(replicas: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert split(low, replicas).share <= split(high, replicas).share


@pytest.mark.parametrize(
    ("weight", "replicas", "pods"),
    [(10, 9, (1, 9)), (10, 1, (1, 1)), (50, 4, (4, 4)), (80, 4, (4, 1)), (25, 3, (1, 3))],
)
def test_examples(weight: int, replicas: int, pods: tuple[int, int]) -> None:
    assert split(weight, replicas) == Split(*pods)


def test_no_pods_have_no_share() -> None:
    assert split(10, 0) == Split(0, 0)
    assert split(10, 0).share == Fraction(0)


@given(WEIGHTS)
def test_the_number_of_replicas_that_is_named_gives_the_weight(weight: int) -> None:
    assert abs(100 * split(weight, fitting(weight)).share - weight) < 1


# -- what the traffic says --------------------------------------------------------------------

ANALYSIS = CanaryAnalysis(minimum_rows=100, max_rejections="0.05")
STRATEGY = Strategy(
    type=StrategyType.CANARY,
    canary=Canary(
        steps=[CanaryStep(weight=10, pause="60s"), CanaryStep(weight=50, pause="60s")],
        analysis=ANALYSIS,
    ),
)


def seen(**counts: int) -> Evidence:
    """What many clients sent."""
    return Evidence(all=CanaryCounts(**counts), fair=CanaryCounts(**counts))


def busy(**counts: int) -> Evidence:
    """What the busiest clients sent: of the others there is one each too few."""
    few = {"rows": 99, "requests": 19, "timed": 19}
    return Evidence(all=CanaryCounts(**counts), fair=CanaryCounts(**few))


def in_canary(*, replicas: int = 9, strategy: Strategy = STRATEGY, **record: object) -> View:
    found = CanaryRecord.model_validate({"step": 0, "started": timestamp(NOW), **record})
    status = candidate_status(
        2,
        entry(1),
        state=RolloutState.CANARY,
        canary=found,
        intent_hash=asked(2, strategy=strategy),
    )
    return view(
        status,
        version(1),
        version(2),
        workloads=(workload(1, replicas=replicas, ready=replicas), workload(2)),
        pods=(replace(pod(2, ready=True), name="two"), replace(pod(1, ready=True), name="one")),
        replicas=replicas,
        strategy=strategy,
    )


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        pytest.param(Evidence(), False, id="silence refuses nothing"),
        pytest.param(seen(rows=99, rejected=99), False, id="too few rows refuse nothing"),
        pytest.param(seen(rows=100, rejected=5), False, id="at the limit"),
        pytest.param(seen(rows=100, rejected=6), True, id="above the limit"),
        pytest.param(seen(requests=19, failed=19), False, id="too few requests"),
        pytest.param(seen(timed=19, late=19), False, id="too few times"),
        pytest.param(seen(requests=100, failed=1), False, id="as many as may fail"),
        pytest.param(seen(timed=100, late=5), False, id="as many as may be slow"),
        pytest.param(seen(requests=100, failed=2), True, id="more fail"),
        pytest.param(seen(timed=100, late=6), True, id="more are slow"),
        pytest.param(busy(rows=999, rejected=999), False, id="the busiest clients' rows"),
        pytest.param(busy(rows=1000, rejected=51), True, id="who sends is the traffic"),
        pytest.param(busy(requests=199, failed=199), False, id="the busiest clients' requests"),
        pytest.param(busy(requests=200, failed=3), True, id="who asks is the traffic"),
        pytest.param(busy(timed=199, late=199), False, id="the busiest clients' times"),
        pytest.param(busy(timed=200, late=11), True, id="who is answered is the traffic"),
        pytest.param(Evidence(drift=Verdict.DRIFT), True, id="its rows have drifted"),
        pytest.param(Evidence(drift=Verdict.NO_DRIFT), False, id="its rows have not"),
        pytest.param(Evidence(crashed=pod(2, exit_code=137)), True, id="it crashed"),
    ],
)
def test_what_refuses_a_candidate(found: Evidence, refused: bool) -> None:
    assert (analysis.refusal(in_canary(), found) is not None) is refused


def test_rejections_late_in_a_long_canary_count_for_themselves() -> None:
    late = seen(rows=100_100, rejected=10)
    assert analysis.refusal(in_canary(rows=100_000, rejected=0), late) is None, "ten of all"
    before = CanaryCounts(rows=100_000)
    assert analysis.refusal(in_canary(rows=100_000, fair=before), late) is not None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_pod_that_takes_its_rows_along_never_lets_a_step_pass(
    rows: int, rejected: int, now: int, rejected_now: int
) -> None:
    counts = {"rows": rows, "rejected": rejected}
    before = CanaryRecord(step=1, started=timestamp(NOW), fair=CanaryCounts(**counts), **counts)
    found = seen(rows=now, rejected=min(now, rejected_now)).since(before)
    for counted in (found.all, found.fair):
        assert counted.rows == max(0, now - rows)
        assert 0 <= counted.rejected <= counted.rows


def test_silence_is_no_success() -> None:
    begun = in_canary(fair=CanaryCounts(rows=500, requests=20))
    assert "0 of 100 rows" in analysis.lacking(in_canary(), Evidence())
    assert "20 of 100 rows" in analysis.lacking(begun, seen(rows=520))
    enough = seen(rows=600, requests=25)
    assert "5 of 20 requests" in analysis.lacking(begun, enough)
    assert analysis.lacking(in_canary(fair=CanaryCounts(rows=500, requests=5)), enough) == ""
    assert "99 of 100 rows" in analysis.lacking(in_canary(), busy(rows=999, requests=999))
    assert "19 of 20 requests" in analysis.lacking(in_canary(), busy(rows=1000, requests=199))
    assert analysis.lacking(in_canary(), busy(rows=1000, requests=200)) == ""


def test_a_limit_of_time_waits_for_times() -> None:
    timed = STRATEGY.replace(
        canary=STRATEGY.canary_or_default.replace(analysis=ANALYSIS.replace(max_latency="25ms"))
    )
    begun = in_canary(strategy=timed)
    enough = {"rows": 100, "requests": 20}
    assert "timed in 19 of 20 requests" in analysis.lacking(begun, seen(**enough, timed=19))
    assert analysis.lacking(begun, seen(**enough, timed=20)) == ""


@pytest.mark.parametrize(
    "report",
    [None, {}, {"manifestDigest": "x"}, [], "text", {"rows": 10**30}],
    ids=str,
)
def test_a_report_that_cannot_be_read_says_nothing(report: object) -> None:
    found = in_canary()
    hostile = replace(found.inputs, reports={"two": report})  # type: ignore[dict-item]
    assert analysis.evidence(replace(found, inputs=hostile)).all.rows == 0


def test_only_the_candidates_own_pods_and_digest_count() -> None:
    found = in_canary()
    report = {
        "manifestDigest": found.rollout.manifest_digest,
        "bootID": "boot-0001",
        "sequence": 1,
        "rows": 40,
        "refusedRows": 2,
    }
    other = {**report, "manifestDigest": found.status.active_digest}
    reports = {"two": report, "one": report, "gone": report}
    inputs = replace(found.inputs, reports=reports)
    counted = analysis.evidence(replace(found, inputs=inputs))
    assert (counted.all.rows, counted.all.rejected) == (42, 2)
    inputs = replace(found.inputs, reports={"two": other})
    assert analysis.evidence(replace(found, inputs=inputs)).all.rows == 0


@pytest.mark.parametrize(
    ("ended", "code", "crashed"),
    [
        pytest.param(timestamp(at(-5)), 139, False, id="before its first traffic"),
        pytest.param(timestamp(at(5)), 139, True, id="since"),
        pytest.param(timestamp(at(5)), 137, True, id="out of memory"),
        pytest.param(timestamp(at(5)), 10, True, id="refused its bytes"),
        pytest.param(timestamp(at(5)), 0, False, id="asked to end, as an eviction does"),
        pytest.param(timestamp(at(5)), 1, False, id="without what it needs"),
        pytest.param(None, 139, False, id="never"),
    ],
)
def test_only_an_end_of_its_own_under_traffic_is_a_crash(
    ended: str | None, code: int, crashed: bool
) -> None:
    found = in_canary()
    pods = tuple(replace(one, exit_code=code, ended_at=ended) for one in found.inputs.pods)
    seen = analysis.evidence(replace(found, inputs=replace(found.inputs, pods=pods)))
    assert (seen.crashed is not None) is crashed


@pytest.mark.parametrize(
    ("limit", "late"), [("1ms", 50), ("2ms", 40), ("25ms", 30), ("26ms", 20), ("500ms", 10)]
)
def test_a_limit_is_rounded_up_to_a_bound_of_the_histogram(limit: str, late: int) -> None:
    fair = FairCounts(timed=[60] * 5, late=[50, 40, 30, 20, 10])
    told = RequestCounts(uptime=1, count=60, work=[10] * 6, fair=fair)
    assert [found.late for found in counted(told, limit)] == [late, late]
    assert [found.timed for found in counted(told, limit)] == [60, 60]
    assert [found.late for found in counted(told, None)] == [0, 0]
    old = told.replace(work=[], fair=None)
    assert [found.timed for found in counted(old, limit)] == [0, 0], "told by a former predictor"


def counted(told: RequestCounts, limit: str | None) -> tuple[CanaryCounts, CanaryCounts]:
    """What a report with these requests says in all, and without the busiest clients."""
    declared = STRATEGY.canary_or_default.replace(analysis=ANALYSIS.replace(max_latency=limit))
    begun = in_canary(strategy=STRATEGY.replace(canary=declared))
    said = report(traffic(100, seed=1), start=at(1), digest=digest(2)).replace(requests=told)
    found = analysis.evidence(replace(begun, inputs=replace(begun.inputs, reports={"two": said})))
    return found.all, found.fair


@given(st.lists(st.integers(0, 2**53 - 1), min_size=6, max_size=6))
def test_whatever_pods_claim_the_record_can_hold_it(claimed: list[int]) -> None:
    fair = FairCounts(rows=claimed[0], failed=claimed[1], timed=claimed[:5], late=claimed[1:])
    told = RequestCounts(uptime=1, count=0, failed=claimed[2], work=claimed, fair=fair)
    for found in counted(told, "1ms"):
        assert CanaryRecord(step=1, started=timestamp(NOW), fair=found, **found.model_dump())


def test_a_candidate_draws_on_the_error_budget_of_what_serves() -> None:
    found = in_canary()
    rows = traffic(200, seed=3, shift=0.7)
    said = report(rows, window=100, start=at(1), digest=digest(2))
    seen = replace(found.inputs, reports={"two": said}, candidate_baseline=baseline(), now=at(4000))
    verdicts = []
    for spent in (0, 2**52):
        status = found.status.replace(drift_state=DriftState(windows=spent))
        verdicts.append(analysis.evidence(View(seen, status)).drift)
    assert verdicts == [Verdict.DRIFT, Verdict.INCONCLUSIVE]


# -- who has traffic --------------------------------------------------------------------------


def test_a_third_version_keeps_the_service_from_being_shared() -> None:
    found = in_canary()
    assert canary.shares_traffic(found)
    third = {**found.inputs.workloads, "third": workload(3)}
    assert not canary.shares_traffic(replace(found, inputs=replace(found.inputs, workloads=third)))
    pods = (*found.inputs.pods, replace(pod(3, ready=True), name="three"))
    assert not canary.shares_traffic(replace(found, inputs=replace(found.inputs, pods=pods)))


def test_what_serves_gives_pods_up_only_to_a_candidate_that_has_its_own() -> None:
    found = in_canary(replicas=4, step=1)
    strategy = STRATEGY.replace(canary=Canary(steps=[CanaryStep(weight=80)] * 1))
    spec = found.inputs.deployment.spec.replace(strategy=strategy)
    deployment = found.inputs.deployment.replace(spec=spec)
    record = found.rollout.canary
    assert record is not None
    rollout = found.rollout.replace(
        canary=record.replace(step=0), intent_hash=asked(2, strategy=strategy)
    )
    status = found.status.replace(rollout=rollout)
    found = View(replace(found.inputs, deployment=deployment), status)
    assert canary.candidate_replicas(found) == 4
    assert canary.active_replicas(found) == 4, "one Pod of the candidate is ready"
    pods = tuple(replace(pod(2, ready=True), name=str(number)) for number in range(4))
    assert canary.active_replicas(replace(found, inputs=replace(found.inputs, pods=pods))) == 1


def test_too_few_replicas_are_named_in_a_sentence() -> None:
    text = canary.said(in_canary(replicas=2))
    assert "1 of 3 Pods, 33 % of the traffic (step 1 of 2)" in text
    assert "10 % are asked for, which 2 replicas cannot give: 9 can" in text
    assert "asked for" not in canary.said(in_canary(replicas=9))


# -- what comes next --------------------------------------------------------------------------


@pytest.mark.parametrize("frozen", [False, True], ids=["", "suspended"])
@pytest.mark.parametrize("verified", [False, True], ids=["not verified now", "verified now"])
@pytest.mark.parametrize(
    ("step", "pods", "follows"), [(0, 1, Stepped), (1, 9, Stepped), (2, 9, Ready)]
)
def test_no_step_is_taken_and_nothing_promoted_without_the_bytes_of_today(
    step: int, pods: int, follows: type[Stepped | Ready], *, verified: bool, frozen: bool
) -> None:
    found = in_canary(step=step)
    report = {
        "manifestDigest": found.rollout.manifest_digest,
        "bootID": "boot-0001",
        "sequence": 1,
        "rows": 1000,
        "requests": {"uptime": 60000, "count": 400, "work": [400, 0, 0, 0, 0, 0]},
    }
    checked = view(found.status, version(2), verified=(2,), now=at(3600)).inputs.verifications
    deployment = found.inputs.deployment
    inputs = replace(
        found.inputs,
        reports={"two": report},
        now=at(3600),
        workloads={
            **found.inputs.workloads,
            workload(2).manifest: workload(2, replicas=pods, ready=pods),
        },
        pods=tuple(replace(pod(2, ready=True), name=name) for name in ["two", *"bcdefghi"][:pods]),
        verifications=checked if verified else {},
        deployment=deployment.replace(spec=deployment.spec.replace(suspend=frozen)),
    )
    expected: type[object] = follows if verified else Need
    assert isinstance(look(replace(found, inputs=inputs)), Wait if frozen else expected)
