import itertools
import json
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.errors import ClusterError
from hallmark_predictor.active_watch import (
    FIRST_PAUSE,
    MAX_PAUSE,
    SHARED,
    ActiveWatch,
    Copies,
    Traffic,
    active_digest,
    copies_of,
)
from hallmark_predictor.cluster_api import ClusterApi
from hallmark_predictor.settings import ApiServer
from tests.unit.predictor.servers import FakeApiServer

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApiServer]:
    with FakeApiServer(tmp_path).running() as found:
        yield found


@pytest.fixture
def told(api: FakeApiServer) -> Iterator["queue.Queue[Traffic]"]:
    """What a watch tells, from before it begins; it lists and watches until the test ends."""
    found: queue.Queue[Traffic] = queue.Queue()
    watch = ActiveWatch(ClusterApi(api.address, timeout=2), "team", "loans", found.put)
    ended = threading.Event()

    def follow() -> None:
        while not ended.is_set():
            watch.once()

    thread = threading.Thread(target=follow)
    thread.start()
    yield found
    ended.set()
    api.end_watches()
    thread.join()


def test_each_change_of_the_active_version_is_told(
    api: FakeApiServer, told: "queue.Queue[Traffic]"
) -> None:
    assert told.get(timeout=60) == Traffic()
    assert api.watched.acquire(timeout=60)
    for digest in (ONE, TWO, None, ONE):
        api.name_active(digest)
        assert told.get(timeout=60) == Traffic(digest)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"manifestDigest": ONE}, ONE),
        ({"manifestDigest": ONE, "shared": "true"}, SHARED),
        ({"manifestDigest": ONE, "shared": "no"}, ONE),
        ({"manifestDigest": 1}, None),
        (None, None),
    ],
)
def test_while_two_versions_answer_no_version_is_named(data: object, named: str | None) -> None:
    assert active_digest({"data": data}) == named
    assert SHARED not in {ONE, TWO}


GOOD = {"candidate": TWO, "since": "2026-11-28T12:00:00Z", "percent": 40}


@pytest.mark.parametrize(
    ("mirror", "copies"),
    [
        (json.dumps(GOOD), Copies(TWO, "2026-11-28T12:00:00Z", 40)),
        (json.dumps({**GOOD, "percent": 0}), None),
        (json.dumps({**GOOD, "percent": 101}), None),
        (json.dumps({**GOOD, "percent": "40"}), None),
        (json.dumps({"candidate": TWO}), None),
        ("{", None),
        ('{"further":' + "[" * 100_000, None),
        ("\ud800", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_what_is_to_be_copied_is_read_strictly(mirror: object, copies: Copies | None) -> None:
    assert copies_of({"data": {"manifestDigest": ONE, "mirror": mirror}}) == copies
    assert copies_of({}) is None


def test_after_a_watch_ended_it_lists_and_watches_again(
    api: FakeApiServer, told: "queue.Queue[Traffic]"
) -> None:
    assert told.get(timeout=60) == Traffic()
    assert api.watched.acquire(timeout=60)
    api.name_active(ONE)
    assert told.get(timeout=60) == Traffic(ONE)
    api.end_watches()
    assert told.get(timeout=60) == Traffic(ONE)
    for last in (None, {"type": "ERROR", "object": {"code": 410}}, {"type": "BOOKMARK"}):
        assert api.watched.acquire(timeout=60)
        api.end_watches(last)
        assert told.get(timeout=60) == Traffic(ONE)
    assert api.watched.acquire(timeout=60)
    api.name_active(TWO)
    assert told.get(timeout=60) == Traffic(TWO)


def test_a_refused_list_is_an_error_with_the_servers_sentence(api: FakeApiServer) -> None:
    (api.credentials / "token").write_text("stolen")
    watch = ActiveWatch(ClusterApi(api.address), "team", "loans", lambda _: None)
    with pytest.raises(ClusterError, match="answered 401: Unauthorized"):
        watch.once()


class _EndError(BaseException):
    """Ends a story."""


class Story(ClusterApi):
    """An API server whose watches last for given seconds, and then end or break."""

    def __init__(self, watches: list[tuple[float, bool]]) -> None:
        super().__init__(ApiServer("127.0.0.1", 1, Path()))
        self.now = 0.0
        self.opened: list[float] = []
        self.pauses: list[float] = []
        self._watches = iter(watches)

    def get(self, path: str, query: Any) -> dict[str, Any]:  # noqa: ANN401
        """List nothing."""
        self.opened.append(self.now)
        return {"items": []}

    def watch(self, path: str, query: Any, silence: float) -> Iterator[dict[str, Any]]:  # noqa: ANN401
        """Last for a while."""
        found = next(self._watches, None)
        if found is None:
            raise _EndError
        lasts, breaks = found
        self.now += lasts
        if breaks:
            raise ClusterError("It broke.")
        yield {"type": "ERROR"}

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.pauses.append(seconds)
        self.now += seconds


def opened(watches: list[tuple[float, bool]]) -> Story:
    story = Story(watches)
    watch = ActiveWatch(
        story, "team", "loans", lambda _: None, clock=lambda: story.now, sleep=story.sleep
    )
    with pytest.raises(_EndError):
        watch.run()
    return story


LASTS = st.sampled_from([0.0, 0.5, 2.0, 10.0, 29.0, 31.0, 300.0])


@given(st.lists(st.tuples(LASTS, st.booleans()), max_size=12))
def test_no_api_server_is_asked_all_the_time_and_none_is_waited_for_long(
    watches: list[tuple[float, bool]],
) -> None:
    found = opened(watches)
    assert all(two - one >= FIRST_PAUSE for one, two in itertools.pairwise(found.opened))
    assert all(FIRST_PAUSE <= pause <= MAX_PAUSE for pause in found.pauses)


@pytest.mark.parametrize("breaks", [True, False])
def test_a_watch_that_lasted_is_opened_again_soon_however_it_ended(breaks: bool) -> None:
    found = opened([(300.0, breaks)] * 20)
    assert found.pauses == ([FIRST_PAUSE] * 20 if breaks else [])


def test_a_watch_that_ends_at_once_is_opened_ever_more_seldom() -> None:
    assert opened([(0.0, False)] * 8).pauses == [1, 2, 4, 8, 16, 30, 30, 30]
