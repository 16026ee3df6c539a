"""The operator's Prometheus metrics."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram

from hallmark.api.common import parse_timestamp
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.cluster.kinds import HALLMARK_KINDS

RECONCILES = Counter(
    "hallmark_reconcile_total", "Reconciles, by kind and how they ended.", ["kind", "outcome"]
)
RECONCILE_SECONDS = Histogram(
    "hallmark_reconcile_duration_seconds",
    "How long a reconcile took.",
    ["kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
INTERNAL_ERRORS = Counter(
    "hallmark_internal_errors_total",
    "Errors that nobody expected, by kind of the object.",
    ["kind"],
)
QUEUE_DEPTH = Gauge("hallmark_queue_depth", "Objects that wait for a reconcile that is due.")
HEARTBEAT_AGE = Gauge(
    "hallmark_heartbeat_age_seconds", "Seconds since the operator saw its own heartbeat in a watch."
)
WATCH_AGE = Gauge(
    "hallmark_watch_age_seconds", "Seconds since a watch last said anything, by kind.", ["kind"]
)
CACHED_OBJECTS = Gauge("hallmark_cached_objects", "Objects that the operator holds in memory.")
STATUS_REFUSED = Counter(
    "hallmark_status_refused_total",
    "Status writes that the API server did not take, by kind; what must stop stops all the same.",
    ["kind"],
)
for _kind in HALLMARK_KINDS:
    # From the start, so that the first one is an increase.
    INTERNAL_ERRORS.labels(_kind.kind)
    STATUS_REFUSED.labels(_kind.kind)
DECISIONS = Counter(
    "hallmark_decisions_total",
    "Recorded decisions: gates, seals, approvals, verifications, promotions, rollbacks.",
    ["event", "outcome", "reason"],
)

AUDIT_BROKEN = Gauge(
    "hallmark_audit_broken", "1 while a break of the audit log waits to be acknowledged."
)
AUDIT_UNWRITABLE = Gauge(
    "hallmark_audit_unwritable", "1 while the audit volume takes no record, so decisions wait."
)
AUDIT_UNANCHORED = Gauge(
    "hallmark_audit_unanchored_records", "Records that the anchor outside the volume lags behind."
)
AUDIT_KEPT_OUTSIDE = Gauge(
    "hallmark_audit_kept_outside_records",
    "Records of withdrawals that wait outside the volume until the log takes them.",
)
AUDIT_UNPUBLISHED = Gauge(
    "hallmark_audit_unpublished_records",
    "Records that the published log does not have yet, where it is published.",
)
AUDIT_FREE_BYTES = Gauge("hallmark_audit_free_bytes", "Bytes that are free on the audit volume.")
GUARD_CHANGES = Counter(
    "hallmark_guard_changes_total",
    "Changes of ModelPolicies and of the admission policies that Hallmark rests on.",
    ["kind", "reason"],
)
GUARD_AS_SHIPPED = Gauge(
    "hallmark_guard_as_shipped",
    "1 where an admission policy and its binding are exactly what this version ships, else 0.",
    ["name"],
)
SILENT_PODS = Gauge(
    "hallmark_drift_silent_pods",
    "Pods that serve and have not reported drift as they said they would.",
    ["model_namespace", "model_deployment"],
)
UNSERVED_SINCE = Gauge(
    "hallmark_unserved_since_seconds",
    "Since when (Unix time) what a ModelDeployment asks for has not served, and why not.",
    ["model_namespace", "model_deployment", "reason"],
)
_unserved: dict[tuple[str, str], str] = {}
"""The reason that is shown of each ModelDeployment."""


def show_deployment(namespace: str, deployment: str, status: ModelDeploymentStatus) -> None:
    """Show how many Pods of a ModelDeployment are silent, and what it asks for in vain."""
    state, found = status.drift_state, status.unserved
    SILENT_PODS.labels(namespace, deployment).set(state.silent_pods if state else 0)
    _forget_unserved(namespace, deployment)
    if found is not None:
        since = parse_timestamp(found.since).timestamp()
        UNSERVED_SINCE.labels(namespace, deployment, found.reason).set(since)
        _unserved[namespace, deployment] = found.reason


def forget_deployment(namespace: str, deployment: str) -> None:
    """Show nothing of a ModelDeployment that is gone."""
    with suppress(KeyError):
        SILENT_PODS.remove(namespace, deployment)
    _forget_unserved(namespace, deployment)


def _forget_unserved(namespace: str, deployment: str) -> None:
    reason = _unserved.pop((namespace, deployment), None)
    if reason is not None:
        UNSERVED_SINCE.remove(namespace, deployment, reason)
