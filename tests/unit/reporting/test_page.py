"""The page of a report: complete, escaped, self-contained, and the same again."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, strategies as st

from hallmark.api.report import Report
from hallmark.reporting.charts import Chart, Line, Mark, Series, curves, intervals
from hallmark.reporting.page import TEMPLATES, page
from tests.examples import examples
from tests.unit.supply_chain.factories import report

VOID = {"meta", "link", "br", "hr", "img", "input"}
HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"
SVG = "{http://www.w3.org/2000/svg}"


def whole(**changes: Any) -> Report:  # noqa: ANN401
    """Return a report with every section."""
    group = {"group": "a", "rows": 60, "selectionRate": 0.5, "accuracy": 0.9}
    bounds = {"selectionRateLower": 0.4, "selectionRateUpper": 0.6}
    values: dict[str, Any] = {
        "qualityParts": [{"dimension": "validity", "score": 97.5, "weight": 0.2}],
        "remarks": [{"check": "Outliers", "expected": "few", "found": "many"}],
        "data": {
            "duplicateRows": 8,
            "contradictoryRows": 2,
            "sharedRows": 5,
            "anomalousRows": 12,
            "classRows": [80, 320],
            "smallestGroupRows": 41,
            "leakage": [
                {"feature": "income", "coefficient": 0.25},
                {"feature": "balance", "coefficient": 0.75},
            ],
        },
        "pii": [
            {"column": "note", "detector": "Email", "action": "Drop", "count": 3},
            {"column": "hop", "detector": "IPAddress", "reason": "Our own routers.", "count": 4},
        ],
        "metrics": [
            {"name": "outlierFraction", "value": "0.021000"},
            {"name": "accuracy", "value": "0.912000", "lower": "0.880000", "upper": "0.940000"},
            {"name": "logLoss", "value": "0.412000"},
            {"name": "demographicParityDifference.sex", "value": "0.1", "upper": "0.2"},
        ],
        "inconclusive": {"equalizedOddsDifference.sex": "group 'b' has 12 test rows"},
        "calibration": [
            {"rows": 10, "predicted": 0.1, "observed": 0.2},
            {"rows": 90, "predicted": 0.8, "observed": 0.7},
        ],
        "fairness": [
            {
                "attribute": "sex",
                "demographicParityDifference": 0.1,
                "inconclusive": "group 'b' has 12 test rows",
                "groups": [{**group, **bounds}, {**group, "group": "b", "rows": 12}],
            },
            {"attribute": "sex x age", "groups": [group]},
        ],
        "proxies": [
            {
                "attribute": "sex",
                "rocAuc": 0.8,
                "rows": 100,
                "features": [{"feature": "height", "contribution": 0.2}],
            }
        ],
        "gates": [
            {
                "metric": "accuracy",
                "comparison": "AtLeast",
                "threshold": "0.9",
                "statistic": "Bound",
                "value": "0.880000",
                "passed": False,
            }
        ],
        "robustness": {
            "epsilon": 0.1,
            "moving": ["income"],
            "rows": 50,
            "testRows": 100,
            "bound": "Exact",
            "boundL2": "Exact",
            "unmovable": 0.0,
            "attack": "WorstCase",
            "curve": [
                {"radius": 0.1, "certifiedAccuracy": 0.8, "certifiedAccuracyL2": 0.85},
                {"radius": 0.5, "certifiedAccuracy": 0.4, "certifiedAccuracyL2": 0.6},
            ],
            "noiseRows": 50,
            "noiseDraws": 10,
            "noise": [],
        },
        **changes,
    }
    return Report.model_validate({**report().to_wire(), **values})


def drawn(chart: Chart) -> str:
    """Return a chart as it stands in the page."""
    return str(TEMPLATES.get_template("parts.html").module.chart(chart))


class Outline(HTMLParser):
    """Checks that elements close in order, and gathers what there is."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        assert len(dict(attrs)) == len(attrs), "an attribute is there twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without content."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Gather text."""
        if self.open and self.open[-1] != "style":
            self.text += f"{data}\n"


