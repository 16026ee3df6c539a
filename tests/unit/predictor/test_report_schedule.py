from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.drift.room import MAX_ENTRIES
from hallmark_predictor.report_schedule import (
    AT_ONCE,
    INTERVAL,
    JITTER,
    LONGEST_INTERVAL,
    Schedule,
)
from tests.examples import examples

C, D = False, True
"""A calm window, and one that drifts."""
Window = tuple[float, bool]
"""When it closes, and whether it drifts."""
TAKEN, REFUSED, FULL = "taken", "refused", "full"


def no_jitter() -> float:
    return 0.0


@dataclass
class Pod:
    """A predictor with a clock of its own; nothing in it takes time."""

    consecutive: int = 2
    random: Callable[[], float] = no_jitter
    answer: Callable[[float], str] = lambda _: TAKEN
    activated_at: float | None = None
    rows: int = 0
    """One for each window is enough here."""
    sent: list[float] = field(default_factory=list)
    promised: list[int] = field(default_factory=list)
    """What each report said: within how many seconds the next one comes."""
    news: list[float] = field(default_factory=list)
    """When it reported windows that the operator did not know."""
    _told: int = 0

    def run(self, windows: Iterable[Window], until: float) -> list[float]:
        """Return when it reported, or tried to."""
        schedule = Schedule(self.consecutive, 0.0, self.random)
        events: list[tuple[float, bool | None]] = sorted(windows, key=lambda window: window[0])
        if self.activated_at is not None:
            events = sorted([*events, (self.activated_at, None)], key=lambda event: event[0])
        now = 0.0
        while True:
            due = schedule.due(self.rows)
            next_event = events[0][0] if events else until
            if max(due, now) <= min(next_event, until):
                now = max(due, now)
                self._report(schedule, now)
            elif events and next_event <= until:
                now, drifts = events.pop(0)
                if drifts is None:
                    schedule.restart(now)
                else:
                    self.rows += 1
                    schedule.closed([drifts])
            else:
                return self.sent

    def _report(self, schedule: Schedule, now: float) -> None:
        self.sent.append(now)
        told, answer = schedule.sending(now, self.rows), self.answer(now)
        self.promised.append(schedule.next_within(told))
        if told.closed != self._told:
            self.news.append(now)
        if answer == TAKEN:
            schedule.accepted(told, now)
            self._told = told.closed
        else:
            schedule.failed(now, no_room=answer == FULL)


def news(pod: Pod, windows: Iterable[Window], until: float) -> list[float]:
    """Return when it reported windows, without the reports that only say that it is there."""
    pod.run(windows, until)
    return pod.news


def every(seconds: float, until: float, drifts: bool = C, start: float = 0) -> list[Window]:
    count = int((until - start) / seconds)
    return [(start + seconds * (1 + index), drifts) for index in range(count)]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param([], [], id="without a closed window nothing is reported"),
        pytest.param([(1, C)], [15], id="a first calm window can wait"),
        pytest.param([(40, C)], [40], id="but not longer than that"),
        pytest.param([(1, C), (2, C)], [2], id="the windows that give the Pod its vote go at once"),
        pytest.param([(1, D)], [1], id="a window that drifts goes at once"),
        pytest.param([(1, D), (2, D)], [1, 2], id="and so does the one that decides"),
        pytest.param([(1, D), (1.25, D)], [1, 1.25], id="however quickly it comes"),
        pytest.param(
            [(1, D), (2, D), (3, D), (4, D)],
            [1, 2, 17],
            id="further ones say nothing new, and can wait",
        ),
        pytest.param(
            [(1, D), (2, D), (3, C)], [1, 2, 3], id="that it no longer drifts goes at once"
        ),
        pytest.param(
            [(1, C), (2, C), (3, D), (4, C)],
            [2, 3, 18],
            id="that a single window was followed by a calm one can wait",
        ),
        pytest.param(
            [(1, C), (2, C), (3, D), (4, C), (5, D)],
            [2, 3, 18],
            id="another single window says what is known",
        ),
        pytest.param(
            [(1, C), (2, C), (30, C), (31, C)],
            [2, 30, 60],
            id="a calm window after a pause goes when it comes, the next one waits",
        ),
    ],
)
def test_when_it_reports(windows: list[Window], expected: list[float]) -> None:
    assert news(Pod(), windows, until=100) == expected


def test_one_window_decides_where_one_is_asked_for() -> None:
    windows = [(1, C), (2, D), (3, D), (4, C)]
    assert news(Pod(consecutive=1), windows, until=100) == [1, 2, 4]


