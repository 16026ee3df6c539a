"""What a ``Cluster`` promises: the client on an API server, and the tests' cluster in memory."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hallmark.api import names
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.cluster import ApiError, Cluster, ForeignObject
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_DEPLOYMENT, NAMESPACE, Kind, Obj
from hallmark.errors import ClusterError
from tests.integration.operator_world import api, digest, kubeconfig, model_deployment, namespace
from tests.unit.controllers.memory_cluster import MemoryCluster

__all__ = ["api", "kubeconfig", "namespace"]

OWNER_UID = "6c1f0e0e-0000-4000-8000-000000000001"
OTHER_UID = "6c1f0e0e-0000-4000-8000-000000000002"


@pytest.fixture(params=["in memory", "on an API server"])
def place(request: pytest.FixtureRequest) -> tuple[ApiCluster | MemoryCluster, str]:
    """Return a cluster and the name of a fresh namespace in it."""
    if request.param == "in memory":
        cluster, name = MemoryCluster(), f"operator-{secrets.token_hex(4)}"
        cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return cluster, name
    return request.getfixturevalue("api"), request.getfixturevalue("namespace")


@pytest.fixture
async def cluster(place: tuple[ApiCluster | MemoryCluster, str]) -> AsyncIterator[Cluster]:
    """Yield a cluster whose answers nobody observes."""
    yield place[0]
    place[0].observe = lambda kind, obj: None


@pytest.fixture
def space(place: tuple[ApiCluster | MemoryCluster, str]) -> str:
    """Return the fresh namespace's name."""
    return place[1]


def config_map(space: str, name: str = "child", uid: str | None = OWNER_UID, **data: str) -> Obj:
    owner = {"apiVersion": "v1", "kind": "Secret", "name": "owner", "uid": uid, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": space,
            "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_RUN_UID: "one"},
            **({"ownerReferences": [owner]} if uid else {}),
        },
        "data": data,
    }


def foreign(space: str, **data: str) -> Obj:
    """Return a ConfigMap of the same name that somebody else made."""
    made = config_map(space, uid=None, **data)
    made["metadata"]["labels"] = {"app": "theirs"}
    return made


async def there(cluster: Cluster, kind: Kind, space: str, name: str) -> Obj:
    found = await cluster.get(kind, space, name)
    assert found is not None
    return found


async def applied(cluster: Cluster, obj: Obj, current: Obj | None = None) -> Obj:
    answer = await cluster.apply(obj, current)
    assert not isinstance(answer, ForeignObject)
    return answer


def version_of(obj: Obj) -> int:
    return int(obj["metadata"]["resourceVersion"])


async def test_get_of_a_missing_object_is_none(cluster: Cluster, space: str) -> None:
    assert await cluster.get(CONFIG_MAP, space, "nothing") is None
    assert await cluster.get(NAMESPACE, None, "nothing") is None


async def test_get_returns_the_object_with_its_kind(cluster: Cluster, space: str) -> None:
    made = await cluster.create(config_map(space, a="1"))
    assert await cluster.get(CONFIG_MAP, space, "child") == made
    assert (made["apiVersion"], made["kind"], made["data"]) == ("v1", "ConfigMap", {"a": "1"})
    assert (await there(cluster, NAMESPACE, "", space))["metadata"]["name"] == space


