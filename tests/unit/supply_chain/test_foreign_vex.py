"""VEX of other tools: what of it is about this version, and that all else is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.assessment import Analysis, Justification
from hallmark.errors import ConfigurationError
from hallmark.supply_chain.foreign_vex import MAX_BYTES, OPEN_VEX, read_foreign
from tests.examples import examples
from tests.unit.supply_chain.test_vex import BILL

NUMPY = "pkg:pypi/numpy@2.1.0"


def statement(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "vulnerability": {"name": "CVE-1"},
        "products": [{"@id": NUMPY}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_in_execute_path",
        "impact_statement": "Not\nimported.",
        **changes,
    }


def open_vex(*statements: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "@context": OPEN_VEX,
        "@id": "https://example.org/vex-1",
        "author": "Somebody",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": 1,
        "statements": list(statements) or [statement()],
        **changes,
    }


def cyclonedx(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "vulnerabilities": [
            {
                "id": "CVE-1",
                "analysis": {
                    "state": "not_affected",
                    "justification": "code_not_reachable",
                    "detail": "Not imported.",
                },
                "affects": [{"ref": NUMPY}],
            }
        ],
        **changes,
    }


def read(document: dict[str, Any], justification: Justification | None = None) -> list[str]:
    found = read_foreign(json.dumps(document).encode(), BILL, justification)
    return [f"{one.assessment.sentence()} | {one.detail}" for one in found]


SAID = ["CVE-1 in 'numpy' 2.1.0: not_affected (code_not_reachable) | Not imported."]


@pytest.mark.parametrize("document", [open_vex(), cyclonedx()], ids=["OpenVEX", "CycloneDX"])
def test_both_forms_are_read(document: dict[str, Any]) -> None:
    assert read(document) == SAID


@pytest.mark.parametrize(
    ("status", "analysis"),
    [
        ("not_affected", Analysis.NOT_AFFECTED),
        ("affected", Analysis.EXPLOITABLE),
        ("fixed", Analysis.RESOLVED),
        ("under_investigation", Analysis.IN_TRIAGE),
    ],
)
def test_each_status_of_open_vex_is_a_word_of_cyclonedx(status: str, analysis: Analysis) -> None:
    (said,) = read(open_vex(statement(status=status)))
    assert f": {analysis} (" in said


@pytest.mark.parametrize("ref", ["n", "numpy%202.1.0", "pkg:pypi/scipy@1.0"])
def test_a_part_of_the_file_is_found_by_its_reference(ref: str) -> None:
    part = {"type": "library", "bom-ref": ref, "name": "numpy", "version": "2.1.0", "purl": NUMPY}
    found = cyclonedx(components=[part])
    found["vulnerabilities"][0]["affects"] = [{"ref": ref}]
    assert read(found) == SAID


ELSEWHERE = [
    "pkg:pypi/numpy@2.0.0",
    "pkg:pypi/scipy@1.0",
    "pkg:deb/debian/numpy@2.1.0",
    "pkg:pypi/somebody/numpy@2.1.0",
    "pkg:pypi/numpy@2.1.0#numpy/f2py",
]


@pytest.mark.parametrize("purl", ELSEWHERE)
def test_what_is_about_another_package_or_version_says_nothing_here(purl: str) -> None:
    assert read(open_vex(statement(products=[{"@id": purl}]))) == []


def test_a_statement_on_parts_of_a_product_is_about_the_parts() -> None:
    product = {"@id": "pkg:oci/anything", "subcomponents": [{"@id": NUMPY}]}
    assert read(open_vex(statement(products=[product]))) == SAID


def test_a_statement_on_no_version_is_about_each() -> None:
    (said,) = read(open_vex(statement(products=[{"@id": "pkg:pypi/NumPy"}])))
    assert said.startswith("CVE-1 in 'numpy': ")


def test_a_word_that_is_missing_may_be_given() -> None:
    bare = open_vex(statement(justification=None))
    assert "protected_at_runtime" in read(bare, Justification.PROTECTED_AT_RUNTIME)[0]
    with pytest.raises(ConfigurationError, match="give one with --justification"):
        read(bare)


def test_the_same_said_twice_is_one() -> None:
    assert read(open_vex(statement(), statement())) == SAID


def _without(name: str) -> Callable[[], dict[str, Any]]:
    return lambda: {key: value for key, value in open_vex().items() if key != name}


def _vulnerability(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    found = cyclonedx()
    found["vulnerabilities"][0] |= changes
    return found


REFUSED: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "nothing": (dict, "Expected OpenVEX .* or CycloneDX"),
    "another version of OpenVEX": (
        lambda: open_vex(**{"@context": "https://openvex.dev/ns"}),
        "'@context'",
    ),
    "no author": (_without("author"), "'author'"),
    "a field that nobody knows": (lambda: open_vex(extra=1), "'extra'"),
    "no statements": (lambda: open_vex(statements=[]), "'statements'"),
    "a status that nobody knows": (lambda: open_vex(statement(status="fine")), "status"),
    "a justification that nobody knows": (
        lambda: open_vex(statement(justification="luck")),
        "found 'luck'",
    ),
    "no product": (lambda: open_vex(statement(products=[])), "products"),
    "a product that is no package URL": (
        lambda: open_vex(statement(products=[{"@id": "numpy"}])),
        "Expected a package URL",
    ),
    "an id of another form": (
        lambda: open_vex(statement(vulnerability={"name": "a b"})),
        "Expected an id such as",
    ),
    "two words on the same": (
        lambda: open_vex(statement(), statement(status="affected")),
        "says two",
    ),
    "two names of the same letters": (
        lambda: open_vex(statement(), statement(status="fixed", vulnerability={"name": "cve-1"})),
        "says two",
    ),
    "CycloneDX of another version": (lambda: cyclonedx(specVersion="1.3"), "CycloneDX of 1.4"),
    "CycloneDX that is not valid": (lambda: cyclonedx(extra=1), "Expected a valid CycloneDX"),
    "no vulnerabilities": (lambda: cyclonedx(vulnerabilities=[]), "1 to 1024"),
    "no analysis": (lambda: _vulnerability(analysis={}), "analysis.state"),
    "nothing that is affected": (lambda: _vulnerability(affects=[]), "analysis.state"),
    "a reference that leads nowhere": (
        lambda: _vulnerability(affects=[{"ref": "n"}]),
        "names a package URL .* found 'n'",
    ),
    "a range of versions": (
        lambda: _vulnerability(
            affects=[{"ref": "pkg:pypi/numpy", "versions": [{"range": "vers:pypi/<3"}]}]
        ),
        "found a list of versions",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_understood_refuses_the_file(case: str) -> None:
    document, said = REFUSED[case]
    with pytest.raises(ConfigurationError, match=said):
        read(document())


def test_a_file_without_an_end_is_refused_unread() -> None:
    with pytest.raises(ConfigurationError, match="at most"):
        read_foreign(b" " * (MAX_BYTES + 1), BILL)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@examples(150)
@given(st.data())
def test_any_value_anywhere_is_a_word_or_a_sentence(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from([open_vex(), cyclonedx()]))
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else [0]))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    with suppress(ConfigurationError):
        assert all(one.assessment.is_justified for one in read_foreign(_bytes(document), BILL))


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
