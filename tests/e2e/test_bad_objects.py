"""Objects that cannot work, of every kind: each gets a sentence, at the door or in a condition."""

from collections.abc import Callable

import pytest

from tests.e2e.harness import conditions, objects
from tests.e2e.harness.api import Object, RefusedError
from tests.e2e.harness.objects import AUTHOR, REVIEWER
from tests.e2e.harness.versions import SHARED
from tests.e2e.harness.world import World


def run(**spec: object) -> Object:
    return objects.training_run(SHARED, "bad-run", **spec)


def deployment(**spec: object) -> Object:
    return objects.model_deployment(SHARED, "bad-deployment", **spec)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        pytest.param(run(dataset=None), "dataset", id="a run without data"),
        pytest.param(
            run(gates=[objects.gate("accuracy", "AtLeast", "high")]),
            "threshold",
            id="a gate whose threshold is no number",
        ),
        pytest.param(
            run(schema={**objects.schema(), "target": {"name": "income", "positive": "yes"}}),
            "target",
            id="a target that the model would read",
        ),
        pytest.param(run(activeDeadline="soon"), "activeDeadline", id="a deadline of no length"),
        pytest.param(deployment(), "modelVersion", id="a deployment of nothing"),
        pytest.param(
            deployment(model="loan", modelVersion="loan-v1"),
            "modelVersion",
            id="a deployment of two things",
        ),
        pytest.param(
            deployment(model="loan", drift={"window": 3}),
            "window",
            id="a window that is too small to tell anything",
        ),
        pytest.param(
            objects.resource("ModelPolicy", None, "bad-policy", {"signers": []}),
            "signers",
            id="a policy without a signer",
        ),
        pytest.param(
            objects.resource("ModelApproval", SHARED, "bad-approval", {"decision": "Perhaps"}),
            "decision",
            id="a decision that is none",
        ),
        pytest.param(
            objects.resource("ModelVersion", SHARED, "bad-version", {"version": 0}),
            "version",
            id="a version with the number 0",
        ),
    ],
)
def test_the_api_server_refuses_with_the_fields_name(
    world: World, shared: Object, manifest: Object, words: str
) -> None:
    del shared
    manifest = {
        **manifest,
        "spec": {field: value for field, value in manifest["spec"].items() if value is not None},
    }
    with pytest.raises(RefusedError) as refusal:
        world.api.create(manifest)
    assert words in refusal.value.message


@pytest.mark.parametrize(
    ("name", "spec", "reason", "word"),
    [
        (
            "bad-source",
            {"dataset": {"uri": "https://data.invalid/x.csv", "format": "CSV"}},
            "SourceRefused",
            "data.invalid",
        ),
        (
            "bad-metadata",
            {"dataset": {"uri": "https://169.254.169.254/x.csv", "format": "CSV"}},
            "SourceRefused",
            "169.254.169.254",
        ),
        (
            "bad-parameter",
            {"trainer": {"parameters": [{"name": "C", "value": "much"}]}},
            "InvalidSpec",
            "C",
        ),
    ],
)
def test_a_run_that_cannot_work_is_refused_with_a_sentence(
    world: World, shared: Object, name: str, spec: Object, reason: str, word: str
) -> None:
    del shared
    world.api.create(objects.training_run(SHARED, name, **spec), user=AUTHOR)
    run = world.wait_for("TrainingRun", SHARED, name, f"Ready=False/{reason}", "Stalled=True")
    assert word in conditions.message(run, "Ready")
    world.api.delete("TrainingRun", SHARED, name)


def test_a_deployment_of_a_version_that_is_not_there_waits_and_says_so(
    world: World, deploy: Callable[..., Object]
) -> None:
    deploy("early", "not-yet", ready=False)
    deployment = world.wait_for("ModelDeployment", SHARED, "early", "Ready=False/VersionMissing")
    assert "not-yet" in conditions.message(deployment, "Ready")
    assert conditions.status(deployment, "Stalled") == "False"


def test_an_approval_of_a_version_that_is_not_there_waits_and_says_so(
    world: World, shared: Object
) -> None:
    manifest = objects.approval(shared["loan-v1"], "early")
    manifest["spec"]["modelVersion"]["name"] = "not-yet"
    world.api.create(manifest, user=REVIEWER)
    approval = world.wait_for("ModelApproval", SHARED, "early", "Ready=False/VersionMissing")
    assert "not-yet" in conditions.message(approval, "Ready")


def test_a_policy_whose_key_is_not_the_one_it_names_says_which(world: World) -> None:
    spec = dict(world.api.get("ModelPolicy", None, "default")["spec"])
    spec["signers"] = [{**spec["signers"][0], "keyId": "0" * 64}]
    world.api.apply(objects.resource("ModelPolicy", None, "e2e-bad-key", spec))
    try:
        policy = world.wait_for("ModelPolicy", None, "e2e-bad-key", "Ready=False/InvalidKey")
        assert "0" * 12 in conditions.message(policy, "Ready")
    finally:
        world.api.delete("ModelPolicy", None, "e2e-bad-key")


def test_a_predictor_answers_a_bad_request_with_field_expected_and_found(
    world: World, deploy: Callable[..., Object]
) -> None:
    deploy("asked-badly", "loan-v1")
    rows = objects.loan_rows(1)
    answer = world.predict(SHARED, "asked-badly", [{**rows[0], "income": "a lot"}])
    assert answer.code == 422
    assert "income" in answer.text
    assert "number" in answer.text.lower()
    missing = {key: value for key, value in rows[0].items() if key != "segment"}
    assert "segment" in world.predict(SHARED, "asked-badly", [missing]).text
