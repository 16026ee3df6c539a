"""An informer against an API server whose every answer is written down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from hallmark.cluster import informer as informer_module
from hallmark.cluster.cache import Change, ObjectCache
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.informer import FIRST_PAGE, LARGEST_PAGE, PAGE_BYTES, Informer
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, Kind, Obj
from hallmark.cluster.lists import ListGone, Page, Selection
from tests.unit.cluster.cached import SPACE, obj

BROKEN = ApiError("The API server did not answer.")


class Over(Exception):
    """The script is at its end."""


@dataclass
class Script:
    """An API server's answers, one after the other; what was asked is written down."""

    pages: Sequence[Page | Exception | None] = ()
    watches: Sequence[Sequence[Obj | Exception]] = ()
    asked: list[tuple[int, str]] = field(default_factory=list)
    """Limit and token of each page."""
    watched: list[str] = field(default_factory=list)
    """The version from which each watch began."""
    silences: list[float] = field(default_factory=list)

    async def page(self, selection: Selection, limit: int, token: str) -> Page | None:
        """See ``Source``."""
        number = len(self.asked)
        if number == len(self.pages):
            raise Over
        self.asked.append((limit, token))
        answer = self.pages[number]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(
        self, selection: Selection, version: str, seconds: int, silence: float
    ) -> AsyncIterator[Obj]:
        """See ``Source``."""
        number = len(self.watched)
        if number == len(self.watches):
            raise Over
        self.watched.append(version)
        self.silences.append(silence)
        for event in self.watches[number]:
            if isinstance(event, Exception):
                raise event
            yield event


@dataclass
class Followed:
    """What came of a script."""

    script: Script
    cache: ObjectCache
    informer: Informer
    changes: list[Change]
    shown: list[str]
    """The names of the objects that were shown as they came."""
    slept: list[float]

    @property
    def names(self) -> list[str]:
        """The objects that are known."""
        return sorted(key.name for key in self.cache.keys(MODEL_DEPLOYMENT))

    @property
    def told(self) -> list[tuple[str, str]]:
        """The changes that were told, as name and what happened."""
        return [
            (
                change.key.name,
                "gone" if change.after is None else "new" if change.before is None else "changed",
            )
            for change in self.changes
        ]


async def followed(
    pages: Sequence[Page | Exception | None] = (),
    watches: Sequence[Sequence[Obj | Exception]] = (),
    known: Sequence[Obj] = (),
) -> Followed:
    """Let an informer follow a script to its end."""
    script, cache = Script(pages, watches), ObjectCache()
    for state in known:
        cache.observe(MODEL_DEPLOYMENT, state)
    changes: list[Change] = []
    shown: list[str] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def show(kind: Kind, came: Obj) -> None:
        assert cache.get(kind, SPACE, came["metadata"]["name"]) is not None, "the cache is first"
        shown.append(came["metadata"]["name"])

    selection = Selection(MODEL_DEPLOYMENT)
    informer = Informer(script, cache, selection, changes.append, show, sleep)
    with pytest.raises(Over):
        await informer.run()
    return Followed(script, cache, informer, changes, shown, slept)


def deployment(name: str, version: int = 1, model: str = "credit") -> Obj:
    return obj(MODEL_DEPLOYMENT, name, version, spec={"model": model})


def page(*names: str, version: int = 10, token: str = "", size: int = 1000) -> Page:
    return Page([deployment(name) for name in names], str(version), token, size)


def event(kind: str, name: str, version: int, model: str = "credit") -> Obj:
    return {"type": kind, "object": deployment(name, version, model)}


def bookmark(version: int) -> Obj:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}


def error(code: int) -> Obj:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "too bad"}}


async def test_the_first_list_is_taken_and_not_told() -> None:
    found = await followed([page("a", token="t"), page("b")])
    assert found.names == ["a", "b"]
    assert [token for _, token in found.script.asked] == ["", "t"]
    assert found.told == []
    assert found.shown == ["a", "b"], "everything that came is shown"
    assert found.informer.synced.is_set()
    assert found.informer.lists == 1


