import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from hallmark.api.drift import Drift, Rejections
from hallmark.api.drift_report import DriftReport, DriftWindow
from hallmark.api.drift_state import DriftState
from hallmark.api.texts import timestamp
from hallmark.drift.decision import DriftInputs, judge
from hallmark.drift.refusals import Reason, Refusals
from hallmark.drift.rejection_counter import rejection_counter
from hallmark_predictor.cluster_api import ClusterApi
from hallmark_predictor.drift_reporter import (
    BUFFER_ROWS,
    DriftRecorder,
    DriftReporter,
    status_path,
)
from hallmark_predictor.report_schedule import Schedule
from hallmark_predictor.request_counter import RequestCounter
from tests.unit.predictor import factories
from tests.unit.predictor.factories import POD, traffic
from tests.unit.predictor.servers import FakeApiServer

DIGEST = factories.sealed().trust.manifest_digest
PATH = status_path("team", "loans")
START = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Clock:
    """Goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the next second."""
        self.now += timedelta(seconds=1)
        return self.now


def recorder() -> DriftRecorder:
    return DriftRecorder(factories.model().windows, 4, DIGEST, clock=Clock())


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApiServer]:
    with FakeApiServer(tmp_path).running() as found:
        yield found


@pytest.fixture
def client(api: FakeApiServer) -> Iterator[ClusterApi]:
    with closing(ClusterApi(api.address, timeout=2)) as found:
        yield found


def reporter_of(client: ClusterApi, what: DriftRecorder) -> DriftReporter:
    schedule = Schedule(2, 0.0, lambda: 0.0)
    return DriftReporter(what, client, PATH, POD, schedule, clock=lambda: 0.0)


def reports(api: FakeApiServer) -> list[DriftReport]:
    return [
        DriftReport.model_validate(body["status"]["drift"][POD], strict=True)
        for body in api.reports
    ]


# -- recording --------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 99, 100, 101, 1000, BUFFER_ROWS, BUFFER_ROWS + 1])
def test_every_row_is_counted_whatever_the_batches(batch: int) -> None:
    what, rows = recorder(), traffic(9001)
    for index in range(0, len(rows), batch):
        what.record(rows[index : index + batch])
    found = what.report(1)
    assert (found.rows, what.rows) == (9001, 9001)
    assert [window.number for window in found.windows] == [86, 87, 88, 89, 90]
    assert all(sum(counts) == 9001 for counts in found.counts.values())
    whole = recorder()
    whole.record(rows)
    assert whole.report(1).counts == found.counts


@pytest.mark.parametrize("turn", [1, 7, 99, 100, 101, BUFFER_ROWS, BUFFER_ROWS + 1])
def test_single_rows_are_counted_together_as_each_alone(turn: int) -> None:
    """Also where they close windows and blocks in the middle, and come from several clients."""
    rows, drift = traffic(BUFFER_ROWS + 401), Drift(rejections=Rejections(minimum=100))
    clients = [f"10.0.0.{at % 7}" for at in range(len(rows))]
    told = []
    for together in (True, False):
        what = DriftRecorder(
            factories.model().windows,
            4,
            DIGEST,
            clock=lambda: START,
            rejections=rejection_counter(drift),
            requests=RequestCounter(lambda: 0.0),
        )
        for at in range(0, len(rows), turn):
            part, of = rows[at : at + turn], clients[at : at + turn]
            if together:
                what.record_packed([row.tobytes() for row in part], of)
            else:
                for row, client in zip(part, of, strict=True):
                    what.record(row[None], client)
        told.append(replace(what.report(1), boot_id=""))
    assert told[0] == told[1]
    assert (told[0].rows, told[0].rejections == []) == (len(rows), False)


def test_a_window_has_the_times_of_its_own_rows() -> None:
    what = recorder()
    at = START + timedelta(seconds=1)
    for _ in range(200):
        what.record(traffic(1))
    first, second = what.report(1).windows
    assert first.start == timestamp(at + timedelta(seconds=1))
    assert first.end == timestamp(at + timedelta(seconds=100))
    assert second.start == timestamp(at + timedelta(seconds=101))


def test_closed_windows_are_told() -> None:
    closed: list[tuple[int, list[int]]] = []

    def told(count: int, kept: Sequence[DriftWindow]) -> None:
        closed.append((count, [window.number for window in kept]))

    what = DriftRecorder(factories.model().windows, 4, DIGEST, on_close=told)
    for _ in range(250):
        what.record(traffic(1))
    what.record(traffic(300))
    assert closed == [(1, [1]), (1, [1, 2]), (3, [1, 2, 3, 4, 5])]


