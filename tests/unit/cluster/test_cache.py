"""What the operator's memory of the cluster takes, ignores and forgets."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.cluster import cache as cache_module
from hallmark.cluster.cache import Change, Key, ObjectCache
from hallmark.cluster.kinds import (
    CONFIG_MAP,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    POD,
    Obj,
)
from hallmark.refusal import Refusal
from tests.unit.cluster.cached import SPACE, obj

PLACE = Key(MODEL_DEPLOYMENT, SPACE, "credit")


def deployment(version: int, model: str = "credit", **more: Any) -> Obj:  # noqa: ANN401
    return obj(MODEL_DEPLOYMENT, version=version, spec={"model": model}, **more)


def model_of(cache: ObjectCache) -> str | None:
    """Return what the cached ModelDeployment follows; None where there is none."""
    found = cache.get(*PLACE)
    return None if found is None else str(found["spec"]["model"])


def made(*told: Obj) -> ObjectCache:
    cache = ObjectCache()
    for state in told:
        cache.observe(MODEL_DEPLOYMENT, state)
    return cache


@pytest.mark.parametrize(
    ("known", "told", "kept", "is_change"),
    [
        pytest.param([], deployment(5, "new"), "new", True, id="an unknown object is taken"),
        pytest.param([deployment(4)], deployment(5, "new"), "new", True, id="a newer one replaces"),
        pytest.param(
            [deployment(9)], deployment(10, "new"), "new", True, id="versions are numbers, not text"
        ),
        pytest.param(
            [deployment(5)], deployment(4, "old"), "credit", False, id="an older one is ignored"
        ),
        pytest.param(
            [deployment(5)], deployment(5), "credit", False, id="the same state is no change"
        ),
        pytest.param(
            [deployment(5)], deployment(6), "credit", False, id="the same content is no change"
        ),
        pytest.param(
            [deployment(4), deployment(6, "answered")],
            deployment(5, "watched"),
            "answered",
            False,
            id="what the watch brings after a newer answer is ignored",
        ),
        pytest.param(
            [deployment(4), deployment(6, "answered")],
            deployment(7, "watched"),
            "watched",
            True,
            id="a newer state that the watch brings after an answer is taken",
        ),
        pytest.param(
            [deployment(5)],
            deployment(6, uid="another"),
            "credit",
            True,
            id="another object of the same content is a change",
        ),
        pytest.param(
            [deployment(5)],
            deployment(6, status={"drift": {"pod-1": {"sequence": 1}}}),
            "credit",
            False,
            id="what decisions do not read is no change",
        ),
    ],
)
def test_observing(known: list[Obj], told: Obj, kept: str, *, is_change: bool) -> None:
    cache = made(*known)
    change = cache.observe(MODEL_DEPLOYMENT, told)
    assert model_of(cache) == kept
    assert (change is not None) == is_change


def test_a_change_tells_what_was_and_what_is() -> None:
    cache = made(deployment(1))
    change = cache.observe(MODEL_DEPLOYMENT, deployment(2, "other"))
    assert change is not None
    assert change.before is not None
    assert change.after is not None
    assert (change.key, change.before["spec"], change.after["spec"]) == (
        PLACE,
        {"model": "credit"},
        {"model": "other"},
    )
    first = ObjectCache().observe(MODEL_DEPLOYMENT, deployment(1))
    assert first is not None
    assert first.before is None


def test_a_write_may_name_the_newest_version_although_the_content_is_the_same() -> None:
    cache = made(deployment(5), deployment(6))
    found = cache.get(*PLACE)
    assert found is not None
    assert found["metadata"]["resourceVersion"] == "6"


def test_what_is_handed_out_is_a_copy() -> None:
    cache = made(deployment(1))
    found = cache.get(*PLACE)
    assert found is not None
    found["spec"]["model"] = "changed by its reader"
    assert model_of(cache) == "credit"


@pytest.mark.parametrize(
    ("deleted", "is_gone"),
    [
        pytest.param(deployment(6), True, id="a newer deletion takes it away"),
        pytest.param(deployment(5), True, id="a deletion at the known version takes it away"),
        pytest.param(
            deployment(4, uid="former"), False, id="the deletion of a former object leaves it"
        ),
    ],
)
def test_removing(deleted: Obj, *, is_gone: bool) -> None:
    cache = made(deployment(5))
    change = cache.remove(MODEL_DEPLOYMENT, deleted)
    assert (model_of(cache) is None) == is_gone
    assert (change is not None and change.after is None) == is_gone
    assert bool(cache.indexed("in", SPACE)) != is_gone


def test_removing_what_is_not_known_is_no_change() -> None:
    assert ObjectCache().remove(MODEL_DEPLOYMENT, deployment(5)) is None


@pytest.mark.parametrize(
    "before_deletion",
    [
        pytest.param([deployment(4)], id="an object that was known"),
        pytest.param([], id="an object of which nothing was known"),
    ],
)
def test_an_answer_that_comes_after_the_deletion_revives_nothing(
    before_deletion: list[Obj],
) -> None:
    cache = made(*before_deletion)
    cache.remove(MODEL_DEPLOYMENT, deployment(6))
    assert cache.observe(MODEL_DEPLOYMENT, deployment(5)) is None
    assert model_of(cache) is None
    assert cache.observe(MODEL_DEPLOYMENT, deployment(7, uid="another")) is not None
    assert model_of(cache) == "credit"


def test_an_answer_that_comes_after_a_list_without_the_object_revives_nothing() -> None:
    cache = made(deployment(4))
    cache.keep_only(MODEL_DEPLOYMENT, [], 9)
    assert cache.observe(MODEL_DEPLOYMENT, deployment(5)) is None
    assert model_of(cache) is None
    assert cache.observe(MODEL_DEPLOYMENT, deployment(10, uid="another")) is not None


def test_deletions_are_remembered_up_to_a_bound() -> None:
    cache = ObjectCache()
    for number in range(cache_module.GONE + 10):
        cache.remove(POD, obj(POD, f"pod-{number}", 5))
    assert cache.observe(POD, obj(POD, "pod-0", 4)) is not None, "the oldest is forgotten"
    assert cache.observe(POD, obj(POD, f"pod-{cache_module.GONE}", 4)) is None


@pytest.mark.parametrize(
    ("entry", "present", "stays"),
    [
        pytest.param(deployment(5), [], False, id="what a list does not show is gone"),
        pytest.param(deployment(5), [PLACE], True, id="what it shows stays"),
        pytest.param(deployment(10), [], False, id="so is what is exactly as old as the list"),
        pytest.param(deployment(11), [], True, id="an own write that is newer than the list stays"),
    ],
)
def test_taking_a_whole_list(entry: Obj, present: list[Key], *, stays: bool) -> None:
    cache = made(entry)
    cache.observe(POD, obj(POD, "credit", 1))
    changes = cache.keep_only(MODEL_DEPLOYMENT, present, 10)
    assert (model_of(cache) is not None) == stays
    expected = [] if stays else [(PLACE, None)]
    assert [(change.key, change.after) for change in changes] == expected
    assert cache.get(POD, SPACE, "credit") is not None, "other kinds are left alone"


def test_indices_follow_the_content() -> None:
    cache = made(deployment(1, "credit"))
    assert cache.indexed("model", SPACE, "credit") == [PLACE]
    cache.observe(MODEL_DEPLOYMENT, deployment(2, "other"))
    assert cache.indexed("model", SPACE, "credit") == []
    assert cache.indexed("model", SPACE, "other") == [PLACE]
    cache.remove(MODEL_DEPLOYMENT, deployment(3, "other"))
    assert cache.indexed("model", SPACE, "other") == []
    assert not cache._index, "nothing is left of what is gone"


def test_an_index_is_in_the_order_of_places_and_can_be_of_one_kind() -> None:
    cache = ObjectCache()
    for name in ("c", "a", "b"):
        cache.observe(MODEL_DEPLOYMENT, obj(MODEL_DEPLOYMENT, name, spec={"model": "credit"}))
    cache.observe(MODEL_VERSION, obj(MODEL_VERSION, "v1", spec={"model": "credit"}))
    found = cache.objects("model", SPACE, "credit", kind=MODEL_DEPLOYMENT)
    assert [each["metadata"]["name"] for each in found] == ["a", "b", "c"]
    assert len(cache.indexed("model", SPACE, "credit")) == 4
    assert cache.objects("model", "elsewhere", "credit") == []


def test_keys_are_of_one_kind_and_of_one_namespace_or_of_all() -> None:
    cache = ObjectCache()
    for space in (SPACE, "shop"):
        cache.observe(CONFIG_MAP, obj(CONFIG_MAP, "one", space=space))
        cache.observe(MODEL_DEPLOYMENT, obj(MODEL_DEPLOYMENT, "one", space=space))
    cache.observe(MODEL_POLICY, obj(MODEL_POLICY, "default"))
    assert {key.namespace for key in cache.keys(MODEL_DEPLOYMENT)} == {SPACE, "shop"}
    assert list(cache.keys(MODEL_DEPLOYMENT, "shop")) == [Key(MODEL_DEPLOYMENT, "shop", "one")]
    assert list(cache.keys(MODEL_POLICY)) == [Key(MODEL_POLICY, None, "default")]
    assert len(cache) == 5


def parsed(cache: ObjectCache) -> ModelDeployment:
    found = cache.read(ModelDeployment, *PLACE)
    assert isinstance(found, ModelDeployment)
    return found


def test_a_parsed_object_is_kept_while_it_is_the_same() -> None:
    cache = made(deployment(1))
    first = parsed(cache)
    assert parsed(cache) is first
    cache.observe(MODEL_DEPLOYMENT, deployment(2, "other"))
    assert parsed(cache).spec.model == "other"
    assert first.spec.model == "credit"


def test_a_parsed_object_has_the_version_that_a_write_must_name() -> None:
    cache = made(deployment(1))
    parsed(cache)
    cache.observe(MODEL_DEPLOYMENT, deployment(2, status={"drift": {}}))
    assert parsed(cache).metadata.resource_version == "2"


def test_a_parsed_object_goes_with_its_object() -> None:
    cache = made(deployment(1))
    parsed(cache)
    cache.remove(MODEL_DEPLOYMENT, deployment(2))
    assert cache.read(ModelDeployment, *PLACE) is None
    cache.observe(MODEL_DEPLOYMENT, deployment(3, "other", uid="another"))
    assert parsed(cache).spec.model == "other"


def test_an_object_that_breaks_its_schema_is_a_refusal_and_no_other_model() -> None:
    cache = made(obj(MODEL_DEPLOYMENT, spec={"replicas": "many"}))
    found = cache.read(ModelDeployment, *PLACE)
    assert isinstance(found, Refusal)
    assert "replicas" in found.message
    assert "many" not in found.message
    assert isinstance(cache.read(ModelDeployment, *PLACE), Refusal), "the second time too"
    assert cache.read(ModelVersion, MODEL_VERSION, SPACE, "nothing") is None


def test_parsed_objects_are_kept_up_to_a_bound() -> None:
    cache = ObjectCache()
    names = [f"one-{number}" for number in range(cache_module.PARSED + 20)]
    for name in names:
        cache.observe(MODEL_DEPLOYMENT, obj(MODEL_DEPLOYMENT, name, spec={"model": "credit"}))
    first = cache.read(ModelDeployment, MODEL_DEPLOYMENT, SPACE, names[0])
    for name in names[1:]:
        assert cache.read(ModelDeployment, MODEL_DEPLOYMENT, SPACE, name) is not None
    assert len(cache._parsed) == cache_module.PARSED
    assert cache.read(ModelDeployment, MODEL_DEPLOYMENT, SPACE, names[0]) == first


def test_what_changed_is_worth_no_more_than_what_is_kept() -> None:
    cache = ObjectCache()
    told = deployment(1, metadata={"managedFields": ["x" * 1000], "annotations": {"mine": "y"}})
    change = cache.observe(MODEL_DEPLOYMENT, told)
    assert isinstance(change, Change)
    assert change.after == cache.get(*PLACE)
    assert "managedFields" not in str(change.after)