def test_steady_calm_traffic_is_reported_ever_more_seldom() -> None:
    found = Pod().run(every(1, 300), until=300)
    assert found == [2, 17, 47, 107, 167, 227, 287]


@pytest.mark.parametrize("answer", [TAKEN, REFUSED, FULL])
def test_it_goes_on_for_days(answer: str) -> None:
    days = 2 * 24 * 3600
    sent = Pod(answer=lambda _: answer).run(every(60, days), until=days)
    assert len(sent) > 2000
    assert all(later - earlier <= 120 for earlier, later in pairwise(sent))


def test_drift_ends_the_calm_pace() -> None:
    windows = [*every(1, 200), *every(1, 300, D, start=200)]
    found = [at for at in Pod().run(windows, until=300) if at > 190]
    assert found == [201, 202, 217, 247]


def test_a_version_that_gets_the_traffic_counts_afresh() -> None:
    windows = [*every(1, 50, D), *every(1, 104, D, start=100)]
    alone = [at for at in Pod().run(windows, until=104) if at > 100]
    assert alone == [], "it had its vote before"
    told = [at for at in Pod(activated_at=100.5).run(windows, until=104) if at > 100]
    assert told == [101, 102]


@examples(100)
@given(
    st.integers(0, 2**32),
    st.integers(1, 5),
    st.lists(st.tuples(st.floats(0, 120), st.booleans()), max_size=400),
)
def test_whatever_the_clients_send_the_api_server_is_asked_at_most_once_a_second(
    seed: int, consecutive: int, windows: list[Window]
) -> None:
    sent = Pod(consecutive, np.random.default_rng(seed).random).run(windows, until=200)
    for index, at in enumerate(sent):
        within = [other for other in sent[index:] if other - at <= 30]
        assert len(within) <= AT_ONCE + 30 + 30 / INTERVAL


@examples(100)
@given(st.integers(0, 2**32), st.lists(st.floats(0, 600), min_size=3, max_size=200))
def test_calm_reports_keep_their_distance_and_none_is_forgotten(
    seed: int, closing: list[float]
) -> None:
    pod = Pod(random=np.random.default_rng(seed).random)
    sent = news(pod, [(at, C) for at in closing], until=10_000)
    pairs = pairwise(sent[1:])  # The first may be the vote's.
    assert all(later - earlier >= INTERVAL - 0.001 for earlier, later in pairs)
    longest = LONGEST_INTERVAL * (1 + JITTER)
    assert max(closing) <= sent[-1] <= max(closing) + longest


def test_two_thousand_calm_pods_stay_far_below_fifty_reports_a_second() -> None:
    random = np.random.default_rng(1)
    sent: list[float] = []
    for _ in range(200):
        start = random.uniform(0, 1)
        sent += Pod(random=random.random).run(every(2, 600, start=start), until=600)
    steady = [at for at in sent if at > 180]
    assert 2000 / 200 * len(steady) / (600 - 180) < 35
    a_second = [sum(int(at) == second for at in steady) for second in range(300, 600)]
    assert max(a_second) < 20, "they do not report in step"


# -- failures ---------------------------------------------------------------------------------


def failing(answer: str, times: int, pod: Pod, windows: Sequence[Window]) -> list[float]:
    """Return the seconds between the tries."""
    pod.answer = lambda _: answer if len(pod.sent) <= times else TAKEN
    sent = news(pod, windows, until=1000)
    return [round(later - earlier, 3) for earlier, later in pairwise(sent)]


def all_jitter() -> float:
    return 1.0


@pytest.mark.parametrize(
    ("answer", "drifts", "expected"),
    [
        pytest.param(REFUSED, D, [0.5, 1, 2, 4, 8, 15, 15], id="drift is tried again quickly"),
        pytest.param(REFUSED, C, [5, 10, 20, 40, 60, 60], id="calm windows more slowly"),
        pytest.param(FULL, D, [0.5, 1, 2, 4, 4, 4], id="drift waits shortly for a place"),
        pytest.param(FULL, C, [5, 10, 15, 15, 15], id="calm windows longer"),
    ],
)
def test_what_failed_is_tried_again(answer: str, drifts: bool, expected: list[float]) -> None:
    windows = [(5, drifts)]
    assert failing(answer, len(expected), Pod(random=all_jitter), windows) == expected
    halved = failing(answer, len(expected), Pod(random=no_jitter), windows)
    assert halved == [pause / 2 for pause in expected], "the jitter takes up to a half"


