"""The operator's Prometheus metrics."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter(
    "hallmark_reconcile_total", "Reconciles, by kind and how they ended.", ["kind", "outcome"]
)
RECONCILE_SECONDS = Histogram(
    "hallmark_reconcile_duration_seconds",
    "How long a reconcile took.",
    ["kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
QUEUE_DEPTH = Gauge("hallmark_queue_depth", "Objects that wait for a reconcile that is due.")
HEARTBEAT_AGE = Gauge(
    "hallmark_heartbeat_age_seconds", "Seconds since the operator saw its own heartbeat in a watch."
)
WATCH_AGE = Gauge(
    "hallmark_watch_age_seconds", "Seconds since a watch last said anything, by kind.", ["kind"]
)
CACHED_OBJECTS = Gauge("hallmark_cached_objects", "Objects that the operator holds in memory.")
DECISIONS = Counter(
    "hallmark_decisions_total",
    "Recorded decisions: gates, seals, approvals, verifications, promotions, rollbacks.",
    ["event", "outcome", "reason"],
)
SILENT_PODS = Gauge(
    "hallmark_drift_silent_pods",
    "Pods that serve and have not reported drift as they said they would.",
    ["model_namespace", "model_deployment"],
)


def show_silence(namespace: str, deployment: str, pods: int) -> None:
    """Show how many Pods of a ModelDeployment are silent."""
    SILENT_PODS.labels(namespace, deployment).set(pods)


def forget_silence(namespace: str, deployment: str) -> None:
    """Show nothing of a ModelDeployment that is gone."""
    with suppress(KeyError):
        SILENT_PODS.remove(namespace, deployment)
