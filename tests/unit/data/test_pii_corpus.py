"""Precision and recall on the labelled corpus, beside presidio's where it is installed."""

from __future__ import annotations

import functools
from collections.abc import Callable

import polars as pl
import pytest

from hallmark.api.pii import PIIDetector
from hallmark.data.detectors import DETECTORS, TextColumn
from hallmark.data.detectors.identifiers import IDENTIFIERS
from tests.data import presidio_peer
from tests.data.pii_corpus import Finder, LabelledColumn, Score, corpus, score

Corpus = tuple[LabelledColumn, ...]

FLOORS = dict.fromkeys(PIIDetector, (0.99, 0.99)) | {
    PIIDetector.NATIONAL_ID: (0.99, 0.98),
    PIIDetector.POSTAL_ADDRESS: (0.98, 0.98),
}
"""Precision and recall below which a detector must not fall."""


@functools.cache
def found(column: LabelledColumn) -> dict[PIIDetector, list[int]]:
    texts = pl.Series(column.cells, dtype=pl.String)
    distinct = TextColumn(column.name, texts.unique(maintain_order=True))
    hits = {detector.kind: set(detector.find(distinct)) for detector in DETECTORS}
    return {
        kind: [i for i, cell in enumerate(column.cells) if cell in texts]
        for kind, texts in hits.items()
        if texts
    }


@pytest.fixture(scope="module")
def columns() -> Corpus:
    return corpus(seed=20)


@pytest.fixture(scope="module")
def ours(columns: Corpus) -> dict[PIIDetector, Score]:
    return score(columns, found)


@pytest.mark.parametrize("kind", PIIDetector)
def test_precision_and_recall_are_above_their_floors(
    kind: PIIDetector, ours: dict[PIIDetector, Score]
) -> None:
    precision, recall = FLOORS[kind]
    assert ours[kind].right >= 30
    assert ours[kind].precision >= precision
    assert ours[kind].recall >= recall


@pytest.mark.slow
def test_the_floors_hold_on_a_corpus_that_was_drawn_otherwise() -> None:
    scores = score(corpus(seed=1984), found)
    low = {
        kind: kind_score
        for kind, kind_score in scores.items()
        if kind_score.precision < FLOORS[kind][0] or kind_score.recall < FLOORS[kind][1]
    }
    assert low == {}


def test_the_prefilter_hides_nothing_from_a_detector(columns: Corpus) -> None:
    for column in columns[::3]:
        texts = pl.Series(column.cells, dtype=pl.String).unique(maintain_order=True)
        filtered, unfiltered = TextColumn(column.name, texts), TextColumn(column.name, texts)
        unfiltered.__dict__["suspects"] = texts
        for detector in DETECTORS:
            assert set(detector.find(filtered)) == set(detector.find(unfiltered)), column.about


def test_numbers_of_at_least_twenty_countries_are_known_and_in_the_corpus(columns: Corpus) -> None:
    about = {column.about[:2] for column in columns if column.label is PIIDetector.NATIONAL_ID}
    assert len({identifier.country for identifier in IDENTIFIERS}) >= 50
    assert len(about) == 30


@pytest.mark.slow
def test_recall_is_not_below_presidios_and_precision_above(
    columns: Corpus, record_property: Callable[[str, object], None]
) -> None:
    if presidio_peer.version() is None:
        pytest.skip(
            "presidio-analyzer is not installed; 'pip install presidio-analyzer' to compare."
        )
    compared = [column for column in columns if column.label in presidio_peer.COMPARED | {None}]
    few = [_some(column) for column in compared]
    peer = presidio_peer.Presidio()

    def theirs(column: LabelledColumn) -> dict[PIIDetector, list[int]]:
        return peer.find(column.cells)

    scores, mine = score(few, theirs), score(few, _in(compared))
    for kind in sorted(presidio_peer.COMPARED):
        line = (
            f"{kind:12} recall {mine[kind].recall:.3f} (presidio {scores[kind].recall:.3f}), "
            f"precision {mine[kind].precision:.3f} (presidio {scores[kind].precision:.3f})"
        )
        print(line)
        record_property(kind.value, line)
        assert mine[kind].recall >= scores[kind].recall, line
        assert mine[kind].precision >= scores[kind].precision, line


def _some(column: LabelledColumn, cells: int = 4) -> LabelledColumn:
    """Return a column's first cells: presidio takes some ten milliseconds for each."""
    return LabelledColumn(
        column.about, column.name, column.cells[:cells], column.label, column.marks[:cells]
    )


def _in(columns: list[LabelledColumn]) -> Finder:
    """Return a finder that judges whole columns, as the guard does, and reports on their heads."""
    whole = {(column.about, column.name): column for column in columns}

    def find(column: LabelledColumn) -> dict[PIIDetector, list[int]]:
        hits = found(whole[column.about, column.name])
        return {kind: [i for i in cells if i < len(column.cells)] for kind, cells in hits.items()}

    return find
