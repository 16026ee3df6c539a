"""Which objects are looked at when another one changed."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api import names
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    TRAINING_RUN,
)
from hallmark.controllers import routes
from hallmark.controllers.queue import Key


def obj(spec: Any = None, status: Any = None, **metadata: Any) -> dict[str, Any]:  # noqa: ANN401
    whole = {"name": "x", "namespace": "bank", **metadata}
    return {"metadata": whole, "spec": spec or {}, "status": status or {}}


RUN = {names.LABEL_RUN: "v1"}


@pytest.mark.parametrize(
    ("route", "changed", "keys"),
    [
        pytest.param(routes.training_run, obj(), [Key(TRAINING_RUN, "bank", "x")], id="a run"),
        pytest.param(
            routes.model_version,
            obj(status={"approvals": [{"name": "yes"}]}),
            [
                Key(MODEL_APPROVAL, "bank", "yes"),
                Key(MODEL_VERSION, "bank", "x"),
                Key(TRAINING_RUN, "bank", "x"),
                Key(MODEL_DEPLOYMENT, "bank", "*"),
            ],
            id="a version",
        ),
        pytest.param(
            routes.model_approval,
            obj({"modelVersion": {"name": "v1"}}),
            [Key(MODEL_APPROVAL, "bank", "x"), Key(MODEL_VERSION, "bank", "v1")],
            id="an approval",
        ),
        pytest.param(
            routes.model_approval,
            obj({"modelVersion": None}),
            [Key(MODEL_APPROVAL, "bank", "x")],
            id="an approval that names nothing",
        ),
        pytest.param(
            routes.model_deployment, obj(), [Key(MODEL_DEPLOYMENT, "bank", "x")], id="a deployment"
        ),
        pytest.param(
            routes.model_policy,
            obj(),
            [
                Key(MODEL_POLICY, None, "x"),
                *(Key(k, None, "*") for k in (TRAINING_RUN, MODEL_VERSION, MODEL_DEPLOYMENT)),
            ],
            id="a policy",
        ),
        pytest.param(
            routes.namespace,
            obj(),
            [Key(k, "x", "*") for k in (TRAINING_RUN, MODEL_VERSION, MODEL_DEPLOYMENT)],
            id="a namespace",
        ),
        pytest.param(
            routes.child, obj(labels=RUN), [Key(TRAINING_RUN, "bank", "v1")], id="a training Job"
        ),
        pytest.param(
            routes.child,
            obj(labels={**RUN, names.LABEL_RUN_NAMESPACE: "team"}, namespace="hallmark-system"),
            [Key(TRAINING_RUN, "team", "v1")],
            id="a sealing Job of another namespace's run",
        ),
        pytest.param(
            routes.child,
            obj(labels={names.LABEL_DEPLOYMENT: "scores"}),
            [Key(MODEL_DEPLOYMENT, "bank", "scores")],
            id="a predictor's Pod",
        ),
        pytest.param(routes.child, obj(labels=None), [], id="a stranger"),
    ],
)
def test_a_route(route: routes.Route, changed: dict[str, Any], keys: list[Key]) -> None:
    assert route(changed) == keys


def test_the_versions_that_a_deployment_uses() -> None:
    status = {
        "activeModelVersion": "v3",
        "stableModelVersion": "v2",
        "rollout": {"modelVersion": "v4"},
        "history": [{"version": "v1", "wasStable": True}, {"version": "v0"}, {}],
    }
    assert routes.used_versions(obj(status=status)) == {"v1", "v2", "v3", "v4"}
    assert routes.used_versions({"metadata": {}}) == frozenset()