async def test_an_informer_is_not_synced_before_the_last_page() -> None:
    found = await followed([page("a", token="t")])
    assert not found.informer.synced.is_set()


async def test_the_watch_goes_on_from_the_list_and_its_events_are_told() -> None:
    watch = [
        event("ADDED", "b", 11),
        event("MODIFIED", "a", 12, "other"),
        event("MODIFIED", "a", 13, "other"),
        event("DELETED", "b", 14),
    ]
    found = await followed([page("a")], [watch])
    assert found.script.watched == ["10"]
    assert found.told == [("b", "new"), ("a", "changed"), ("b", "gone")]
    assert found.names == ["a"]
    assert found.shown == ["a", "b", "a", "a"]


@pytest.mark.parametrize(
    ("watch", "next_version", "slept"),
    [
        pytest.param(
            [event("ADDED", "b", 11), event("ADDED", "c", 15)], "15", [], id="of the last event"
        ),
        pytest.param([event("ADDED", "b", 11), bookmark(40)], "40", [], id="of a bookmark"),
        pytest.param([event("DELETED", "a", 21)], "21", [], id="of a deletion"),
        pytest.param([event("ADDED", "b", 11), BROKEN], "11", [1.0], id="before it broke"),
        pytest.param([BROKEN], "10", [1.0], id="of the list where nothing came"),
        pytest.param([], "10", [1.0], id="of the list where it ended at once"),
        pytest.param([error(500)], "10", [1.0], id="before an error that passes"),
    ],
)
async def test_a_watch_that_ends_goes_on_from_the_version(
    watch: list[Obj | Exception], next_version: str, slept: list[float]
) -> None:
    found = await followed([page("a")], [watch, [bookmark(50)]])
    assert found.script.watched == ["10", next_version]
    assert found.informer.lists == 1
    assert found.slept == slept


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param([ListGone()], id="where the watch is refused"),
        pytest.param([bookmark(20), error(410)], id="where the watch says so"),
    ],
)
async def test_a_version_that_is_gone_is_listed_anew_and_the_difference_is_told(
    gone: list[Obj | Exception],
) -> None:
    again = Page([deployment("a", 25, "other"), deployment("c", 24)], "30", "", 1000)
    found = await followed([page("a", "b"), again], [gone, [bookmark(31)]])
    assert found.informer.lists == 2
    assert found.script.watched == ["10", "30"]
    assert found.names == ["a", "c"]
    assert found.told == [("a", "changed"), ("c", "new"), ("b", "gone")]


async def test_an_own_write_during_a_list_is_newer_than_it() -> None:
    found = await followed(
        [page("a", version=10)], known=[deployment("mine", 12), deployment("lost", 9)]
    )
    assert found.names == ["a", "mine"]


@pytest.mark.parametrize(
    "broken", [ListGone(), ApiError("Too old.", 410), BROKEN], ids=["gone", "refused", "broken"]
)
async def test_a_list_that_ends_between_two_pages_begins_anew(broken: Exception) -> None:
    pages: list[Page | Exception | None] = [page("a", token="t"), broken]
    pages += [page("a", token="u"), page("b")]
    found = await followed(pages, [[bookmark(20)]])
    assert [token for _, token in found.script.asked] == ["", "t", "", "u"]
    assert found.names == ["a", "b"]
    assert found.told == [], "it is still the first list"
    assert found.slept == [1.0]


async def test_failures_in_a_row_wait_longer_up_to_a_bound() -> None:
    found = await followed([BROKEN] * 7)
    assert found.slept == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


async def test_watches_that_end_at_once_wait_longer_each_time() -> None:
    found = await followed([page("a")], [[], [], [BROKEN], []])
    assert found.slept == [1.0, 2.0, 4.0, 8.0]