def outline(text: bytes) -> Outline:
    found = Outline()
    found.feed(text.decode())
    found.close()
    assert found.open == []
    return found


def test_every_section_is_there_and_the_page_is_well_formed() -> None:
    found = outline(page(whole()))
    for words in (
        "Assay of credit",
        "0 of 1 gates passed",
        "≥ 0.9 (lower bound)",
        "✗ failed",
        "Calibration",
        "Fairness",
        "Inconclusive: group 'b' has 12 test rows",
        "Pairs of attributes (1)",
        "60 rows",
        "height",
        "Certified accuracy by radius",
        "validity",
        "Outliers: expected few, found many.",
        "note",
        "Packages (3)",
    ):
        assert words in found.text, words


COUNTED = {
    "duplicates": ("rows equal to an earlier one", "8", "2.00%"),
    "contradictions": ("rows of equal features and another class", "2", "0.50%"),
    "test rows that were learned from": (
        "test rows whose features were learned from",
        "5",
        "5.00%",
    ),
    "anomalies": ("rows whose numbers are seldom together", "12", "3.00%"),
    "the rarest class": ("rows of the rarest class", "80", "20.00%"),
    "the smallest group": ("rows of the smallest sensitive group", "41", "10.25%"),
}


@pytest.mark.parametrize("row", COUNTED.values(), ids=COUNTED)
def test_what_was_counted_in_the_rows_is_shown_with_its_share(row: tuple[str, ...]) -> None:
    assert "\n".join(row) in outline(page(whole())).text


def test_outliers_are_shown_as_a_share_of_numbers() -> None:
    assert "numbers far from the rest of their column\n2.10%" in outline(page(whole())).text


def test_what_was_not_measured_is_said_and_a_count_beyond_all_rows_has_no_share() -> None:
    data = {"duplicateRows": 10**400, "contradictoryRows": -1, "sharedRows": 0}
    found = outline(page(whole(data={**data, "classRows": [], "leakage": []}))).text
    assert "rows whose numbers are seldom together\nnot measured\n–" in found
    assert "rows of equal features and another class\n-1\n–" in found
    assert "test rows whose features were learned from\n0\n0.00%" in found


def test_features_that_tell_most_of_the_target_come_first_and_all_stand_in_the_table() -> None:
    many = [{"feature": f"f{i}", "coefficient": i / 100} for i in range(30)]
    data = {**whole().to_wire()["data"], "leakage": many}
    found = outline(page(whole(data=data))).text
    assert "Features as numbers (30)" in found
    places = [found.index(f"f{i}\n{i / 100:.3f}") for i in reversed(range(30))]
    assert places == sorted(places)
    assert found.count("f20\n") == 2
    assert found.count("f19\n") == 1


def test_what_personal_data_may_stay_is_shown_with_its_reason() -> None:
    found = outline(page(whole())).text
    assert "note\nEmail\nDrop\n3" in found
    assert "hop\nIPAddress\nallowed: Our own routers.\n4" in found


def test_nothing_comes_from_outside_and_nothing_runs() -> None:
    text = page(whole())
    found = outline(text)
    names = {tag for tag, _ in found.tags}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form", "a"})
    attributes = {name for _, each in found.tags for name in each}
    assert not {name for name in attributes if name.startswith("on")}
    assert attributes.isdisjoint({"src", "href", "xlink:href", "style"})
    assert b"url(" not in text
    assert b"default-src 'none'; style-src 'unsafe-inline'" in text


def test_charts_are_well_formed_and_say_in_words_what_they_show() -> None:
    charts = re.findall(r"<svg.*?</svg>", page(whole()).decode(), re.DOTALL)
    assert len(charts) == 7
    for chart in charts:
        root = ElementTree.fromstring(chart)  # noqa: S314 - what we rendered
        assert root.get("role") == "img"
        assert root.findtext("title")
        assert root.findtext("desc")


