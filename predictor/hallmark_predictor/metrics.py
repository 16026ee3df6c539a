"""What Prometheus sees of a predictor."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, Info
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from hallmark.drift.refusals import Refusals
from hallmark_predictor.request_counter import RequestCounter

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The predictor's metrics, in a registry of their own."""

    def __init__(self) -> None:
        """Register all of them."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "hallmark_predictor_requests",
            "HTTP requests by route and status code.",
            ["route", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "hallmark_predictor_request_seconds",
            "Time from a request's headers to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.rows = Counter(
            "hallmark_predictor_rows", "Rows that were answered.", registry=registry
        )
        self._refused_rows = Counter(
            "hallmark_predictor_refused_rows",
            "Rows that were refused: a request with one of them is refused as a whole.",
            registry=registry,
        )
        self._faults = Counter(
            "hallmark_predictor_faults",
            "Refused rows by what was wrong and the declared feature it was wrong with, if any.",
            ["reason", "feature"],
            registry=registry,
        )
        self.drift_windows = Counter(
            "hallmark_predictor_drift_windows", "Drift windows that were closed.", registry=registry
        )
        self.verification_failures = Counter(
            "hallmark_predictor_verification_failures",
            "Models that were refused.",
            registry=registry,
        )
        self.counter = RequestCounter()
        """What the drift report tells of requests."""
        self._model = Info("hallmark_predictor_model", "The model that serves.", registry=registry)

    def request(self, route: str, code: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, code).inc()
        self._seconds.labels(route).observe(seconds)
        self.counter.ended(route, code, seconds)

    def refused(self, refusals: Refusals) -> None:
        """Count the rows at fault in a refused request."""
        self._refused_rows.inc(refusals.rows)
        for (feature, reason), rows in refusals.faults.items():
            self._faults.labels(reason, feature).inc(rows)

    def model(self, name: str, version: str, manifest_digest: str) -> None:
        """Tell which model serves."""
        self._model.info({"name": name, "version": version, "manifest_digest": manifest_digest})

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
