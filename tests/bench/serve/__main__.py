"""``python -m tests.bench.serve [--rounds N] [--seconds N] [--without mlserver,kserve]``.

All servers answer with the same model, first of all rightly; then they are asked in turn, round by
round, with one core for the server and one for the load. Each figure is one line of JSON; the
surroundings stand on stderr. Ratios hold on a busy machine, rates do not. The exit code is 1 if a
goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tests.bench.figures import Figure, figure
from tests.bench.serve import servers
from tests.bench.serve.load import JSON, closed_loop, open_loop
from tests.bench.serve.model import Bench, make
from tests.bench.serve.servers import Running, check_clients

PEERS = ("mlserver", "kserve")
BATCH = 1000
MIB = 1024 * 1024


def main() -> int:
    """Measure, print, and tell whether each goal is reached."""
    parser = argparse.ArgumentParser(prog="tests.bench.serve", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--without", default="", help="peers to leave out, with commas between")
    asked = parser.parse_args()
    peers = [name for name in PEERS if name not in asked.without.split(",")]
    _say(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {_load()} before")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = make(Path(folder))
        running = {
            name: _start(name, bench, Path(folder), stack)
            for name in ("hallmark", "null_app", *peers)
        }
        check_clients(running["hallmark"])
        passed = True
        for found in _figures(bench, running, Path(folder), asked.rounds, asked.seconds):
            print(found.line(), flush=True)
            passed = passed and found.ok
    _say(f"load {_load()} after")
    return 0 if passed else 1


def _start(name: str, bench: Bench, folder: Path, stack: ExitStack) -> Running:
    own = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    return stack.enter_context(getattr(servers, name)(bench, own))


def _figures(
    bench: Bench, running: dict[str, Running], folder: Path, rounds: int, seconds: int
) -> Iterator[Figure]:
    ours = running["hallmark"]
    peers = {name: running[name] for name in PEERS if name in running}
    for server in running.values():
        yield figure(f"{server.name}: resident memory", [server.memory / MIB], "MiB")
    for name, peer in peers.items():
        yield figure(f"memory, {name} / hallmark", [peer.memory / ours.memory], "times", at_least=4)
    yield from _cold_starts(bench, list(running), folder, rounds)
    yield from _one_row(bench, running, folder, rounds, seconds)
    yield from _batches(bench, running, folder, rounds, seconds)
    if "kserve" in peers:
        yield from _tails(bench, ours, peers["kserve"], folder, rounds, seconds)


def _cold_starts(bench: Bench, names: Sequence[str], folder: Path, rounds: int) -> Iterator[Figure]:
    """From exec to the first right answer, started in turn beside those that wait for requests."""
    starts = defaultdict(list)
    for _ in range(rounds):
        for name in names:
            with ExitStack() as stack:
                starts[name].append(_start(name, bench, folder, stack).cold_start)
    for name, found in starts.items():
        yield figure(f"{name}: exec to first right answer", found, "s")
    for name in (name for name in PEERS if name in names):
        share = _ratios(starts[name], starts["hallmark"])
        yield figure(f"cold start, {name} / hallmark", share, "times", at_least=10)


def _one_row(
    bench: Bench, running: dict[str, Running], folder: Path, rounds: int, seconds: int
) -> Iterator[Figure]:
    """One row a request: rates, and seconds of the server's core, which a busy machine leaves."""
    kinds = {"v2 matrix": bench.one, "v2 by feature": bench.named, "predict": bench.instances}
    rates, processor = defaultdict(list), defaultdict(list)
    for _ in range(rounds):
        for name, server in running.items():
            for kind, body in kinds.items():
                if name in PEERS and kind != "v2 matrix":
                    continue
                path = "/predict" if kind == "predict" else server.path
                asked = bench.matrix(1, server.output) if kind == "v2 matrix" else body
                pace = closed_loop(server, path, asked, folder, seconds=seconds)
                if pace.failed:
                    raise RuntimeError(f"{name}, {kind}: {pace.failed} failed")
                rates[name, kind].append(pace.rate)
                processor[name, kind].append(pace.processor * 1e6)
    for (name, kind), found in rates.items():
        yield figure(f"{name}, {kind}: rate", found, "requests/s")
        yield figure(f"{name}, {kind}: core", processor[name, kind], "us/request")
    for kind in kinds:
        share = _ratios(rates["hallmark", kind], rates["null_app", kind])
        yield figure(f"{kind}: rate, hallmark / null app", share, "times", at_least=0.75)
        share = _ratios(processor["null_app", kind], processor["hallmark", kind])
        yield figure(f"{kind}: core, null app / hallmark", share, "times", at_least=0.75)
    for name in (name for name in PEERS if name in running):
        for kind in kinds:
            share = _ratios(rates["hallmark", kind], rates[name, "v2 matrix"])
            yield figure(f"{kind}: rate, hallmark / {name}", share, "times", at_least=18)
            share = _ratios(processor[name, "v2 matrix"], processor["hallmark", kind])
            yield figure(f"{kind}: core, {name} / hallmark", share, "times", at_least=18)


