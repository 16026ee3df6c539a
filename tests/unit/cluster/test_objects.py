"""Objects, kinds, errors and Events, without a cluster."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, strategies as st
from yarl import URL

from hallmark.api import names
from hallmark.api.training_run import TrainingRun
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.events import TEXT_LIMIT, build_event
from hallmark.cluster.kinds import (
    HALLMARK_KINDS,
    JOB,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    POD,
    SECRET,
    kind_of,
)
from hallmark.cluster.ownership import same_owner
from hallmark.cluster.parse import read
from hallmark.errors import ClusterError
from hallmark.policies.decision import Event
from hallmark.refusal import Refusal
from tests.examples import examples

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OURS = {names.LABEL_MANAGED_BY: "hallmark"}


def owned(uid: str | None = None, *, controls: bool = True, **labels: str) -> dict[str, Any]:
    owners = [{"uid": uid, "controller": controls}] if uid else []
    return {"metadata": {"name": "x", "ownerReferences": owners, "labels": labels}}


@pytest.mark.parametrize(
    ("existing", "wanted", "ours"),
    [
        pytest.param(owned("a"), owned("a"), True, id="the same controller"),
        pytest.param(owned("b"), owned("a"), False, id="another controller"),
        pytest.param(owned(), owned("a"), False, id="nobody controls it"),
        pytest.param(owned("a", controls=False), owned("a"), False, id="an owner, no controller"),
        pytest.param(owned(**OURS), owned(**OURS), True, id="no owner, our labels"),
        pytest.param(owned(), owned(), False, id="no owner and no labels"),
        pytest.param(owned("b", **OURS), owned(**OURS), False, id="our labels, another's child"),
        pytest.param(
            owned(**OURS, **{names.LABEL_RUN_UID: "1"}),
            owned(**OURS, **{names.LABEL_RUN_UID: "2"}),
            False,
            id="our labels of another run",
        ),
        pytest.param(
            owned(**OURS, app="x"), owned(**OURS), True, id="foreign labels make no difference"
        ),
    ],
)
def test_whose_object_it_is(existing: dict[str, Any], wanted: dict[str, Any], ours: bool) -> None:
    assert same_owner(existing, wanted) is ours


def test_paths_of_collections_objects_and_subresources() -> None:
    assert POD.path("bank") == "/api/v1/namespaces/bank/pods"
    assert JOB.path("bank", "x") == "/apis/batch/v1/namespaces/bank/jobs/x"
    assert MODEL_POLICY.path(None, "default") == "/apis/hallmark.dev/v1alpha1/modelpolicies/default"
    status = MODEL_DEPLOYMENT.path("bank", "x", "status")
    assert status == "/apis/hallmark.dev/v1alpha1/namespaces/bank/modeldeployments/x/status"
    assert POD.path(None) == "/api/v1/pods"


@examples(300)
@given(st.text(min_size=1, max_size=20) | st.text("./%?#a ", min_size=1, max_size=8))
@example("../../kube-system/secrets/token")
@example("..")
@example("a?watch=true")
@example("a%2f..%2fb")
def test_no_name_leads_to_the_path_of_another_object(name: str) -> None:
    """The client's library takes '..' out of a path before the request is sent."""
    with suppress(ClusterError):
        parts = URL(f"https://api{SECRET.path('bank', name)}").raw_path_qs.split("/")
        assert parts[:-1] == ["", "api", "v1", "namespaces", "bank", "secrets"]
        assert parts[-1]
        assert "?" not in parts[-1]


@pytest.mark.parametrize("part", ["..", ".", "../a", "a/b", "a?b", "a#b", "a%2fb"])
def test_nor_does_a_namespace_and_the_refusal_is_a_sentence(part: str) -> None:
    for namespace, name in ((part, "a"), ("a", part)):
        with pytest.raises(ClusterError, match="Expected the name of a Secret, found"):
            SECRET.path(namespace, name)


def test_a_kind_is_known_by_its_type() -> None:
    for each in HALLMARK_KINDS:
        assert kind_of({"apiVersion": each.api_version, "kind": each.kind}) == each
    assert kind_of({"apiVersion": "apps/v1", "kind": "Deployment"}).plural == "deployments"
    with pytest.raises(ClusterError, match="does not know"):
        kind_of({"apiVersion": "v1", "kind": "Node"})


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(0, True), (401, True), (403, False), (404, False), (409, True), (410, True), (422, False),
     (429, True), (500, True), (503, True)],
)  # fmt: skip
def test_which_failures_pass_by_themselves(status: int, retryable: bool) -> None:
    assert ApiError("x", status).retryable is retryable


def test_an_event_is_named_by_what_it_says_and_bounded() -> None:
    metadata = {"name": "n" * 250, "namespace": "bank", "uid": "u"}
    run = {"apiVersion": "hallmark.dev/v1alpha1", "kind": "TrainingRun", "metadata": metadata}
    long = build_event(run, Event("Refused", "x" * 5000, warning=True), NOW)
    assert long == build_event(run, Event("Refused", "x" * 5000, warning=True), NOW)
    assert len(long["metadata"]["name"]) <= 253
    assert len(long["message"]) == TEXT_LIMIT
    assert long["type"] == "Warning"
    other = build_event(run, Event("Refused", "y", warning=True), NOW)
    assert other["metadata"]["name"] != long["metadata"]["name"]
    policy = {**run, "metadata": {"name": "default", "uid": "u"}}
    assert build_event(policy, Event("Valid", "Fine."), NOW)["metadata"]["namespace"] == "default"


DNS_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


@examples(200)
@given(st.from_regex(DNS_NAME, fullmatch=True).filter(lambda name: len(name) <= 253))
@example(f"{'n' * 199}.{'n' * 53}")
@example(f"{'n' * 198}--{'n' * 53}")
def test_every_object_has_events_whatever_its_name(name: str) -> None:
    regarding = {"apiVersion": "hallmark.dev/v1alpha1", "kind": "ModelApproval"}
    found = build_event({**regarding, "metadata": {"name": name, "uid": "u"}}, Event("A", "."), NOW)
    assert re.fullmatch(DNS_NAME, found["metadata"]["name"])
    assert len(found["metadata"]["name"]) <= 253


def test_an_object_that_breaks_its_schema_is_a_sentence_without_its_values() -> None:
    secret = "4556737586899855"
    found = read(TrainingRun, {"kind": "TrainingRun", "spec": {"model": secret + "!"}})
    assert isinstance(found, Refusal)
    assert found.reason == "InvalidSpec"
    assert "spec.model" in found.message
    assert "spec.requestedBy" in found.message
    assert secret not in found.message