async def test_lists_that_are_gone_each_time_wait_longer() -> None:
    found = await followed([ListGone()] * 3)
    assert found.slept == [1.0, 2.0, 4.0]


async def test_watches_whose_version_is_gone_each_time_wait_longer() -> None:
    found = await followed([page("a")] * 3, [[ListGone()]] * 3)
    assert found.slept == [1.0, 2.0, 4.0]


async def test_what_was_heard_ends_the_row_of_failures() -> None:
    watches: list[list[Obj | Exception]] = [[BROKEN], [BROKEN], [bookmark(20), BROKEN]]
    watches += [[BROKEN], [bookmark(21)]]
    found = await followed([page("a")], watches)
    assert found.slept == [1.0, 2.0, 1.0, 2.0]


async def test_a_watch_is_told_how_long_silence_may_last() -> None:
    found = await followed([page("a")], [[bookmark(11)], [bookmark(12)]])
    assert found.script.silences == [informer_module.SILENCE_SECONDS] * 2


@pytest.mark.parametrize(
    ("pages", "watches", "age"),
    [
        pytest.param([], [], 5.0, id="the start where nothing came"),
        pytest.param([page("a", token="t")], [], 4.0, id="a page"),
        pytest.param([page("a")], [[bookmark(11)]], 3.0, id="a bookmark"),
        pytest.param([page("a")], [[], [BROKEN]], 4.0, id="the list where the watches were silent"),
    ],
)
async def test_the_api_server_was_last_heard_at(
    pages: list[Page | Exception | None], watches: list[list[Obj | Exception]], age: float
) -> None:
    ticks = iter([0.0, 1.0, 2.0])  # The start, and each time something comes.

    def clock() -> float:
        return next(ticks, 5.0)

    script, cache = Script(pages, watches), ObjectCache()

    async def sleep(seconds: float) -> None:
        return None

    informer = Informer(
        script, cache, Selection(MODEL_DEPLOYMENT), lambda change: None, sleep=sleep, clock=clock
    )
    with pytest.raises(Over):
        await informer.run()
    ticks = iter([])
    assert informer.age == age


async def test_a_page_that_is_too_large_is_asked_for_again_with_an_eighth() -> None:
    found = await followed([None, None, page("a", size=PAGE_BYTES)])
    assert [limit for limit, _ in found.script.asked] == [FIRST_PAGE, FIRST_PAGE // 8, 1]
    assert found.names == ["a"]


@pytest.mark.parametrize(
    ("count", "size", "following"),
    [
        pytest.param(16, 16 * 1000, 64, id="small objects: four times as many at most"),
        pytest.param(16, PAGE_BYTES, 16, id="a page that is just full: as many"),
        pytest.param(16, 2 * PAGE_BYTES, 8, id="twice too large: half"),
        pytest.param(1, 2 * PAGE_BYTES, 1, id="a single huge object: one at a time"),
        pytest.param(0, 100, 16, id="an empty page says nothing"),
    ],
)
async def test_how_many_objects_the_next_page_has(count: int, size: int, following: int) -> None:
    first = page(*(f"one-{number}" for number in range(count)), token="t", size=size)
    found = await followed([first, page()])
    assert [limit for limit, _ in found.script.asked] == [FIRST_PAGE, following]


async def test_a_page_never_has_more_objects_than_a_bound() -> None:
    pages = [page("a", token="t", size=10) for _ in range(5)]
    found = await followed(pages)
    assert [limit for limit, _ in found.script.asked] == [16, 64, 256, LARGEST_PAGE, LARGEST_PAGE]


async def test_an_older_state_in_the_watch_is_shown_and_not_told() -> None:
    found = await followed(
        [page()], [[event("MODIFIED", "a", 11)]], known=[deployment("a", 12, "answered")]
    )
    assert found.told == []
    assert found.shown == ["a"]
