"""A TrainingRun on a real API server and store; the tests' hands run its Jobs' real programs."""

from __future__ import annotations

import base64
import json
import signal
import urllib.request
from datetime import datetime
from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.tasks import TrainOutcome, TrainStage
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import (
    CONFIG_MAP,
    EVENT,
    JOB,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    SECRET,
    TRAINING_RUN,
    Obj,
)
from tests.e2e.harness.objects import gate, loan_csv, training_run
from tests.integration.operator_process import (
    Installation,
    deployed,
    installation,
    message,
    pod_of,
    store,
)
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = [
    "api",
    "deployed",
    "installation",
    "kubeconfig",
    "namespace",
    "store",
]

DATA = {"records": loan_csv(), "format": "CSV"}


def run(namespace: str, name: str = "loan-v1", **spec: Any) -> Obj:  # noqa: ANN401
    return training_run(namespace, name, **{"dataset": DATA, **spec})


def train_job(made: Obj) -> str:
    return names.train_job_name(made["metadata"]["name"], made["metadata"]["uid"])


def seal_job(made: Obj) -> str:
    metadata = made["metadata"]
    return names.seal_job_name(metadata["namespace"], metadata["name"], metadata["uid"])


def upload(url: str, data: bytes) -> None:
    """Put an object as a training Job does; raises where the store refuses."""
    request = urllib.request.Request(url, data=data, method="PUT")  # noqa: S310 - the test's store
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310


async def test_a_run_becomes_a_sealed_version(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    created = await api.create(run(namespace))
    first = await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Reconciling=True")
    assert first["status"]["observedGeneration"] == 1

    await installation.train(namespace, train_job(created))
    trained = await installation.wait_for(
        TRAINING_RUN, namespace, "loan-v1", "GatesPassed=True/Passed", "Ready=False/Sealing"
    )
    assert trained["status"]["manifestDigest"].startswith("sha256:")
    await installation.seal(seal_job(created))
    done = await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Ready=True/Sealed")
    assert done["status"]["modelVersion"] == "loan-v1"
    assert {each["name"] for each in done["status"]["metrics"]} >= {"accuracy", "rocAuc"}

    version = await installation.get(MODEL_VERSION, namespace, "loan-v1")
    assert version["spec"]["version"] == 1
    assert version["spec"]["trainingRun"]["uid"] == created["metadata"]["uid"]
    assert version["spec"]["artifact"]["manifestDigest"] == done["status"]["manifestDigest"]
    assert not version["metadata"].get("ownerReferences")
    checked = await installation.wait_for(
        MODEL_VERSION,
        namespace,
        "loan-v1",
        "Verified=True/SignatureValid",
        "SBOMReady=True/SBOMRecorded",
        "PolicyPassed=True/PolicyPassed",
        "Approved=False/AwaitingApproval",
        "Ready=True/Sealed",
    )
    assert checked["status"]["sbom"]["components"] > 5

    async def cleaned() -> bool:
        places = [
            (SECRET, namespace, train_job(created)),
            (NETWORK_POLICY, namespace, train_job(created)),
            (JOB, installation.system, seal_job(created)),
            (CONFIG_MAP, installation.system, seal_job(created)),
        ]
        return not any([await api.get(*place) for place in places])

    await until(cleaned)
    assert await api.get(JOB, namespace, train_job(created)), "kept as long as the run"

    async def told() -> list[str]:
        reasons = [
            each["reason"]
            for each in await api.list(EVENT, namespace)
            if each["involvedObject"]["name"] == "loan-v1"
            and each["involvedObject"]["kind"] == "TrainingRun"
        ]
        return reasons if {"Training", "Sealing", "Sealed"} <= {*reasons} else []

    await until(told)  # An Event comes a moment after what it tells of.
    reasons = await told()
    assert len(reasons) == len({*reasons}), f"each transition once: {reasons}"
    assert installation.audited(created["metadata"]["uid"]) == ["gate", "seal"]
    assert installation.audited(version["metadata"]["uid"]) == ["verify"]


async def test_the_training_job_is_restricted_and_can_put_its_own_outputs_only(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace))
    await until(lambda: api.get(JOB, namespace, train_job(made)))
    secret = await installation.get(SECRET, namespace, train_job(made))
    urls = json.loads(base64.b64decode(secret["data"]["urls.json"]))["urls"]
    prefix = f"/runs/{made['metadata']['uid']}/"
    assert all(prefix in url for url in urls.values())
    upload(urls["progress.json"], b"{}")
    job = await installation.get(JOB, namespace, train_job(made))
    spec = job["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    owner = job["metadata"]["ownerReferences"][0]
    assert (owner["uid"], owner["controller"]) == (made["metadata"]["uid"], True)


async def test_progress_is_shown_while_the_job_runs(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace))
    await until(lambda: api.get(JOB, namespace, train_job(made)))
    secret = await installation.get(SECRET, namespace, train_job(made))
    url = json.loads(base64.b64decode(secret["data"]["urls.json"]))["urls"]["progress.json"]
    data = json.dumps({"stage": "Train", "percent": 40, "message": "Fitting."}).encode()
    upload(url, data)

    async def shown() -> bool:
        found = await installation.get(TRAINING_RUN, namespace, "loan-v1")
        return bool(found["status"].get("progress", {}).get("percent") == 40)

    await until(shown, 6)


