"""The digest of a run's spec: the same for what means the same, another for what does not."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api.training_run import TrainingRunSpec, asked_spec, spec_digest, told_spec

LEAST: dict[str, Any] = {
    "model": "loan",
    "dataset": {"configMap": {"name": "loans", "key": "data.csv"}},
    "schema": {
        "features": [{"name": "income", "type": "Number"}],
        "target": {"name": "default", "positive": "yes"},
    },
    "requestedBy": "alice",
}


def digest(**changes: object) -> str:
    return spec_digest(TrainingRunSpec.model_validate({**LEAST, **changes}))


def test_a_spelled_out_default_is_as_good_as_none() -> None:
    whole = TrainingRunSpec.model_validate(LEAST).to_wire()
    assert whole != LEAST, "there are defaults to spell out"
    assert spec_digest(TrainingRunSpec.model_validate(whole)) == digest()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"requestedBy": "bob"}, id="who asks"),
        pytest.param({"suspend": True}, id="whether it waits"),
        pytest.param({"jobTTL": "1h"}, id="how long its Jobs stay"),
        pytest.param({"trainer": {"seed": 0}}, id="a default in a part"),
    ],
)
def test_what_does_not_change_the_result_does_not_count(changes: dict[str, Any]) -> None:
    assert digest(**changes) == digest()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"model": "loan-2"}, id="the model"),
        pytest.param({"trainer": {"seed": 1}}, id="a setting"),
        pytest.param(
            {"gates": [{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.5"}]},
            id="a gate",
        ),
        pytest.param({"evaluation": {"epsilon": "0.2"}}, id="a measure"),
    ],
)
def test_what_changes_the_result_counts(changes: dict[str, Any]) -> None:
    assert digest(**changes) != digest()


def test_others_are_told_the_whole_spec_but_neither_records_nor_who_asked() -> None:
    by_name = TrainingRunSpec.model_validate(LEAST)
    assert told_spec(by_name, "sha256:rows") == asked_spec(by_name)
    assert "requestedBy" not in told_spec(by_name, "sha256:rows")

    inline = {**LEAST, "dataset": {"records": "income,default\n1,yes\n", "format": "JSONLines"}}
    told = told_spec(TrainingRunSpec.model_validate(inline), "sha256:rows")
    assert told["dataset"] == {"format": "JSONLines", "recordsFingerprint": "sha256:rows"}
    assert {**told, "dataset": None} == {**asked_spec(by_name), "dataset": None}
