"""What the operator's client promises, on a real API server."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from hallmark.api import names
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.client import ApiCluster, ApiError, ForeignObject
from hallmark.cluster.events import emit
from hallmark.cluster.kinds import CONFIG_MAP, EVENT, MODEL_DEPLOYMENT, Obj
from hallmark.cluster.version_numbers import reserve_version
from hallmark.policies.decision import Event
from tests.integration.operator_world import api, digest, kubeconfig, model_deployment, namespace

__all__ = ["api", "kubeconfig", "namespace"]

OWNER_UID = "6c1f0e0e-0000-4000-8000-000000000001"


def config_map(
    namespace: str, name: str = "child", uid: str | None = OWNER_UID, **data: str
) -> Obj:
    owner = {"apiVersion": "v1", "kind": "Secret", "name": "owner", "uid": uid, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_RUN_UID: "one"},
            **({"ownerReferences": [owner]} if uid else {}),
        },
        "data": data,
    }


async def test_get_of_a_missing_object_is_none(api: ApiCluster, namespace: str) -> None:
    assert await api.get(CONFIG_MAP, namespace, "nothing") is None


async def test_apply_creates_then_changes_and_takes_dropped_fields_away(
    api: ApiCluster, namespace: str
) -> None:
    await api.apply(config_map(namespace, a="1", b="2"))
    changed = await api.apply(config_map(namespace, a="3"))
    assert not isinstance(changed, ForeignObject)
    assert changed["data"] == {"a": "3"}


@pytest.mark.parametrize(
    "wanted_uid",
    [
        pytest.param(OWNER_UID, id="a child of ours does not adopt an object without an owner"),
        pytest.param(None, id="a labelled child does not adopt an object without the labels"),
    ],
)
async def test_a_strangers_object_is_not_touched(
    api: ApiCluster, namespace: str, wanted_uid: str | None
) -> None:
    stranger = config_map(namespace, uid=None, theirs="yes")
    stranger["metadata"]["labels"] = {"app": "theirs"}
    await api.create(stranger)
    answer = await api.apply(config_map(namespace, uid=wanted_uid, ours="yes"))
    assert isinstance(answer, ForeignObject)
    assert "somebody else" in answer.sentence()
    left = await api.get(CONFIG_MAP, namespace, "child")
    assert left is not None
    assert left["data"] == {"theirs": "yes"}


async def test_a_child_of_a_former_owner_of_the_same_name_is_foreign(
    api: ApiCluster, namespace: str
) -> None:
    await api.apply(config_map(namespace, a="1"))
    answer = await api.apply(config_map(namespace, uid="6c1f0e0e-0000-4000-8000-000000000002"))
    assert isinstance(answer, ForeignObject)


async def test_a_child_across_namespaces_is_known_by_its_labels(
    api: ApiCluster, namespace: str
) -> None:
    await api.apply(config_map(namespace, uid=None, a="1"))
    changed = await api.apply(config_map(namespace, uid=None, a="2"))
    assert not isinstance(changed, ForeignObject)
    assert changed["data"] == {"a": "2"}


async def test_delete_takes_exactly_the_object_it_names(api: ApiCluster, namespace: str) -> None:
    made = await api.create(config_map(namespace, uid=None))
    await api.delete(CONFIG_MAP, namespace, "child", "another-uid")
    assert await api.get(CONFIG_MAP, namespace, "child") is not None
    await api.delete(CONFIG_MAP, namespace, "child", made["metadata"]["uid"])
    assert await api.get(CONFIG_MAP, namespace, "child") is None
    await api.delete(CONFIG_MAP, namespace, "child", made["metadata"]["uid"])


async def test_a_merge_into_a_stale_object_is_a_retryable_conflict(
    api: ApiCluster, namespace: str
) -> None:
    first = await api.create(config_map(namespace, uid=None, high="1"))
    version = {"resourceVersion": first["metadata"]["resourceVersion"]}
    patch = {"metadata": version, "data": {"high": "2"}}
    await api.merge(CONFIG_MAP, namespace, "child", patch)
    with pytest.raises(ApiError) as refusal:
        await api.merge(CONFIG_MAP, namespace, "child", patch)
    assert refusal.value.status == 409
    assert refusal.value.retryable


async def test_reserved_version_numbers_never_repeat(api: ApiCluster, namespace: str) -> None:
    reserve = partial(reserve_version, api, ObjectCache(), namespace, "loan")
    numbers = await asyncio.gather(*(reserve() for _ in range(4)))
    found = await api.get(CONFIG_MAP, namespace, "loan-versions")
    assert found is not None
    await api.merge(CONFIG_MAP, namespace, "loan-versions", {"data": {"highest": "no number"}})
    assert sorted(numbers) == [1, 2, 3, 4]
    assert await reserve() == 1, "no version exists, and the ConfigMap was destroyed"


async def test_list_selects_by_labels_and_names_the_kind_of_each_item(
    api: ApiCluster, namespace: str
) -> None:
    await api.create(config_map(namespace, "one", uid=None))
    await api.create(
        {
            **config_map(namespace, "two", uid=None),
            "metadata": {
                "name": "two",
                "namespace": namespace,
            },
        }
    )
    found = await api.list(CONFIG_MAP, namespace, {names.LABEL_RUN_UID: "one"})
    assert [(each["kind"], each["metadata"]["name"]) for each in found] == [("ConfigMap", "one")]


async def test_an_invalid_object_is_refused_with_a_sentence_and_not_retried(
    api: ApiCluster, namespace: str
) -> None:
    broken = model_deployment(namespace)
    broken["spec"]["replicas"] = -1
    with pytest.raises(ApiError, match="replicas") as refusal:
        await api.create(broken)
    assert refusal.value.status == 422
    assert not refusal.value.retryable


def report(sequence: int) -> dict[str, Any]:
    return {"manifestDigest": digest("a"), "bootID": "boot-0001", "sequence": sequence}


async def test_status_writes_of_operator_and_predictors_leave_each_other_alone(
    api: ApiCluster, namespace: str
) -> None:
    stale = await api.create(model_deployment(namespace))
    await api.merge_status(MODEL_DEPLOYMENT, namespace, "loans", {"drift": {"pod-1": report(1)}})
    await api.write_status(stale, {"activeModelVersion": "loans-1", "url": "http://loans"})
    await api.merge_status(MODEL_DEPLOYMENT, namespace, "loans", {"drift": {"pod-2": report(1)}})
    current = await api.get(MODEL_DEPLOYMENT, namespace, "loans")
    assert current is not None
    after = await api.write_status(current, {"activeModelVersion": "loans-2"})
    assert after["status"]["activeModelVersion"] == "loans-2"
    assert "url" not in after["status"], "what the operator no longer says goes away"
    assert set(after["status"]["drift"]) == {"pod-1", "pod-2"}
    await api.merge_status(MODEL_DEPLOYMENT, namespace, "loans", {"drift": {"pod-1": None}})
    final = await api.get(MODEL_DEPLOYMENT, namespace, "loans")
    assert final is not None
    assert set(final["status"]["drift"]) == {"pod-2"}
    assert final["status"]["activeModelVersion"] == "loans-2"


async def test_concurrent_reports_and_status_writes_lose_nothing(
    api: ApiCluster, namespace: str
) -> None:
    made = await api.create(model_deployment(namespace))

    async def predictor(pod: int) -> None:
        for sequence in range(1, 6):
            entry = {"drift": {f"pod-{pod}": report(sequence)}}
            await api.merge_status(MODEL_DEPLOYMENT, namespace, "loans", entry)

    async def operator() -> None:
        current = made
        for number in range(10):
            current = await api.write_status(current, {"activeModelVersion": f"loans-{number}"})

    await asyncio.gather(operator(), *(predictor(pod) for pod in range(4)))
    final = await api.get(MODEL_DEPLOYMENT, namespace, "loans")
    assert final is not None
    assert {pod: each["sequence"] for pod, each in final["status"]["drift"].items()} == {
        f"pod-{pod}": 5 for pod in range(4)
    }
    assert final["status"]["activeModelVersion"] == "loans-9"


async def test_a_status_that_is_there_already_is_not_sent(api: ApiCluster, namespace: str) -> None:
    made = await api.create(model_deployment(namespace))
    first = await api.write_status(made, {"url": "http://loans"})
    again = await api.write_status(first, {"url": "http://loans"})
    assert again is first


async def test_a_status_is_not_written_to_another_object_of_the_same_name(
    api: ApiCluster, namespace: str
) -> None:
    made = await api.create(model_deployment(namespace))
    await api.delete(MODEL_DEPLOYMENT, namespace, "loans", made["metadata"]["uid"])
    await api.create(model_deployment(namespace))
    with pytest.raises(ApiError) as refusal:
        await api.write_status(made, {"url": "http://loans"})
    assert refusal.value.status == 409


async def test_the_same_event_is_made_once(api: ApiCluster, namespace: str) -> None:
    from datetime import UTC, datetime

    made = await api.create(model_deployment(namespace))
    for _ in range(2):
        await emit(api, made, Event("Serving", "It serves.", warning=False), datetime.now(UTC))
    await emit(api, made, Event("Held", "x" * 5000, warning=True), datetime.now(UTC))
    found = await api.list(EVENT, namespace)
    assert sorted((each["reason"], each["type"]) for each in found) == [
        ("Held", "Warning"),
        ("Serving", "Normal"),
    ]


async def test_an_api_server_that_does_not_answer_is_retryable() -> None:
    from kubernetes.aio import client as kubernetes_client

    configuration = kubernetes_client.Configuration(host="https://127.0.0.1:1")
    cluster = ApiCluster(kubernetes_client.ApiClient(configuration))
    with pytest.raises(ApiError, match="did not answer") as failure:
        await cluster.get(CONFIG_MAP, "default", "any")
    await cluster.close()
    assert failure.value.retryable
