"""Proxies: what gives a sensitive attribute away, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from hallmark.training.bootstrap import Resampling
from hallmark.training.fairness import group_rows
from hallmark.training.proxies import ProxyResult, find_proxies

RESAMPLING = Resampling(0.95, 200, 7)
ROWS = 600


def found(
    rows: int = ROWS, groups_of: int = 2, minimum: int = 30, seed: int = 1, **options: int
) -> ProxyResult:
    """``height`` says much of ``sex``, ``noise`` nothing, and ``sex`` itself is a feature too."""
    random = np.random.default_rng(seed)
    sex = random.integers(0, groups_of, rows)
    height = sex * 1.5 + random.normal(size=rows)
    matrix = np.column_stack([random.normal(size=rows), height, sex]).astype(np.float32)
    matrix[::17, 1] = np.nan
    labels = [f"g{code}" for code in sex]
    given = group_rows("sex", labels, set(labels), ())
    names = ["noise", "height", "sex"]
    return find_proxies(given, matrix, names, minimum, RESAMPLING, **options)


@pytest.mark.parametrize("groups_of", [2, 3])
def test_a_proxy_is_found_and_the_attribute_itself_is_no_feature(groups_of: int) -> None:
    given = found(groups_of=groups_of)
    assert given.measurement.value is not None
    assert 0.7 < given.measurement.value < 0.95
    assert (given.measurement.lower or 0) < given.measurement.value
    assert given.proxy.features[0].feature == "height"
    assert given.proxy.features[0].contribution > 0.1
    assert "sex" not in [feature.feature for feature in given.proxy.features]
    assert given.proxy.rows == ROWS


def test_what_says_nothing_is_near_chance() -> None:
    random = np.random.default_rng(5)
    labels = random.choice(["a", "b"], ROWS).tolist()
    matrix = random.normal(size=(ROWS, 3)).astype(np.float32)
    given = find_proxies(
        group_rows("sex", labels, ["a", "b"], ()), matrix, ["x", "y", "z"], 30, RESAMPLING
    )
    assert given.measurement.value == pytest.approx(0.5, abs=0.08)


def test_what_no_line_separates_is_found_too() -> None:
    random = np.random.default_rng(6)
    matrix = random.normal(size=(ROWS, 2)).astype(np.float32)
    labels = np.where(matrix[:, 0] * matrix[:, 1] > 0, "a", "b").tolist()
    given = find_proxies(
        group_rows("sex", labels, ["a", "b"], ()), matrix, ["x", "y"], 30, RESAMPLING
    )
    assert (given.measurement.value or 0) > 0.9


def test_the_same_rows_and_seed_give_the_same() -> None:
    assert found() == found()


def test_many_rows_are_sampled() -> None:
    assert found(max_rows=300).proxy.rows == pytest.approx(300, abs=2)


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        pytest.param(["a"] * 95 + ["b"] * 5, ["x", "y"], "has 5 rows, 30 are needed", id="few"),
        pytest.param(["a"] * 100, ["x", "y"], "has 1 groups", id="one group"),
        pytest.param(
            [str(number) for number in range(100)], ["x", "y"], "has 100 groups", id="no grouping"
        ),
        pytest.param(["a", "b"] * 50, ["sex"], "no feature but 'sex'", id="nothing to look at"),
    ],
)
def test_too_little_is_inconclusive(labels: list[str], names: list[str], words: str) -> None:
    matrix = np.zeros((100, len(names)), dtype=np.float32)
    given = find_proxies(group_rows("sex", labels, set(labels), ()), matrix, names, 30, RESAMPLING)
    assert given.measurement.value is None
    assert words in (given.measurement.inconclusive or "")
    assert given.proxy.inconclusive == given.measurement.inconclusive
