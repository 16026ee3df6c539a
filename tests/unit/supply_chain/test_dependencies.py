"""Denied packages are found under every spelling of their name."""

from __future__ import annotations

import pytest

from hallmark.supply_chain.dependencies import check_dependencies


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


@pytest.mark.parametrize("denied", [[], ["tor"], ["torchvision"], [""]])
def test_other_packages_pass(denied: list[str]) -> None:
    assert check_dependencies([("torch", "1.0")], denied) == []
