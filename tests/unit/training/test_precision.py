"""Numbers that differ must differ in float32, where they stand; rows elsewhere change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.training.precision import check_precision, merged
from tests.examples import examples
from tests.unit.data.factories import schema, table

RANDOM = np.random.default_rng(0)
EPOCH = 1.7e9 + RANDOM.integers(0, 1200, 866)


NUMBERS = {
    "small numbers": ([0.1, 0.2, None, 0.3], ""),
    "large numbers far apart": ([1e30, 3e30, 2e30], ""),
    "the same number throughout": ([1e9 + 0.1] * 3, ""),
    "nulls alone": ([None, None], ""),
    "large numbers close together": (
        [1e8, 1e8 + 1, 1e8 + 2],
        "subtract a constant from them, or round them to the digits that matter, found 3 different "
        "numbers in one place that become 1.",
    ),
    "a number beyond float32 throughout": ([1e39] * 3, "(3 times): expected numbers of at most"),
    "numbers that float32 takes for 0": ([1e-300, 2e-300, 3e-300], "become 1"),
    "numbers beyond float32": (
        [1.0, 1e39, -1e40],
        "(2 times): expected numbers of at most 3.4e+38",
    ),
}


@pytest.mark.parametrize("case", NUMBERS.values(), ids=NUMBERS)
def test_numbers_must_survive_in_float32(case: tuple[list[float | None], str]) -> None:
    values, expected = case
    declared = schema({"name": "x", "type": "Number", "nullable": True})
    rows = table(declared, x=values, label=["yes"] * len(values))
    findings = check_precision(rows, declared)
    assert len(findings) == bool(expected)
    assert all(expected in finding.sentence() for finding in findings)


LOST = {
    "seconds of an hour since 1970": EPOCH,
    "the same as whole numbers": EPOCH.astype(np.int64),
    "the same in nanoseconds, beyond doubles": EPOCH.astype(np.int64) * 10**9 + np.arange(866),
    "the ends of 64 bits": np.array([2**63 - 1, 2**63 - 2, -(2**63), -(2**63) + 1] * 9),
    "two values in half of the rows": np.repeat([1e9, 1e9 + 1], 50),
    "a small spread at a million": RANDOM.normal(1e6, 0.02, 400),
    "numbers below the smallest float32": RANDOM.uniform(1e-300, 2e-300, 50),
}
KEPT = {
    "sums that differ by their order": np.tile([0.3, 0.1 + 0.2, 0.1], 50),
    "zeros of both signs": np.array([-0.0, 0.0, 1.0]),
    "both ends of float32": np.array([-3.4028234663852886e38, 1.0, 3.4028234663852886e38]),
    "subnormal float32": np.array([0.0, 1e-45, 3e-45, 1e-44]),
    "seconds of a year, few": 1.7e9 + RANDOM.uniform(0, 3e7, 300),
    "seconds of a year, many": 1.7e9 + RANDOM.uniform(0, 3e7, 50_000),
    "amounts with cents": np.round(RANDOM.lognormal(12, 1.5, 50_000), 2),
    "counts": np.arange(100_000),
    "measurements": RANDOM.normal(0, 1, 200_000),
    "measurements far from zero": RANDOM.normal(1e5, 1, 100_000),
    "shares": RANDOM.uniform(0, 1, 300_000),
}


@pytest.mark.parametrize("numbers", LOST.values(), ids=LOST)
def test_numbers_that_become_one_are_told(numbers: np.ndarray) -> None:
    different, left = merged(numbers)
    assert different > 1.3 * left > 0


@pytest.mark.parametrize("numbers", KEPT.values(), ids=KEPT)
def test_numbers_that_stay_apart_or_differ_by_nothing_are_not(numbers: np.ndarray) -> None:
    assert merged(numbers) == (0, 0)


@pytest.mark.parametrize("numbers", LOST.values(), ids=LOST)
@pytest.mark.parametrize("rows", [1, 7, 500])
@pytest.mark.parametrize("at", [0.0, 1.0, -5e17])
def test_rows_elsewhere_hide_nothing(numbers: np.ndarray, rows: int, at: float) -> None:
    elsewhere = np.full(rows, at).astype(numbers.dtype)
    assert merged(np.concatenate([numbers, elsewhere])) != (0, 0)


@examples(200)
@given(
    st.lists(st.floats(-1e30, 1e30).filter(lambda number: abs(number - 1.7e9) > 1e6), max_size=40),
    st.integers(1, 200),
)
def test_no_outliers_turn_a_refusal_into_silence(outliers: list[float], times: int) -> None:
    before = merged(EPOCH)
    found = merged(np.concatenate([EPOCH, np.tile(np.array(outliers), times)]))
    assert found[0] - found[1] >= before[0] - before[1] > 0
