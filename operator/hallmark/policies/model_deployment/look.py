"""Which trigger the inputs hold for the record, or what is waited for.

What serves is looked at first, then the candidate, then the bake.
"""

from __future__ import annotations

from hallmark.api.model_deployment import HistoryEntry, Outcome, RolloutState
from hallmark.api.reasons import DeploymentReason
from hallmark.policies.model_deployment import checks
from hallmark.policies.model_deployment.bounds import bake
from hallmark.policies.model_deployment.checks import Proposal
from hallmark.policies.model_deployment.inputs import View, Wait
from hallmark.policies.model_deployment.look_candidate import look_at_candidate
from hallmark.policies.model_deployment.look_serving import look_at_serving, look_at_withdrawal
from hallmark.policies.model_deployment.traffic import is_off
from hallmark.policies.model_deployment.triggers import (
    MOVING,
    Look,
    Settled,
    on_hold,
)
from hallmark.policies.model_deployment.withdrawal import (
    must_give_way,
)
from hallmark.policies.refusals import evaluate


def look(view: View) -> Look:
    """Return the next trigger, bytes to verify first, or why there is nothing to do.

    Whatever asks for it, a hold lets nothing move but what must give way.
    """
    found = _look(view)
    if isinstance(found, MOVING) and must_give_way(view) is None:
        return on_hold(view) or found
    return found


def _look(view: View) -> Look:
    if view.ending:
        return look_at_withdrawal(view) or _nothing_starts(view)
    serving = look_at_serving(view)
    if serving is not None:
        return serving
    candidate = look_at_candidate(view)
    if candidate is not None and not isinstance(candidate, Wait):
        return candidate
    return look_at_bake(view) or candidate


def _nothing_starts(view: View) -> Wait:
    if view.inputs.unreadable is not None:
        refusal = view.inputs.unreadable
        return Wait(refusal.reason, refusal.message, stalled=True)
    return Wait(
        DeploymentReason.DELETING,
        "The object is being deleted: nothing new starts; what serves goes on until it is gone.",
    )


def look_at_bake(view: View) -> Settled | None:
    """Return that what serves counts as stable, once it has been healthy for ``bake``."""
    head, state = view.head, view.rollout.state
    if head is None or view.stopped:
        return None
    if head.outcome is Outcome.STABLE:
        return Settled() if state is RolloutState.IDLE else None
    if is_off(view.status.drift_state) or not bake_is_over(view, head) or serves_revoked(view):
        return None
    return Settled()


def bake_is_over(view: View, head: HistoryEntry) -> bool:
    """Tell whether the version that serves has been healthy for ``bake`` without a break."""
    needed = bake(view.inputs.deployment.spec, view.inputs.policy)
    return head.healthy_since is not None and view.elapsed(head.healthy_since, needed)


def serves_revoked(view: View) -> bool:
    """Tell whether what serves was denied or revoked, or its ModelVersion is gone."""
    active = view.active
    return active is None or evaluate(checks.WITHDRAWALS, Proposal(active, view.inputs)) is not None