def test_drift_does_not_wait_for_what_failed_before_it() -> None:
    pod = Pod(answer=lambda now: REFUSED if now < 300 else TAKEN)
    windows = [*every(1, 300), (400, D)]
    assert 400 in pod.run(windows, until=500)
    pod = Pod(answer=lambda _: FULL)
    assert [at for at in pod.run([(20, C), (100.5, D)], until=101) if at > 100] == [100.5, 100.75]


@pytest.mark.parametrize("seed", range(5))
def test_many_pods_that_want_few_places_all_get_one(seed: int) -> None:
    """Eight places are free, and made free again, as the operator does."""
    random, taken = np.random.default_rng(seed), 0.0
    free_at = [0.0] * (MAX_ENTRIES // 8)

    def answer(now: float) -> str:
        free = [index for index, at in enumerate(free_at) if at <= now]
        if not free:
            return FULL
        free_at[free[0]] = now + 0.5
        return TAKEN

    for _ in range(100):
        found = Pod(random=random.random, answer=answer).run([(1, C), (1.5, C)], until=120)
        taken += len(found) >= 1
    assert taken == 100


# -- silence would read as health --------------------------------------------------------------


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param([], [15, 315, 615, 915], id="without rows it says seldom that it is there"),
        pytest.param([(5, C)], [15, 75, 375, 675, 975], id="that no more rows come is told once"),
        pytest.param(
            [(400, C)],
            [15, 315, 400, 460, 760],
            id="rows that come after a pause are told as ever",
        ),
    ],
)
def test_it_reports_without_news(windows: list[Window], expected: list[float]) -> None:
    assert Pod().run(windows, until=1000) == expected


def test_rows_that_close_no_window_are_told_within_a_minute() -> None:
    schedule = Schedule(2, 0.0, no_jitter)
    schedule.accepted(schedule.sending(15.0, 0), 15.0)
    assert schedule.due(rows=0) == 315
    assert schedule.due(rows=1) == 75


def test_a_version_that_gets_the_traffic_says_soon_that_it_is_there() -> None:
    assert Pod(activated_at=100).run([], until=500) == [15, 115, 415]


@examples(200)
@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.floats(0, 3000), st.booleans()), max_size=60),
    st.none() | st.floats(0, 3000),
)
def test_it_keeps_its_word(seed: int, windows: list[Window], activated: float | None) -> None:
    pod = Pod(random=np.random.default_rng(seed).random, activated_at=activated)
    sent = pod.run(windows, until=5000)
    for (earlier, later), promised in zip(pairwise(sent), pod.promised, strict=False):
        assert later - earlier <= promised
    assert set(pod.promised) <= {72, 360}


@pytest.mark.parametrize("answer", [REFUSED, FULL])
def test_a_report_that_fails_is_tried_until_it_is_taken(answer: str) -> None:
    """The operator waits three minutes more than was promised."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        pod = Pod(random=random.random, answer=lambda now: answer if 300 < now < 400 else TAKEN)
        sent = [at for at in pod.run([(5, C)], until=1000) if not 300 < at < 400]
        gaps = [later - earlier for earlier, later in pairwise(sent)]
        assert max(gaps) <= 360 + 60 + 100


def test_two_thousand_idle_pods_are_hardly_heard() -> None:
    random = np.random.default_rng(1)
    sent = [at for _ in range(200) for at in Pod(random=random.random).run([], until=3600)]
    assert 10 * len([at for at in sent if at > 600]) / 3000 < 8


# -- refused rows -----------------------------------------------------------------------------


def test_refused_rows_are_told_in_their_time_and_seldom_if_nothing_else_happens() -> None:
    schedule, now, sent = Schedule(2, 0.0, no_jitter), 0.0, []
    for rows in range(1, 7):
        schedule.refused()
        now = schedule.due(rows)
        sent.append(now)
        schedule.accepted(schedule.sending(now, rows), now)
        assert schedule.due(rows) >= now + LONGEST_INTERVAL, "they were told"
    assert sent[0] == INTERVAL
    assert sent[-1] - sent[-2] == LONGEST_INTERVAL


def test_refused_rows_neither_hold_up_what_is_urgent_nor_are_lost_beside_it() -> None:
    schedule = Schedule(1, 0.0, no_jitter)
    schedule.accepted(schedule.sending(1.0, 0), 1.0)
    schedule.refused()
    schedule.closed([D])
    assert schedule.due(2) <= 1.0
    told = schedule.sending(1.0, 2)
    schedule.refused()
    schedule.accepted(told, 1.0)
    assert schedule.due(3) == 1.0 + INTERVAL, "what came while it was sent is told next"
