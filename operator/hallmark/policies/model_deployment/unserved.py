"""What is asked for and does not serve: since when, and why. Told to people; no decision reads it.

Every reason is in it, from an approval that nobody gave to a spec that cannot be read, so that an
intent that is refused or ignored is seen as what it is: something that a person waits for.
"""

from __future__ import annotations

from collections.abc import Iterable

from hallmark.api.conditions import ConditionStatus, SummaryCondition
from hallmark.api.model_deployment import Unserved
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import timestamp
from hallmark.policies.conditions import ConditionUpdate
from hallmark.policies.model_deployment.inputs import View
from hallmark.policies.model_deployment.intent import intent_of


def unserved(view: View, told: Iterable[ConditionUpdate]) -> Unserved | None:
    """Return what is asked for and does not serve, or None.

    Args:
        view: the inputs, and the record after the decision.
        told: the conditions after it; Ready says why.
    """
    intent, head, spec = intent_of(view), view.head, view.inputs.deployment.spec
    if view.inputs.deployment.metadata.deletion_timestamp is not None:
        return None
    # What a rollback went back to serves under the intent that it left.
    serves = (
        head
        and intent
        and (head.intent_hash, head.manifest_digest)
        == (
            intent.hash,
            intent.digest,
        )
    )
    if serves and not view.stopped:
        return None
    asked = intent.hash if intent else ""
    former = view.status.unserved
    same = former is not None and former.intent_hash == asked
    ready = next(one for one in told if one.type == SummaryCondition.READY)
    # What is asked for and is neither under way nor stalled was given up, with a person's word.
    accepted = ready.status is ConditionStatus.TRUE
    return Unserved(
        model_version=intent.version.metadata.name if intent else spec.model_version,
        intent_hash=asked,
        since=former.since if former and same else timestamp(view.inputs.now),
        reason=DeploymentReason.ACKNOWLEDGED if accepted else ready.reason,
    )
