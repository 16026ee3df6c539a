"""Clients that feel their way along the decision boundary, and honest ones that do not."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from hallmark.api.bounds import PROBERS, Oddity
from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature, TrainingRegion
from hallmark.drift.probing import MAX_CLIENTS, PROBING_STEPS, ClientWatch, most_by_chance
from hallmark.drift.region import BLOCK, Region, nearest, places
from hallmark.training.region import build_region
from tests.examples import examples

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
Floats = NDArray[np.float64]
Law = Callable[[np.random.Generator, int, int], Floats]

LAWS: dict[str, Law] = {
    "normal": lambda random, rows, width: random.normal(50, 10, (rows, width)),
    "skewed": lambda random, rows, width: random.lognormal(0, 1, (rows, width)),
    "whole": lambda random, rows, width: random.integers(0, 10, (rows, width)).astype(float),
    "uniform": lambda random, rows, width: random.uniform(-1, 1, (rows, width)),
    "dependent": lambda random, rows, width: (
        random.normal(0, 1, (rows, 2)) @ np.random.default_rng(3).normal(0, 1, (2, width))
        + random.normal(0, 0.1, (rows, width))
    ),
}


@dataclass(frozen=True)
class World:
    """A linear model of two classes, and the law of its rows."""

    law: Law
    width: int
    test_rows: int = 1000

    @property
    def region(self) -> TrainingRegion:
        """Of its training and test rows."""
        train, test = self.rows(3 * self.test_rows, 1), self.rows(self.test_rows, 2)
        scores = self.scores(test)
        features = [
            ServedFeature(name=f"x{at}", type=FeatureType.NUMBER, nullable=True)
            for at in range(self.width)
        ]
        return build_region(train, test, features, np.column_stack([1 - scores, scores]), 1)

    def rows(self, count: int, seed: int) -> NDArray[np.float32]:
        """Rows of the law, shape (count, width)."""
        return self.law(np.random.default_rng(seed), count, self.width).astype(np.float32)

    def scores(self, rows: NDArray[np.float32]) -> Floats:
        """The probability of the second class."""
        known = self.rows(4000, 9)
        weights = np.random.default_rng(4).normal(0, 1, self.width) / self.width**0.5
        lie = (rows - known.mean(axis=0)) / known.std(axis=0)
        found: Floats = 1 / (1 + np.exp(-2 * (lie @ weights)))
        return found

    def counted(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The rows as a predictor counts them."""
        scores = self.scores(rows)
        return np.column_stack([rows, scores, scores >= 0.5]).astype(np.float32)

    def borderline(self, region: TrainingRegion, seed: int) -> NDArray[np.float32]:
        """Honest rows, each of its own, all near the boundary."""
        many = self.rows(60_000, seed)
        return many[np.abs(2 * self.scores(many) - 1) <= region.margin]

    def attack(self, region: TrainingRegion, size: float, seed: int) -> NDArray[np.float32]:
        """The rows of a boundary attack: noise around a point of the boundary, which wanders."""
        random, spread = np.random.default_rng(seed), self.rows(1000, 1).std(axis=0)
        at = self.borderline(region, seed)[:1].astype(np.float64)
        rows = []
        for _ in range(8):
            rows.append(at + random.normal(0, size, (40, self.width)) * spread)
            at = at + random.normal(0, size, (1, self.width)) * spread
        return np.concatenate(rows).astype(np.float32)


def watched(
    world: World, region: TrainingRegion, rows: NDArray[np.float32], client: str = "10.0.0.1"
) -> ClientWatch:
    watch = ClientWatch(Region(region, 2))
    watch.look(world.counted(rows), [(client, 1)] * len(rows), START)
    return watch


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("width", [1, 2, 3, 5, 10, 50])
@pytest.mark.parametrize("test_rows", [40, 300, 2000])
def test_a_burst_of_honest_borderline_applicants_probes_nothing(
    law: Law, width: int, test_rows: int
) -> None:
    world = World(law, width, test_rows)
    region = world.region
    burst = watched(world, region, world.borderline(region, 5)).report()
    assert burst.blocks > 0
    assert burst.probing == 0
    assert burst.near == burst.rows
    assert burst.borderline == burst.blocks, "that they are many is told all the same"
    honest = watched(world, region, world.rows(6400, 6)).report()
    assert (honest.blocks, honest.borderline, honest.beyond, honest.probing) == (100, 0, 0, 0)


@pytest.mark.parametrize("law", ["normal", "skewed", "uniform", "dependent"])
@pytest.mark.parametrize("width", [5, 10, 50])
def test_a_boundary_attack_is_seen(law: str, width: int) -> None:
    world = World(LAWS[law], width)
    region = world.region
    found = watched(world, region, world.attack(region, 0.005, 7)).report()
    assert found.probing > 0
    (block,) = [block for block in found.newest if block.kind is Oddity.PROBING]
    assert PROBING_STEPS <= block.rows <= BLOCK


def test_an_attack_is_seen_among_as_many_honest_rows_of_the_same_client() -> None:
    world = World(LAWS["normal"], 10)
    region = world.region
    attack = world.attack(region, 0.005, 7)
    mixed = np.concatenate([attack, world.rows(len(attack), 8)])
    np.random.default_rng(1).shuffle(mixed)
    assert watched(world, region, mixed).report().probing > 0


