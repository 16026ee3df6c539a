"""How closely a ModelPolicy demands that traffic is watched, so that no author switches it off."""

from __future__ import annotations

from collections.abc import Iterator

from hallmark.api.model_deployment import ModelDeploymentSpec, RollbackMode
from hallmark.api.model_policy import DriftFloors


def below_floors(spec: ModelDeploymentSpec, floors: DriftFloors | None) -> Iterator[str]:
    """Yield a sentence for each demand that the spec does not meet."""
    if floors is None:
        return
    drift = spec.drift
    if floors.max_threshold and float(drift.threshold) > float(floors.max_threshold):
        yield _sentence("threshold", f"at most {floors.max_threshold}", drift.threshold)
    if floors.max_window and drift.window > floors.max_window:
        yield _sentence("window", f"at most {floors.max_window}", str(drift.window))
    if floors.max_consecutive and drift.consecutive > floors.max_consecutive:
        yield _sentence("consecutive", f"at most {floors.max_consecutive}", str(drift.consecutive))
    least, risk = floors.min_false_rollback_risk, drift.false_rollback_risk
    if least and float(risk) < float(least):
        yield _sentence("falseRollbackRisk", f"at least {least}", risk)
    unwatched = [name for name in floors.features if name not in drift.features]
    if drift.features and unwatched:
        more = f" and {len(unwatched) - 5} more" if len(unwatched) > 5 else ""
        names = ", ".join(f"'{name}'" for name in unwatched[:5])
        yield _sentence("features", f"with {names}{more}", "it without")
    most = floors.max_rejections
    if most and drift.rejections is None:
        yield _sentence("rejections.limit", f"at most {most}", "none")
    elif most and drift.rejections and float(drift.rejections.limit) > float(most):
        yield _sentence("rejections.limit", f"at most {most}", drift.rejections.limit)
    if floors.automatic_rollback and spec.rollback is not RollbackMode.AUTOMATIC:
        yield (
            f"Expected spec.rollback Automatic (spec.drift of the ModelPolicy), found "
            f"{spec.rollback}. Change it, or ask the platform engineer for another demand."
        )


def _sentence(field: str, expected: str, found: str) -> str:
    return (
        f"Expected spec.drift.{field} {expected} (spec.drift of the ModelPolicy), found {found}; "
        f"nothing new is promoted. Watch more closely, or ask the platform engineer for another "
        f"demand."
    )
