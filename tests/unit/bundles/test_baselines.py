"""Baselines in memory: as many models as there is room for, never one model less than all."""

from __future__ import annotations

from hallmark.api.columns import FeatureType
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.bundles.bundles import KEPT_BYTES, BaselineMemory

EDGES = [float(edge) for edge in range(1, 10)]
TYPICAL = Baseline(
    rows=1000,
    features=[
        BaselineFeature(
            name=f"feature_{number}", type=FeatureType.NUMBER, edges=EDGES, counts=[100] * 11
        )
        for number in range(10)
    ],
)


def test_a_thousand_models_are_kept_at_once() -> None:
    memory, size = BaselineMemory(KEPT_BYTES), len(TYPICAL.to_bytes())
    for number in range(1000):
        memory.keep(str(number), TYPICAL, size)
    assert all(memory.get(str(number)) is TYPICAL for number in range(1000))


def test_the_one_that_was_not_used_for_longest_goes_first() -> None:
    memory = BaselineMemory(30)
    for digest in "abc":
        memory.keep(digest, TYPICAL, 10)
    assert memory.get("a") is TYPICAL
    memory.keep("d", TYPICAL, 10)
    assert [digest for digest in "abcd" if memory.get(digest)] == ["a", "c", "d"]


def test_a_larger_one_than_there_is_room_for_is_kept_alone() -> None:
    memory = BaselineMemory(30)
    memory.keep("a", TYPICAL, 10)
    memory.keep("large", TYPICAL, 100)
    assert (memory.get("a"), memory.get("large")) == (None, TYPICAL)


def test_the_same_one_kept_again_takes_no_more_room() -> None:
    memory = BaselineMemory(30)
    for _ in range(10):
        memory.keep("a", TYPICAL, 10)
    memory.keep("b", TYPICAL, 20)
    assert memory.get("a") is TYPICAL
    assert memory.get("b") is TYPICAL
