"""How the figures change with the size of the world. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench.figures import Figure, figure
from tests.bench.scale.stage import World

Figures = Mapping[World, Sequence[Figure]]

REQUESTS = "to Ready: requests for each Deployment"
SLACK = 1.02
"""Requests for each Deployment in the largest world by those in the smallest: as many, but for
an odd conflict that is tried again."""


def growth(figures: Figures) -> list[Figure]:
    """Return by how much the requests for each Deployment grow with the number of them."""
    found = [
        (world.size, values[REQUESTS].value)
        for world, values in _by_name(figures).items()
        if REQUESTS in values
    ]
    if len({size for size, _ in found}) < 2:
        return []
    # Of the worlds of the largest size the dearest counts.
    (smallest, least), (largest, most) = min(found), max(found)
    name = f"{REQUESTS}: with {largest} by those with {smallest}"
    return [figure(name, [most / least], "times", at_most=SLACK)]


def table(figures: Figures) -> str:
    """Return the curve for people: a line for each figure, a column for each world."""
    columns = _by_name(figures)
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    if not names:
        return "There are no figures."
    width = max(map(len, names))
    head = " " * width + "".join(f"{_head(world):>14}" for world in columns)
    return "\n".join([head, *(f"{name:<{width}}{_cells(name, columns)}" for name in names)])


def _by_name(figures: Figures) -> dict[World, dict[str, Figure]]:
    """Return each world's figures by their name without the world's."""
    return {
        world: {found.name.removeprefix(f"{world.title}: "): found for found in values}
        for world, values in figures.items()
    }


def _head(world: World) -> str:
    return f"{world.size} in {world.spaces}"


def _cells(name: str, columns: Mapping[World, Mapping[str, Figure]]) -> str:
    cells = []
    unit = ""
    for values in columns.values():
        found = values.get(name)
        unit = found.unit if found else unit
        missed = "" if found is None or found.ok else " !"
        cells.append(f"{'' if found is None else f'{found.value:,.2f}'}{missed:<2}")
    return "".join(f"{cell:>14}" for cell in cells) + f" {unit}"
