"""Under which keys an object is found besides its place."""

from __future__ import annotations

import pytest

from hallmark.api import names
from hallmark.cluster.indices import IndexKey, indices, text, used_versions
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    JOB,
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    POD,
    SERVICE,
    TRAINING_RUN,
    Obj,
)
from tests.unit.cluster.cached import SPACE, obj

IN = ("in", SPACE)
SYSTEM = "hallmark-system"


def labelled(**labels: str) -> Obj:
    return {"labels": {getattr(names, f"LABEL_{name}"): value for name, value in labels.items()}}


@pytest.mark.parametrize(
    ("found", "keys"),
    [
        pytest.param(
            obj(MODEL_VERSION, spec={"model": "m", "artifact": {"manifestDigest": "d" * 50}}),
            {IN, ("model", SPACE, "m"), ("digest", "d" * 50), ("latch", "d" * 40)},
            id="a version by its model and by its bytes",
        ),
        pytest.param(
            obj(MODEL_APPROVAL, spec={"modelVersion": {"name": "v1"}}),
            {IN, ("version", SPACE, "v1")},
            id="an approval by the version it decides on",
        ),
        pytest.param(
            obj(MODEL_DEPLOYMENT, spec={"model": "m"}),
            {IN, ("model", SPACE, "m")},
            id="a ModelDeployment by the model it follows",
        ),
        pytest.param(
            obj(MODEL_DEPLOYMENT, spec={"modelVersion": "v1"}),
            {IN, ("version", SPACE, "v1")},
            id="a ModelDeployment by the version it asks for",
        ),
        pytest.param(
            obj(
                MODEL_DEPLOYMENT,
                spec={"modelVersion": "v1"},
                status={"activeModelVersion": "v1", "stableModelVersion": "v2"},
            ),
            {IN, ("version", SPACE, "v1"), ("version", SPACE, "v2")},
            id="a ModelDeployment by each version it uses, once",
        ),
        pytest.param(obj(TRAINING_RUN), {IN}, id="a run by its namespace alone"),
        pytest.param(obj(MODEL_POLICY), {("in", None)}, id="a policy is in no namespace"),
        pytest.param(
            obj(SERVICE, metadata=labelled(DEPLOYMENT="credit")),
            {("child", SPACE, "credit")},
            id="a child by the ModelDeployment that its label names",
        ),
        pytest.param(
            obj(POD, metadata=labelled(DEPLOYMENT="credit")),
            {("child", SPACE, "credit")},
            id="a predictor's Pod too",
        ),
        pytest.param(
            obj(POD, metadata=labelled(RUN="run", JOB_NAME="train")),
            {("run", SPACE, "run"), ("job", SPACE, "train")},
            id="a Job's Pod by its run and by its Job",
        ),
        pytest.param(
            obj(APPS_DEPLOYMENT, metadata=labelled(JOB_NAME="train")),
            set(),
            id="only a Pod is found by a Job",
        ),
        pytest.param(
            obj(JOB, metadata=labelled(RUN="run", RUN_NAMESPACE=SPACE, JOB="seal"), space=SYSTEM),
            {("run", SPACE, "run"), ("sealing", SPACE)},
            id="a sealing Job by the run's namespace",
        ),
        pytest.param(
            obj(JOB, metadata=labelled(RUN="run"), space=SYSTEM),
            {("run", SYSTEM, "run")},
            id="what names no namespace of a run belongs to one beside it",
        ),
        pytest.param(
            obj(CONFIG_MAP, metadata=labelled(RUN="run", RUN_NAMESPACE=SPACE), space=SYSTEM),
            {("run", SPACE, "run")},
            id="what is in the system's namespace by the run's namespace",
        ),
        pytest.param(obj(CONFIG_MAP), set(), id="what names nobody is found by its place alone"),
        pytest.param(
            obj(NAMESPACE, SPACE, metadata=labelled(POLICY="strict")),
            {("policy", "strict")},
            id="a namespace by the policy that its label names",
        ),
        pytest.param(
            obj(NAMESPACE, SPACE), {("policy", "default")}, id="a namespace without one by default"
        ),
    ],
)
def test_indices(found: Obj, keys: set[IndexKey]) -> None:
    kind = next(
        kind
        for kind in (
            *(MODEL_VERSION, MODEL_APPROVAL, MODEL_DEPLOYMENT, TRAINING_RUN, MODEL_POLICY),
            *(SERVICE, POD, APPS_DEPLOYMENT, JOB, CONFIG_MAP, NAMESPACE),
        )
        if (kind.api_version, kind.kind) == (found["apiVersion"], found["kind"])
    )
    yielded = list(indices(kind, found))
    assert set(yielded) == keys
    assert len(yielded) == len(keys), "each once"


@pytest.mark.parametrize(
    ("status", "used"),
    [
        pytest.param({}, set(), id="nothing"),
        pytest.param({"activeModelVersion": "a"}, {"a"}, id="what serves"),
        pytest.param({"stableModelVersion": "a"}, {"a"}, id="what was stable"),
        pytest.param({"candidateModelVersion": "a"}, {"a"}, id="the candidate"),
        pytest.param({"rollout": {"modelVersion": "a"}}, {"a"}, id="what a rollout is about"),
        pytest.param(
            {"history": [{"version": "a", "wasStable": True}, {"version": "b"}]},
            {"a"},
            id="what it could go back to, not what was never stable",
        ),
        pytest.param(
            {"activeModelVersion": None, "rollout": None, "history": None},
            set(),
            id="null is nothing",
        ),
    ],
)
def test_the_versions_that_a_deployment_uses(status: Obj, used: set[str]) -> None:
    assert used_versions(obj(MODEL_DEPLOYMENT, status=status)) == used
    assert used_versions(obj(MODEL_DEPLOYMENT)) == set()


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({}, id="nothing there"),
        pytest.param({"spec": None}, id="null"),
        pytest.param({"spec": {"model": 3}}, id="no text"),
        pytest.param({"spec": ["model"]}, id="another form"),
    ],
)
def test_what_is_no_text_is_an_empty_one(broken: Obj) -> None:
    assert text(broken, "spec", "model") == ""
