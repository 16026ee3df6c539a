"""What somebody on call must know of a ModelDeployment: conditions that are not as they should be.

``manifests/monitoring/alerts.yaml`` has an alert for each; a test holds the two to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hallmark.api.conditions import ConditionStatus, SummaryCondition
from hallmark.api.model_deployment import DeploymentCondition, ModelDeploymentStatus
from hallmark.api.reasons import DeploymentReason
from hallmark.policies.conditions import ConditionUpdate

_C, _R = DeploymentCondition, DeploymentReason
_TRUE, _FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE
_BAD = {
    (_C.DRIFT_DETECTED, _TRUE),
    (_C.ROLLED_BACK, _TRUE),
    (_C.AVAILABLE, _FALSE),
    (_C.VERIFIED, _FALSE),
    (SummaryCondition.STALLED, _TRUE),
}
_WITHDRAWN = frozenset({_R.DENIED, _R.REVOKED})


def troubles(
    status: ModelDeploymentStatus, conditions: Iterable[ConditionUpdate]
) -> Iterator[tuple[str, str]]:
    """Yield the type and the reason of each condition that somebody on call must know.

    Silent Pods, and what is asked for and does not serve, have metrics of their own.

    Args:
        status: what serves.
        conditions: what was found now.
    """
    for found in conditions:
        if _is_trouble(found) or _serves_on(status, found):
            yield found.type, found.reason


def _is_trouble(found: ConditionUpdate) -> bool:
    if found.type == _C.AVAILABLE and found.reason == _R.IDLE:
        return False  # Nothing serves yet.
    unwatched = found.type == _C.DRIFT_DETECTED and found.reason == _R.BASELINE_MISSING
    return unwatched or (found.type, found.status) in _BAD


def _serves_on(status: ModelDeploymentStatus, found: ConditionUpdate) -> bool:
    """Tell whether it is said of the version that serves that somebody denied or revoked it."""
    rollout = status.rollout
    serves = rollout is not None and rollout.manifest_digest == status.active_digest
    return serves and found.type == _C.APPROVED and found.reason in _WITHDRAWN
