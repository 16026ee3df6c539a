import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hallmark.api import admission, names
from hallmark.api.generated import render

IDENTITY = names.APPROVAL_IDENTITY_POLICY
FOLDER = Path(__file__).parents[3] / "manifests" / "base" / "admission"
Obj = dict[str, Any]


@pytest.mark.parametrize("name", admission.files(), ids="{} is what the code says".format)
def test_the_committed_files_are_the_generated_ones(name: str) -> None:
    expected = render(admission.files()[name], "python -m hallmark.api.admission")

    assert (FOLDER / name).read_text() == expected, "run `python -m hallmark.api.admission`"


def test_no_other_file_stands_beside_the_generated_ones() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(admission.files())


@pytest.mark.parametrize(
    ("policy", "binding"),
    admission.policies(),
    ids=[policy["metadata"]["name"] for policy, _ in admission.policies()],
)
def test_a_policy_is_bound_denies_and_fails_closed(policy: Obj, binding: Obj) -> None:
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    assert "Deny" in binding["spec"]["validationActions"]
    assert policy["spec"]["failurePolicy"] == "Fail"


def test_the_operators_right_to_watch_them_is_the_generated_one() -> None:
    ((name, objects),) = admission.watch_role().items()
    written = (FOLDER.parent / "rbac" / name).read_text()
    assert written == render(objects, "python -m hallmark.api.admission")
    (rule,) = objects[0]["rules"]
    assert rule["verbs"] == ["get", "list", "watch"]


def as_stored() -> tuple[Obj, Obj]:
    """Return the identity policy and its binding as an API server would send them."""
    policy, binding = copy.deepcopy(admission.approval_identity())
    for obj in (policy, binding):
        obj["metadata"].update(uid="1", creationTimestamp="2026-01-01T00:00:00Z")
    policy["status"] = {"observedGeneration": 1}
    return policy, binding


def test_the_identity_policy_is_in_force_as_the_api_server_stores_it() -> None:
    assert admission.in_force_since(IDENTITY, *as_stored())


def _drop_validation(policy: Obj, binding: Obj) -> None:
    del binding, policy["spec"]["validations"][0]


def _ignore_failures(policy: Obj, binding: Obj) -> None:
    del binding
    policy["spec"]["failurePolicy"] = "Ignore"


def _add_condition(policy: Obj, binding: Obj) -> None:
    del binding
    policy["spec"]["matchConditions"] = [{"name": "never", "expression": "false"}]


def _only_audit(policy: Obj, binding: Obj) -> None:
    del policy
    binding["spec"]["validationActions"] = ["Audit"]


def _match_elsewhere(policy: Obj, binding: Obj) -> None:
    del policy
    binding["spec"]["matchResources"] = {"namespaceSelector": {"matchLabels": {"a": "b"}}}


def _is_going(policy: Obj, binding: Obj) -> None:
    del policy
    binding["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "change",
    [
        _drop_validation,
        _ignore_failures,
        _add_condition,
        _only_audit,
        _match_elsewhere,
        _is_going,
    ],
    ids=lambda change: change.__name__.strip("_").replace("_", " "),
)
def test_a_changed_identity_policy_is_not_in_force(change: Callable[[Obj, Obj], None]) -> None:
    policy, binding = as_stored()
    change(policy, binding)

    assert not admission.in_force_since(IDENTITY, policy, binding)


def test_an_absent_policy_or_binding_is_not_in_force() -> None:
    policy, binding = as_stored()

    assert not admission.in_force_since(IDENTITY, None, binding)
    assert not admission.in_force_since(IDENTITY, policy, None)


def test_a_policy_is_in_force_since_it_last_changed() -> None:
    policy, binding = as_stored()
    binding["metadata"]["managedFields"] = [
        {"manager": "kubectl", "time": "2026-01-02T00:00:00Z"},
        {"manager": "controller", "subresource": "status", "time": "2026-01-03T00:00:00Z"},
    ]

    since = admission.in_force_since(IDENTITY, policy, binding)
    assert since == "2026-01-02T00:00:00Z"


def test_an_apply_that_changed_nothing_does_not_count_as_a_change() -> None:
    policy, binding = as_stored()
    before = admission.in_force_since(IDENTITY, policy, binding)
    binding["metadata"]["managedFields"] = [{"manager": "kubectl", "operation": "Apply"}]

    assert admission.in_force_since(IDENTITY, policy, binding) == before


def test_a_policy_under_the_name_of_another_is_not_in_force() -> None:
    assert admission.in_force_since("hallmark-requester-identity", *as_stored()) is None