async def test_a_gate_that_the_job_says_failed_ends_the_run(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace, gates=[gate("accuracy", "AtLeast", "0.9999")]))
    assert await installation.train(namespace, train_job(made)) == 10
    found = await installation.wait_for(
        TRAINING_RUN,
        namespace,
        "loan-v1",
        "Ready=False/GateFailed",
        "Stalled=True",
        "DataValidated=True",
        "Trained=True",
    )
    assert "0.9999" in message(found, "GatesPassed")
    assert await api.get(MODEL_VERSION, namespace, "loan-v1") is None


async def test_a_floor_that_rose_after_training_is_found_in_the_sealed_report(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace))
    await installation.train(namespace, train_job(made))
    await until(lambda: api.get(JOB, installation.system, seal_job(made)))
    floor = {"spec": {"gates": [gate("accuracy", "AtLeast", "0.9999")]}}
    await api.merge(MODEL_POLICY, None, installation.policy, floor)
    await installation.seal(seal_job(made))
    found = await installation.wait_for(
        TRAINING_RUN, namespace, "loan-v1", "Ready=False/GateFailed", "Stalled=True"
    )
    said = "The policy's gate accuracy failed: expected at least 0.9999, measured 0."
    assert message(found, "Ready").startswith(said)
    assert await api.get(MODEL_VERSION, namespace, "loan-v1") is None


async def test_a_faked_training_outcome_does_not_become_a_version(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace))
    lie = TrainOutcome(
        stage=TrainStage.DONE,
        fingerprint="sha256:" + "1" * 64,
        manifest_digest="sha256:" + "2" * 64,
    )
    await installation.train(namespace, train_job(made), message=lie.to_bytes().decode())
    assert await installation.seal(seal_job(made)) == 10
    found = await installation.wait_for(
        TRAINING_RUN, namespace, "loan-v1", "Sealed=False/SealRefused", "Stalled=True"
    )
    assert message(found, "Sealed")
    assert await api.get(MODEL_VERSION, namespace, "loan-v1") is None


async def test_a_faked_sealing_outcome_does_not_become_a_version(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace))
    await installation.train(namespace, train_job(made))
    trained = await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Trained=True")
    digest = trained["status"]["manifestDigest"]
    lie = {"sealed": True, "manifestDigest": digest, "uri": "s3://elsewhere/x"}
    await installation.seal(seal_job(made), message=json.dumps(lie))
    found = await installation.wait_for(
        TRAINING_RUN, namespace, "loan-v1", "Sealed=False/SealRefused", "Stalled=True"
    )
    assert "found no manifest.json" in message(found, "Sealed")


async def test_a_pod_that_only_carries_the_label_is_not_believed(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace))
    await until(lambda: api.get(JOB, namespace, train_job(made)))
    job = await installation.get(JOB, namespace, train_job(made))
    stranger = pod_of(job)
    del stranger["metadata"]["ownerReferences"]
    pod = await api.create(stranger)
    lie = TrainOutcome(stage=TrainStage.PII, message="A lie.").to_bytes().decode()
    ended = {"exitCode": 10, "message": lie, "finishedAt": "2099-01-01T00:00:00Z"}
    container = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    status = {"containerStatuses": [{**container, "state": {"terminated": ended}}]}
    await api.merge_status(POD, namespace, pod["metadata"]["name"], status)
    await installation.train(namespace, train_job(made))
    await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Trained=True/Fitted")


