"""Licences that a policy does not accept are found, and what is not understood passes nothing."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from hypothesis import given, strategies as st

from hallmark.api.dependencies import Licences
from hallmark.supply_chain.licences import Licensed, check_licences
from hallmark.supply_chain.packages import Package, packages_of
from tests.examples import examples

CLASSPATH = "GPL-2.0-only WITH Classpath-exception-2.0"


def passes(stated: str, allowed: list[str] | None = None, denied: list[str] | None = None) -> bool:
    rules = Licences(allowed=allowed or [], denied=denied or [])
    return not check_licences([Licensed("numpy", "2.4", (stated,))], rules)


@pytest.mark.parametrize(
    ("stated", "accepted"),
    [
        pytest.param("MIT", True, id="an id"),
        pytest.param("mit", True, id="an id in another case"),
        pytest.param("MIT License", True, id="a classifier that means one licence"),
        pytest.param(" the  mit\nlicense ", True, id="the same in other words and spaces"),
        pytest.param("BSD License", False, id="a classifier that means several"),
        pytest.param("MIT OR GPL-3.0-only", True, id="one alternative is accepted"),
        pytest.param("GPL-3.0-only OR MIT", True, id="the other alternative is"),
        pytest.param("GPL-3.0-only OR BSD-2-Clause", False, id="no alternative is"),
        pytest.param("MIT AND GPL-3.0-only", False, id="one part is not accepted"),
        pytest.param("MIT AND Apache-2.0", True, id="all parts are"),
        pytest.param("MIT AND (GPL-3.0-only OR Apache-2.0)", True, id="brackets"),
        pytest.param("(MIT AND GPL-3.0-only) OR Apache-2.0", True, id="other brackets"),
        pytest.param("GPL-3.0-only AND MIT OR MIT", True, id="AND binds before OR"),
        pytest.param("MIT OR LicenseRef-ours", True, id="an unknown alternative"),
        pytest.param("MIT AND LicenseRef-ours", False, id="an unknown part"),
        pytest.param("LicenseRef-MIT", False, id="a word of the author's own"),
        pytest.param("LicenseRef-scancode-other-permissive", False, id="a word of a tool's own"),
        pytest.param("NONE", False, id="none"),
        pytest.param("NOASSERTION", False, id="no assertion"),
        pytest.param("", False, id="nothing"),
        pytest.param("MIT AND", False, id="half an expression"),
        pytest.param("MIT, Apache-2.0", False, id="a list"),
        pytest.param("Apache-2.0 WITH LLVM-exception", False, id="an exception that is not named"),
        pytest.param("MIT WITH Apache-2.0", False, id="an exception that is none"),
        pytest.param("(" * 500 + "MIT", False, id="broken brackets"),
        pytest.param("())", False, id="brackets that the library stumbles over"),
        pytest.param("(MIT OR " * 120 + "MIT" + ")" * 120, False, id="nested too deeply"),
        pytest.param("MIT OR " * 200 + "MIT", False, id="longer than is read"),
    ],
)
def test_of_allowed_licences_one_alternative_and_every_part_must_be(
    stated: str, accepted: bool
) -> None:
    assert passes(stated, allowed=["MIT", "Apache-2.0"]) == accepted


@pytest.mark.parametrize(
    ("stated", "denied", "accepted"),
    [
        pytest.param("GPL-3.0-only", "GPL-3.0-only", False, id="the very licence"),
        pytest.param("GPL-3.0", "GPL-3.0-only", False, id="its former id in the bill"),
        pytest.param("GPL-3.0-only", "GPL-3.0", False, id="its former id in the policy"),
        pytest.param("GNU General Public License v3 (GPLv3)", "GPL-3.0-only", False, id="a name"),
        pytest.param("MIT OR GPL-3.0-only", "GPL-3.0-only", True, id="another alternative"),
        pytest.param("MIT", "GPL-3.0-only", True, id="another licence"),
        pytest.param(CLASSPATH, "GPL-2.0-only", False, id="with an exception too"),
        pytest.param("GPL-2.0-only", CLASSPATH, True, id="denied with an exception alone"),
        pytest.param(
            "something", "GPL-3.0-only", False, id="an unknown one, though none is allowed"
        ),
    ],
)
def test_a_denied_licence_is_refused(stated: str, denied: str, accepted: bool) -> None:
    assert passes(stated, denied=[denied]) == accepted


def test_an_exception_is_accepted_where_it_is_named_and_a_denial_wins() -> None:
    assert passes(CLASSPATH, allowed=[CLASSPATH])
    assert not passes("GPL-2.0-only", allowed=[CLASSPATH])
    assert not passes(CLASSPATH, allowed=[CLASSPATH], denied=["GPL-2.0-only"])


@pytest.mark.parametrize("field", ["allowed", "denied"])
@pytest.mark.parametrize("rule", ["GPL3", "MIT OR Apache-2.0", "Classpath-exception-2.0", ""])
def test_a_rule_that_is_no_licence_passes_nothing(field: str, rule: str) -> None:
    (found,) = check_licences([], Licences.model_validate({field: [rule]}))
    assert f"dependencies.licences.{field}" in found.sentence()
    assert f"'{rule}'" in found.sentence()


def test_the_sentence_names_package_version_rule_and_what_it_states() -> None:
    parts = [Licensed("b", "2", ("GPL-3.0-only", "MIT")), Licensed("a", "1"), Licensed("c", "3")]
    found = [each.sentence() for each in check_licences(parts, Licences(allowed=["MIT"]))]
    assert found[:2] == [
        "Dependencies: expected a licence of 'a' 1 that the policy's dependencies.licences accept, "
        "found none stated.",
        "Dependencies: expected a licence of 'b' 2 that the policy's dependencies.licences accept, "
        "found 'GPL-3.0-only', 'MIT'.",
    ]


def test_without_a_rule_no_licence_is_asked_for() -> None:
    assert check_licences([Licensed("a", "1")], Licences()) == []


@pytest.mark.parametrize("type_", ["library", "framework", "application", "machine-learning-model"])
def test_a_package_hides_neither_inside_another_nor_under_another_type(type_: str) -> None:
    inner = {"type": type_, "name": "evil", "version": "1", "licenses": [{"expression": "X"}]}
    document = {"components": [{"type": "file", "name": "f", "components": [inner]}]}
    assert list(packages_of(document)) == [Package("evil", "1", "", ("X",))]


ATOMS = st.sampled_from(["MIT", "Apache-2.0", "GPL-3.0-only", "LicenseRef-x", "unheard-of"])
TREES = st.recursive(
    ATOMS, lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner), max_leaves=8
)


Tree: TypeAlias = "str | tuple[Tree, str, Tree]"
"""An expression: an id, or two expressions and the word between them."""


def written(tree: Tree) -> str:
    return tree if isinstance(tree, str) else f"({written(tree[0])} {tree[1]} {written(tree[2])})"


def meant(tree: Tree, allowed: set[str]) -> bool:
    if isinstance(tree, str):
        return tree in allowed
    left, right = meant(tree[0], allowed), meant(tree[2], allowed)
    return left and right if tree[1] == "AND" else left or right


@given(TREES, st.sets(st.sampled_from(["MIT", "Apache-2.0", "GPL-3.0-only"]), min_size=1))
@examples(100)
def test_an_expression_means_what_its_parts_mean(tree: Tree, allowed: set[str]) -> None:
    assert passes(written(tree), allowed=sorted(allowed)) == meant(tree, allowed)


@given(st.text(max_size=60) | st.text("MITANDORWITH()+.- ", max_size=60))
@examples(200)
def test_whatever_is_stated_never_raises(stated: str) -> None:
    passes(stated, allowed=["Apache-2.0"])
