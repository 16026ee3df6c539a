"""Jobs and Pods, as Kubernetes reports them and as others fake them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.tasks import SealOutcome, TrainOutcome
from hallmark.cluster.gather.jobs import job_view, pod_view
from hallmark.policies.training_run.jobs import PodView, parse_outcome


def pod(created: str = "2026-06-01T12:00:00Z", **status: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"metadata": {"creationTimestamp": created}, "status": status}


def container(**state: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    return [{"image": "trainer:1", "state": state}]


def terminated(at: str, code: int, message: str = "") -> list[dict[str, Any]]:
    return container(terminated={"finishedAt": at, "exitCode": code, "message": message})


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([], None, id="there is none"),
        pytest.param([pod()], PodView(), id="it was just made"),
        pytest.param(
            [pod(containerStatuses=container(waiting={"reason": "ContainerCreating"}))],
            PodView(),
            id="it is being made",
        ),
        pytest.param(
            [pod(containerStatuses=container(waiting={"reason": "ImagePullBackOff"}))],
            PodView(trouble="The Pod cannot start image 'trainer:1': ImagePullBackOff."),
            id="its image is not there",
        ),
        pytest.param(
            [
                pod(
                    conditions=[
                        {"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes"}
                    ]
                )
            ],
            PodView(trouble="No node takes the Pod: 0/1 nodes"),
            id="no node takes it",
        ),
        pytest.param(
            [
                pod(containerStatuses=terminated("2026-06-01T12:05:00Z", 0, "new")),
                pod(containerStatuses=terminated("2026-06-01T12:01:00Z", 1, "old")),
            ],
            PodView(exit_code=0, message="new"),
            id="the one that ended last counts",
        ),
        pytest.param(
            [
                pod("2026-06-01T12:09:00Z"),
                pod(containerStatuses=terminated("2026-06-01T12:01:00Z", 1, "old")),
            ],
            PodView(exit_code=1, message="old"),
            id="one that ended counts before one that runs",
        ),
    ],
)
def test_the_pod_whose_word_counts(pods: list[dict[str, Any]], expected: PodView | None) -> None:
    assert pod_view(pods) == expected


@pytest.mark.parametrize(
    ("conditions", "complete", "failed", "reason"),
    [
        pytest.param([], False, False, "", id="it runs"),
        pytest.param([{"type": "Complete", "status": "True"}], True, False, "", id="complete"),
        pytest.param(
            [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}],
            False,
            True,
            "DeadlineExceeded",
            id="too late",
        ),
        pytest.param(
            [{"type": "FailureTarget", "status": "True"}], False, False, "", id="about to fail"
        ),
        pytest.param([{"type": "Failed", "status": "False"}], False, False, "", id="not failed"),
    ],
)
def test_a_job(conditions: list[Any], complete: bool, failed: bool, reason: str) -> None:
    template = {"spec": {"containers": [{"image": "trainer:1"}]}}
    view = job_view(
        {
            "metadata": {"name": "job", "uid": "uid"},
            "spec": {"template": template, "suspend": True},
            "status": {"conditions": conditions},
        }
    )
    assert (view.complete, view.failed, view.reason) == (complete, failed, reason)
    assert view.finished == (complete or failed)
    assert view.suspended
    assert view.image == "trainer:1"


@given(st.text(max_size=5000))
def test_no_termination_message_breaks_the_reader(text: str) -> None:
    for model in (TrainOutcome, SealOutcome):
        found = parse_outcome(model, text)
        assert found is None or isinstance(found, model)


def test_a_message_with_unknown_fields_is_no_outcome() -> None:
    assert parse_outcome(TrainOutcome, '{"stage": "Done", "extra": 1}') is None
    assert parse_outcome(TrainOutcome, '{"stage": "Done"}') is not None


@pytest.mark.parametrize(("padding", "read"), [(4096, True), (4097, False)])
def test_no_message_is_longer_than_kubernetes_keeps(padding: int, read: bool) -> None:
    found = parse_outcome(TrainOutcome, '{"stage": "Done"}'.ljust(padding))
    assert (found is not None) is read
