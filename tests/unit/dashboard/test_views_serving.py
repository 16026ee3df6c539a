"""What pages say of what serves: its headline, its actions, its drift."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hallmark.api.drift_report import DriftWindow
from hallmark.api.feedback import OutcomeWindow
from hallmark.api.metrics import MetricValue
from hallmark.api.model_deployment import ActionName, LastAction, ModelDeployment
from hallmark.api.report import AttributeFairness, GroupMetrics, Report
from hallmark.api.served import Baseline
from hallmark_dashboard.pages.shown import shown_quality
from hallmark_dashboard.problems import Right
from hallmark_dashboard.traffic import SeenOutcomes, SeenWindow
from hallmark_dashboard.views.deployment import asked_version, deployment_detail
from hallmark_dashboard.views.drift import bin_labels, drift_detail
from hallmark_dashboard.views.quality import EarlierLine, GroupLine, quality_detail
from hallmark_dashboard.views.standing import (
    State,
)
from tests.unit.dashboard.objects import (
    APPROVED,
    DIGEST,
    DRIFTS,
    NOW,
    OTHER,
    SERVES,
    THEN,
    deployment,
    seen,
    version,
)

ROLLED = {
    "from": "loan-v2",
    "to": "loan-v1",
    "fromDigest": OTHER,
    "toDigest": DIGEST,
    "reason": "DriftRollback",
    "time": THEN,
}


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        pytest.param(deployment(status=SERVES), "loan serves loan-v1, as asked.", id="calm"),
        pytest.param(
            deployment(status={**SERVES, "lastRollback": ROLLED}),
            "loan serves loan-v1 instead of loan-v2: DriftRollback 4 minutes ago.",
            id="after a rollback",
        ),
        pytest.param(
            deployment(model=None, modelVersion="loan-v2", suspend=True, status=SERVES),
            "loan serves loan-v1; it asks for loan-v2. Promotion is frozen.",
            id="frozen",
        ),
        pytest.param(
            deployment(status={}),
            "loan serves nothing; it asks for the newest approved version of loan.",
            id="nothing yet",
        ),
    ],
)
def test_a_deployment_says(found: ModelDeployment, headline: str) -> None:
    assert deployment_detail(found, None, {}, "default", NOW).headline == headline


def possible(found: ModelDeployment, **missing: tuple[Right, ...]) -> set[str]:
    lacked = {ActionName(name): rights for name, rights in missing.items()}
    deeds = deployment_detail(found, None, lacked, "default", NOW).deeds
    return {deed.action.value for deed in deeds if deed.possible}


HISTORY = [
    {
        "version": "loan-v1",
        "manifestDigest": OTHER,
        "from": THEN,
        "outcome": "Replaced",
        "wasStable": True,
    }
]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(deployment(status=SERVES), {"pause"}, id="calm"),
        pytest.param(deployment(status={**SERVES, "paused": True}), {"resume"}, id="paused"),
        pytest.param(
            deployment(status={**SERVES, "history": HISTORY}), {"pause", "rollback"}, id="a target"
        ),
        pytest.param(
            deployment(status={**SERVES, "candidateDigest": OTHER}),
            {"pause", "promote", "abort"},
            id="a candidate",
        ),
        pytest.param(deployment(status=SERVES, told=DRIFTS), {"pause", "acknowledge"}, id="drift"),
    ],
)
def test_what_can_be_asked_for(found: ModelDeployment, expected: set[str]) -> None:
    assert possible(found) == expected | {"hold"}
    assert possible(found, pause=(Right("pause", "modeldeployments"),)) == (
        expected - {"pause"} | {"hold"}
    )


def on_hold(name: str = "loan", end: str = "2026-06-02T12:00:00Z") -> ModelDeployment:
    """Return a ModelDeployment that is held, with a candidate and a target of a rollback."""
    hold = {"id": "1", "by": "otto", "reason": "Audit.", "since": THEN, "until": end}
    status = {**SERVES, "hold": hold, "candidateDigest": OTHER, "history": HISTORY}
    return deployment(name, status=status, told={"Ready": "True/Serving", "OnHold": "True/OnHold"})


def test_a_hold_leaves_lifting_it_and_is_told_until_its_end() -> None:
    found = on_hold()
    assert possible(found) == {"unhold", "hold", "pause", "abort"}
    assert "OnHold" in deployment_detail(found, None, {}, "default", NOW).headline
    over = deployment_detail(found, None, {}, "default", NOW + timedelta(days=1))
    assert "OnHold" not in over.headline


def test_holds_are_listed_by_their_end() -> None:
    held = [on_hold("b"), on_hold("a", "2026-06-03T00:00:00Z"), on_hold("c", THEN)]
    found = seen(deployments=[*held, deployment()])
    assert [item.name for item in found.holds] == ["b", "a"]
    assert found.state is not State.STOPPED


def test_while_an_action_waits_no_other_can_be_asked_for() -> None:
    found = deployment(status=SERVES)
    text = '{"id":"1","action":"pause","by":"otto"}'
    waits = found.replace(
        metadata=found.metadata.replace(annotations={"hallmark.dev/action": text})
    )
    ran = {"id": "1", "outcome": "Paused.", "time": THEN}

    assert possible(waits) == set()
    done = waits.replace(status=waits.status.replace(last_action=LastAction.model_validate(ran)))
    assert possible(done) == {"pause", "hold"}


@pytest.mark.parametrize(
    ("rollout", "words"),
    [
        ({"withdrawnSince": THEN}, f"it must give way since {THEN}"),
        ({"standIn": True}, "the former version answers"),
        ({}, "all traffic"),
    ],
)
def test_what_is_out_of_the_ordinary_with_what_serves_is_said(
    rollout: dict[str, Any], words: str
) -> None:
    found = deployment(status={**SERVES, "rollout": rollout})

    assert words in deployment_detail(found, None, {}, "default", NOW).slots[0].fact


def test_a_candidate_that_gets_copies_is_compared_and_its_steps_are_shown() -> None:
    counts = {"requests": 400, "failed": 2, "taken": 398, "rows": 398, "other": 12}
    spans = {"scored": [398] * 5, "apart": [20, 0, 0, 0, 0], "timed": [398], "late": [7]}
    rollout = {
        "state": "Mirroring",
        "modelVersion": "loan-v2",
        "mirror": {"started": THEN, "dropped": 3, "all": {**counts, **spans}},
    }
    found = deployment(strategy={"mirror": {}}, status={**SERVES, "rollout": rollout})
    detail = deployment_detail(found, None, {}, "default", NOW)
    assert [word for word, _ in detail.steps][2:4] == ["start", "mirror"]
    assert detail.comparison is not None
    assert (detail.comparison.candidate, detail.comparison.dropped) == ("loan-v2", 3)
    assert detail.comparison.facts == (
        ("copies failed", "2 of 400 (0.5 %)"),
        ("copies refused", "0 of 398 (0.0 %)"),
        ("rows with another label", "12 of 398 (3.0 %)"),
        ("scores more than 0.01 apart", "20 of 398 (5.0 %)"),
        ("answers after more than 1 ms", "7 of 398 (1.8 %)"),
    )
    calm = deployment_detail(deployment(status=SERVES), None, {}, "default", NOW)
    assert calm.comparison is None
    assert "mirror" not in [word for word, _ in calm.steps]


def test_the_newest_approved_version_is_asked_for() -> None:
    ready = [version(f"loan-v{n}", number=n, told=APPROVED) for n in (1, 2)]
    waiting = version("loan-v3", number=3)
    stranger = version("x-v9", number=9, model="x", told=APPROVED)

    assert asked_version(deployment(), [*ready, waiting, stranger]) == ready[1]
    assert asked_version(deployment(model=None, modelVersion="loan-v3"), [waiting]) == waiting
    assert asked_version(deployment(), []) is None


BASELINE = Baseline.model_validate(
    {
        "rows": 300,
        "features": [
            {"name": "income", "type": "Number", "edges": [1.0, 2.0], "counts": [100, 100, 100, 0]},
            {"name": "purpose", "type": "Category", "categories": ["a"], "counts": [300, 0, 0]},
        ],
    }
)


def window(counts: dict[str, list[int]], number: int = 1, digest: str = DIGEST) -> SeenWindow:
    found = DriftWindow(number=number, rows=300, start=THEN, end=THEN, counts=counts)
    return SeenWindow("pod", digest, found)


@pytest.mark.parametrize(
    ("windows", "psi"),
    [
        pytest.param([], None, id="no window"),
        pytest.param([window({"income": [100, 100, 100, 0]})], 0.0, id="the training data again"),
        pytest.param([window({"income": [1, 1, 1]})], None, id="other bins than the baseline's"),
        pytest.param([window({"income": [0, 0, 0, 0]})], None, id="no rows"),
        pytest.param([window({})], None, id="no counts"),
        pytest.param([window({"income": [1] * 4}, digest=OTHER)], None, id="of another version"),
    ],
)
def test_psi_is_told_from_what_was_counted(windows: list[SeenWindow], psi: float | None) -> None:
    found = drift_detail(deployment(status=SERVES), BASELINE, "", {"pod": 9}, windows)
    income = next(one for one in found.features if one.feature == "income")

    assert income.psi == (None if psi is None else pytest.approx(psi, abs=1e-6))
    assert found.rows == 9


def test_drift_is_seen_against_the_limit_and_as_bins() -> None:
    moved = window({"income": [290, 5, 5, 0]})
    found = drift_detail(deployment(status=SERVES), BASELINE, "", {}, [moved])
    first = found.features[0]

    assert (first.feature, first.course[0].drifts) == ("income", True)
    assert [one.label for one in first.bins] == ["up to 1", "1 to 2", "above 2", "none"]
    assert first.bins[0].now == pytest.approx(290 / 300)
    assert bin_labels(BASELINE.features[1]) == ["a", "other", "none"]


def test_without_the_baseline_the_operators_numbers_stand_and_why() -> None:
    state = {"verdict": "Drift", "top": [{"feature": "income", "psi": "odd"}]}
    found = drift_detail(deployment(status={"driftState": state}), None, "No store.", {}, [])

    assert (found.verdict, found.sentence) == ("Drift", "No store.")
    assert found.features[0].psi is None


FEEDBACK = {"minimumAccuracy": "0.8", "window": 100, "groups": ["f", "m"]}
QUALITY = {
    "belowFloor": True,
    "voters": 1,
    "failing": 1,
    "outcomes": 100,
    "accuracy": "0.5000",
    "calibrationError": "0.3500",
    "groups": [{"group": "f", "outcomes": 50, "accuracy": "0.4000"}],
}


def outcomes(right: int, number: int, digest: str = DIGEST, **changes: object) -> SeenOutcomes:
    binned = {"scored": [100], "happened": [right], "scores": [850_000]}
    told = {"number": number, "start": THEN, "end": THEN, "outcomes": 100, "correct": right}
    found = OutcomeWindow.model_validate({**told, **binned, **changes})
    return SeenOutcomes("pod", digest, found)


def sealed_report() -> Report:
    groups = [GroupMetrics(group=name, rows=9, accuracy=0.9) for name in ("f", "m")]
    return Report.model_construct(
        metrics=[MetricValue(name="accuracy", value="0.910000")],
        fairness=[AttributeFairness(attribute="sex", groups=groups)],
    )


def test_realised_quality_stands_beside_the_sealed_one() -> None:
    status = {**SERVES, "driftState": {"quality": QUALITY}}
    found = quality_detail(
        deployment(status=status, drift={"feedback": FEEDBACK}),
        sealed_report(),
        [outcomes(85, 1), outcomes(50, 2), outcomes(1, 1, digest=OTHER)],
    )
    assert found is not None
    assert [point.accuracy for point in found.course] == [0.85, 0.5]
    assert found.course[1].calibration_error == pytest.approx(0.35)
    assert (found.below_floor, found.accuracy, found.sealed_accuracy) == (True, 0.5, 0.91)
    assert found.groups == (GroupLine("f", 50, 0.4, 0.9),)
    drawn = shown_quality(found)
    assert drawn.accuracy is not None
    assert "sealed 0.91" in drawn.accuracy.description
    assert drawn.calibration is None, "the report does not have it"
    assert (drawn.state, len(drawn.table.rows if drawn.table else [])) == (State.STOPPED, 2)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"belowFloor": True, "voters": 1, "failing": 1, "evidence": "9.1"}, State.STOPPED),
        ({"voters": 1, "evidence": "0.1"}, State.GOOD),
        ({}, State.UNKNOWN),
    ],
)
def test_a_group_stands_to_its_floor(told: dict[str, object], state: State) -> None:
    quality = {
        **QUALITY,
        "groups": [{"group": "f", "outcomes": 50, "accuracy": "0.4000", **told}],
        "neededOfGroup": "4.2",
    }
    floor = {"groups": ["f"], "groupFloor": {"minimumAccuracy": "0.75"}}
    found = quality_detail(
        deployment(
            status={**SERVES, "driftState": {"quality": quality}},
            drift={"feedback": FEEDBACK | floor},
        ),
        sealed_report(),
        [],
    )
    assert found is not None
    assert (found.minimum_group_accuracy, found.needed_of_group) == ("0.75", "4.2")
    assert [line.state for line in found.groups] == [state]


@pytest.mark.parametrize(
    ("told", "state", "gap"),
    [
        ({"lags": True, "behind": "m", "gap": "0.3000", "compared": 1}, State.STOPPED, 0.3),
        ({"behind": "m", "gap": "0.0100", "compared": 1}, State.GOOD, 0.01),
        ({}, State.UNKNOWN, None),
    ],
)
def test_a_group_stands_to_the_best_of_the_others(
    told: dict[str, object], state: State, gap: float | None
) -> None:
    group = {"group": "f", "outcomes": 50, "accuracy": "0.4000", **told}
    quality = {**QUALITY, "groups": [group], "neededOfGap": "4.5"}
    asked = {"groups": ["f", "m"], "groupGap": {"maximum": "0.1"}}
    found = quality_detail(
        deployment(
            status={**SERVES, "driftState": {"quality": quality}},
            drift={"feedback": FEEDBACK | asked},
        ),
        sealed_report(),
        [],
    )
    assert found is not None
    assert (found.maximum_gap, found.minimum_gap_outcomes, found.needed_of_gap) == (
        "0.1",
        100,
        "4.5",
    )
    assert [(line.gap_state, line.gap, line.state) for line in found.groups] == [(state, gap, None)]


def test_versions_that_served_before_have_their_names() -> None:
    known, forgotten = OTHER.removeprefix("sha256:")[:16], "7" * 16
    earlier = [
        {"version": known, "outcomes": 90, "accuracy": "0.8000"},
        {"version": forgotten, "outcomes": 2, "accuracy": "0.5000"},
    ]
    times = {"from": THEN, "to": THEN}
    history = [
        {"version": "loan-v1", "manifestDigest": OTHER, "outcome": "Replaced", **times},
    ]
    state = {"quality": {**QUALITY, "earlier": earlier}}
    found = quality_detail(
        deployment(
            status={**SERVES, "history": history, "driftState": state},
            drift={"feedback": FEEDBACK},
        ),
        None,
        [],
    )
    assert found is not None
    assert found.earlier == (
        EarlierLine("loan-v1", 90, 0.8),
        EarlierLine(forgotten, 2, 0.5),
    )


def test_what_a_pod_writes_breaks_no_page() -> None:
    odd = [outcomes(50, 1, scored=[], happened=[], scores=[]), outcomes(50, 2, happened=[1, 2])]
    found = quality_detail(
        deployment(status={**SERVES, "driftState": {}}, drift={"feedback": FEEDBACK}), None, odd
    )
    assert found is not None
    assert (found.accuracy, found.sealed_accuracy, found.voters) == (None, None, 0)
    assert shown_quality(found).state is State.UNKNOWN


def test_without_feedback_there_is_no_quality() -> None:
    assert quality_detail(deployment(status=SERVES), sealed_report(), []) is None