def test_the_same_report_is_the_same_page() -> None:
    again = Report.model_validate_json(whole().to_bytes())
    assert page(again) == page(whole())


def test_an_old_or_bare_report_has_a_page_too() -> None:
    found = outline(page(report(gates=[], fairness=[], metrics=[])))
    assert "No gate was asked for" in found.text


def test_text_is_shown_and_never_becomes_markup() -> None:
    hostile = whole(
        inconclusive={HOSTILE: HOSTILE},
        remarks=[{"check": "X", "expected": HOSTILE, "found": HOSTILE}],
        fairness=[
            {
                "attribute": HOSTILE,
                "inconclusive": HOSTILE,
                "groups": [{"group": HOSTILE, "rows": 1, "selectionRate": 0.1, "accuracy": 0.1}],
            }
        ],
        pii=[{"column": HOSTILE, "detector": HOSTILE, "reason": HOSTILE, "count": 1}],
        parameters={HOSTILE: HOSTILE},
        packages={HOSTILE: HOSTILE},
        positive=HOSTILE,
        algorithm=HOSTILE,
    )
    found = outline(page(hostile))
    assert HOSTILE in unescape(found.text)
    assert {"script", "img"}.isdisjoint(tag for tag, _ in found.tags)


TEXT = st.text(max_size=32)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@examples(60)
@given(TEXT, TEXT, FLOATS, FLOATS, st.integers())
def test_no_report_breaks_the_page(
    text: str, value: str, number: float, other: float, rows: int
) -> None:
    curve = {"radius": number, "certifiedAccuracy": other, "certifiedAccuracyL2": number}
    robustness = {**whole().to_wire()["robustness"], "curve": [curve, {**curve, "radius": 1.0}]}
    found = whole(
        metrics=[{"name": "accuracy", "value": value, "lower": text, "upper": value}],
        calibration=[{"rows": rows, "predicted": number, "observed": other}],
        qualityParts=[{"dimension": text, "score": number, "weight": 1}],
        rows=rows,
        data={
            "duplicateRows": rows,
            "contradictoryRows": -rows,
            "sharedRows": 1,
            "classRows": [rows, 1],
            "leakage": [{"feature": "x", "coefficient": number}],
        },
        robustness=robustness,
        fairness=[
            {
                "attribute": text,
                "groups": [
                    {
                        "group": text,
                        "rows": rows,
                        "selectionRate": number,
                        "selectionRateLower": other,
                        "selectionRateUpper": number,
                        "accuracy": other,
                    }
                ],
            }
        ],
    )
    outline(page(found))


def test_a_gate_opens_to_the_side_that_passes() -> None:
    line = Line("accuracy", 0.5, 0.4, 0.6, marks=(Mark(0.5, True, True), Mark(0.5, False, False)))
    chart = drawn(intervals("t", [line]))
    right, left = re.findall(
        r'M([\d.]+) [\d.]+V[\d.]+M([\d.]+) [\d.]+H[\d.]+M[^"]*" class="g', chart
    )
    assert float(right[1]) > float(right[0])
    assert float(left[1]) < float(left[0])


@pytest.mark.parametrize("value", [-0.5, 0.0, 1.0, 7.0])
def test_what_is_off_the_scale_stays_in_the_picture(value: float) -> None:
    chart = drawn(intervals("t", [Line("x", value)]))
    x = re.search(r'<circle cx="([\d.]+)"', chart)
    assert x is not None
    assert 190 <= float(x[1]) <= 530


def test_curves_of_one_point_are_drawn() -> None:
    points = [Series("s", "a", [(0.1, 0.5)])]
    assert "circle" in drawn(curves("t", points, ("x", "y"), logarithmic=True))
