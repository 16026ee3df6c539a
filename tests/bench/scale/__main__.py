"""``python -m tests.bench.scale [--sizes 30,100] [--spaces 20] [--scenes rest,drift ...]``.

Each figure is one line of JSON; how far it is, and the curve over the sizes, stand on stderr. The
exit code is 1 if a goal is missed. Everything that was started is gone after, also after Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Sequence

from tests.bench.figures import Figure
from tests.bench.scale.curve import growth, table
from tests.bench.scale.play import SCENES, play
from tests.bench.scale.stage import MissedError, World

SIZES = (30, 100, 300, 1000)
SPACES = 20
LEAST = 3
LONG_PAUSE, SHORT_PAUSE, LARGE = 60.0, 10.0, 300
"""Seconds at rest and of reports: long from that size on."""
CLUSTER = "scale"


def main() -> int:
    """Make each world, one after the other, and print its figures."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    _say(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    figures: dict[World, list[Figure]] = {}
    whole = True
    for world in _worlds(asked):
        load = " ".join(f"{load:.2f}" for load in os.getloadavg())
        _say(f"{world.title}: load average {load} before")
        started, figures[world] = time.monotonic(), []
        try:
            asyncio.run(_measure(world, asked, figures[world]))
        except MissedError as missed:
            _say(f"{world.title}: {missed}")
            whole = False
        except Exception:
            traceback.print_exc()
            whole = False
        _say(f"{world.title}: {time.monotonic() - started:.0f} s")
    compared = growth(figures)
    for figure in compared:
        print(figure.line(), flush=True)
    _say(table(figures))
    every = [*compared, *(figure for found in figures.values() for figure in found)]
    return 0 if whole and all(figure.ok for figure in every) else 1


async def _measure(world: World, asked: argparse.Namespace, found: list[Figure]) -> None:
    async with asyncio.timeout(60 * asked.minutes):
        async for figure in play(world, asked.scenes, asked.cluster):
            print(figure.line(), flush=True)
            found.append(figure)


def _worlds(asked: argparse.Namespace) -> list[World]:
    """Return a world of each size, and the largest once more in one namespace."""
    sizes = sorted(asked.sizes)
    kinds = [(size, asked.spaces) for size in sizes]
    if asked.also_one and asked.spaces > 1:
        kinds.append((sizes[-1], 1))
    return [
        World(size, spaces, asked.patience, _pause(size), asked.period) for size, spaces in kinds
    ]


def _pause(size: int) -> float:
    return LONG_PAUSE if size >= LARGE else SHORT_PAUSE


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.bench.scale", description=__doc__)
    parser.add_argument("--cluster", default=CLUSTER, help="its name, where several run at once")
    parser.add_argument("--sizes", type=_numbers, help="ModelDeployments, such as 30,100")
    parser.add_argument("--spaces", type=int, default=SPACES, help="namespaces")
    parser.add_argument("--scenes", type=_names, default=list(SCENES), help=",".join(SCENES))
    parser.add_argument("--patience", type=float, default=1.0, help="times as long waits")
    parser.add_argument("--period", type=float, default=60.0, help="seconds between reports")
    parser.add_argument("--minutes", type=float, default=15.0, help="the most for one world")
    asked = parser.parse_args()
    # A quick look at some sizes leaves out the world in one namespace; --spaces 1 asks for it.
    asked.also_one = asked.sizes is None
    asked.sizes = asked.sizes or list(SIZES)
    unknown = set(asked.scenes) - set(SCENES)
    if unknown:
        parser.error(f"expected scenes of {', '.join(SCENES)}, found {', '.join(sorted(unknown))}")
    if min(asked.sizes) < LEAST:
        parser.error(f"expected sizes of at least {LEAST}, so that some share a model")
    return asked


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _names(text: str) -> Sequence[str]:
    return text.split(",")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
