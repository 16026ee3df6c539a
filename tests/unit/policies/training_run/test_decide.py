"""What becomes of a run, state by state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.conditions import ConditionStatus
from hallmark.api.metrics import GateResult
from hallmark.api.tasks import SealOutcome, TrainStage
from hallmark.api.texts import timestamp
from hallmark.policies.decision import Decision, Reference
from hallmark.policies.refusals import evaluate
from hallmark.policies.training_run.checks import BEFORE_TRAINING, spec_fits_a_task
from hallmark.policies.training_run.decide import decide_run
from hallmark.policies.training_run.inputs import (
    RunDecision,
    RunInputs,
    SealedVersion,
    SealingJob,
    TrainingJob,
)
from hallmark.policies.training_run.outcomes import training_result
from hallmark.policies.training_run.tasks import seal_task, train_task
from tests.unit.policies.training_run.runs import (
    NAMESPACE,
    NOW,
    bundle,
    ended,
    inputs,
    job,
    outcome,
    policy,
    run,
    trained,
    version,
)

FEATURE = {"name": "income", "type": "Number"}
TARGET = {"name": "default", "positive": "yes"}
NOTHING = type(None)


def said(decision: Decision) -> dict[str, str]:
    return {each.type: f"{each.status}/{each.reason}" for each in decision.conditions}


def sentence(decision: Decision, type_: str = "Ready") -> str:
    return next(each.message for each in decision.conditions if each.type == type_)


def dataset(**source: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"dataset": {"format": "CSV", **source}}


def wide(columns: int) -> dict[str, Any]:
    """Return a spec with that many columns of as many categories as a feature has, 256 long."""
    categories = [f"{number:03}".ljust(256, "é") for number in range(128)]
    more = [f"{number:03}".ljust(256, "x") for number in range(128)]
    feature = {"type": "Category", "categories": [*categories, *more]}
    features = [{**feature, "name": f"column{number}"} for number in range(columns)]
    return {"schema": {"features": features, "target": TARGET}}


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        pytest.param({"schema": None}, "InvalidSpec", "'schema'", id="a run needs a schema"),
        pytest.param(dataset(), "InvalidSpec", "found 0", id="a dataset needs a source"),
        pytest.param(
            dataset(records="a", uri="https://data.example.org/x"),
            "InvalidSpec",
            "found 2",
            id="a dataset has one source",
        ),
        pytest.param(
            {"schema": {"features": [FEATURE, FEATURE], "target": TARGET}},
            "InvalidSpec",
            "'income' more often",
            id="a feature is declared once",
        ),
        pytest.param(
            {"schema": {"features": [FEATURE], "target": {**TARGET, "name": "income"}}},
            "InvalidSpec",
            "its own answer",
            id="the target is no feature",
        ),
        pytest.param(
            {"gates": [{"metric": "rocauc", "comparison": "AtLeast", "threshold": "0.5"}]},
            "InvalidSpec",
            "did you mean 'rocAuc'?",
            id="a gate names what is measured",
        ),
        pytest.param(wide(10), "InvalidSpec", "at most 983040 bytes", id="a spec fits a ConfigMap"),
        pytest.param(
            {"activeDeadline": "145h"}, "InvalidSpec", "144h", id="a deadline outlives no URL"
        ),
        pytest.param({"activeDeadline": "0s"}, "InvalidSpec", "0s", id="a deadline is not zero"),
        pytest.param(
            dataset(uri="https://data.example.com/x"),
            "SourceRefused",
            "https://data.example.org/",
            id="a source must be below an allowed prefix",
        ),
        pytest.param(
            {"pii": {"rules": [{"detector": "Email", "action": "Mask"}]}},
            "InvalidSpec",
            "'Mask'",
            id="personal data are treated as strictly as the policy says",
        ),
        pytest.param(
            {"pii": {"allow": [{"detector": "Secret", "column": "note", "reason": "Old keys."}]}},
            "InvalidSpec",
            "lets a run allow (Email), found 'Secret' for column 'note'",
            id="no personal data stay that the policy lets no run allow",
        ),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_anything_is_made(
    spec: dict[str, Any], reason: str, words: str
) -> None:
    strict = policy(pii={"allowedActions": ["Refuse", "Drop"], "allowable": ["Email"]})
    asked = inputs(run=run(**spec), policy=strict)
    refusal = evaluate(BEFORE_TRAINING, asked)
    assert refusal is not None
    assert refusal.reason == reason
    assert words in refusal.message
    decided = decide_run(asked)
    assert decided.wanted is None
    assert said(decided.decision)["Ready"] == f"False/{reason}"
    assert said(decided.decision)["Stalled"] == f"True/{reason}"


STATES = [
    pytest.param(inputs(), "False/Training", TrainingJob, id="a new run trains"),
    pytest.param(inputs(policy=None), "False/PolicyMissing", NOTHING, id="no policy, no run"),
    pytest.param(
        inputs(run=run(suspend=True)),
        "False/Suspended",
        NOTHING,
        id="a suspended run waits",
    ),
    pytest.param(inputs(job=job()), "False/Training", NOTHING, id="one Job is made, not two"),
    pytest.param(
        inputs(job=job(), run=run(suspend=True)),
        "False/Suspended",
        TrainingJob,
        id="suspending reaches the Job",
    ),
    pytest.param(
        inputs(job=job(suspended=True)),
        "False/Training",
        TrainingJob,
        id="resuming reaches the Job",
    ),
    pytest.param(
        inputs(job=job(complete=True), pod=ended(outcome())),
        "False/Sealing",
        NOTHING,
        id="an outcome is noted before anything is sealed",
    ),
    pytest.param(
        inputs(run=trained()), "False/Sealing", SealingJob, id="what is trained is sealed"
    ),
    pytest.param(
        inputs(run=trained(), seal_job=job()),
        "False/Sealing",
        NOTHING,
        id="one sealing Job is made, not two",
    ),
    pytest.param(
        inputs(
            run=trained(),
            seal_job=job(complete=True),
            seal_pod=ended(bundle().sealed),
            evidence=bundle().evidence,
        ),
        "False/Sealing",
        SealedVersion,
        id="a seal that holds leads to a version",
    ),
    pytest.param(
        inputs(
            run=trained(),
            seal_job=job(failed=True),
            seal_pod=ended(SealOutcome(sealed=False, message="A byte differs."), 10),
        ),
        "False/SealRefused",
        NOTHING,
        id="a sealing Job's refusal is final",
    ),
    pytest.param(
        inputs(
            run=trained(),
            seal_job=job(failed=True),
            seal_pod=ended(SealOutcome(sealed=False, message="No store."), 1),
        ),
        "False/SealingFailed",
        NOTHING,
        id="a sealing Job that broke did not refuse",
    ),
    pytest.param(
        inputs(run=trained(), seal_job=job(failed=True)),
        "False/SealingFailed",
        NOTHING,
        id="a sealing Job without a Pod has no outcome",
    ),
    pytest.param(
        inputs(
            run=trained(),
            seal_job=job(failed=True),
            seal_pod=ended(bundle().sealed),
            evidence=bundle().evidence,
        ),
        "False/SealingFailed",
        NOTHING,
        id="a sealing Job that failed sealed nothing, whatever its Pod says",
    ),
    pytest.param(
        inputs(job=job(failed=True), pod=ended(outcome())),
        "False/TrainingFailed",
        NOTHING,
        id="a training Job that failed trained nothing, whatever its Pod says",
    ),
    pytest.param(
        inputs(urls=None),
        "False/Training",
        NOTHING,
        id="a run without upload URLs makes no Job yet",
    ),
    pytest.param(
        inputs(run=run(seed=1), version=version(), job=job()),
        "True/Sealed",
        NOTHING,
        id="the run's own version makes it Ready",
    ),
]


@pytest.mark.parametrize(("asked", "ready", "wanted"), STATES)
def test_each_state_leads_on(asked: RunInputs, ready: str, wanted: type[object]) -> None:
    decided = decide_run(asked)
    assert said(decided.decision)["Ready"] == ready
    assert type(decided.wanted) is wanted


@pytest.mark.parametrize(
    ("stage", "condition", "reason"),
    [
        (TrainStage.SOURCE, "DataValidated", "SourceRefused"),
        (TrainStage.FINGERPRINT, "DataValidated", "FingerprintMismatch"),
        (TrainStage.DATA, "DataValidated", "DataInvalid"),
        (TrainStage.PII, "PIIClear", "PIIFound"),
        (TrainStage.TRAIN, "Trained", "InvalidSpec"),
        (TrainStage.GATES, "GatesPassed", "GateFailed"),
    ],
)
def test_a_refusal_belongs_to_its_stage(stage: TrainStage, condition: str, reason: str) -> None:
    pod = ended(outcome(stage, message="Expected this, found that."), 10)
    decided = decide_run(inputs(job=job(failed=True), pod=pod))
    found = said(decided.decision)
    assert found[condition] == f"False/{reason}"
    assert found["Stalled"] == f"True/{reason}"
    assert sentence(decided.decision, condition) == "Expected this, found that."
    steps = ["DataValidated", "PIIClear", "Trained", "GatesPassed"]
    before = steps[: steps.index(condition)]
    assert all(found[each].startswith("True/") for each in before)
    assert set(steps) & found.keys() == {*before, condition}, "what was not reached is not told"
    assert [(each.event, each.outcome) for each in decided.decision.records] == [
        ("gate", "refused")
    ]
    assert decided.decision.status is not None
    assert decided.decision.status.to_wire()["completionTime"] == timestamp(NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"pod": None}, "its Pod is gone", id="the Pod is gone"),
        pytest.param({"pod": ended("", 137)}, "exit code 137", id="the Pod said nothing"),
        pytest.param({"pod": ended("{}", 0)}, "exit code 0", id="what the Pod said has no stage"),
        pytest.param({"pod": ended("x" * 5000, 0)}, "exit code 0", id="the Pod said too much"),
        pytest.param(
            {"pod": ended(outcome(TrainStage.PII, message="Unexpected KeyError."), 1)},
            "KeyError",
            id="a stage without the refusal's exit code is no refusal",
        ),
        pytest.param(
            {"pod": ended(outcome(manifest_digest=None))}, "termination", id="done, but no digest"
        ),
    ],
)
def test_a_training_job_without_an_outcome_failed(changes: dict[str, Any], words: str) -> None:
    decided = decide_run(inputs(job=job(failed=True), **changes))
    assert said(decided.decision)["Ready"] == "False/TrainingFailed"
    assert words in sentence(decided.decision)


def test_a_deadline_names_what_held_the_pod_up() -> None:
    stuck = ended("", 0)
    stuck = type(stuck)(trouble="The Pod cannot start image 'x': ErrImagePull.")
    asked = inputs(job=job(failed=True, reason="DeadlineExceeded"), pod=stuck)
    decided = decide_run(asked)
    assert said(decided.decision)["Ready"] == "False/DeadlineExceeded"
    assert "ErrImagePull" in sentence(decided.decision)


@given(st.text(max_size=6000), st.integers(-1, 255), st.booleans(), st.booleans())
def test_no_termination_message_breaks_a_decision(
    text: str, code: int, complete: bool, failed: bool
) -> None:
    found = job(complete=complete, failed=failed or not complete)
    result = training_result(found, ended(text, code))
    assert (result.refusal is None) <= (result.outcome is not None)
    decide_run(inputs(run=trained(), seal_job=found, seal_pod=ended(text, code)))


def test_a_run_of_another_spec_does_not_take_over_a_version() -> None:
    other = version(
        training_run=version().spec.training_run.replace(
            uid="other",
            spec_digest="sha256:" + "9" * 64,
        )
    )
    decided = decide_run(inputs(version=other))
    assert said(decided.decision)["Ready"] == "False/SpecConflict"
    assert "credit-v1" in sentence(decided.decision)


def test_a_run_created_again_is_ready_without_training() -> None:
    old = version(training_run=version().spec.training_run.replace(uid="other"))
    decided = decide_run(inputs(version=old))
    assert decided.wanted is None
    assert said(decided.decision)["Ready"] == "True/AlreadySealed"


def test_a_run_that_ended_is_never_trained_again() -> None:
    over = run(status={"completionTime": timestamp(NOW)})
    assert decide_run(inputs(run=over)) == RunDecision(Decision())


def test_a_run_that_is_being_deleted_is_left_alone() -> None:
    assert decide_run(inputs(run=run(deleted=True), policy=None)) == RunDecision(Decision())


def test_what_a_run_leaves_behind_goes_and_its_job_when_its_time_has_passed() -> None:
    secret = Reference("v1", "Secret", "bank", "urls", "secret-uid")
    since = timestamp(NOW - timedelta(minutes=5))
    over = run(status={"completionTime": since}, jobTTL="10m")
    kept = decide_run(inputs(run=over, job=job(), leftovers=(secret,))).decision
    assert kept.delete == (secret,)
    assert kept.requeue == pytest.approx(301)
    late = run(status={"completionTime": since}, jobTTL="1m")
    gone = decide_run(inputs(run=late, job=job())).decision
    assert [each.kind for each in gone.delete] == ["Job"]


def test_a_sealed_report_below_the_bar_ends_the_run_at_its_gates() -> None:
    poor = bundle(accuracy="0.890000")
    status = {"manifestDigest": poor.digest}
    decided = decide_run(
        inputs(
            run=trained(**status),
            seal_job=job(complete=True),
            seal_pod=ended(poor.sealed),
            evidence=poor.evidence,
        )
    )
    found = said(decided.decision)
    assert found["GatesPassed"] == "False/GateFailed"
    assert found["Ready"] == "False/GateFailed"
    assert "Sealed" not in found


def test_what_the_operator_measured_replaces_what_the_job_claimed() -> None:
    claimed = GateResult(metric="accuracy", comparison="AtLeast", threshold="0.1", passed=True)
    decided = decide_run(
        inputs(
            run=trained(gates=[claimed.to_wire()]),
            seal_job=job(complete=True),
            seal_pod=ended(bundle().sealed),
            evidence=bundle().evidence,
        )
    )
    assert decided.decision.status is not None
    gates = decided.decision.status.to_wire()["gates"]
    assert [(each["threshold"], each["value"]) for each in gates] == [("0.9", "0.912000")]
    assert [each.event for each in decided.decision.records] == ["gate", "seal"]


def test_decisions_have_the_same_id_however_often_they_are_taken() -> None:
    pod = ended(outcome(TrainStage.DATA, message="x"), 10)
    asked = inputs(job=job(failed=True), pod=pod)
    later = inputs(job=job(failed=True), pod=pod, now=NOW + timedelta(hours=1))
    first, second = (decide_run(each).decision.records[0] for each in (asked, later))
    assert first.decision_id == second.decision_id


def test_the_largest_spec_that_is_taken_fits_the_jobs_config_maps() -> None:
    asked = inputs(run=run(status=trained().status.to_wire(), **wide(9)))
    assert spec_fits_a_task(asked) is None
    for task in (train_task(asked, policy().spec), seal_task(asked, policy().spec)):
        assert 850_000 < len(task.to_bytes()) < 1 << 20


def test_a_job_without_a_pod_is_not_said_to_run() -> None:
    """A quota, a LimitRange or Pod security may refuse its Pods; the Job alone says so."""
    for asked, namespace in (
        (inputs(job=job()), NAMESPACE),
        (inputs(run=trained(), seal_job=job()), "hallmark-system"),
    ):
        told = sentence(decide_run(asked).decision)
        assert "has no Pod yet" in told
        assert f"'kubectl describe job job -n {namespace}'" in told


def test_tasks_carry_the_policys_demands() -> None:
    strict = policy(
        gates=[{"metric": "rocAuc", "comparison": "AtLeast", "threshold": "0.8"}],
        dependencies={"denied": ["left-pad"], "licences": {"denied": ["GPL-3.0-only"]}},
    )
    task = train_task(inputs(job=job(image="trainer@sha256:1")), strict.spec)
    assert [each.metric for each in task.floors] == ["rocAuc"]
    assert task.image == "trainer@sha256:1"
    sealing = seal_task(inputs(run=trained()), strict.spec)
    assert sealing.manifest_digest == bundle().digest
    assert sealing.dependencies.denied == ["left-pad"]
    assert sealing.dependencies.licences.denied == ["GPL-3.0-only"]


def test_every_refusal_is_a_sentence_of_the_runs_reasons() -> None:
    decided = decide_run(inputs(policy=None))
    assert all(each.status in ConditionStatus for each in decided.decision.conditions)
    assert sentence(decided.decision).endswith(".")
