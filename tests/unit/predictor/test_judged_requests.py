"""What a candidate is judged by is its own doing: a request of each kind that clients can send."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from starlette.types import Message

from hallmark.api.bounds import LATENCY_BOUNDS
from hallmark.api.drift import Drift, RequestLimits
from hallmark.api.drift_report import RequestCounts
from hallmark.drift.answer_counter import answer_counter
from hallmark_predictor import bodies
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.overload import CAME, DROPPED
from hallmark_predictor.predictions import INLINE_BODY, Predictions
from hallmark_predictor.request_counter import own_seconds
from hallmark_predictor.serving import Serving
from tests.unit.predictor import factories
from tests.unit.predictor.factories import ROW

SLOW = 0.15
"""Seconds that a client lets others wait."""
GOOD = json.dumps({"instances": [ROW]}).encode()
BATCH = json.dumps({"instances": [ROW] * 5000}).encode()
BAD = json.dumps({"instances": [ROW | {"age": 400}]}).encode()
CLIENTS = [f"10.0.0.{number}" for number in range(5)]


class Client:
    """Sends one request in parts, and takes the answer or does not."""

    def __init__(
        self,
        *parts: bytes | float,
        headers: dict[str, str] | None = None,
        state: dict[str, object] | None = None,
        takes: bool = True,
        goes: bool = False,
    ) -> None:
        """Send bytes, wait for seconds; at the end it goes away, or has sent all."""
        self._parts = list(parts)
        self._headers = headers or {}
        self._state = state or {}
        self._takes, self._goes = takes, goes
        self.statuses: list[int] = []

    async def ask(self, app: Predictions, address: str) -> None:
        """Send the request from an address, until the application is done with it."""
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "headers": [(name.encode(), value.encode()) for name, value in self._headers.items()],
            "client": (address, 1234),
            "state": dict(self._state),
        }
        await app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        while self._parts and isinstance(self._parts[0], float):
            await asyncio.sleep(float(self._parts.pop(0)))
        if not self._parts:
            return {"type": "http.disconnect"}
        part = self._parts.pop(0)
        more = bool(self._parts) or self._goes
        return {"type": "http.request", "body": part, "more_body": more}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.statuses.append(message["status"])
        elif not self._takes:
            await asyncio.sleep(60)


def serving() -> Serving:
    model, what = factories.model(), Serving(Metrics())
    recorder = DriftRecorder(
        model.windows,
        model.columns,
        model.trust.manifest_digest,
        requests=what.metrics.counter,
    )
    what.start(DataPlane(model), recorder)
    return what


async def told(make: Callable[[], Client], what: Serving | None = None) -> RequestCounts:
    """What is reported when five clients send such a request each, one after the other."""
    what = what or serving()
    app = Predictions(what, _nothing)
    for address in CLIENTS:
        await make().ask(app, address)
    found = what.metrics.counter.told()
    assert found.count == len(CLIENTS)
    return found


async def _nothing(*_: Any) -> None:  # noqa: ANN401
    raise AssertionError("Every request is for a prediction.")


NOT_JUDGED: dict[str, Callable[[], Client]] = {
    "waited too long in a turn": lambda: Client(GOOD, state={CAME: time.perf_counter() - 5}),
    "no room for what came": lambda: Client(b"", state={DROPPED: 503}, goes=True),
    "trailers without an end": lambda: Client(b"", state={DROPPED: 431}, goes=True),
    "chunks that are none": lambda: Client(b"", state={DROPPED: 400}, goes=True),
    "too large": lambda: Client(headers={"content-length": str(10**9)}),
    "a gzip bomb": lambda: Client(
        gzip.compress(bytes(64 * 1024 * 1024)), headers={"content-encoding": "gzip"}
    ),
    "no gzip": lambda: Client(GOOD, headers={"content-encoding": "gzip"}),
    "goes before it has sent all": lambda: Client(GOOD[:10], goes=True),
    "goes before it has sent anything": lambda: Client(),
    "malformed": lambda: Client(GOOD[:-3]),
    "not what the schema says": lambda: Client(BAD),
    "no text": lambda: Client(b"\xff\xfe\x00"),
    "another type": lambda: Client(GOOD, headers={"content-type": "text/plain"}),
    "no length of its JSON": lambda: Client(
        GOOD, headers={"inference-header-content-length": "many"}
    ),
    "too slow": lambda: Client(GOOD[:5], 60.0, GOOD[5:]),
}


@pytest.mark.parametrize("make", NOT_JUDGED.values(), ids=NOT_JUDGED)
async def test_what_clients_do_is_no_error_and_no_answer(
    make: Callable[[], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.05)
    found = await told(make)
    assert found.failed == 0
    assert sum(found.work) == 0
    assert found.fair is not None
    assert (found.fair.requests, found.fair.timed) == (0, [0] * len(LATENCY_BOUNDS))
    assert found.shed + found.refused == found.count


@pytest.mark.parametrize("case", ["waited too long in a turn", "no room for what came"])
async def test_what_is_shed_is_a_count_of_its_own(case: str) -> None:
    found = await told(NOT_JUDGED[case])
    assert (found.shed, found.refused) == (found.count, 0)


async def test_the_lane_sheds_likewise() -> None:
    what = serving()
    what.lane.leave(0, 0.0)
    assert what.lane.enter(INLINE_BODY)
    what.lane.leave(INLINE_BODY, 60.0)
    assert what.lane.enter(INLINE_BODY), "one is under way, slowly"
    found = await told(lambda: Client(BATCH), what)
    assert (found.shed, found.failed) == (found.count, 0)


ANSWERED: dict[str, Callable[[], Client]] = {
    "at once": lambda: Client(GOOD),
    "sent slowly": lambda: Client(GOOD[:5], SLOW, GOOD[5:]),
    "packed": lambda: Client(gzip.compress(GOOD), headers={"content-encoding": "gzip"}),
    "a batch": lambda: Client(BATCH),
    "a packed batch": lambda: Client(gzip.compress(BATCH), headers={"content-encoding": "gzip"}),
    "in single bytes": lambda: Client(*(bytes([byte]) for byte in GOOD)),
    "not taken": lambda: Client(BATCH, takes=False),
}


@pytest.mark.parametrize("make", ANSWERED.values(), ids=ANSWERED)
async def test_an_answer_is_timed_by_what_it_took_alone(
    make: Callable[[], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "SEND_SECONDS", 0.2)
    found = await told(make)
    assert (found.failed, found.shed, sum(found.work)) == (0, 0, found.count)
    assert found.fair is not None
    assert min(found.fair.timed) >= 3
    assert found.fair.late[LATENCY_BOUNDS.index(100)] == 0
    assert found.fair.late[LATENCY_BOUNDS.index(25)] == 0


async def test_who_waits_for_others_is_not_late() -> None:
    """All at once: those behind a long one wait for it, in the lane and on the loop."""
    what = serving()
    app = Predictions(what, _nothing)
    asked = [
        Client(BATCH if number % 2 else GOOD).ask(app, f"10.0.1.{number}") for number in range(12)
    ]
    await asyncio.gather(*asked)
    found = what.metrics.counter.told()
    assert (found.failed, sum(found.work)) == (0, 12)
    assert sum(found.work[LATENCY_BOUNDS.index(25) + 1 :]) == 0


Method = Callable[[bytes, int | None], Any]


def instead(what: Serving, method: Method) -> Serving:
    """Let a model's answers come from elsewhere."""
    assert what.plane is not None
    routes = {path: (route, method) for path, (route, _) in what.plane.routes.items()}
    what.plane.routes = routes
    return what


