"""What the dashboard remembers: the audit log as it grows, windows of traffic, the watch's age."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hallmark.audit import AuditLog, AuditRecord, Record
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.cluster.cache import Key
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.informer import Informer
from hallmark.cluster.kinds import (
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    TRAINING_RUN,
    Obj,
)
from hallmark.cluster.lists import Page, Selection
from hallmark_dashboard import evidence
from hallmark_dashboard.access.rights import Sight
from hallmark_dashboard.audits import AuditQuery, Audits, matching, visible
from hallmark_dashboard.pages.live import sentence, visible as changes_of
from hallmark_dashboard.traffic import MOST_BYTES, MOST_WINDOWS, Traffic
from hallmark_dashboard.watch import MOST_CHANGES, MOST_LISTENERS, MOST_REMEMBERED, Watch
from tests.integration import objects
from tests.unit.cluster.cached import obj
from tests.unit.dashboard.objects import policy
from tests.unit.supply_chain.factories import KEY, trusted

NOTHING = Sight(frozenset(), {})
ALL = Sight(frozenset({MODEL_VERSION, MODEL_DEPLOYMENT, TRAINING_RUN, MODEL_POLICY}), {})
BANK = Sight(frozenset(), {MODEL_VERSION: frozenset({"bank"})})


class Clock:
    """A time that tests move."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def decided(number: int, kind: str = "ModelVersion", namespace: str = "bank") -> Record:
    return Record(
        decision_id=f"d-{number}",
        event=AuditEvent.APPROVE,
        kind=kind,
        namespace=namespace,
        name=f"v{number}",
        uid="u",
        outcome=AuditOutcome.ACCEPTED,
        reason="Accepted",
        actor="rita" if number % 2 else "remy",
    )


def log_at(path: Path, **options: Any) -> AuditLog:  # noqa: ANN401
    log = AuditLog(path, KEY, **options)
    log.verify_rest(None)
    return log


