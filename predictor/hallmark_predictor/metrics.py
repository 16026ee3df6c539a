"""What Prometheus sees of a predictor.

Requests are counted as plain numbers: the client library's counters take a lock for each, which is
a tenth of a prediction. Its families and its text are made when somebody asks. Every label's values
are few and known: routes, codes, reasons, declared features.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING

from hallmark.api.bounds import Oddity
from hallmark.drift.refusals import Fault, Refusals
from hallmark_predictor.request_counter import Ended, RequestCounter

if TYPE_CHECKING:
    from prometheus_client import Metric

_SECONDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
)
_ROWS = (1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10_000.0)
OTHER_ROUTE = "none"


class Rejection(StrEnum):
    """Why a request was rejected."""

    INVALID = "Invalid"
    """Its body is not what the signed schema says."""
    MEDIA_TYPE = "MediaType"
    """It is no JSON, or in an unknown encoding."""
    TOO_LARGE = "TooLarge"
    """Its body is above what this container takes."""
    TOO_SLOW = "TooSlow"
    """Its body did not come in time."""
    OVERLOADED = "Overloaded"
    """There was no room for it, or too many waited before it."""
    LOADING = "Loading"
    """There is no verified model yet."""
    OTHER_MODEL = "OtherModel"
    """It is for a model or version that does not serve here."""
    FAILED = "Failed"
    """It could not be answered."""


class Tally:
    """A histogram's numbers."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Start with bounds of buckets, ends included."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, so many times."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds and how many values are at most that."""
        names = [*map(str, self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))

    @property
    def sum(self) -> float:
        """The sum of all values."""
        return self._sum