async def test_list_selects_by_labels_and_names_the_kind_of_each_object(
    cluster: Cluster, space: str
) -> None:
    await cluster.create(config_map(space, "one", uid=None))
    other = config_map(space, "two", uid=None)
    del other["metadata"]["labels"]
    await cluster.create(other)
    found = await cluster.list(CONFIG_MAP, space, {names.LABEL_RUN_UID: "one"})
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in found] == [("ConfigMap", "one")]
    assert {obj["metadata"]["name"] for obj in await cluster.list(CONFIG_MAP, space)} >= {
        *("one", "two")
    }
    everywhere = await cluster.list(CONFIG_MAP, labels={names.LABEL_RUN_UID: "one"})
    assert (space, "one") in {
        (obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in everywhere
    }


async def test_create_of_what_exists_is_a_conflict(cluster: Cluster, space: str) -> None:
    await cluster.create(config_map(space, a="1"))
    with pytest.raises(ApiError) as refusal:
        await cluster.create(config_map(space, a="2"))
    assert refusal.value.status == 409
    assert (await there(cluster, CONFIG_MAP, space, "child"))["data"] == {"a": "1"}


async def test_a_change_has_a_newer_version_and_the_same_uid(cluster: Cluster, space: str) -> None:
    made = await cluster.create(model_deployment(space))
    changed = await cluster.merge(MODEL_DEPLOYMENT, space, "loans", {"spec": {"replicas": 2}})
    assert version_of(changed) > version_of(made)
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert changed["metadata"]["generation"] == made["metadata"]["generation"] + 1
    shown = await cluster.write_status(changed, {"url": "http://loans"})
    assert version_of(shown) > version_of(changed)
    assert shown["metadata"]["generation"] == changed["metadata"]["generation"]


async def test_apply_creates_then_changes_and_takes_dropped_fields_away(
    cluster: Cluster, space: str
) -> None:
    await applied(cluster, config_map(space, a="1", b="2"))
    changed = await applied(cluster, config_map(space, a="3"))
    assert changed["data"] == {"a": "3"}


async def test_what_stands_already_is_applied_without_a_new_version(
    cluster: Cluster, space: str
) -> None:
    first = await applied(cluster, config_map(space, a="1"))
    again = await applied(cluster, config_map(space, a="1"))
    assert version_of(again) == version_of(first)


async def test_apply_changes_the_object_that_was_looked_at(cluster: Cluster, space: str) -> None:
    first = await applied(cluster, config_map(space, a="1"))
    changed = await applied(cluster, config_map(space, a="2"), first)
    assert changed["data"] == {"a": "2"}


@pytest.mark.parametrize("meanwhile", ["changed", "deleted", "made anew"])
async def test_apply_to_what_is_another_object_by_now_is_a_conflict(
    cluster: Cluster, space: str, meanwhile: str
) -> None:
    first = await applied(cluster, config_map(space, a="1"))
    if meanwhile == "changed":
        await cluster.merge(CONFIG_MAP, space, "child", {"data": {"b": "2"}})
    else:
        await cluster.delete(CONFIG_MAP, space, "child", first["metadata"]["uid"])
    if meanwhile == "made anew":
        await cluster.create(config_map(space, a="9"))
    with pytest.raises(ApiError) as refusal:
        await cluster.apply(config_map(space, a="2"), first)
    assert (refusal.value.status, refusal.value.retryable) == (409, True)
    left = await cluster.get(CONFIG_MAP, space, "child")
    data = {"changed": {"a": "1", "b": "2"}, "deleted": None, "made anew": {"a": "9"}}[meanwhile]
    assert (left and left["data"]) == data


@pytest.mark.parametrize(
    "wanted_uid",
    [
        pytest.param(OWNER_UID, id="a child of ours does not adopt an object without an owner"),
        pytest.param(None, id="a labelled child does not adopt an object without the labels"),
    ],
)
@pytest.mark.parametrize("looked", [False, True], ids=["asked for", "looked at"])
async def test_a_foreign_object_is_not_touched(
    cluster: Cluster, space: str, wanted_uid: str | None, *, looked: bool
) -> None:
    made = await cluster.create(foreign(space, theirs="yes"))
    wanted = config_map(space, uid=wanted_uid, ours="yes")
    answer = await cluster.apply(wanted, made if looked else None)
    assert isinstance(answer, ForeignObject)
    assert "somebody else" in answer.sentence()
    assert (await there(cluster, CONFIG_MAP, space, "child"))["data"] == {"theirs": "yes"}


async def test_a_child_of_a_former_owner_of_the_same_name_is_foreign(
    cluster: Cluster, space: str
) -> None:
    await cluster.apply(config_map(space, a="1"))
    assert isinstance(await cluster.apply(config_map(space, uid=OTHER_UID)), ForeignObject)


async def test_a_child_across_namespaces_is_known_by_its_labels(
    cluster: Cluster, space: str
) -> None:
    await applied(cluster, config_map(space, uid=None, a="1"))
    changed = await applied(cluster, config_map(space, uid=None, a="2"))
    assert changed["data"] == {"a": "2"}


async def test_what_nobody_had_is_created(cluster: Cluster, space: str) -> None:
    answer = await cluster.apply(config_map(space, a="1"), absent=True)
    assert not isinstance(answer, ForeignObject)
    assert answer["data"] == {"a": "1"}


async def test_what_nobody_had_and_somebody_made_meanwhile_is_a_conflict(
    cluster: Cluster, space: str
) -> None:
    theirs = foreign(space, ours="no")
    theirs["metadata"]["labels"][names.LABEL_MANAGED_BY] = "somebody"
    if isinstance(cluster, ApiCluster):
        query = {"fieldManager": "somebody"}
        await cluster._transport.call("POST", CONFIG_MAP.path(space), query, theirs)
    else:
        await cluster.create(theirs)
    with pytest.raises(ApiError) as refusal:
        await cluster.apply(config_map(space, ours="yes"), absent=True)
    assert refusal.value.status == 409
    assert (await there(cluster, CONFIG_MAP, space, "child"))["data"] == {"ours": "no"}


async def test_a_merge_removes_what_is_null_and_leaves_the_rest(
    cluster: Cluster, space: str
) -> None:
    await cluster.create(config_map(space, a="1", b="2"))
    merged = await cluster.merge(CONFIG_MAP, space, "child", {"data": {"a": None, "c": "3"}})
    assert merged["data"] == {"b": "2", "c": "3"}


async def test_a_merge_into_a_stale_object_is_a_retryable_conflict(
    cluster: Cluster, space: str
) -> None:
    first = await cluster.create(config_map(space, uid=None, high="1"))
    version = {"resourceVersion": first["metadata"]["resourceVersion"]}
    patch = {"metadata": version, "data": {"high": "2"}}
    await cluster.merge(CONFIG_MAP, space, "child", patch)
    with pytest.raises(ApiError) as refusal:
        await cluster.merge(CONFIG_MAP, space, "child", {**patch, "data": {"high": "3"}})
    assert (refusal.value.status, refusal.value.retryable) == (409, True)
    assert (await there(cluster, CONFIG_MAP, space, "child"))["data"] == {"high": "2"}


async def test_a_merge_into_what_is_not_there_says_so(cluster: Cluster, space: str) -> None:
    with pytest.raises(ApiError) as refusal:
        await cluster.merge(CONFIG_MAP, space, "child", {"data": {"a": "1"}})
    assert refusal.value.gone
    with pytest.raises(ApiError) as refusal:
        await cluster.merge_status(MODEL_DEPLOYMENT, space, "loans", {"url": "http://loans"})
    assert refusal.value.gone


async def test_delete_takes_exactly_the_object_it_names(cluster: Cluster, space: str) -> None:
    made = await cluster.create(config_map(space, uid=None))
    await cluster.delete(CONFIG_MAP, space, "child", "another-uid")
    assert await cluster.get(CONFIG_MAP, space, "child") is not None
    await cluster.delete(CONFIG_MAP, space, "child", made["metadata"]["uid"])
    assert await cluster.get(CONFIG_MAP, space, "child") is None
    await cluster.delete(CONFIG_MAP, space, "child", made["metadata"]["uid"])


def report(sequence: int) -> dict[str, Any]:
    return {"manifestDigest": digest("a"), "bootID": "boot-0001", "sequence": sequence}


async def reported(cluster: Cluster, space: str, **entries: Any) -> Obj:  # noqa: ANN401
    return await cluster.merge_status(MODEL_DEPLOYMENT, space, "loans", {"drift": entries})


async def test_status_writes_of_operator_and_predictors_leave_each_other_alone(
    cluster: Cluster, space: str
) -> None:
    stale = await cluster.create(model_deployment(space))
    await reported(cluster, space, one=report(1))
    await cluster.write_status(stale, {"activeModelVersion": "loans-1", "url": "http://loans"})
    current = await reported(cluster, space, two=report(1))
    after = await cluster.write_status(current, {"activeModelVersion": "loans-2"})
    assert after["status"]["activeModelVersion"] == "loans-2"
    assert "url" not in after["status"], "what the operator no longer says goes away"
    assert set(after["status"]["drift"]) == {"one", "two"}
    final = await reported(cluster, space, one=None)
    assert set(final["status"]["drift"]) == {"two"}
    assert final["status"]["activeModelVersion"] == "loans-2"


async def test_concurrent_reports_and_status_writes_lose_nothing(
    cluster: Cluster, space: str
) -> None:
    made = await cluster.create(model_deployment(space))

    async def predictor(pod: int) -> None:
        for sequence in range(1, 6):
            await reported(cluster, space, **{f"pod-{pod}": report(sequence)})

    async def operator() -> None:
        current = made
        for number in range(10):
            current = await cluster.write_status(current, {"activeModelVersion": f"loans-{number}"})

    await asyncio.gather(operator(), *(predictor(pod) for pod in range(4)))
    final = await there(cluster, MODEL_DEPLOYMENT, space, "loans")
    assert {pod: entry["sequence"] for pod, entry in final["status"]["drift"].items()} == {
        f"pod-{pod}": 5 for pod in range(4)
    }
    assert final["status"]["activeModelVersion"] == "loans-9"


async def test_a_status_that_is_there_already_is_not_sent(cluster: Cluster, space: str) -> None:
    made = await cluster.create(model_deployment(space))
    status = {"url": "http://loans", "observedGeneration": 1}
    first = await cluster.write_status(made, status)
    assert await cluster.write_status(first, status) is first


async def change_spec(cluster: Cluster, space: str, made: Obj) -> None:
    await cluster.merge(MODEL_DEPLOYMENT, space, "loans", {"spec": {"replicas": 2}})


async def act(cluster: Cluster, space: str, made: Obj) -> None:
    marks = {"annotations": {names.ANNOTATION_ACTION: "{}"}}
    await cluster.merge(MODEL_DEPLOYMENT, space, "loans", {"metadata": marks})


async def write_another_status(cluster: Cluster, space: str, made: Obj) -> None:
    await cluster.write_status(made, {"url": "http://other"})


async def delete(cluster: Cluster, space: str, made: Obj) -> None:
    await cluster.delete(MODEL_DEPLOYMENT, space, "loans", made["metadata"]["uid"])


async def make_anew(cluster: Cluster, space: str, made: Obj) -> None:
    await delete(cluster, space, made)
    await cluster.create(model_deployment(space))


@pytest.mark.parametrize(
    "meanwhile",
    [change_spec, act, write_another_status, make_anew],
    ids=lambda function: function.__name__.replace("_", " "),
)
async def test_a_status_that_was_decided_on_something_else_is_a_conflict(
    cluster: Cluster,
    space: str,
    meanwhile: Any,  # noqa: ANN401 - one of the functions above
) -> None:
    made = await cluster.create(model_deployment(space))
    await meanwhile(cluster, space, made)
    before = await there(cluster, MODEL_DEPLOYMENT, space, "loans")
    with pytest.raises(ApiError) as refusal:
        await cluster.write_status(made, {"url": "http://loans"})
    assert refusal.value.status == 409
    assert await cluster.get(MODEL_DEPLOYMENT, space, "loans") == before


async def test_a_status_of_what_is_gone_is_not_written(cluster: Cluster, space: str) -> None:
    made = await cluster.create(model_deployment(space))
    await delete(cluster, space, made)
    with pytest.raises(ApiError) as refusal:
        await cluster.write_status(made, {"url": "http://loans"})
    assert refusal.value.gone


async def label(cluster: Cluster, space: str) -> None:
    marks = {"labels": {"team": "risk"}, "annotations": {"note": "x"}}
    await cluster.merge(MODEL_DEPLOYMENT, space, "loans", {"metadata": marks})


async def report_drift(cluster: Cluster, space: str) -> None:
    await reported(cluster, space, one=report(1))


@pytest.mark.parametrize(
    "meanwhile", [label, report_drift], ids=lambda function: function.__name__.replace("_", " ")
)
async def test_a_status_survives_what_no_decision_reads(
    cluster: Cluster,
    space: str,
    meanwhile: Any,  # noqa: ANN401 - one of the functions above
) -> None:
    made = await cluster.create(model_deployment(space))
    await meanwhile(cluster, space)
    after = await cluster.write_status(made, {"url": "http://loans"})
    assert after["status"]["url"] == "http://loans"


async def test_a_status_goes_by_the_newest_that_a_watch_brought(
    api: ApiCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await api.create(model_deployment(namespace))
    await report_drift(api, namespace)
    newest = await there(api, MODEL_DEPLOYMENT, namespace, "loans")
    asked: list[str] = []
    real = api.get

    async def get(kind: Any, space: str | None, name: str) -> Obj | None:  # noqa: ANN401
        asked.append(name)
        return await real(kind, space, name)

    monkeypatch.setattr(api, "get", get)
    for number, (known, current) in enumerate([("newest", "made"), ("made", "newest")]):
        seen = {"made": made, "newest": newest}
        monkeypatch.setattr(api, "known", lambda *_, known=seen[known]: known)
        newest = await api.write_status(seen[current], {"url": f"http://loans-{number}"})
        assert newest["status"]["drift"]
        assert asked == [], "a conflict that was known of"
    # What says something else to a decision is none of its business: the write is lost, as ever.
    other = {**newest, "spec": {**newest["spec"], "replicas": 3}}
    monkeypatch.setattr(api, "known", lambda *_: other)
    with pytest.raises(ApiError) as refusal:
        await api.write_status(made, {"url": "http://loans"})
    assert refusal.value.status == 409


async def test_the_reports_are_no_part_of_the_operators_status(
    cluster: Cluster, space: str
) -> None:
    made = await cluster.create(model_deployment(space))
    with pytest.raises(ClusterError, match=r"status\.drift"):
        await cluster.write_status(made, {"drift": {}})


async def test_a_status_is_merged_into_the_very_object_that_was_judged(
    cluster: Cluster, space: str
) -> None:
    await cluster.create(model_deployment(space))
    judged = await reported(cluster, space, one=report(1), two=report(1))
    version = judged["metadata"]["resourceVersion"]
    gone = {"drift": {"one": None}}
    after = await cluster.merge_status(MODEL_DEPLOYMENT, space, "loans", gone, version)
    assert set(after["status"]["drift"]) == {"two"}
    await reported(cluster, space, two=report(2))
    stale = after["metadata"]["resourceVersion"]
    with pytest.raises(ApiError) as refusal:
        await cluster.merge_status(
            MODEL_DEPLOYMENT, space, "loans", {"drift": {"two": None}}, stale
        )
    assert refusal.value.status == 409
    final = await there(cluster, MODEL_DEPLOYMENT, space, "loans")
    assert final["status"]["drift"]["two"]["sequence"] == 2


async def test_every_answer_to_a_write_is_observed(
    place: tuple[ApiCluster | MemoryCluster, str], cluster: Cluster, space: str
) -> None:
    seen: list[tuple[Kind, Obj]] = []
    place[0].observe = lambda kind, obj: seen.append((kind, obj))
    made = await cluster.create(model_deployment(space))
    answers = [
        (MODEL_DEPLOYMENT, made),
        (MODEL_DEPLOYMENT, await cluster.write_status(made, {"url": "http://loans"})),
        (MODEL_DEPLOYMENT, await reported(cluster, space, one=report(1))),
        (CONFIG_MAP, await applied(cluster, config_map(space, a="1"))),
        (CONFIG_MAP, await cluster.merge(CONFIG_MAP, space, "child", {"data": {"a": "2"}})),
    ]
    await cluster.get(CONFIG_MAP, space, "child")
    await cluster.list(CONFIG_MAP, space)
    assert seen == answers
