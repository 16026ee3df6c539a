"""The compiled schema says of any document what the library's own validator says."""

from __future__ import annotations

import copy
import json
import sys
import time
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from hypothesis import given, strategies as st

from hallmark.supply_chain.cyclonedx_schema import schema_problem
from hallmark.supply_chain.library import SERVING, Library
from hallmark.supply_chain.sbom import MAX_COMPONENTS
from tests.examples import examples
from tests.unit.supply_chain import factories

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # its import takes seconds
from cyclonedx.validation.json import JsonStrictValidator  # noqa: E402

LIBRARIES = [
    Library("numpy", "2.4.6", "BSD-3-Clause", (), None, "sha256:" + "0" * 64),
    Library("uvicorn", "0.54.0", "BSD-3-Clause AND MIT", ("numpy",), used_in=(SERVING,)),
    Library("other", "1", "Some words"),
]
BILL: dict[str, Any] = json.loads(factories.sbom(libraries=LIBRARIES))
OWN = JsonStrictValidator(SchemaVersion.V1_6)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:  # noqa: ANN401
    """Return the path of each value of a document, but the whole."""
    inner = value.items() if isinstance(value, dict) else []
    inner = enumerate(value) if isinstance(value, list) else inner
    return [found for key, part in inner for found in [(*path, key), *places(part, (*path, key))]]


PLACES = places(BILL)
OTHER = st.sampled_from(
    [
        *(None, True, 0, -1, 2.5, 10**30, "", "x", "sha256:x", "not a date", "CVE-1"),
        *([], {}, ["x"], [{}], {"x": 1}, [1, 1], {"type": "library", "name": "n"}),
        [{"expression": "MIT"}, {"license": {}}],
    ]
)


@examples(60)
@given(st.data())
def test_any_change_is_judged_as_by_the_library(data: st.DataObject) -> None:
    document = copy.deepcopy(BILL)
    *path, last = data.draw(st.sampled_from(PLACES))
    around: Any = document
    for key in path:
        around = around[key]
    match data.draw(st.sampled_from(["replace", "remove", "add", "double"])):
        case "replace":
            around[last] = data.draw(OTHER)
        case "remove":
            del around[last]
        case "add" if isinstance(around[last], dict):
            around[last]["extra"] = data.draw(OTHER)
        case _ if isinstance(around, list):
            around.append(around[last])
    expected = OWN.validate_str(json.dumps(document))
    assert (schema_problem(document, "1.6") is None) is (expected is None), expected


def test_a_sentence_says_where_and_which_rule_and_no_value() -> None:
    document = copy.deepcopy(BILL)
    document["components"][1]["secret"] = "value"
    found = schema_problem(document, "1.6")
    assert found == "$.components[1] breaks the rule 'additionalProperties'"


def test_what_is_nested_too_deeply_is_said() -> None:
    inner: dict[str, Any] = {}
    for _ in range(500):
        inner = {"type": "library", "name": "n", "components": [inner]}
    assert schema_problem({**BILL, "components": [inner]}, "1.6") is not None


@pytest.mark.parametrize("version", ["1.4", "1.5", "1.6"])
def test_each_version_is_judged_by_its_own_schema(version: str) -> None:
    document = {"bomFormat": "CycloneDX", "specVersion": version, "version": 1}
    assert schema_problem(document, version) is None
    assert schema_problem({**document, "version": "1"}, version) is not None
    assert schema_problem({**document, "extra": 1}, version) is not None


def test_the_largest_bill_is_judged_at_once() -> None:
    part = {"type": "library", "name": "n"}
    many = [{**part, "version": str(number)} for number in range(MAX_COMPONENTS)]
    schema_problem(BILL, "1.6")
    start = time.process_time()
    assert schema_problem({**BILL, "components": many}, "1.6") is None
    assert schema_problem({**BILL, "components": [*many, many[0]]}, "1.6") is not None
    assert time.process_time() - start < 2, "each compared with each takes minutes"
