"""Whatever status the code can build fits the schema that the API server holds it to."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, strategies as st

from hallmark.api import crd
from hallmark.api.drift_state import DriftState
from hallmark.api.model_deployment import ModelDeploymentStatus
from tests.examples import examples
from tests.unit.api.status_values import statuses


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a CRD's schema as JSON Schema that takes no field which it does not name."""
    kept = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes")}
    if "properties" in kept:
        kept["properties"] = {name: strict(child) for name, child in kept["properties"].items()}
        kept["additionalProperties"] = False
    elif isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = strict(kept["additionalProperties"])
    if "items" in kept:
        kept["items"] = strict(kept["items"])
    return kept


def empties(value: object, path: str = "status") -> list[str]:
    """Return where a null, or an empty map or list, stands in a map."""
    if isinstance(value, list):
        return [
            place
            for number, item in enumerate(value)
            for place in empties(item, f"{path}[{number}]")
        ]
    if not isinstance(value, dict):
        return []
    found = [f"{path}.{key}" for key, item in value.items() if item in (None, {}, [])]
    return found + [
        place for key, item in value.items() for place in empties(item, f"{path}.{key}")
    ]


@pytest.mark.parametrize("kind", crd.KINDS, ids=lambda kind: kind.name)
@examples(
    60,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
@given(data=st.data())
def test_a_status_fits_its_schema(kind: crd.Kind, data: st.DataObject) -> None:
    schema = strict(crd.open_api_schema(kind)["properties"]["status"])
    wire = data.draw(statuses(kind.model)).to_wire()

    jsonschema.Draft202012Validator(schema).validate(wire)
    assert empties(wire) == []


def test_what_is_empty_is_left_out() -> None:
    status = ModelDeploymentStatus(drift_state=DriftState(pods={}), refused=[])

    assert status.to_wire() == {
        "driftState": {
            "verdict": "Inconclusive",
            "voters": 0,
            "drifting": 0,
            "unsure": 0,
            "idle": 0,
            "rejecting": 0,
            "inputRejected": False,
            "rejectedFor": "",
            "probingClients": 0,
            "needed": "",
            "windows": 0,
            "silentPods": 0,
        },
        "paused": False,
    }
    assert ModelDeploymentStatus.model_validate(status.to_wire()) == status