async def test_the_log_is_read_as_it_grows_and_rotates(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", Clock()
    audits, log = Audits(path, clock), log_at(path, rotate_at=2000)
    seen = []
    for number in range(40):
        log.append(decided(number))
        clock.now += 2
        records, problem = await audits.records()
        assert problem == ""
        seen.append(records[-1].seq)
    log.close()

    assert seen == list(range(1, 41))
    assert len(list(tmp_path.glob("a.log.0*"))) > 3
    records, _ = await Audits(path, clock).records()
    assert [record.seq for record in records] == list(range(1, 41))


async def test_half_a_line_and_bytes_that_are_none_hide_no_record(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", Clock()
    log = log_at(path)
    for number in range(3):
        log.append(decided(number))
    log.close()
    with path.open("ab") as file:
        file.write(b"garbage\n\xff\xfe\n" + b'{"seq": 4')

    records, _ = await Audits(path, clock).records()
    assert [record.seq for record in records] == [1, 2, 3]


async def test_a_log_that_is_not_there_is_said(tmp_path: Path) -> None:
    records, problem = await Audits(tmp_path / "a.log").records()

    assert (len(records), "There is no audit log" in problem) == (0, True)


async def test_the_log_is_verified_with_the_policies_keys(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", Clock()
    log = log_at(path)
    log.append(decided(1))
    log.append(decided(2))
    log.close()
    audits = Audits(path, clock)
    audited = policy(auditors=[trusted().to_wire()])

    without = await audits.soundness([policy()])
    sound = await audits.soundness([audited])
    assert (without.ok, sound.ok, sound.head_seq) == (True, True, 2)
    assert "not checked" in without.signature
    assert "is signed with the key" in sound.signature

    assert "not held against" in sound.anchor
    assert "was held against" in (await Audits(path).soundness([audited], head(path))).anchor

    path.write_bytes(path.read_bytes().replace(b"remy", b"mary"))
    assert (await audits.soundness([audited])).ok, "a verdict counts for some seconds"
    clock.now += 60
    forged = await audits.soundness([audited])
    assert not forged.ok
    assert "edited" in forged.problems[0]


def head(path: Path) -> bytes:
    return path.with_name(f"{path.name}.head").read_bytes()


async def test_an_older_copy_of_the_whole_log_is_found_by_the_anchor(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = log_at(path)
    log.append(decided(1))
    older = {file: file.read_bytes() for file in (path, path.with_name("a.log.head"))}
    log.append(decided(2))
    log.close()
    anchor = head(path)
    for file, data in older.items():
        file.write_bytes(data)

    assert (await Audits(path).soundness([])).ok
    assert not (await Audits(path).soundness([], anchor)).ok
    assert not (await Audits(path).soundness([], b"garbage")).ok


async def records_of(tmp_path: Path) -> list[AuditRecord]:
    log = log_at(tmp_path / "a.log")
    for number, (kind, space) in enumerate(
        [
            ("ModelVersion", "bank"),
            ("ModelVersion", "other"),
            ("AuditLog", ""),
            ("Deployment", "bank"),
        ]
    ):
        log.append(decided(number, kind, space))
    log.close()
    return list((await Audits(tmp_path / "a.log").records())[0])


@pytest.mark.parametrize(
    ("sight", "expected"),
    [
        pytest.param(NOTHING, [], id="nothing"),
        pytest.param(BANK, [1], id="its own namespace and kind"),
        pytest.param(ALL, [1, 2, 3, 4], id="everything"),
    ],
)
async def test_a_person_sees_of_the_log(tmp_path: Path, sight: Sight, expected: list[int]) -> None:
    assert [found.seq for found in visible(await records_of(tmp_path), sight)] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (AuditQuery(), [1, 2, 3, 4]),
        (AuditQuery(actor="RITA"), [2, 4]),
        (AuditQuery(namespace="other"), [2]),
        (AuditQuery(name="v3"), [4]),
        (AuditQuery(event="deny"), []),
        (AuditQuery(since="2020-01-01T00:00:00Z"), [1, 2, 3, 4]),
        (AuditQuery(until="2020-01-01T00:00:00Z"), []),
    ],
)
async def test_a_query_finds(tmp_path: Path, query: AuditQuery, expected: list[int]) -> None:
    assert [found.seq for found in matching(await records_of(tmp_path), query)] == expected


def reporting(*windows: int, pod: str = "pod", uid: str = "u", **report: Any) -> Obj:  # noqa: ANN401
    closed = [
        {
            "number": n,
            "rows": 100,
            "start": "2026-06-01T12:00:00Z",
            "end": f"2026-06-01T12:{n % 60:02d}:00Z",
        }
        for n in windows
    ]
    sequence = max(windows, default=1) + 1
    told = objects.drift_report(windows=closed, sequence=sequence, **report)
    return obj(MODEL_DEPLOYMENT, uid=uid, status={"drift": {pod: told}})


def test_windows_are_kept_once_in_their_order() -> None:
    traffic = Traffic()

    assert traffic.hear(reporting(1, 2))
    assert not traffic.hear(reporting(1, 2))
    assert traffic.hear(reporting(2, 3))
    rows, windows = traffic.of("bank", "credit")
    assert [seen.window.number for seen in windows] == [1, 2, 3]
    assert rows == {"pod": 3}


def test_another_object_of_the_name_begins_anew_and_a_gone_one_is_forgotten() -> None:
    traffic = Traffic()
    traffic.hear(reporting(1))
    traffic.hear(reporting(2, uid="v"))
    assert [seen.window.number for seen in traffic.of("bank", "credit")[1]] == [2]

    traffic.forget("bank", "credit")
    assert traffic.of("bank", "credit") == ({}, ())


def test_windows_take_bounded_memory() -> None:
    traffic = Traffic()
    for number in range(1, 500):
        traffic.hear(reporting(number))
    assert len(traffic.of("bank", "credit")[1]) == MOST_WINDOWS

    wide = {f"f{n}": [1] * 259 for n in range(200)}
    for number in range(501, 540):
        told = reporting(number)
        told["status"]["drift"]["pod"]["windows"][0]["counts"] = wide
        traffic.hear(told)
    kept = traffic.of("bank", "credit")[1]
    assert sum(8 * 259 * 200 for seen in kept if seen.window.counts) <= MOST_BYTES


@pytest.mark.parametrize(
    "drift",
    [
        None,
        [],
        "x",
        {"pod": None},
        {"pod": "x"},
        {"pod": {"sequence": "x"}},
        {"pod": {"windows": 3}},
    ],
)
def test_a_report_that_is_none_says_nothing(drift: object) -> None:
    assert not Traffic().hear(obj(MODEL_DEPLOYMENT, status={"drift": drift}))


@dataclass
class Lines:
    """An API server that answers, breaks and answers again, as a test says."""

    pages: list[Page | ApiError]
    events: list[asyncio.Queue[Obj | ApiError]] = field(default_factory=list)

    async def page(self, selection: Selection, limit: int, token: str) -> Page | None:
        """See ``Source``."""
        found = self.pages.pop(0) if self.pages else Page([], "9", "", 0)
        if isinstance(found, ApiError):
            raise found
        return found

    async def watch(
        self, selection: Selection, version: str, seconds: int, silence: float
    ) -> AsyncIterator[Obj]:
        """See ``Source``."""
        queue: asyncio.Queue[Obj | ApiError] = asyncio.Queue()
        self.events.append(queue)
        while True:
            event = await queue.get()
            if isinstance(event, ApiError):
                raise event
            yield event


async def until(probe: Any) -> None:  # noqa: ANN401
    async with asyncio.timeout(60):
        while not probe():
            await asyncio.sleep(0.01)


async def test_a_lost_watch_shows_its_age_recovers_and_tells_what_came() -> None:
    clock, source = Clock(), Lines([])
    watch = Watch(source)

    async def soon(_: float) -> None:
        await asyncio.sleep(0)

    watch._informers = [
        Informer(
            source,
            watch.cache,
            Selection(MODEL_DEPLOYMENT),
            watch._changed,
            watch._came,
            soon,
            clock,
        )
    ]
    assert watch.is_stale
    following = asyncio.create_task(watch.run())
    await until(lambda: source.events)
    assert not watch.is_stale

    clock.now += 300
    assert (watch.is_stale, watch.age) == (True, 300)
    async with watch.listening() as listener:
        assert listener is not None
        source.events[-1].put_nowait(ApiError("gone"))
        await until(lambda: len(source.events) == 2)
        source.events[-1].put_nowait({"type": "ADDED", "object": obj(MODEL_DEPLOYMENT, version=10)})
        await until(lambda: not watch.is_stale)
        assert listener.take() == (frozenset({Key(MODEL_DEPLOYMENT, "bank", "credit")}), False)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_what_cannot_be_followed_at_all_is_said() -> None:
    watch = Watch(Lines([ApiError("No.", 403)] * 6))
    async with asyncio.timeout(5):
        await watch.run()

    assert "Expected to list" in watch.problem


@pytest.mark.parametrize(
    ("before", "after"), [(0, 0), (0, 3), (3, 0), (5, 4), (3, MOST_REMEMBERED + 9)]
)
async def test_who_listens_late_is_told_what_he_missed_or_that_it_was_too_much(
    before: int, after: int
) -> None:
    watch = Watch(Lines([]))

    def change(first: int, count: int) -> set[str]:
        names = {f"n{number}" for number in range(first, first + count)}
        for name in sorted(names):
            watch.observe(MODEL_DEPLOYMENT, obj(MODEL_DEPLOYMENT, name))
        return names

    change(0, before)
    known = watch.serial
    missed = change(before, after)

    async with watch.listening(known) as listener:
        assert listener is not None
        assert listener.woken.is_set() == bool(after)
        changed, overflowed = listener.take()
        assert overflowed == (after > MOST_REMEMBERED)
        assert {key.name for key in changed} == (set() if overflowed else missed)
    for odd in (known + 10**6, 0):  # of another process, or of long ago
        async with watch.listening(odd) as listener:
            assert listener is not None
            assert listener.take() == (frozenset(), True)


async def test_listeners_are_bounded_and_so_is_what_they_have_not_heard() -> None:
    watch = Watch(Lines([]))
    stack = [watch.listening() for _ in range(MOST_LISTENERS)]
    first, *_ = [await one.__aenter__() for one in stack]
    async with watch.listening() as refused:
        assert refused is None
    for number in range(MOST_CHANGES + 5):
        watch.observe(MODEL_DEPLOYMENT, obj(MODEL_DEPLOYMENT, f"n{number}"))

    assert first is not None
    changed, overflowed = first.take()
    assert (len(changed), overflowed) == (MOST_CHANGES, True)
    assert first.take() == (frozenset(), False)
    for one in stack:
        await one.__aexit__(None, None, None)


KEYS = [
    Key(MODEL_VERSION, "bank", "a"),
    Key(MODEL_VERSION, "hidden", "b"),
    Key(NAMESPACE, None, "hidden"),
    Key(MODEL_DEPLOYMENT, "bank", "c"),
]


@pytest.mark.parametrize(
    ("sight", "namespace", "expected"),
    [
        (NOTHING, "", []),
        (BANK, "", ["a"]),
        (ALL, "", ["a", "b", "c"]),
        (ALL, "bank", ["a", "c"]),
        (BANK, "hidden", []),
    ],
)
def test_a_page_is_told_of(sight: Sight, namespace: str, expected: list[str]) -> None:
    found = changes_of(KEYS, sight, namespace)

    assert sorted(key.name for key in found) == expected
    assert "hidden" not in sentence(found) or sight is ALL


def test_evidence_is_kept_by_its_bytes_and_the_longest_unused_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evidence, "MOST_BYTES", 100)
    memory = evidence.Memory(bytes.decode)
    for digest, size in (("a", 40), ("b", 40), ("a", 50)):
        memory.keep("report.json", evidence.Found(digest, digest), size)
    assert memory.recall("report.json", "b") is not None
    memory.keep("report.json", evidence.Found("c", "c"), 30)
    kept = {name: memory.recall("report.json", name) for name in "abc"}
    assert {name for name, found in kept.items() if found} == {"b", "c"}
    memory.keep("report.json", evidence.Found("d", "d"), 101)
    assert not any(memory.recall("report.json", name) for name in "abcd")