class Metrics:
    """The predictor's metrics. For the event loop's thread alone."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._requests = Counter[tuple[str, int]]()
        self._seconds: dict[str, Tally] = {}
        self._batch = Tally(_ROWS)
        self._rejections = Counter[Rejection]()
        self._refused_rows = 0
        self._faults = Counter[Fault]()
        self._stability: Callable[[], Mapping[str, float]] = dict
        self._odd: Mapping[Oddity, int] = {}
        self._truth: Callable[[], Iterator[Metric]] = lambda: iter(())
        self._copies: Callable[[], Iterator[Metric]] = lambda: iter(())
        self._model: dict[str, str] = {}
        self.rows = 0
        """Rows that were answered."""
        self.drift_windows = 0
        """Drift windows that were closed."""
        self.verification_failures = 0
        """Models that were refused."""
        self.workers = 1
        """Processes that answer."""
        self.worker_ends = 0
        """Further processes that ended by themselves."""
        self.counter = RequestCounter()
        """What the drift report tells of requests."""

    def request(
        self, route: str, code: int, seconds: float, client: str = "", own: float | None = None
    ) -> None:
        """Count a request that ended; see ``RequestCounter.ended``."""
        self._requests[route, code] += 1
        self._tally(route).observe(seconds)
        self.counter.ended(route, code, seconds, client, own)

    def requests(self, ended: Sequence[Ended]) -> None:
        """Count requests for predictions that were answered; what ``request`` does, sooner."""
        for route, seconds, _, _ in ended:
            self._requests[route, 200] += 1
            self._tally(route).observe(seconds)
        self.counter.answered(ended)

    def _tally(self, route: str) -> Tally:
        tally = self._seconds.get(route)
        if tally is None:
            tally = self._seconds[route] = Tally(_SECONDS)
        return tally

    def answered(self, rows: int, times: int = 1) -> None:
        """Count the rows of an answered request, or of some of as many rows each."""
        self.rows += rows * times
        self._batch.observe(rows, times)

    def rejected(self, reason: Rejection) -> None:
        """Count a rejected request."""
        self._rejections[reason] += 1

    def refused(self, refusals: Refusals) -> None:
        """Count the rows at fault in a refused request."""
        self._refused_rows += refusals.rows
        self._faults.update(refusals.faults)

    def stability(self, of_newest: Callable[[], Mapping[str, float]]) -> None:
        """Take what tells the PSI of each watched feature in the newest closed window, if any."""
        self._stability = of_newest

    def oddities(self, blocks: Mapping[Oddity, int]) -> None:
        """Take where the blocks of clients' rows that were odd are counted."""
        self._odd = blocks

    def truth(self, families: Callable[[], Iterator[Metric]]) -> None:
        """Take what yields the metrics of delayed truth."""
        self._truth = families

    def copies(self, families: Callable[[], Iterator[Metric]]) -> None:
        """Take what yields the metrics of copies for candidates."""
        self._copies = families

    def model(self, name: str, version: str, manifest_digest: str) -> None:
        """Tell which model serves."""
        self._model = {"name": name, "version": version, "manifest_digest": manifest_digest}

    def collect(self) -> Iterator[Metric]:
        """Yield all families, as the client library's registry asks for them."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        def counter(
            name: str, text: str, values: Iterable[tuple[Sequence[str], float]], *labels: str
        ) -> Metric:
            family = CounterMetricFamily(f"hallmark_predictor_{name}", text, labels=labels)
            for of, value in values:
                family.add_metric(of, value)
            return family

        def histogram(
            name: str, text: str, tallies: Iterable[tuple[Sequence[str], Tally]], *labels: str
        ) -> Metric:
            family = HistogramMetricFamily(f"hallmark_predictor_{name}", text, labels=labels)
            for of, tally in tallies:
                family.add_metric(of, tally.buckets, tally.sum)
            return family

        requests = [((route, str(code)), float(n)) for (route, code), n in self._requests.items()]
        yield counter(
            "requests", "HTTP requests by route and status code.", requests, "route", "code"
        )
        seconds = [((route,), tally) for route, tally in self._seconds.items()]
        text = "Time from a request's headers to the end of its answer."
        yield histogram("request_seconds", text, seconds, "route")
        yield histogram("batch_rows", "Rows of an answered request.", [((), self._batch)])
        rejections = [((reason,), float(self._rejections[reason])) for reason in Rejection]
        yield counter("rejections", "Rejected requests by reason.", rejections, "reason")
        yield counter("rows", "Rows that were answered.", [((), self.rows)])
        text = "Rows that were refused: a request with one of them is refused as a whole."
        yield counter("refused_rows", text, [((), self._refused_rows)])
        faults = [((reason, feature), float(n)) for (feature, reason), n in self._faults.items()]
        text = "Refused rows by what was wrong and the declared feature it was wrong with, if any."
        yield counter("faults", text, faults, "reason", "feature")
        yield counter(
            "drift_windows", "Drift windows that were closed.", [((), self.drift_windows)]
        )
        text = "Models that were refused."
        yield counter("verification_failures", text, [((), self.verification_failures)])
        text = "Further processes that ended, and were started again."
        yield counter("worker_ends", text, [((), self.worker_ends)])
        yield GaugeMetricFamily(
            "hallmark_predictor_workers", "Processes that answer.", value=self.workers
        )
        odd = [((kind,), float(self._odd.get(kind, 0))) for kind in Oddity]
        text = (
            "Blocks of 64 rows of a client that look made to find the decision boundary, by kind."
        )
        yield counter("odd_blocks", text, odd, "kind")
        yield from self._truth()
        yield from self._copies()
        stability = GaugeMetricFamily(
            "hallmark_predictor_drift_psi",
            "Population stability index of each watched feature in the newest closed window.",
            labels=["feature"],
        )
        for feature, index in self._stability().items():
            stability.add_metric([feature], index)
        yield stability
        info = InfoMetricFamily("hallmark_predictor_model", "The model that serves.")
        if self._model:
            info.add_metric([], self._model)
        yield info

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        from prometheus_client.exposition import generate_latest

        return generate_latest(self)
