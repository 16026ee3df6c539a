"""What an evidence pack says of each point, by what the links and the sealed files say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hallmark.verification.links import Link, State, Subject, holds
from hallmark.verification.pack import POINTS, Answer, Lacking, Point, Standing, answers, page

LINKS = sorted({name for point in POINTS for name in (*point.links, *point.also)})
ASKED = [point for point in POINTS if point.links]
FILES = ["models/n.m/d/report.json", "models/n.m/d/sbom_1.cdx.json", "models/registry.json"]


def found(
    *changed: Link, without: str = "", lacking: tuple[Lacking, ...] = ()
) -> dict[Point, Answer]:
    """Return each point's answer where all links hold, but for those that are given."""
    links = {name: holds(name, f"said of {name}") for name in LINKS if name != without}
    links |= {link.name: link for link in changed}
    subject = Subject("ModelVersion", "n/v", tuple(links.values()))
    return {answer.point: answer for answer in answers([subject], FILES, lacking)}


def named(point: Point) -> str:
    return f"{point.rule} {point.section} {point.asks}"


@pytest.mark.parametrize("point", ASKED, ids=named)
def test_a_point_is_verified_by_its_links_and_quotes_them(point: Point) -> None:
    answer = found()[point]
    expected = Standing.DECLARED if point.declared else Standing.VERIFIED
    assert answer.standing is expected
    for name in point.links:
        assert f"{name}: said of {name}" in answer.why


@pytest.mark.parametrize("point", ASKED, ids=named)
@pytest.mark.parametrize("name", LINKS)
def test_each_link_that_does_not_hold_takes_its_points_with_it(point: Point, name: str) -> None:
    """A broken link covers nothing, an open one proves nothing; no other point heeds it."""
    before = found()[point].standing
    heeds = name in point.links + point.also
    for state, standing in (
        (State.BROKEN, Standing.NOT_COVERED),
        (State.OPEN, Standing.DECLARED),
    ):
        answer = found(Link(name, state, "Why not."))[point]
        assert answer.standing is (standing if heeds else before)
        assert ("Why not." in answer.why) is heeds
    missing = found(without=name)[point].standing
    assert missing is (Standing.NOT_COVERED if name in point.links else before)


@pytest.mark.parametrize("lacking", Lacking)
def test_nothing_is_covered_that_was_never_measured_or_said(lacking: Lacking) -> None:
    """Only the points that cannot stand without it change, and say what is lacking."""
    whole = found()
    for point, answer in found(lacking=(lacking,)).items():
        if lacking not in point.without:
            assert answer == whole[point]
            continue
        declared = lacking is Lacking.REQUESTER
        assert answer.standing is (Standing.DECLARED if declared else Standing.NOT_COVERED)
        assert lacking in answer.why
    assert any(lacking in point.without for point in POINTS)


def test_the_page_says_first_what_was_decided_and_what_is_broken() -> None:
    links = (
        holds("approval", "Denied by rita; this is final"),
        holds("gates", "1 of 1 passed"),
        Link("artifacts", State.BROKEN, "Expected other bytes."),
    )
    head = page("m", "n/v", [], [Subject("ModelVersion", "n/v", links)], None).partition("Made")[0]
    assert "approval (holds): Denied by rita; this is final" in head
    assert "artifacts (broken): Expected other bytes." in head
    assert "gates" not in head


@pytest.mark.parametrize(
    "hostile", ["a | b", "<script>x</script>", "`code`", "one\ntwo", "a\r\n# b", "\x1b[2J"]
)
def test_words_of_others_are_no_markup(hostile: str) -> None:
    answer = next(iter(found().values()))
    shown = page("m", "n/v", [replace(answer, why=hostile)], [], None)
    (row,) = [line for line in shown.splitlines() if line.startswith(f"| {answer.point.section} ")]
    assert row.count("|") == 6
    assert not re.search(r"<script|`code`|\x1b|^# b", shown, re.MULTILINE)