def test_to_ask_the_same_again_is_no_step() -> None:
    world = World(LAWS["normal"], 10)
    region = world.region
    one = np.repeat(world.borderline(region, 5)[:3], 100, axis=0)
    found = watched(world, region, one).report()
    assert (found.probing, found.borderline) == (0, found.blocks)


def test_each_client_is_looked_at_alone() -> None:
    """What thousands of clients ask together is no client's probing."""
    world = World(LAWS["normal"], 10)
    region = world.region
    attack = world.counted(world.attack(region, 0.005, 7))
    watch = ClientWatch(Region(region, 2))
    watch.look(attack, [(f"client {number}", 1) for number in range(len(attack))], START)
    assert watch.report().blocks == 0


def test_a_big_request_counts_as_one_block_drawn_from_it() -> None:
    world = World(LAWS["normal"], 10)
    region = world.region
    rows = np.concatenate([world.rows(500, 1), *[world.attack(region, 0.005, 7)] * 10])
    watch = ClientWatch(Region(region, 2))
    watch.look(world.counted(rows), [("a", 3), ("b", len(rows) - 10), ("a", 7)], START)
    found = watch.report()
    assert (found.rows, found.blocks, found.probing) == (BLOCK + 10, 1, 1)


def test_rows_outside_the_training_region_are_told() -> None:
    world = World(LAWS["normal"], 5)
    region = world.region
    far = world.rows(128, 5)
    far[:, 2] += 10 * 10
    found = watched(world, region, far).report()
    assert (found.outside, found.beyond, found.blocks) == (128, 2, 2)
    far[::2, 2] = np.nan
    found = watched(world, region, far).report()
    assert found.outside == 64, "a null lies nowhere"
    assert watched(world, region, world.rows(1000, 1)).report().outside == 0


def test_what_is_kept_is_bounded_whoever_asks(caplog: pytest.LogCaptureFixture) -> None:
    world = World(LAWS["normal"], 10)
    region = world.region
    attack = world.counted(world.attack(region, 0.005, 7))[:BLOCK]
    watch = ClientWatch(Region(region, 2))
    caplog.set_level(logging.WARNING)
    for number in range(3 * MAX_CLIENTS):
        watch.look(attack[:BLOCK], [(f"10.0.{number // 256}.{number % 256}", BLOCK)], START)
        watch.look(attack[:1], [(f"10.1.{number // 256}.{number % 256}", 1)], START)
    found = watch.report()
    assert found.probing == 3 * MAX_CLIENTS
    kept = [block for block in found.newest if block.kind is Oddity.PROBING]
    assert len({block.client for block in kept}) == len(kept) == PROBERS
    assert len(watch._clients) == MAX_CLIENTS
    assert len(watch._numbers) == MAX_CLIENTS
    logged = [record.getMessage() for record in caplog.records if "Probing" in record.getMessage()]
    assert len(logged) == 1, "once a minute at most"
    assert "64 rows from 10.0.0.0 go along the decision boundary in small steps" in logged[0]
    watch.look(attack[:BLOCK], [("10.0.0.1", BLOCK)], START + timedelta(minutes=2))
    assert len([one for one in caplog.records if "Probing" in one.getMessage()]) == 2


@examples(100)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_chance_seldom_makes_a_block_odd(found: int, rows: int) -> None:
    found = min(found, rows)
    limit = most_by_chance(found, rows)
    assert BLOCK * found / max(1, rows) <= limit + 1
    if found == rows:
        assert limit == BLOCK, "where all rows are so no block is odd"


def test_distances_are_kept_by_projections_but_for_a_factor() -> None:
    random = np.random.default_rng(1)
    one, other = random.normal(0, 1, (2, 200, 100))
    exact = np.linalg.norm(one - other, axis=1)
    projected = np.linalg.norm(places(one) - places(other), axis=1)
    assert 0.2 < (projected / exact).min() < 1 < (projected / exact).max() < 2.5
    assert np.isinf(nearest(np.zeros((3, 2)))).all()


def test_the_region_holds_no_value_of_a_row() -> None:
    world = World(LAWS["normal"], 3)
    region = world.region
    values = {f"{value:.6g}" for value in world.rows(3000, 1).ravel()}
    said = {f"{value:.6g}" for value in (*region.centers, *region.scales)}
    assert not said & values - {"0", "1"}
    assert all(isinstance(reach, int) for reach in region.reaches)


def test_the_farthest_numbers_are_outside_and_nothing_more() -> None:
    region = TrainingRegion(
        centers=[0.0, 0.0],
        scales=[1e-300, 1.0],
        reaches=[3, 0],
        margin=0.1,
        step=0.1,
        rows=100,
        near=5,
        outside=0,
    )
    watch = ClientWatch(Region(region, 2))
    far = np.full((BLOCK, 4), np.finfo(np.float32).max, dtype=np.float32)
    far[:, 2:] = 0.5, 1
    far[::2, 0] = -far[::2, 0]
    watch.look(far, [("a", BLOCK)], START)
    found = watch.report()
    assert (found.near, found.outside, found.beyond, found.probing) == (BLOCK, BLOCK, 1, 0)
