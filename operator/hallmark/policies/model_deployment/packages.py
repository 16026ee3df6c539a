"""Whether a package of what serves is refused, where the policy asks for a rollback then. Pure."""

from __future__ import annotations

from hallmark.api.dependencies import OnViolation
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.api.reasons import DeploymentReason, VersionReason
from hallmark.policies.model_deployment.inputs import View
from hallmark.refusal import Refusal


def refused_packages(view: View) -> Refusal | None:
    """Return that packages of what serves are refused under the policy of today, or None.

    What a version said under another policy than today's decides nothing: it is judged anew.
    """
    policy, active = view.inputs.policy, view.active
    if policy is None or active is None:
        return None
    asked = policy.spec.dependencies.on_violation is OnViolation.ROLLBACK
    said = active.status.condition(VersionCondition.POLICY_PASSED)
    if not asked or said is None or said.reason != VersionReason.PACKAGES_REFUSED:
        return None
    if active.status.policy_digest != policy.spec.digest:
        return None
    name = active.metadata.name
    return Refusal(DeploymentReason.PACKAGE_ROLLBACK, f"ModelVersion '{name}': {said.message}")


def is_judged_alike(target: ModelVersion, view: View) -> bool:
    """Tell whether a target was judged by the policy and the snapshot that refused what serves.

    Both change for all versions at once, and are held against one after the other.
    """
    active = view.active
    return active is not None and _judged_by(target) == _judged_by(active)


def _judged_by(version: ModelVersion) -> tuple[str | None, str | None]:
    return version.status.policy_digest, version.status.feed_digest
