"""The one verdict on a model's packages: no spelling, nesting or package URL hides one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.dependencies import Dependencies, Licences, Vulnerabilities
from hallmark.supply_chain.osv_entry import Vulnerability
from hallmark.supply_chain.packages import (
    check_packages,
    is_about_a_package,
    packages_of,
    python_packages,
)
from hallmark.supply_chain.sbom import SBOM, read_sbom
from hallmark.supply_chain.vulnerabilities import Known
from tests.examples import examples
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.osv_entries import NOW

ALL = Dependencies(
    denied=["torch"],
    require_hashes=True,
    licences=Licences(allowed=["MIT"]),
    vulnerabilities=Vulnerabilities(),
)


def asked(*parts: dict[str, Any]) -> set[tuple[str, str]]:
    return python_packages(packages_of({"components": list(parts)}))


def part(purl: str | None = None, **said: Any) -> dict[str, Any]:  # noqa: ANN401
    stated = {"type": "library", "name": "pillow", "version": "1.0"} | said
    return stated if purl is None else stated | {"purl": purl}


OWN = ("pillow", "1.0")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param(part(), {OWN}, id="without a package URL"),
        pytest.param(part("pkg:pypi/pillow@1.0"), {OWN}, id="the same twice"),
        pytest.param(part("pkg:pypi/evil@1.0"), {OWN, ("evil", "1.0")}, id="another name"),
        pytest.param(part("pkg:pypi/pillow@0.1"), {OWN, ("pillow", "0.1")}, id="another version"),
        pytest.param(part("pkg:pypi/pillow"), {OWN, ("pillow", "")}, id="no version there"),
        pytest.param(part("pkg:pypi/a/evil@1"), {OWN, ("evil", "1")}, id="with a namespace"),
        pytest.param(part("pkg:PyPI/Evil@1"), {OWN, ("evil", "1")}, id="in odd case"),
        pytest.param(part("PKG:pypi/evil@1"), {OWN, ("evil", "1")}, id="a scheme in odd case"),
        pytest.param(part(name=" pil\u2003low\n", version="1.0 "), {OWN}, id="with white space"),
        pytest.param(part("nonsense"), {OWN}, id="a package URL that is none"),
        pytest.param(part("pkg:deb/debian/pillow@1"), set(), id="a package of Debian"),
        pytest.param(part(type="data"), set(), id="data"),
        pytest.param(
            part("pkg:pypi/pillow@1.0", type="file"), {OWN}, id="a file with a package URL"
        ),
        pytest.param(part(type="application"), {OWN}, id="an application"),
        pytest.param(part(version=None), {("pillow", "")}, id="without a version"),
        pytest.param(part(name=5, version=[]), {("5", "")}, id="of odd types"),
        pytest.param(
            {"type": "file", "name": "x", "components": [part()]}, {OWN}, id="one level deeper"
        ),
    ],
)
def test_a_package_is_found_under_every_name_and_version_that_is_stated(
    stated: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    assert asked(stated) == expected


@pytest.mark.parametrize("root", [{"components": [part()]}, {"components": [part(components=[1])]}])
def test_a_package_inside_what_the_document_describes_is_found(root: dict[str, Any]) -> None:
    assert python_packages(packages_of({"metadata": {"component": root}})) == {OWN}


def test_sealing_sees_a_package_inside_the_model_too() -> None:
    document = json.loads(factories.sbom())
    document["metadata"]["component"]["components"] = [part(**{"bom-ref": "inside"})]
    bill = read_sbom(json.dumps(document).encode())

    assert isinstance(bill, SBOM), bill
    assert OWN in python_packages(packages_of({"components": [*bill.components]}))


@pytest.mark.parametrize("metadata", [None, 5, [], {}, {"component": 5}, {"component": part()}])
def test_metadata_of_any_form_has_no_package_of_its_own(metadata: object) -> None:
    assert not python_packages(packages_of({"metadata": metadata}))


def test_the_three_rules_are_one_verdict() -> None:
    flaw = Vulnerability("numpy", "2.4.6", "GHSA-1", (), None, "")
    packages = list(packages_of(json.loads(factories.sbom())))
    found = check_packages(
        packages, ALL, Known("sha256:0", NOW, (flaw,)), NOW, also=[("Torch", "2")]
    )
    said = " ".join(problem.sentence() for problem in found)
    assert all(word in said for word in ("'torch' 2", "licence of 'numpy'", "GHSA-1 in 'numpy'"))


SHA256 = {"alg": "SHA-256", "content": "aB" * 32}


@pytest.mark.parametrize(
    ("stated", "passes"),
    [
        pytest.param(part(hashes=[SHA256]), True, id="a digest"),
        pytest.param(part(hashes=[{"alg": "MD5", "content": "a" * 32}, SHA256]), True, id="two"),
        pytest.param(part(), False, id="none"),
        pytest.param(part(hashes=[{"alg": "MD5", "content": "a" * 32}]), False, id="a weak one"),
        pytest.param(part(hashes=[{"alg": "SHA-1", "content": "a" * 40}]), False, id="SHA-1"),
        pytest.param(part(hashes=[{**SHA256, "content": "aa"}]), False, id="a short one"),
        pytest.param(part(hashes=[{**SHA256, "content": "x" * 64}]), False, id="no hex"),
        pytest.param(part(hashes="a" * 64), False, id="of odd form"),
        pytest.param(part(hashes=[None, {"alg": []}]), False, id="of no form"),
        pytest.param(part(hashes=[SHA256], version=""), False, id="no version"),
        pytest.param(part("pkg:deb/debian/pillow@1"), True, id="not Python's"),
        pytest.param(part("pkg:pypi/pillow@1.0"), False, id="Python's"),
        pytest.param(part(type="file"), True, id="a file"),
    ],
)
def test_a_package_without_a_digest_is_refused_where_one_must_be(
    stated: dict[str, Any], passes: bool
) -> None:
    packages = list(packages_of({"components": [stated]}))
    found = check_packages(packages, Dependencies(require_hashes=True), None, NOW)
    assert (found == []) is passes
    assert all(is_about_a_package(problem) for problem in found)
    assert check_packages(packages, Dependencies(), None, NOW) == []


def test_the_sentence_on_a_digest_names_package_and_rule() -> None:
    packages = packages_of({"components": [part(name="Pillow")]})
    (found,) = check_packages(packages, Dependencies(require_hashes=True), None, NOW)
    assert found.sentence() == (
        "Dependencies: expected of 'pillow' 1.0 a version, and a digest of what it was installed "
        "from (the policy's dependencies.requireHashes), found no digest in the bill of materials."
    )


def test_without_rules_nothing_is_asked() -> None:
    packages = packages_of(json.loads(factories.sbom()))
    assert check_packages(packages, Dependencies(), None, NOW) == []


def test_a_rule_without_a_snapshot_refuses() -> None:
    rules = Dependencies(vulnerabilities=Vulnerabilities())
    (found,) = check_packages((), rules, None, NOW)
    assert "expected a snapshot of OSV" in found.sentence()


JSON = st.recursive(
    st.none() | st.text(max_size=5) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["components", "licenses", "license", "expression", "type", "name", "purl"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.just("components"), JSON))
@examples(100)
def test_a_document_of_any_form_is_read(document: dict[str, object]) -> None:
    check_packages(packages_of(document), ALL, None, NOW)