def _batches(
    bench: Bench, running: dict[str, Running], folder: Path, rounds: int, seconds: int
) -> Iterator[Figure]:
    """A thousand rows a request."""
    kinds = {
        "JSON": (bench.matrix(BATCH), JSON),
        "binary": _with_length(*bench.binary(BATCH)),
        "binary by feature": _with_length(*bench.binary_by_feature(BATCH)),
    }
    rates = defaultdict(list)
    for name, server in running.items():
        if name == "hallmark":
            _check_batch(bench, server, *kinds["binary"])
            _check_batch(bench, server, *kinds["binary by feature"])
    for _ in range(rounds):
        for name, server in running.items():
            for kind, (body, sent) in kinds.items():
                if (name == "mlserver" and kind == "binary") or (
                    name in PEERS and kind == "binary by feature"
                ):
                    continue
                asked = bench.matrix(BATCH, server.output) if kind == "JSON" else body
                pace = closed_loop(
                    server, server.path, asked, folder, headers=sent, connections=4, seconds=seconds
                )
                if pace.failed:
                    raise RuntimeError(f"{name}, {kind}: {pace.failed} failed")
                rates[name, kind].append(pace.rate * BATCH)
    for (name, kind), found in rates.items():
        if name != "null_app":
            yield figure(f"{name}, {BATCH} rows of {kind}: rate", found, "rows/s")
    for peer, kind, goal in (
        ("mlserver", "JSON", None),
        ("kserve", "JSON", None),
        ("kserve", "binary", 100),
    ):
        if not rates.get((peer, kind)):
            continue
        for form in ("binary", "binary by feature"):
            share = _ratios(rates["hallmark", form], rates[peer, kind])
            yield figure(
                f"{BATCH} rows: hallmark {form} / {peer} {kind}", share, "times", at_least=goal
            )


def _with_length(body: bytes, json_length: int) -> tuple[bytes, dict[str, str]]:
    """Return a body of the binary extension and its headers."""
    return body, {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(json_length),
    }


def _check_batch(bench: Bench, server: Running, body: bytes, headers: Mapping[str, str]) -> None:
    status, answer = server.ask(server.path, body, headers)
    found = np.frombuffer(answer[-8 * BATCH :], "<f4").reshape(-1, 2)
    if status != 200 or not np.allclose(found, bench.expected, atol=1e-6):
        raise RuntimeError(f"{server.name} answers a batch otherwise: {status} {answer[:200]!r}")


def _tails(
    bench: Bench, ours: Running, kserve: Running, folder: Path, rounds: int, seconds: int
) -> Iterator[Figure]:
    """The slowest hundredth at four fifths of what KServe can do, in an open loop."""
    most = closed_loop(kserve, kserve.path, bench.one, folder, seconds=seconds).rate
    tails = defaultdict(list)
    for _ in range(rounds):
        for server in (ours, kserve):
            tails[server.name].append(open_loop(server, server.path, bench.one, 0.8 * most))
    for name, found in tails.items():
        yield figure(f"{name}: p99 at {0.8 * most:.0f} requests/s", [1e3 * t for t in found], "ms")
    share = _ratios(tails["kserve"], tails["hallmark"])
    yield figure("p99, kserve / hallmark", share, "times", at_least=10)


def _ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return the ratio of each round: what disturbs one side then disturbs mostly the other."""
    return [one / other for one, other in zip(above, below, strict=True)]


def _load() -> str:
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
