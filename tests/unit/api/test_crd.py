from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from hallmark.api import crd
from hallmark.api.conditions import UNSEEN
from hallmark.api.generated import prose, render
from hallmark.errors import ConfigurationError

CRDS = Path(__file__).parents[3] / "crds"


@pytest.mark.parametrize("name", crd.files(), ids="{} is what the models say".format)
def test_the_committed_files_are_the_generated_ones(name: str) -> None:
    expected = render(crd.files()[name], "python -m hallmark.api.crd")

    assert (CRDS / name).read_text() == expected, "run `python -m hallmark.api.crd`"


def test_no_other_file_stands_beside_the_generated_ones() -> None:
    assert {path.name for path in CRDS.iterdir()} == set(crd.files())


def nodes(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    visited = [(path, schema)]
    for name, child in schema.get("properties", {}).items():
        visited += nodes(child, f"{path}.{name}")
    for nested in ("items", "additionalProperties"):
        if isinstance(schema.get(nested), dict):
            visited += nodes(schema[nested], f"{path}[]")
    return visited


every_kind = pytest.mark.parametrize("kind", crd.KINDS, ids=lambda kind: kind.name)


@every_kind
def test_the_schema_has_a_bound_on_every_list_map_and_string(kind: crd.Kind) -> None:
    own = nodes(crd.open_api_schema(kind))
    unbounded = [
        path
        for path, node in own
        if path not in {".apiVersion", ".kind"}
        and (
            (node["type"] == "string" and not {"maxLength", "enum"} & node.keys())
            or (node["type"] == "array" and "maxItems" not in node)
            or ("additionalProperties" in node and "maxProperties" not in node)
        )
    ]

    assert unbounded == []


@every_kind
def test_the_schema_describes_every_field_of_its_spec(kind: crd.Kind) -> None:
    spec = crd.open_api_schema(kind)["properties"]["spec"]
    silent = [path for path, node in nodes(spec) if "[]" not in path and "description" not in node]

    assert silent == []


@every_kind
def test_every_message_of_a_rule_ends_like_a_sentence(kind: crd.Kind) -> None:
    rules = [
        rule
        for _, node in nodes(crd.open_api_schema(kind))
        for rule in node.get("x-kubernetes-validations", [])
    ]

    assert all(rule["message"].endswith(".") for rule in rules)


@every_kind
def test_the_status_is_unseen_by_default_and_has_no_other_default(kind: crd.Kind) -> None:
    status = crd.open_api_schema(kind)["properties"]["status"]
    assert status.pop("default") == {"observedGeneration": UNSEEN}
    assert status["properties"]["observedGeneration"]["minimum"] == UNSEEN
    assert [path for path, node in nodes(status) if "default" in node] == []


@every_kind
def test_the_operator_reads_an_unseen_status(kind: crd.Kind) -> None:
    model = kind.model.model_fields["status"].annotation
    assert model is not None
    assert model.model_validate({"observedGeneration": UNSEEN}).observed_generation == UNSEEN


@every_kind
def test_the_status_keys_its_conditions_by_type(kind: crd.Kind) -> None:
    status = crd.open_api_schema(kind)["properties"]["status"]

    assert status["properties"]["conditions"]["x-kubernetes-list-map-keys"] == ["type"]


class Inner(BaseModel):
    """An inner ``model``."""

    size: int = Field(gt=0)


class Outer(BaseModel):
    """Two optional fields."""

    inner: Inner | None = None
    text: Annotated[str, Field(max_length=3)] = "a"


def transformed(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return crd.structural(schema, schema.get("$defs", {}), "it")


def test_references_are_inlined_and_nulls_folded() -> None:
    assert transformed(Outer) == {
        "type": "object",
        "description": "Two optional fields.",
        "properties": {
            "inner": {
                "type": "object",
                "description": "An inner 'model'.",
                "properties": {"size": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}},
                "required": ["size"],
            },
            "text": {"type": "string", "maxLength": 3, "default": "a"},
        },
    }


class Recursive(BaseModel):
    """A model that contains itself."""

    inner: "Recursive | None" = None


class Holder(BaseModel):
    """What holds it."""

    one: Recursive


UNSTRUCTURAL = {
    "a union of two types": (int | bool, "union of 2 types"),
    "a string without a bound": (str, "maxLength"),
    "a list without a bound": (list[int], "maxItems"),
    "a map without a bound": (dict[str, int], "maxProperties"),
    "a map of anything": (dict[str, Any], "what its values are"),
    "a tuple": (tuple[int, int], "prefixItems"),
    "a float": (float, "type 'number'"),
    "anything": (Any, "type None"),
}


@pytest.mark.parametrize(("type_", "found"), UNSTRUCTURAL.values(), ids=UNSTRUCTURAL.keys())
def test_what_a_crd_cannot_say_is_refused(type_: object, found: str) -> None:
    model = type("Model", (BaseModel,), {"__annotations__": {"field": type_}})

    with pytest.raises(ConfigurationError, match=rf"it\.field.*{found}"):
        transformed(model)


def test_a_model_that_contains_itself_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Recursive contains itself"):
        transformed(Holder)


def test_a_docstring_becomes_plain_text() -> None:
    assert prose("One ``word``\n    goes on.\n\n    Another.") == "One 'word' goes on.\nAnother."
