"""What is built on the operator's client, on a real API server; see ``test_cluster_contract``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial

import pytest

from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.cluster import ApiError, ForeignObject
from hallmark.cluster.events import build_event, emit
from hallmark.cluster.kinds import CONFIG_MAP, EVENT
from hallmark.cluster.server_time import ServerTime
from hallmark.cluster.version_numbers import reserve_version
from hallmark.policies.decision import Event
from tests.integration.operator_world import api, kubeconfig, model_deployment, namespace

__all__ = ["api", "kubeconfig", "namespace"]


async def test_reserved_version_numbers_never_repeat(api: ApiCluster, namespace: str) -> None:
    reserve = partial(reserve_version, api, ObjectCache(), namespace, "loan")
    numbers = await asyncio.gather(*(reserve() for _ in range(4)))
    found = await api.get(CONFIG_MAP, namespace, "loan-versions")
    assert found is not None
    await api.merge(CONFIG_MAP, namespace, "loan-versions", {"data": {"highest": "no number"}})
    assert sorted(numbers) == [1, 2, 3, 4]
    assert await reserve() == 1, "no version exists, and the ConfigMap was destroyed"


async def test_each_answer_tells_what_time_it_is_at_the_api_server(
    api: ApiCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made of it: ``tests/unit/cluster/test_server_time.py``."""
    dates: list[str | None] = []
    monkeypatch.setattr(ServerTime, "hear", lambda _, date, now: dates.append(date))
    await api.list(CONFIG_MAP, namespace)
    (date,) = dates
    assert date is not None
    assert abs(parsedate_to_datetime(date) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_config_map_of_a_stranger_is_not_written_to(
    api: ApiCluster, namespace: str
) -> None:
    metadata = {"name": "loan-versions", "namespace": namespace}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}
    before = await api.create(theirs)
    found = await reserve_version(api, ObjectCache(), namespace, "loan")
    assert isinstance(found, ForeignObject)
    assert "ConfigMap 'loan-versions'" in found.sentence()
    assert await api.get(CONFIG_MAP, namespace, "loan-versions") == before


@pytest.mark.parametrize("highest", ["9" * 5000, "-1", "1e3", " 7", "\u0663"])
async def test_a_number_that_is_none_counts_for_nothing(
    api: ApiCluster, namespace: str, highest: str
) -> None:
    assert await reserve_version(api, ObjectCache(), namespace, "loan") == 1
    await api.merge(CONFIG_MAP, namespace, "loan-versions", {"data": {"highest": highest}})
    assert await reserve_version(api, ObjectCache(), namespace, "loan") == 1


async def test_an_invalid_object_is_refused_with_a_sentence_and_not_retried(
    api: ApiCluster, namespace: str
) -> None:
    broken = model_deployment(namespace)
    broken["spec"]["replicas"] = -1
    with pytest.raises(ApiError, match="replicas") as refusal:
        await api.create(broken)
    assert refusal.value.status == 422
    assert not refusal.value.retryable


async def test_the_same_event_is_made_once(api: ApiCluster, namespace: str) -> None:
    from datetime import UTC, datetime

    made = await api.create(model_deployment(namespace))
    for note in 2 * [Event("Serving", "It serves.")] + [Event("Held", "x" * 5000, warning=True)]:
        await emit(api, build_event(made, note, datetime.now(UTC)))
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