async def test_without_a_policy_nothing_runs_and_with_it_the_run_goes_on(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    other = {"labels": {names.LABEL_POLICY: f"{installation.policy}-missing"}}
    await api.merge(NAMESPACE, None, namespace, {"metadata": other})
    await api.create(run(namespace))
    found = await installation.wait_for(
        TRAINING_RUN, namespace, "loan-v1", "Ready=False/PolicyMissing", "Stalled=True"
    )
    assert installation.policy in message(found, "Ready")
    assert not await api.list(JOB, namespace)
    ours = {"labels": {names.LABEL_POLICY: installation.policy}}
    await api.merge(NAMESPACE, None, namespace, {"metadata": ours})
    await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Ready=False/Training")


async def test_a_source_that_the_policy_does_not_list_is_refused(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    source = {"uri": "https://data.invalid/x.csv", "format": "CSV"}
    await api.create(run(namespace, dataset=source))
    found = await installation.wait_for(
        TRAINING_RUN, namespace, "loan-v1", "Ready=False/SourceRefused", "Stalled=True"
    )
    assert "data.invalid" in message(found, "Ready")


async def test_a_strangers_object_of_a_needed_name_stops_the_run(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    installation.end()
    made = await api.create(run(namespace))
    theirs = {"name": train_job(made), "namespace": namespace}
    await api.create({"apiVersion": "v1", "kind": "Secret", "metadata": theirs})
    installation.start()
    found = await installation.wait_for(
        TRAINING_RUN, namespace, "loan-v1", "Ready=False/ForeignObject", "Stalled=True"
    )
    assert train_job(made) in message(found, "Ready")
    secret = await installation.get(SECRET, namespace, train_job(made))
    assert "data" not in secret


async def test_a_suspended_run_starts_when_it_is_resumed(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace, suspend=True))
    await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Ready=False/Suspended")
    assert not await api.list(JOB, namespace)
    await api.merge(TRAINING_RUN, namespace, "loan-v1", {"spec": {"suspend": False}})
    await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Ready=False/Training")
    await api.merge(TRAINING_RUN, namespace, "loan-v1", {"spec": {"suspend": True}})

    async def suspended() -> bool:
        return bool((await installation.get(JOB, namespace, train_job(made)))["spec"]["suspend"])

    await until(suspended)


@pytest.mark.slow
async def test_an_operator_killed_at_any_step_completes_the_run_once(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace))
    await until(lambda: api.get(JOB, namespace, train_job(made)))
    installation.end(signal.SIGKILL)
    await installation.train(namespace, train_job(made))
    installation.start()
    await until(lambda: api.get(JOB, installation.system, seal_job(made)), 60)
    installation.end(signal.SIGKILL)
    await installation.seal(seal_job(made))
    installation.start()
    await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Ready=True/Sealed")
    await installation.wait_for(MODEL_VERSION, namespace, "loan-v1", "Ready=True")
    assert installation.audited(made["metadata"]["uid"]) == ["gate", "seal"]


async def test_a_deleted_runs_sealing_job_goes_and_no_version_comes(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    made = await api.create(run(namespace))
    await installation.train(namespace, train_job(made))
    await until(lambda: api.get(JOB, installation.system, seal_job(made)))
    await api.delete(TRAINING_RUN, namespace, "loan-v1", made["metadata"]["uid"])

    async def gone() -> bool:
        labels = {names.LABEL_RUN_UID: made["metadata"]["uid"]}
        kinds = (JOB, CONFIG_MAP, NETWORK_POLICY)
        return not any([await api.list(kind, installation.system, labels) for kind in kinds])

    await until(gone)
    assert await api.get(MODEL_VERSION, namespace, "loan-v1") is None


async def test_a_run_created_again_trains_under_a_job_of_its_own(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    first = await api.create(run(namespace))
    await until(lambda: api.get(JOB, namespace, train_job(first)))
    await api.delete(TRAINING_RUN, namespace, "loan-v1", first["metadata"]["uid"])
    second = await api.create(run(namespace, trainer={"seed": 5}))
    await until(lambda: api.get(JOB, namespace, train_job(second)))
    assert train_job(first) != train_job(second)


async def test_the_operator_is_alive_leaves_no_marks_and_counts(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    await api.create(run(namespace))
    found = await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Reconciling=True")
    assert not found["metadata"].get("finalizers")
    assert not found["metadata"].get("annotations")
    created = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
    reconciling = next(c for c in found["status"]["conditions"] if c["type"] == "Reconciling")
    since = datetime.fromisoformat(reconciling["lastTransitionTime"])
    # Both have whole seconds.
    assert (since - created).total_seconds() <= 1

    def read(path: str) -> str:
        url = f"http://127.0.0.1:{installation.port}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())

    assert read("/healthz") == "ok\n"
    text = read("/metrics")
    assert 'hallmark_reconcile_total{kind="TrainingRun",outcome="ok"}' in text
    ages = [line.split()[1] for line in text.splitlines() if line.startswith("hallmark_watch_age")]
    assert float(ages[0]) < 5
