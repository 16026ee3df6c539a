"""The operator's Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from hallmark.api.conditions import ConditionStatus, SummaryCondition
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.api.texts import parse_timestamp
from hallmark.cluster.kinds import HALLMARK_KINDS
from hallmark.policies.conditions import ConditionUpdate
from hallmark.policies.model_deployment.troubles import troubles

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
    "Records by which the published log differed from the log when it was to be published.",
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
TROUBLE = Gauge(
    "hallmark_deployment_trouble",
    "1 while a condition of a ModelDeployment is not as it should be, and why.",
    ["model_namespace", "model_deployment", "condition", "reason"],
)
ODD_ROWS = Gauge(
    "hallmark_deployment_odd_rows",
    "1 while clients' rows are odd in a way since the version got the traffic.",
    ["model_namespace", "model_deployment", "oddity"],
)
MIRROR = Gauge(
    "hallmark_deployment_mirror",
    "What became of the copies of requests that a candidate gets, while it gets some.",
    ["model_namespace", "model_deployment", "count"],
)
POLICY_UNUSABLE = Gauge(
    "hallmark_policy_unusable",
    "1 while a ModelPolicy cannot be used, and why.",
    ["policy", "reason"],
)
_Sample = tuple[Gauge, tuple[str, ...], float]
"""Of which metric, with which labels, and its value."""
_shown: dict[tuple[str, str], list[tuple[Gauge, tuple[str, ...]]]] = {}
"""What is shown of each ModelDeployment and, without a namespace, of each ModelPolicy."""


def show_deployment(
    namespace: str,
    deployment: str,
    status: ModelDeploymentStatus,
    conditions: Iterable[ConditionUpdate],
) -> None:
    """Show what somebody on call must know of a ModelDeployment."""
    of, state, unserved = (namespace, deployment), status.drift_state, status.unserved
    found: list[_Sample] = [(SILENT_PODS, of, state.silent_pods if state else 0)]
    found += [(TROUBLE, (*of, *told), 1) for told in troubles(status, conditions)]
    found += [(ODD_ROWS, (*of, oddity), 1) for oddity in (state.odd if state else [])]
    record = status.rollout.mirror if status.rollout else None
    if record is not None:
        counts = {
            "Copies": record.all.requests,
            "Failed": record.all.failed,
            "Refused": record.all.refused,
            "Dropped": record.dropped,
            "Rows": record.all.rows,
            "OtherLabel": record.all.other,
        }
        found += [(MIRROR, (*of, count), number) for count, number in counts.items()]
    if unserved is not None:
        since = parse_timestamp(unserved.since).timestamp()
        found.append((UNSERVED_SINCE, (*of, unserved.reason), since))
    _show(of, found)


def show_policy(policy: str, conditions: Iterable[ConditionUpdate]) -> None:
    """Show whether a ModelPolicy can be used."""
    told = [
        (POLICY_UNUSABLE, (policy, found.reason), 1)
        for found in conditions
        if found.type == SummaryCondition.STALLED and found.status is ConditionStatus.TRUE
    ]
    _show(("", policy), told)


def forget(namespace: str, name: str) -> None:
    """Show nothing of a ModelDeployment, or (without a namespace) a ModelPolicy that is gone."""
    _show((namespace, name), [])


def _show(of: tuple[str, str], found: Iterable[_Sample]) -> None:
    values = {(gauge, labels): value for gauge, labels, value in found}
    for gauge, labels in _shown.pop(of, []):
        if (gauge, labels) not in values:
            gauge.remove(*labels)
    for (gauge, labels), value in values.items():
        gauge.labels(*labels).set(value)
    if values:
        _shown[of] = list(values)