@pytest.mark.parametrize("error", [ValueError, TimeoutError, KeyError, RecursionError])
async def test_what_the_version_itself_cannot_answer_is_an_error(error: type[Exception]) -> None:
    def fails(*_: object) -> Answer:
        raise error

    found = await told(lambda: Client(GOOD), instead(serving(), fails))
    assert found.fair is not None
    assert (found.failed, found.fair.failed, found.fair.requests) == (5, 4, 4)


async def test_a_version_that_is_slow_for_everybody_is_late() -> None:
    what = serving()
    assert what.plane is not None
    _, answers = what.plane.routes["/predict"]

    def slow(body: bytes, length: int | None) -> Any:  # noqa: ANN401
        until = time.thread_time() + 0.03
        while time.thread_time() < until:
            pass
        return answers(body, length)

    found = await told(lambda: Client(GOOD), instead(what, slow))
    assert found.fair is not None
    assert found.fair.late[: LATENCY_BOUNDS.index(25) + 1] == [4, 4, 4]


async def test_a_request_that_is_ended_with_the_process_is_no_error() -> None:
    what = serving()
    waits = asyncio.ensure_future(
        Client(GOOD[:5], 60.0, GOOD[5:]).ask(Predictions(what, _nothing), CLIENTS[0])
    )
    await asyncio.sleep(0.02)
    waits.cancel()
    with suppress(asyncio.CancelledError):
        await waits
    found = what.metrics.counter.told()
    assert (found.count, found.failed) == (1, 0)


@pytest.mark.parametrize("kind", [*NOT_JUDGED, "fails", "late"])
async def test_one_client_among_five_changes_nothing(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fifth sends ten times as many of the worst as the others send right ones together."""
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.02)
    what = serving()
    app = Predictions(what, _nothing)
    counter = what.metrics.counter
    for address in CLIENTS[:4]:
        for _ in range(5):
            await Client(GOOD).ask(app, address)
    for _ in range(10):
        if kind in NOT_JUDGED:
            await NOT_JUDGED[kind]().ask(app, CLIENTS[4])
        else:
            failed = kind == "fails"
            own = None if failed else own_seconds(7, 1)
            counter.ended("/predict", 500 if failed else 200, 7.0, CLIENTS[4], own)
    found = counter.told().fair
    assert found is not None
    assert (found.refused, found.failed) == (0, 0)
    assert found.late[LATENCY_BOUNDS.index(100)] == 0
    assert found.requests >= 10
    assert found.rows >= 10


@pytest.mark.parametrize(("fails", "failed"), [(True, 3), (False, 0)])
async def test_a_report_has_the_blocks_where_limits_are_declared(fails: bool, failed: int) -> None:
    """Five clients ask in turn, and one request of five fails, of each of them."""
    what = serving()
    limits = RequestLimits(minimum=100, max_errors="0.01", max_latency="25ms")
    what.metrics.counter.blocks = answer_counter(Drift(requests=limits))
    recorder = what.recorder
    assert isinstance(recorder, DriftRecorder)
    for number in range(400):
        code, own = (500, None) if fails and number % 25 < 5 else (200, 0.001)
        what.metrics.counter.ended("/predict", code, 9.0, CLIENTS[number % 5], own)
    blocks = recorder.report(1).answers
    assert len(blocks) == 2
    for block in blocks:
        assert block.requests >= 100
        assert block.failed >= failed * block.requests // 25
        assert (block.failed > 0) is fails
        assert block.late == 0