def test_what_is_recorded_is_what_the_operator_judges() -> None:
    what = recorder()
    what.record(traffic(400, shift=1))
    verdict = judge(
        DriftInputs(
            reports={POD: what.report(1).to_wire()},
            baseline=factories.baseline(),
            active_digest=DIGEST,
            drift=Drift(window=100, consecutive=2),
            live_pods=frozenset({POD}),
            active_pods=frozenset({POD}),
            serving_pods=frozenset({POD}),
            now=START,
            former=DriftState(),
            since=START,
        )
    )
    assert (verdict.state.verdict, verdict.refused) == ("Drift", ())
    assert verdict.state.top[0].feature == "income"


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shift", [0.0, 0.4, 0.5, 1.0])
def test_a_predictor_knows_of_a_window_what_the_operator_will_say(seed: int, shift: float) -> None:
    model, drift = factories.model(), Drift(window=100, consecutive=1)
    what = DriftRecorder(model.windows, 4, DIGEST, clock=Clock())
    what.record(traffic(100, seed=seed, shift=shift))
    report = what.report(1)
    verdict = judge(
        DriftInputs(
            reports={POD: report.replace(windows=report.windows[-1:]).to_wire()},
            baseline=factories.baseline(),
            active_digest=DIGEST,
            drift=drift,
            live_pods=frozenset({POD}),
            active_pods=frozenset({POD}),
            serving_pods=frozenset({POD}),
            now=START,
            former=DriftState(),
            since=START,
        )
    )
    assert model.drifts(report.windows[-1:]) is (verdict.state.drifting + verdict.state.unsure == 1)


def test_refused_rows_are_told_by_blocks_where_a_limit_is_declared() -> None:
    drift = Drift(rejections=Rejections(minimum=100))
    what = DriftRecorder(
        factories.model().windows, 4, DIGEST, clock=Clock(), rejections=rejection_counter(drift)
    )
    for _ in range(100):
        for client in ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"):
            what.record(traffic(1), client)
            what.refuse(Refusals(1, {("income", Reason.MISSING): 1}), client)
    found = what.report(1)
    assert len(found.rejections) == drift.consecutive
    assert all(block.refused * 2 == block.rows for block in found.rejections)
    what = recorder()
    what.refuse(Refusals(1000))
    assert what.report(1).rejections == []


# -- reporting --------------------------------------------------------------------------------


async def test_a_report_is_a_merge_patch_of_the_pods_own_entry(
    api: FakeApiServer, client: ClusterApi
) -> None:
    what = recorder()
    what.record(traffic(250))
    assert await reporter_of(client, what).report()
    (sent,) = api.reports
    assert sent.keys() == {"status"}
    assert sent["status"].keys() == {"drift"}
    assert sent["status"]["drift"].keys() == {POD}
    assert api.paths == [
        "/apis/hallmark.dev/v1alpha1/namespaces/team/modeldeployments/loans/status"
    ]
    assert api.queries == [{"fieldManager": ["hallmark-predictor"]}]
    (report,) = reports(api)
    assert (report.manifest_digest, report.boot_id) == (DIGEST, what.boot_id)
    assert (report.rows, [window.number for window in report.windows]) == (250, [1, 2])


async def test_sequences_rise_over_one_connection_and_tokens_may_rotate(
    api: FakeApiServer,
    client: ClusterApi,
) -> None:
    what = recorder()
    reporter = reporter_of(client, what)
    for token in ("first-token", "second-token", "third-token"):
        api.change_token(token)
        what.record(traffic(1))
        assert await reporter.report()
    assert [sent.sequence for sent in reports(api)] == [1, 2, 3]
    assert api.connections == 1


