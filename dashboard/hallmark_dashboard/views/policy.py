"""One policy in words: what is demanded of every model here, and whom it stops today. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hallmark.api.conditions import ConditionStatus
from hallmark.api.metrics import Comparison, Gate
from hallmark.api.model_policy import (
    Approvals,
    ModelPolicy,
    ModelPolicySpec,
    OnNoTarget,
    OnRevocation,
)
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.api.texts import parse_duration
from hallmark.policies.model_deployment.floors import DRIFT
from hallmark.policies.model_deployment.rollout_floors import ROLLOUT
from hallmark_dashboard.views.standing import Standing, standing
from hallmark_dashboard.views.words import plural


@dataclass(frozen=True)
class Demand:
    """A demand of a policy, in words."""

    what: str
    sentence: str


@dataclass(frozen=True)
class Stopped:
    """A version that the policy stops today."""

    namespace: str
    name: str
    sentence: str


@dataclass(frozen=True)
class PolicyDetail:
    """What is said of one policy."""

    name: str
    headline: str
    standing: Standing
    demands: tuple[Demand, ...]
    namespaces: tuple[str, ...]
    stopped: tuple[Stopped, ...]


def policy_detail(
    policy: ModelPolicy, namespaces: Sequence[str], versions: Sequence[ModelVersion]
) -> PolicyDetail:
    """Return what is said of one policy.

    Args:
        policy: the policy.
        namespaces: the namespaces under it that the person may see.
        versions: the versions in them.
    """
    stopped = [
        Stopped(version.metadata.namespace, version.metadata.name, condition.message)
        for version in versions
        if (condition := version.status.condition(VersionCondition.POLICY_PASSED)) is not None
        and condition.status is ConditionStatus.FALSE
    ]
    where = plural(len(namespaces), "namespace")
    return PolicyDetail(
        policy.metadata.name,
        f"{policy.metadata.name} holds in {where} that you may see and stops "
        f"{plural(len(stopped), 'version')} of {len(versions):,} there today.",
        standing(policy.status),
        tuple(demands(policy.spec)),
        tuple(namespaces),
        tuple(stopped),
    )


_REVOKED = {
    OnRevocation.BLOCK: "Nothing new is promoted; what serves goes on.",
    OnRevocation.ROLLBACK: "What serves it goes back to a version that passes all checks.",
    OnRevocation.STOP: "What serves it stops.",
}
_NO_TARGET = {
    OnNoTarget.HOLD: "Where a rollback has no target, what serves is held and a person must look.",
    OnNoTarget.STOP: "Where a rollback has no target, nothing serves.",
}


def _from_groups(approvals: Approvals) -> str:
    said = "".join(
        f" At least {group.minimum} of them must be of '{group.name}' "
        f"({', '.join(group.members)}), for which nobody else can stand."
        for group in approvals.groups
    )
    if parse_duration(approvals.cooling_time):
        said += f" An approval counts {approvals.cooling_time} after it was given."
    if approvals.renew_after_rollback:
        said += " What was rolled back needs approvals given after that."
    return said


def _one_of(keys: int) -> str:
    return "the one key that it names" if keys == 1 else f"one of {keys} keys"


def demands(spec: ModelPolicySpec) -> list[Demand]:
    """Return what a policy demands, each as a sentence."""
    approvals = spec.approvals
    found = [
        Demand(
            "Signatures",
            f"A model must be signed by {_one_of(len(spec.signers))}.",
        ),
        Demand(
            "Approvals",
            f"{plural(approvals.minimum, 'person', 'people')} who did not ask for it must approve "
            f"the very bytes.{_from_groups(approvals)}",
        ),
        Demand(
            "Revocation",
            f"{_REVOKED[approvals.on_revocation]} {_NO_TARGET[approvals.on_no_target]}",
        ),
        *(Demand("Gate", _gate(gate)) for gate in spec.gates),
        Demand(
            "Personal data",
            f"A run may choose {', '.join(action.value for action in spec.pii.allowed_actions)} "
            f"for a column with personal data, and allow "
            f"{plural(len(spec.pii.allowable), 'kind')} of it with a reason.",
        ),
    ]
    if spec.dependencies.denied:
        denied = ", ".join(spec.dependencies.denied)
        found.append(Demand("Packages", f"No model may contain: {denied}."))
    licences = spec.dependencies.licences
    if licences.allowed:
        found.append(Demand("Licences", f"Only {', '.join(licences.allowed)}."))
    if licences.denied:
        found.append(Demand("Licences", f"None of {', '.join(licences.denied)}."))
    if spec.drift:
        asked = "; ".join(DRIFT.demanded(spec.drift)) or "nothing"
        found.append(
            Demand("Watching", f"A Deployment promotes nothing new unless it watches: {asked}.")
        )
    if spec.rollout:
        asked = "; ".join(ROLLOUT.demanded(spec.rollout)) or "anything"
        found.append(
            Demand("Taking over", f"A Deployment promotes nothing new unless it declares: {asked}.")
        )
    if spec.sources.allowed:
        found.append(
            Demand("Sources", f"Data may come from {', '.join(spec.sources.allowed)} alone.")
        )
    else:
        found.append(Demand("Sources", "No data may come from a URL."))
    limits = spec.sources.limits
    found.append(
        Demand(
            "Sizes",
            f"A dataset has at most {limits.max_rows:,} rows, {limits.max_columns:,} columns and "
            f"{limits.max_bytes:,} bytes.",
        )
    )
    return found


def _gate(gate: Gate) -> str:
    side = "at least" if gate.comparison is Comparison.AT_LEAST else "at most"
    bound = " by its unfavourable bound" if gate.statistic == "Bound" else ""
    return f"{gate.metric} must be {side} {gate.threshold}{bound}."
