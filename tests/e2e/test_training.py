"""Runs that must not lead to a model, runs side by side, and runs that come again."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.harness import conditions, objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import AUTHOR, gate
from tests.e2e.harness.store import Store, bundle_prefix
from tests.e2e.harness.world import SYSTEM, World

NAMESPACE = "e2e-training"
EMAIL = "wilhelmina.quux@canary-mail.example"
CARD = "4556737586899855"
MASKED_CARD = "5500005555555559"
SEARCHED = (
    "TrainingRun", "ModelVersion", "ModelDeployment", "Event", "Pod", "Job", "ConfigMap", "Secret",
)  # fmt: skip


@pytest.fixture(scope="module")
def namespace(world: World) -> Iterator[str]:
    world.namespace(NAMESPACE)
    data = {objects.DATA_KEY: objects.loan_csv()}
    world.api.apply(objects.config_map(NAMESPACE, "loans", data))
    yield NAMESPACE
    world.api.delete("Namespace", None, NAMESPACE)


def refused(world: World, name: str, reason: str) -> Object:
    """Wait until the run is refused, and check that nothing came of it."""
    run = world.wait_for(
        "TrainingRun", NAMESPACE, name, f"Ready=False/{reason}", "Stalled=True", seconds=120
    )
    assert world.api.find("ModelVersion", NAMESPACE, name) is None
    return run


def run_with_data(world: World, name: str, text: str, **spec: object) -> None:
    """Create a run on data of its own."""
    world.api.apply(objects.config_map(NAMESPACE, f"{name}-data", {objects.DATA_KEY: text}))
    source = {"configMap": {"name": f"{name}-data", "key": objects.DATA_KEY}, "format": "CSV"}
    run = objects.training_run(NAMESPACE, name, dataset=source, **spec)
    world.api.create(run, user=AUTHOR)


def test_a_mail_address_and_a_card_number_refuse_the_run_and_appear_nowhere(
    world: World, namespace: str
) -> None:
    lines = objects.loan_csv().splitlines()
    lines = [f"{line},{'none' if number else 'remark'}" for number, line in enumerate(lines)]
    lines[17] = lines[17].removesuffix("none") + EMAIL
    lines[42] = lines[42].removesuffix("none") + CARD
    declared = objects.schema()
    remark = {"name": "remark", "type": "Category", "categories": ["none", "some"]}
    declared["features"].append(remark)
    run_with_data(world, "personal", "\n".join(lines) + "\n", schema=declared)

    run = refused(world, "personal", "PIIFound")
    sentence = conditions.message(run, "PIIClear")
    assert "remark" in sentence
    assert "17" in sentence or "42" in sentence, "the sentence names the row"

    nowhere(world, "personal", EMAIL, EMAIL.split("@")[0], CARD)


@pytest.mark.slow
def test_what_is_masked_or_dropped_trains_and_appears_nowhere(world: World, namespace: str) -> None:
    header, *rows = objects.loan_csv().splitlines()
    lines = [f"{header},contact,remark"]
    lines += [
        f"{row},person{number}@canary-mask.example,{MASKED_CARD}" for number, row in enumerate(rows)
    ]
    declared = {**objects.schema(), "identifiers": ["contact"]}
    rules = [
        {"detector": "Email", "column": "contact", "action": "Mask"},
        {"detector": "PaymentCard", "action": "Drop"},
    ]
    run_with_data(
        world,
        "masked",
        "\n".join(lines) + "\n",
        schema=declared,
        pii={"rules": rules},
        model="mask",
    )

    run = world.wait_for("TrainingRun", namespace, "masked", "Ready=True", seconds=120)
    version = world.api.get("ModelVersion", namespace, run["status"]["modelVersion"])
    report = json.loads(Store(world).read(bundle_prefix(version) + "report.json"))
    done = {
        decision["column"]: (decision["detector"], decision["action"]) for decision in report["pii"]
    }
    assert done["contact"] == ("Email", "Mask")
    assert ("PaymentCard", "Drop") in done.values()
    nowhere(world, "masked", "canary-mask.example", MASKED_CARD)


def nowhere(world: World, name: str, *canaries: str) -> None:
    """Check that no object but the run's own data, no log, no record and no artifact has them."""
    for place in (NAMESPACE, SYSTEM):
        for kind in SEARCHED:
            for child in world.api.list(kind, place):
                if child["metadata"]["name"] == f"{name}-data":
                    continue
                text = json.dumps(child)
                assert not any(canary in text for canary in canaries), f"{kind} {child['metadata']}"
        for pod in world.api.list("Pod", place):
            log = world.api.log(place, pod["metadata"]["name"])
            assert not any(canary in log for canary in canaries), (
                f"log of {pod['metadata']['name']}"
            )
    assert not any(canary in json.dumps(world.audit()) for canary in canaries)
    assert Store(world).containing("", *canaries) == []


def test_a_failed_gate_refuses_the_run_with_value_and_threshold(
    world: World, namespace: str
) -> None:
    gates = [gate("accuracy", "AtLeast", "0.6"), gate("rocAuc", "AtLeast", "0.9999")]
    world.api.create(objects.training_run(namespace, "weak", gates=gates), user=AUTHOR)
    run = refused(world, "weak", "GateFailed")
    sentence = conditions.message(run, "GatesPassed")
    assert "rocAuc" in sentence
    assert "0.9999" in sentence
    verdicts = {result["metric"]: result["passed"] for result in run["status"]["gates"]}
    assert verdicts["accuracy"] is True
    assert verdicts["rocAuc"] is False


