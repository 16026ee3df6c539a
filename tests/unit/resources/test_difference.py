from __future__ import annotations

import copy
from typing import Any

import pytest

from hallmark.resources.difference import stamped, stands

WANTED = {
    "kind": "Service",
    "metadata": {"name": "credit", "labels": {"a": "b"}},
    "spec": {"selector": {"version": "1"}, "ports": [{"port": 80}]},
}


def live(**spec: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return the object as the API server would send it, with defaults and its own fields."""
    existing = copy.deepcopy(stamped(WANTED))
    existing["metadata"]["uid"] = "1"
    existing["spec"] = {**existing["spec"], "clusterIP": "10.0.0.1", **spec}
    existing["status"] = {}
    return existing


def test_an_object_with_the_servers_defaults_stands() -> None:
    assert stands(stamped(WANTED), live())


def test_no_object_does_not_stand() -> None:
    assert not stands(stamped(WANTED), None)


@pytest.mark.parametrize(
    "spec",
    [
        {"selector": {"version": "2"}},
        {"selector": {"version": "1", "more": "x"}},
        {"selector": {}},
        {"ports": [{"port": 80}, {"port": 81}]},
        {"ports": []},
        {"ports": [{"port": 8080}]},
    ],
    ids=[
        "another selector",
        "a narrower selector",
        "no selector",
        "one port more",
        "no port",
        "another port",
    ],
)
def test_a_tampered_object_does_not_stand(spec: dict[str, Any]) -> None:
    assert not stands(stamped(WANTED), live(**spec))


def test_what_is_left_of_an_earlier_form_is_found_by_the_stamp() -> None:
    earlier = {**WANTED, "spec": {**WANTED["spec"], "externalName": "x"}}  # type: ignore[dict-item]
    existing = copy.deepcopy(stamped(earlier))
    assert not stands(stamped(WANTED), existing)


def test_the_stamp_is_of_the_content_alone() -> None:
    assert stamped(WANTED) == stamped(copy.deepcopy(WANTED))
