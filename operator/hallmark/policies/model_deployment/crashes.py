"""Whether the Pods of what serves end again and again, by what they say of themselves. Pure."""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.texts import parse_timestamp
from hallmark.policies.model_deployment.inputs import PodState, View

RESTARTS = 3
"""So often a Pod's container ended before it counts as a loop."""
NOT_ITS_OWN = frozenset({0, 1})
"""Exit codes that say nothing of the version: asked to end, or without its store."""


def crash_loop(view: View) -> str:
    """Return that more than half of the Pods that are to serve crash, as a sentence, or nothing."""
    label = names.manifest_label(view.status.active_digest or "")
    crashing = [pod for pod in view.inputs.pods if pod.manifest == label and _crashes(pod)]
    asked = view.inputs.deployment.spec.replicas
    if not crashing or 2 * len(crashing) <= asked:
        return ""
    first = min(crashing, key=lambda pod: pod.name)
    said = f": {first.message}" if first.message else ""
    return (
        f"{len(crashing)} of {asked} Pods of '{view.status.active_model_version}' end again and "
        f"again; '{first.name}' ended {first.restarts} times, last with exit code "
        f"{first.exit_code}{said}."
    )


def crashed_since(pod: PodState, since: str) -> bool:
    """Tell whether a Pod's container ended by the version's own fault after a moment."""
    if not _is_its_own(pod) or pod.ended_at is None:
        return False
    return parse_timestamp(pod.ended_at) > parse_timestamp(since)


def _crashes(pod: PodState) -> bool:
    return _is_its_own(pod) and not pod.ready and pod.restarts >= RESTARTS


def _is_its_own(pod: PodState) -> bool:
    return pod.exit_code is not None and pod.exit_code not in NOT_ITS_OWN
