"""``make bench NAME=mirror``: what copies for a candidate cost the version that serves.

One predictor, its candidate beside it, and a client with a few connections. Rounds with and
without copies of all requests take turns; told are the processor's time of the serving process for
each request, requests per second, and its memory. The processor's time does not depend on what else
the machine does; requests per second do, and the candidate works on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from hallmark.api.drift_report import DriftReport
from tests.bench.measuring import processor_seconds, resident
from tests.unit.predictor.factories import POD, ROW, sealed
from tests.unit.predictor.mirrors import digest_of, free_port, mirror_of, other_plane
from tests.unit.predictor.test_process import Process

CONNECTIONS = 8
BODY = json.dumps({"instances": [ROW]}).encode()
REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY
MIB = 1024 * 1024


async def _client(port: int, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    while time.monotonic() < until:
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        done += 1
    writer.close()
    return done


async def _load(port: int, seconds: float) -> int:
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(_client(port, until) for _ in range(CONNECTIONS))))


def _pid(process: Process) -> int:
    found = process._process
    assert found is not None
    return found.pid


def main() -> None:
    """Measure, and print a line for each round and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each kind")
    parser.add_argument("--seconds", type=float, default=6.0, help="of a round")
    asked = parser.parse_args()
    own, candidate, port = sealed().trust.manifest_digest, other_plane(), free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        process = Process(folder, stack, sealed())
        process.api.name_active(own)
        process.start(f"--mirror-port={port}", "--mirror-host=127.0.0.1")
        process.wait_until("/readyz")
        child = os.fork()
        if child == 0:
            asyncio.run(_candidate(port))
        stack.callback(os.kill, child, signal.SIGTERM)
        told: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        for number in range(2 * asked.rounds + 2):
            copies = bool(number % 2)
            mirror = mirror_of(digest_of(candidate)) if copies else None
            process.api.name_active(own, mirror=mirror)
            time.sleep(1.5)
            before = processor_seconds(_pid(process))
            done = asyncio.run(_load(process.port, asked.seconds))
            spent = (processor_seconds(_pid(process)) - before) / done
            memory = resident("VmRSS", _pid(process)) / MIB
            line = f"{'with' if copies else 'without'} copies: {done / asked.seconds:,.0f}/s, "
            print(f"{line}{1e6 * spent:.1f} us a request, {memory:.1f} MiB")
            if number >= 2:  # The first of each warms up.
                told[copies].append((done / asked.seconds, 1e6 * spent))
        for copies, found in told.items():
            rate, spent = (statistics.median(one) for one in zip(*found, strict=True))
            print(f"median {'with' if copies else 'without'}: {rate:,.0f}/s, {spent:.1f} us")
        process.send(signal.SIGTERM)
        process.exit_code()
        last = [
            told.mirror
            for found in process.api.reports
            if (told := DriftReport.model_validate(found["status"]["drift"][POD])).mirror
        ][-1]
        assert last is not None
        print(f"last round: {last.all.requests:,} copies compared, {last.dropped:,} dropped")


async def _candidate(port: int) -> None:
    from hallmark_predictor.mirror_server import answer_copies

    await answer_copies(other_plane(), "127.0.0.1", port)


if __name__ == "__main__":
    main()
