"""Denied packages are found under every spelling of their name, in the versions that are meant."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from hallmark.api.dependencies import DENIED
from hallmark.supply_chain.dependencies import check_dependencies
from tests.examples import examples


@pytest.mark.parametrize(
    ("present", "denied"),
    [
        pytest.param("torch", "torch", id="the same spelling"),
        pytest.param("Py_YAML", "py-yaml", id="another spelling in the bill"),
        pytest.param("zope-interface", "Zope.Interface", id="another spelling in the policy"),
        pytest.param("a-b", "a.-_b", id="a run of separators"),
        pytest.param("torch", " torch ", id="spaces in the policy"),
    ],
)
def test_a_denied_package_is_refused(present: str, denied: str) -> None:
    (found,) = check_dependencies([(present, "1.0"), ("other", "2")], [denied])
    assert "dependencies.denied" in found.sentence()
    assert "1.0" in found.found


@pytest.mark.parametrize("denied", [[], ["tor"], ["torchvision"], ["torchvision<9"]])
def test_other_packages_pass(denied: list[str]) -> None:
    assert check_dependencies([("torch", "1.0")], denied) == []


ORDERED = [
    "1.0.dev1",
    "1.0a1",
    "1.0rc1",
    "1.0",
    "1.0+cpu",
    "1.0.post1",
    "1.1.dev0",
    "1.1",
    "1.10",
    "2!0.1",
]
"""Versions of every form that PEP 440 knows, each later than the one before."""


@pytest.mark.parametrize("version", ORDERED)
@pytest.mark.parametrize("limit", [each for each in ORDERED if "+" not in each])
def test_a_denial_below_or_above_a_version_lets_none_pass_that_is(version: str, limit: str) -> None:
    place = ORDERED.index(version) - ORDERED.index(limit)
    assert bool(check_dependencies([("torch", version)], [f"torch<{limit}"])) == (place < 0)
    assert bool(check_dependencies([("torch", version)], [f"torch>{limit}"])) == (place > 0)


@pytest.mark.parametrize(
    ("rule", "caught"),
    [
        pytest.param("torch==1.0", {"1.0", "1.0+cpu"}, id="one version, however it was built"),
        pytest.param("torch==1.1.*", {"1.1.dev0", "1.1"}, id="a series"),
        pytest.param("torch>=1.0,<1.1", {"1.0", "1.0+cpu", "1.0.post1", "1.1.dev0"}, id="between"),
        pytest.param("torch===1.0", {"1.0"}, id="one version, by its text"),
        pytest.param("torch===v1.0.0", {"1.0"}, id="one version, in another spelling"),
        pytest.param("torch!=1.0", {*ORDERED} - {"1.0", "1.0+cpu"}, id="all but one"),
        pytest.param("torch", {*ORDERED}, id="all"),
        pytest.param("torch>2,<1", set(), id="none"),
    ],
)
def test_a_range_names_the_versions_within_all_its_bounds(rule: str, caught: set[str]) -> None:
    found = {version for version in ORDERED if check_dependencies([("torch", version)], [rule])}
    assert found == caught


def test_a_range_beside_another_of_the_same_package_denies_too_and_is_named() -> None:
    (found,) = check_dependencies([("torch", "3.1")], ["torch<1", "Torch >= 3"])
    assert "no package 'Torch>=3'" in found.expected
    assert found.found == "'torch' 3.1"


@pytest.mark.parametrize("version", ["", "unknown", "1.0-final-2", "1x", "9" * 5000])
def test_a_version_that_cannot_be_compared_is_in_every_range(version: str) -> None:
    assert check_dependencies([("torch", version)], ["torch<0.1"])
    assert not check_dependencies([("other", version)], ["torch<0.1"])


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("", id="nothing"),
        pytest.param("-", id="no name"),
        pytest.param("\0", id="a control character"),
        pytest.param("torch<", id="no version"),
        pytest.param("torch 1", id="no operator"),
        pytest.param("torch<<1", id="no such operator"),
        pytest.param("torch<x", id="no such version"),
        pytest.param("torch~=1", id="a bound that PEP 440 does not know"),
        pytest.param("torch[gpu]", id="an extra"),
        pytest.param("torch @ https://a/b", id="an address"),
        pytest.param("torch<1; python_version<'3'", id="a marker"),
    ],
)
def test_a_rule_that_cannot_be_read_passes_nothing(rule: str) -> None:
    (found,) = check_dependencies([("other", "1.0")], [rule])
    assert found.expected.endswith("in the policy's dependencies.denied")


@given(st.from_regex(DENIED, fullmatch=True), st.sampled_from(ORDERED))
@examples(100)
def test_what_the_api_server_accepts_is_read(rule: str, version: str) -> None:
    assert not check_dependencies([("-", version)], [rule.removesuffix("\n")])


@given(st.lists(st.integers(0, 12), min_size=1, max_size=3), st.sampled_from("ab"))
@examples(100)
def test_a_denial_is_never_narrower_than_the_range_of_the_standard(
    parts: list[int], letter: str
) -> None:
    limit = ".".join(map(str, parts))
    for version in (limit, f"{limit}{letter}1", f"{limit}.1", f"{limit}.post2", *ORDERED):
        for bound in ("<", "<=", ">", ">=", "==", "!="):
            meant = Requirement(f"torch{bound}{limit}").specifier
            if meant.contains(Version(version), prereleases=True):
                assert check_dependencies([("torch", version)], [f"torch{bound}{limit}"])
