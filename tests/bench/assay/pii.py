"""The personal-data guard against presidio's pattern mode.

Three tables: numbers, as a model gets them; sentences of which none holds a personal datum; and
sentences of which one in ten does. The peer looks at an even sample of the cells, since it takes
milliseconds for each; both must say of that sample's columns that they are clear or what they hold.
The goal is for numbers; for sentences, which detectors read word by word, the figures inform.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import numpy as np
import polars as pl

from hallmark.api.pii import PII, PIIDetector
from hallmark.api.schema import Schema
from hallmark.data.detectors import DETECTORS, TextColumn
from hallmark.data.pii import guard
from tests.bench.figures import Figure, figure
from tests.bench.measuring import seconds
from tests.data import presidio_peer
from tests.data.pii_corpus import LabelledColumn, corpus, score
from tests.data.pii_draw import Draw

ROWS = int(os.environ.get("HALLMARK_BENCH_ROWS", "1000000"))
COLUMNS = 20
ROUNDS = 3
PEER_CELLS = 200
GOAL = 500.0
_SCHEMA = Schema.model_validate(
    {"features": [{"name": "f0", "type": "Number"}], "target": {"name": "f1", "positive": "1"}}
)


def run() -> list[Figure]:
    """Return cells per second against presidio's, and recall against presidio's."""
    if presidio_peer.version() is None:
        raise SystemExit("presidio-analyzer is not installed; 'pip install presidio-analyzer'.")
    peer = presidio_peer.Presidio()
    rows = max(1, ROWS // COLUMNS)
    return [
        _speed("numbers", _numbers(), set(), peer, goal=GOAL),
        _speed("clear sentences", _sentences(rows, 0.0), set(), peer),
        _speed("sentences, one in ten with an address", _sentences(rows, 0.1), {"Email"}, peer),
        *_recall(peer),
    ]


def _speed(
    name: str,
    frame: pl.DataFrame,
    expected: set[str],
    peer: presidio_peer.Presidio,
    goal: float | None = None,
) -> Figure:
    cells = frame.width * frame.height
    sample = [
        cell
        for column in frame.get_columns()
        for cell in column.gather_every(max(1, cells // PEER_CELLS)).cast(pl.String).to_list()
    ]

    def ours() -> None:
        decisions = guard(frame, _SCHEMA, PII()).decisions
        assert {decision.detector for decision in decisions} == expected, decisions

    def theirs() -> None:
        found = {kind.value for cell in sample for kind in peer.kinds(cell, threshold=0.5)}
        assert expected <= found, found

    ratios = []
    for _ in range(ROUNDS):
        mine = cells / seconds(ours)
        ratios.append(mine / (len(sample) / seconds(theirs)))
    return figure(f"personal data in {name}: cells/s by presidio's", ratios, "times", at_least=goal)


def _recall(peer: presidio_peer.Presidio) -> list[Figure]:
    """Return by how much our recall is above presidio's, for each kind both look for."""
    columns = [column for column in corpus() if column.label in presidio_peer.COMPARED]

    def theirs(column: LabelledColumn) -> dict[PIIDetector, list[int]]:
        return peer.find(column.cells)

    mine, others = score(columns, _found), score(columns, theirs)
    return [
        figure(
            f"recall of {kind} above presidio's",
            [mine[kind].recall - others[kind].recall],
            "share",
            at_least=0,
        )
        for kind in sorted(presidio_peer.COMPARED)
    ]


def _found(column: LabelledColumn) -> dict[PIIDetector, list[int]]:
    texts = pl.Series(column.cells, dtype=pl.String)
    distinct = TextColumn(column.name, texts.unique(maintain_order=True))
    return {
        detector.kind: texts.is_in(detector.find(distinct).implode()).arg_true().to_list()
        for detector in DETECTORS
    }


def _numbers() -> pl.DataFrame:
    """Return measurements, counts, order numbers, prices and timestamps."""
    chance = np.random.default_rng(7)
    makers: tuple[Callable[[], np.ndarray], ...] = (
        lambda: chance.normal(size=ROWS),
        lambda: chance.integers(0, 100, ROWS),
        lambda: chance.integers(10**9, 10**10, ROWS),
        lambda: np.round(chance.lognormal(4, 1, ROWS), 2),
        lambda: 1_700_000_000_000 + np.arange(ROWS) * 61_003,
    )
    return pl.DataFrame({f"f{i}": makers[i % len(makers)]() for i in range(COLUMNS)})


def _sentences(rows: int, share: float) -> pl.DataFrame:
    chance = random.Random(7)  # noqa: S311 - reproducible rows
    draw = Draw(chance)

    def text(row: int) -> str:
        contact = f", {draw.email()}" if chance.random() < share else ""
        return f"{draw.sentence()}, case {row}{contact}"

    return pl.DataFrame({f"f{i}": [text(row) for row in range(rows)] for i in range(COLUMNS)})