class Story:
    """A reporter that runs on a clock of its own, on which things happen at set times."""

    def __init__(
        self,
        client: ClusterApi,
        happenings: Sequence[tuple[float, int, float]],
        ends: float | None = None,
    ) -> None:
        """Let rows of a shift come: time, number of rows, shift; it ends with the last of them."""
        self.now = 0.0
        self._happenings = list(happenings)
        self._ends = max([0.0, *(at for at, _, _ in happenings)]) if ends is None else ends
        model = factories.model()

        def closed(count: int, kept: Sequence[DriftWindow]) -> None:
            ends = range(len(kept) - count + 1, len(kept) + 1)
            self.reporter.windows_closed([model.drifts(kept[:end]) for end in ends])

        self.recorder = DriftRecorder(model.windows, 4, DIGEST, on_close=closed)
        self.reporter = DriftReporter(
            self.recorder,
            client,
            PATH,
            POD,
            Schedule(2, 0.0, lambda: 0.0),
            clock=lambda: self.now,
            wait=self._wait,
        )

    async def _wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Let the next thing happen, if it does so before the seconds are over; then the end."""
        assert seconds is not None
        until = self.now + seconds
        if self._happenings and self._happenings[0][0] <= until:
            self.now, rows, shift = self._happenings.pop(0)
            self.recorder.record(traffic(rows, shift=shift))
        elif not self._happenings and self._ends <= until:
            self.now = max(self.now, self._ends)
            self.reporter.end()
        else:
            self.now = until


async def test_it_reports_when_the_schedule_says_so_and_once_more_at_the_end(
    api: FakeApiServer, client: ClusterApi
) -> None:
    happenings = [
        (0.0, 30, 0.0),
        (1.0, 70, 0.0),
        (2.0, 100, 0.0),
        (3.0, 100, 0.0),
        (20.0, 100, 2.0),
        (21.0, 100, 2.0),
        (22.0, 10, 0.0),
    ]
    story = Story(client, happenings)
    await story.reporter.run()
    found = [(sent.rows, [window.number for window in sent.windows]) for sent in reports(api)]
    assert found == [
        (200, [1, 2]),  # its vote
        (300, [1, 2, 3]),  # after the interval
        (400, [1, 2, 3, 4]),  # a window that drifts
        (500, [1, 2, 3, 4, 5]),  # the one that decides
        (510, [1, 2, 3, 4, 5]),  # the end
    ]


async def test_nothing_is_reported_at_the_end_that_was_reported_before(
    api: FakeApiServer, client: ClusterApi
) -> None:
    await Story(client, []).reporter.run()
    await Story(client, [(1.0, 200, 0.0)]).reporter.run()
    assert [sent.rows for sent in reports(api)] == [200]


async def test_a_report_that_drifts_and_finds_no_room_is_tried_again_within_a_second(
    api: FakeApiServer, client: ClusterApi
) -> None:
    api.refusals = [(422, NO_ROOM), (422, NO_ROOM)]
    story = Story(client, [(5.0, 100, 2.0)], ends=5.75)
    await story.reporter.run()
    assert [sent.sequence for sent in reports(api)] == [3]


async def test_it_says_when_the_next_report_comes(api: FakeApiServer, client: ClusterApi) -> None:
    story = Story(client, [(20.0, 10, 0.0)], ends=500)
    await story.reporter.run()
    found = [(sent.rows, sent.next_within) for sent in reports(api)]
    assert found == [
        (0, 360),  # soon after the start: it is there
        (10, 72),  # a minute later: rows come
        (10, 360),  # another minute later: no more of them
        (10, 360),
    ]


async def test_what_failed_is_reported_again_with_newer_counts(
    api: FakeApiServer, client: ClusterApi
) -> None:
    what = recorder()
    reporter = reporter_of(client, what)
    api.refusals = [(500, "no leader"), (409, "conflict")]
    for expected in (False, False, True):
        what.record(traffic(10))
        assert await reporter.report() is expected
    (report,) = reports(api)
    assert (report.sequence, report.rows) == (3, 30)


async def test_a_server_that_is_away_neither_raises_nor_blocks(tmp_path: Path) -> None:
    with FakeApiServer(tmp_path).running() as api:
        what = recorder()
        client = ClusterApi(api.address, timeout=2)
    what.record(traffic(10))
    assert not await reporter_of(client, what).report()


async def test_another_ca_is_not_trusted(
    api: FakeApiServer, client: ClusterApi, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with FakeApiServer(other).running():
        (tmp_path / "ca.crt").write_bytes((other / "ca.crt").read_bytes())
    what = recorder()
    what.record(traffic(10))
    assert not await reporter_of(client, what).report()
    assert api.reports == []


NO_ROOM = (
    'Deployment.hallmark.dev "loans" is invalid: status.drift: Too many: 65: must have at most 64 '
    "items"
)


@pytest.mark.parametrize(
    ("refusal", "level"),
    [
        pytest.param((422, NO_ROOM), "INFO", id="64 Pods report"),
        pytest.param((500, "etcdserver: request is too large"), "INFO", id="etcd takes no more"),
        pytest.param((413, "Request entity too large: limit is 3145728"), "INFO", id="nor this"),
        pytest.param(
            (422, "status.drift.p.counts.x: Too many: 260: must have at most 259 items"),
            "WARNING",
            id="too many bins",
        ),
        pytest.param((429, "Too many requests"), "WARNING", id="a busy API server"),
        pytest.param((403, "forbidden"), "WARNING", id="not allowed, perhaps not yet"),
        pytest.param((500, ""), "WARNING", id="a server's failure"),
    ],
)
async def test_only_a_lack_of_room_is_usual(
    api: FakeApiServer,
    client: ClusterApi,
    refusal: tuple[int, str],
    level: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    api.refusals = [refusal]
    what = recorder()
    what.record(traffic(10))
    assert not await reporter_of(client, what).report()
    (record,) = [one for one in caplog.records if "The drift report was not taken" in one.message]
    assert record.levelname == level
    assert f"{refusal[0]} {refusal[1]}".strip() in record.message
