"""What a review compares: versions, gates with their margins, bills of materials."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api.columns import FeatureType
from hallmark.api.dependencies import Dependencies, Licences, Vulnerabilities
from hallmark.api.metrics import GateResult, MetricValue
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.policies.model_version.shown import serving_version
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED
from hallmark_dashboard.bills import Bill, BillComponent, changes, matching, read_bill, violations
from hallmark_dashboard.views.changes import compare
from hallmark_dashboard.views.gates import gate_chart, gate_lines
from hallmark_dashboard.views.inputs import inputs_of
from hallmark_dashboard.views.review import approved_before, review_headline
from tests.unit.dashboard.objects import (
    DIGEST,
    NOW,
    OTHER,
    deployment,
    version,
)
from tests.unit.dashboard.view_makers import artifact, detail
from tests.unit.supply_chain import factories


def test_a_version_is_held_against_what_it_would_replace() -> None:
    old = version("loan-v1", number=1, artifact=artifact(DIGEST))
    new = version("loan-v2", number=2, artifact=artifact(OTHER))
    serving = deployment(status={"activeModelVersion": "loan-v1", "activeDigest": DIGEST})
    other = deployment("x", model="other", status={"activeDigest": DIGEST})

    assert serving_version(new, [serving], [old, new]) == old
    assert serving_version(new, [other], [old, new]) is None
    assert serving_version(old, [serving], [old, new]) is None
    assert approved_before(new, [old, new]) is None
    assert "replace loan-v1" in review_headline(detail(version=new), "loan-v1", None)


def gate(
    value: str | None, threshold: str = "0.9", side: str = "AtLeast", **more: object
) -> GateResult:
    wire = {
        "metric": "accuracy",
        "comparison": side,
        "threshold": threshold,
        "value": value,
        "passed": False,
        **more,
    }
    return GateResult.model_validate(wire)


BARS: dict[str, tuple[list[GateResult], list[GateResult], list[tuple[str, str, bool]]]] = {
    "the same": ([gate("0.95")], [gate("0.99")], []),
    "lower": (
        [gate("0.95")],
        [gate("0.95", "0.5")],
        [("at least 0.9", "at least 0.5, looser", True)],
    ),
    "higher": ([gate("0.95", "0.5")], [gate("0.95")], [("at least 0.5", "at least 0.9", False)]),
    "wider": (
        [gate("0.1", "0.2", "AtMost")],
        [gate("0.1", "0.3", "AtMost")],
        [("at most 0.2", "at most 0.3, looser", True)],
    ),
    "narrower": (
        [gate("0.1", "0.3", "AtMost")],
        [gate("0.1", "0.2", "AtMost")],
        [("at most 0.3", "at most 0.2", False)],
    ),
    "without its bound": (
        [gate("0.95", statistic="Bound")],
        [gate("0.95")],
        [("at least 0.9 of its lower confidence bound", "at least 0.9, looser", True)],
    ),
    "with its bound": (
        [gate("0.95")],
        [gate("0.95", statistic="Bound")],
        [("at least 0.9", "at least 0.9 of its lower confidence bound", False)],
    ),
    "gone": ([gate("0.95")], [], [("at least 0.9", "gone", True)]),
    "new": ([], [gate("0.95")], [("", "at least 0.9", False)]),
    "from the policy to the run": (
        [gate("0.95", source="Policy")],
        [gate("0.95")],
        [("at least 0.9", "gone", True), ("", "at least 0.9", False)],
    ),
}


@pytest.mark.parametrize(("before", "after", "told"), BARS.values(), ids=BARS)
def test_a_bar_that_moved_is_told_the_looser_ones_first(
    before: list[GateResult], after: list[GateResult], told: list[tuple[str, str, bool]]
) -> None:
    old, new = (factories.report(gates=side) for side in (before, after))
    found = compare(old, new)

    assert [(one.before, one.after, one.beyond) for one in found.gates] == told
    assert found.total == len(told)


def test_another_positive_class_is_told() -> None:
    old, new = (factories.report(classes=["no", "yes"], positive=one) for one in ("no", "yes"))
    found = compare(old, new)

    assert [(one.what, one.before, one.after) for one in found.data] == [
        ("positive class", "no", "yes")
    ]
    assert found.positive == "yes"


def baseline(**types: str) -> Baseline:
    """Return a baseline with inputs by their type, or by their categories."""
    features = [
        BaselineFeature(name=name, type=FeatureType.NUMBER, edges=[1.0], counts=[1, 1, 0])
        if kind == "Number"
        else BaselineFeature(
            name=name,
            type=FeatureType.CATEGORY,
            categories=kind.split(),
            counts=[1] * (len(kind.split()) + 2),
        )
        for name, kind in types.items()
    ]
    return Baseline(rows=9, features=features)


def test_inputs_that_came_went_and_changed_are_told() -> None:
    before = baseline(income="Number", region="north south", age="Number")
    after = baseline(income="Number", region="north", origin="a b")
    report = factories.report()
    found = compare(report, report, None, (before, after))

    assert [(one.what, one.before, one.after) for one in found.inputs] == [
        ("age", "Number", ""),
        ("origin", "", "Category: a, b"),
        ("region", "Category: north, south", "Category: north"),
    ]
    assert found.total == 3
    assert compare(report, report, None, (before, before)).total == 0


def test_a_sensitive_attribute_among_the_inputs_is_told() -> None:
    report = factories.report()
    found = inputs_of(baseline(income="Number", origin="a b"), report, "")

    assert (found.names, found.sensitive) == (("income", "origin"), ("origin",))
    assert inputs_of(baseline(income="Number"), report, "").sensitive == ()
    assert inputs_of(None, report, "Gone.").sentence == "Gone."


@pytest.mark.parametrize(
    ("found", "ends", "margin", "near"),
    [
        pytest.param(gate("0.95"), None, 0.05, True, id="a near pass"),
        pytest.param(gate("0.5", "0.1"), None, 0.4, False, id="a clear pass"),
        pytest.param(gate("0.5"), None, -0.4, False, id="a clear failure"),
        pytest.param(gate("0.2", "0.1", "AtMost"), None, -0.1, False, id="too much"),
        pytest.param(gate("0.5", "0.1"), ("0.05", "0.9"), 0.4, True, id="an interval over the bar"),
        pytest.param(gate(None), None, None, False, id="no number"),
        pytest.param(gate("nan"), None, None, False, id="not a number"),
        pytest.param(gate("inf"), None, None, False, id="an infinity"),
        pytest.param(gate("0.0", "0", "AtMost"), None, 0.0, True, id="a bar at zero"),
    ],
)
def test_a_gate_has_its_margin(
    found: GateResult, ends: tuple[str, str] | None, margin: float | None, *, near: bool
) -> None:
    metric = MetricValue(
        name="accuracy",
        value="0.5",
        lower=ends[0] if ends else None,
        upper=ends[1] if ends else None,
    )
    (line,) = gate_lines([found], [metric])

    assert line.near == near
    assert line.margin == (None if margin is None else pytest.approx(margin))
    gate_chart([found], [metric])


def test_gates_that_failed_and_near_ones_come_first() -> None:
    results = [
        gate("0.99", "0.5", metric="easy", passed=True),
        gate("0.51", "0.5", metric="near", passed=True),
        gate("0.1", "0.5", metric="failed"),
    ]

    assert [line.metric for line in gate_lines(results, [])] == ["failed", "near", "easy"]


def test_only_what_changed_is_told_the_biggest_first() -> None:
    before = factories.report(
        metrics=[
            {"name": "accuracy", "value": "0.9", "lower": "0.88", "upper": "0.92"},
            {"name": "rocAuc", "value": "0.9", "lower": "0.8", "upper": "0.99"},
            {"name": "same", "value": "1"},
            {"name": "odd", "value": "nan"},
        ]
    )
    after = factories.report(
        rows=500,
        parameters={"C": "2.0"},
        metrics=[
            {"name": "accuracy", "value": "0.8", "lower": "0.78", "upper": "0.82"},
            {"name": "rocAuc", "value": "0.6", "lower": "0.5", "upper": "0.85"},
            {"name": "same", "value": "1"},
            {"name": "new", "value": "0.5"},
        ],
    )
    found = compare(before, after)

    assert [change.what for change in found.metrics] == ["accuracy", "new", "odd", "rocAuc"]
    assert [change.beyond for change in found.metrics] == [True, True, True, False]
    assert found.metrics[0].before == "0.900 (0.880 to 0.920)"
    assert [(c.what, c.before, c.after) for c in found.data] == [("rows", "400", "500")]
    assert [(c.what, c.before, c.after) for c in found.parameters] == [("C", "1.0", "2.0")]
    assert compare(before, before).total == 0


def bill(**packages: str) -> Bill:
    parts = [BillComponent(name, found, "library", ("MIT",)) for name, found in packages.items()]
    return Bill("1.6", "", tuple(parts))


def against(found: Bill, rules: Dependencies, **reported: str) -> tuple[str, ...]:
    return violations(found, rules, lambda _: NOT_MOUNTED, NOW, reported)


def test_bills_are_read_searched_compared_and_held_against_a_policy() -> None:
    import json

    found = read_bill(json.loads(factories.sbom()))

    assert [part.name for part in found.packages] == ["numpy", "scikit-learn", "zope-interface"]
    assert [part.name for part in matching(found, "SCIKIT")] == ["scikit-learn"]
    denied = Dependencies(denied=["Zope.Interface", "absent"])
    mit = Dependencies(licences=Licences(denied=["MIT"]))
    looked = Dependencies(vulnerabilities=Vulnerabilities())
    assert [len(against(found, rules)) for rules in (denied, mit, looked)] == [1, 3, 1]
    assert len(against(found, Dependencies(denied=["torch"]), torch="2")) == 1
    assert [
        (c.name, c.before, c.after) for c in changes(bill(a="1", b="1"), bill(a="2", c="1"))
    ] == [
        ("a", "1", "2"),
        ("b", "1", ""),
        ("c", "", "1"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"components": None},
        {"components": "x"},
        {"components": [None, 3, {"name": None, "licenses": "x"}, {"licenses": [None, {}]}]},
        {
            "components": [
                {"name": "a", "licenses": [{"license": {"id": 5}}, {"expression": "MIT"}]}
            ]
        },
    ],
)
def test_no_bill_is_too_odd_to_be_read(document: dict[str, Any]) -> None:
    read_bill(document)