def test_a_gate_on_what_nobody_measures_refuses_the_run(world: World, namespace: str) -> None:
    gates = [gate("profit", "AtMost", "100")]
    run_with_data(world, "no-such-metric", objects.loan_csv(), gates=gates)
    run = refused(world, "no-such-metric", "InvalidSpec")
    assert "Measured are: accuracy," in conditions.message(run, "Ready")


def test_a_metric_without_a_number_never_passes(world: World, namespace: str) -> None:
    name, metric = "no-number", "equalizedOddsDifference.group"
    lines = objects.loan_csv().splitlines()
    header, rows = lines[0], lines[1:]
    rows = [row.replace(",south,yes", ",north,yes") for row in rows]
    run_with_data(
        world, name, "\n".join([header, *rows]) + "\n", gates=[gate(metric, "AtMost", "100")]
    )
    run = refused(world, name, "GateFailed")
    result = next(verdict for verdict in run["status"]["gates"] if verdict["metric"] == metric)
    assert result["passed"] is False
    assert "value" not in result


def test_rows_that_break_the_schema_refuse_the_run(world: World, namespace: str) -> None:
    lines = objects.loan_csv().splitlines()
    lines[9] = "a lot," + lines[9].split(",", 1)[1]
    run_with_data(world, "broken", "\n".join(lines) + "\n")
    run = refused(world, "broken", "DataInvalid")
    sentence = conditions.message(run, "DataValidated")
    assert "income" in sentence
    assert "9" in sentence
    assert "a lot" not in sentence


def test_two_runs_at_once_lead_to_two_versions_with_different_numbers(
    world: World, shared: Object
) -> None:
    numbers = [version["spec"]["version"] for version in shared.values()]
    digests = {version["spec"]["artifact"]["manifestDigest"] for version in shared.values()}
    assert len(set(numbers)) == len(shared)
    assert len(digests) == len(shared)
    jobs = [
        job["metadata"]["labels"]["hallmark.dev/training-run"]
        for job in world.api.list("Job", "e2e", "hallmark.dev/job=train")
    ]
    assert len(jobs) == len(set(jobs)), "one training Job for each run"


def test_a_run_created_again_is_ready_without_training(world: World, shared: Object) -> None:
    name = "loan-v3"
    old = world.api.get("TrainingRun", "e2e", name)
    world.api.delete("TrainingRun", "e2e", name)
    world.until(lambda: world.api.find("TrainingRun", "e2e", name) is None, "the run to be gone")
    world.api.create(objects.training_run("e2e", name, seed=2), user=AUTHOR)
    run = world.wait_for("TrainingRun", "e2e", name, "Ready=True/AlreadySealed")
    assert run["metadata"]["uid"] != old["metadata"]["uid"]
    version = world.api.get("ModelVersion", "e2e", name)
    assert version["metadata"]["uid"] == shared[name]["metadata"]["uid"]


def test_a_run_created_again_with_another_spec_is_refused(world: World, shared: Object) -> None:
    name = "loan-v2"
    world.api.delete("TrainingRun", "e2e", name)
    world.until(lambda: world.api.find("TrainingRun", "e2e", name) is None, "the run to be gone")
    world.api.create(objects.training_run("e2e", name, seed=77), user=AUTHOR)
    run = world.wait_for("TrainingRun", "e2e", name, "Ready=False/SpecConflict", "Stalled=True")
    assert name in conditions.message(run, "Ready")
    version = world.api.get("ModelVersion", "e2e", name)
    assert version["spec"] == shared[name]["spec"]


@pytest.mark.slow
def test_a_suspended_run_waits_then_shows_how_far_it_is_and_its_job_goes(
    world: World, namespace: str
) -> None:
    name = "watched"
    run_with_data(world, name, objects.loan_csv(12000), suspend=True, jobTTL="1s")
    run = world.wait_for("TrainingRun", namespace, name, "Ready=False/Suspended")
    assert "spec.suspend" in conditions.message(run, "Ready")
    label = f"hallmark.dev/training-run={name}"
    world.stays(lambda: not world.api.list("Pod", namespace, label), "that no Pod starts", 2)

    world.api.patch("TrainingRun", namespace, name, {"spec": {"suspend": False}}, user=AUTHOR)
    seen: list[tuple[int, str]] = []
    for state in world.api.watch("TrainingRun", namespace, name, 120):
        progress = state.get("status", {}).get("progress")
        if progress:
            seen.append((progress["percent"], progress["stage"]))
        if conditions.status(state, "Trained") == "True":
            break
    assert seen, "progress was shown while it trained"
    assert [percent for percent, _ in seen] == sorted(percent for percent, _ in seen)
    run = world.wait_for("TrainingRun", namespace, name, "Ready=True", seconds=120)
    assert "progress" not in run["status"]
    world.until(
        lambda: not world.api.list("Job", namespace, label), "the finished Job to be gone", 30
    )
