"""The dashboard's own metrics: counts and times, and no name of anybody's object."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hallmark_dashboard.watch import Watch

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts requests, and tells how old the memory of the cluster is."""

    def __init__(self, registry: CollectorRegistry, watch: Watch) -> None:
        """Register all metrics."""
        self._registry = registry
        self.requests = Counter(
            "hallmark_dashboard_requests_total",
            "Requests, by route, method and status.",
            ["route", "method", "code"],
            registry=registry,
        )
        self.seconds = Histogram(
            "hallmark_dashboard_request_duration_seconds",
            "How long an answer took.",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.limited = Counter(
            "hallmark_dashboard_limited_total",
            "Requests that were too many, by what limits them.",
            ["limit"],
            registry=registry,
        )
        self.listeners = Gauge(
            "hallmark_dashboard_listeners", "Pages that are told of changes.", registry=registry
        )
        registry.register(_WatchAges(watch))

    def answered(self, route: str, method: str, code: int, seconds: float) -> None:
        """Count a request; a method that nobody knows must not make a series of its own."""
        known = method if method in _METHODS else "other"
        self.requests.labels(route, known, str(code)).inc()
        self.seconds.labels(route).observe(seconds)

    def exposition(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self._registry)


class _WatchAges(Collector):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        ages = GaugeMetricFamily(
            "hallmark_dashboard_watch_age_seconds",
            "Seconds since a watch last said anything, by kind.",
            labels=["kind"],
        )
        for kind, age in self._watch.ages.items():
            ages.add_metric([kind], age)
        yield ages
        yield GaugeMetricFamily(
            "hallmark_dashboard_cached_objects",
            "Objects that the dashboard holds in memory.",
            value=len(self._watch.cache),
        )
