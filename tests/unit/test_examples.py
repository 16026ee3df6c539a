"""How much of a matrix `make test` tries."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from tests.examples import in_pairs


@pytest.mark.parametrize("sizes", [(2, 3), (4, 7, 3, 2), (1, 5, 5)], ids=str)
def test_any_two_values_of_a_matrix_meet_in_a_case_that_is_not_slow(sizes: tuple[int, ...]) -> None:
    factors = [
        [f"{name}{value}" for value in range(size)]
        for name, size in zip("abcd", sizes, strict=False)
    ]
    cases = in_pairs(*factors)
    assert [case.values for case in cases] == list(product(*factors))
    quick = [case.values for case in cases if not case.marks]
    for one, other in combinations(factors, 2):
        for pair in product(one, other):
            assert any({*pair} <= {*case} for case in quick), pair
    first, second = sorted(sizes)[-2:]
    assert first * second <= len(quick) <= 1.5 * first * second
