import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hallmark.api.common import timestamp
from hallmark.api.model_deployment import Drift, DriftReport
from hallmark.drift.decision import DriftInputs, judge
from hallmark_predictor.cluster_api import ClusterApi
from hallmark_predictor.drift_reporter import BUFFER_ROWS, DriftRecorder, DriftReporter
from tests.unit.predictor import factories
from tests.unit.predictor.factories import POD, traffic
from tests.unit.predictor.servers import FakeApiServer

DIGEST = factories.sealed().trust.manifest_digest
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
    return DriftReporter(what, client, "team", "loans", POD)


def reports(api: FakeApiServer) -> list[DriftReport]:
    return [
        DriftReport.model_validate(each["status"]["drift"][POD], strict=True)
        for each in api.reports
    ]


# -- recording --------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 99, 100, 101, 1000, BUFFER_ROWS, BUFFER_ROWS + 1])
def test_every_row_is_counted_whatever_the_batches(batch: int) -> None:
    what, rows = recorder(), traffic(9001)
    for index in range(0, len(rows), batch):
        what.record(rows[index : index + batch])
    found = what.report(1)
    assert (found.rows, what.rows) == (9001, 9001)
    assert [each.number for each in found.windows] == [89, 90]
    assert all(sum(counts) == 9001 for counts in found.counts.values())
    whole = recorder()
    whole.record(rows)
    assert whole.report(1).counts == found.counts


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
    closed: list[int] = []
    what = DriftRecorder(factories.model().windows, 4, DIGEST, on_close=closed.append)
    for _ in range(250):
        what.record(traffic(1))
    what.record(traffic(300))
    assert closed == [1, 1, 3]


def test_what_is_recorded_is_what_the_operator_judges() -> None:
    what = recorder()
    what.record(traffic(400, shift=1))
    verdict = judge(
        DriftInputs(
            reports={POD: what.report(1)},
            baseline=factories.baseline(),
            active_digest=DIGEST,
            drift=Drift(window=100, consecutive=2),
            live_pods=frozenset({POD}),
            former={},
            since=START,
        )
    )
    assert (verdict.state.verdict, verdict.refused) == ("Drifted", ())
    assert verdict.state.top[0].feature == "income"


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
    assert (report.rows, [each.number for each in report.windows]) == (250, [1, 2])


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
    assert [each.sequence for each in reports(api)] == [1, 2, 3]
    assert api.connections == 1


async def test_a_window_that_closes_is_reported_at_once_else_each_second(
    api: FakeApiServer,
    client: ClusterApi,
) -> None:
    reporter: DriftReporter | None = None
    model = factories.model()
    what = DriftRecorder(
        model.windows, 4, DIGEST, on_close=lambda _: reporter and reporter.window_closed()
    )
    reporter = reporter_of(client, what)
    running = asyncio.create_task(reporter.run())
    what.record(traffic(100))
    await asyncio.sleep(0.4)
    assert [each.rows for each in reports(api)] == [100], "at once"
    what.record(traffic(1))
    await asyncio.sleep(0.3)
    assert len(api.reports) == 1, "not yet"
    await asyncio.sleep(1.2)
    assert [each.rows for each in reports(api)] == [100, 101], "within a second"
    await asyncio.sleep(1.3)
    assert len(api.reports) == 2, "nothing new, no report"
    running.cancel()


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


@pytest.mark.parametrize(
    ("refusal", "pause"),
    [
        pytest.param((422, "status.drift: must have at most 64 items"), 60, id="64 Pods report"),
        pytest.param((403, "forbidden"), 2, id="not allowed, perhaps not yet"),
        pytest.param((500, ""), 2, id="a server's failure"),
    ],
)
async def test_it_backs_off_longer_from_what_will_not_soon_pass(
    api: FakeApiServer,
    client: ClusterApi,
    refusal: tuple[int, str],
    pause: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    api.refusals = [refusal]
    what = recorder()
    what.record(traffic(10))
    assert not await reporter_of(client, what).report()
    assert f"next in {pause} s: {refusal[0]} {refusal[1]}".strip() in caplog.text
