"""What the Pods of a version tell: whether they run, and why they will not."""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.files import REFUSED_EXIT_CODE
from hallmark.api.model_deployment import RolloutState
from hallmark.api.reasons import DeploymentReason
from hallmark.policies.model_deployment.bounds import progress_deadline
from hallmark.policies.model_deployment.canary import candidate_replicas
from hallmark.policies.model_deployment.inputs import PodState, View, Workload
from hallmark.refusal import Refusal

_MAY_WAIT = (RolloutState.STARTING, RolloutState.MIRRORING, RolloutState.CANARY)
"""The states in which a candidate waits while promotion is frozen."""


def refusing_pod(view: View, digest: str | None, trust: str | None = None) -> PodState | None:
    """Return a Pod of the version whose predictor refused to load it, or None.

    Args:
        view: the inputs and the record.
        digest: the version's manifest digest.
        trust: only Pods that were started with this trust; None: with whichever.
    """
    label = names.manifest_label(digest or "")
    for pod in view.inputs.pods:
        its_own = pod.manifest == label and trust in (None, pod.trust_sha256)
        if its_own and not pod.ready and pod.exit_code == REFUSED_EXIT_CODE:
            return pod
    return None


def did_not_start(view: View) -> Refusal | None:
    """Return why the Pods on record (of the candidate or target) will not become ready."""
    rollout, spec, needed = view.rollout, view.inputs.deployment.spec, candidate_replicas(view)
    pod = refusing_pod(view, rollout.manifest_digest, rollout.trust_sha256)
    if pod is not None:
        return Refusal(
            DeploymentReason.PREDICTOR_REFUSED,
            f"Predictor '{pod.name}' refused '{rollout.model_version}': {pod.message}",
        )
    running = is_running(view, rollout.manifest_digest, rollout.trust_sha256)
    deadline = progress_deadline(spec, view.inputs.policy)
    waits = view.frozen and rollout.state in _MAY_WAIT
    # In a canary or a mirror Pods may be short later than when it began.
    record = rollout.canary or rollout.mirror
    since = record.short_since if record else rollout.since
    if running or spec.replicas == 0 or waits or not view.elapsed(since, deadline):
        return None
    return Refusal(
        DeploymentReason.PROGRESS_DEADLINE_EXCEEDED,
        f"Expected {needed} ready Pods of '{rollout.model_version}' within {deadline}, "
        f"found fewer{what_pods_say(view)}; see its Pods, then change what is asked for.",
    )


def is_running(view: View, digest: str | None, trust: str, *, none_asked: bool = False) -> bool:
    """Tell whether all Pods that are needed now are ready, with that trust.

    Args:
        view: the inputs and the record.
        digest: the version's manifest digest.
        trust: the trust that its Pods must have been started with.
        none_asked: the answer where ``replicas`` is 0, so that no Pod could be ready.
    """
    if view.inputs.deployment.spec.replicas == 0:
        return none_asked
    replicas = candidate_replicas(view)
    workload = view.inputs.workload(digest) if digest else None
    if workload is None or digest is None or workload.trust_sha256 != trust:
        return False
    return _full(workload, replicas) and view.inputs.ready_pods(digest, trust) >= replicas


def has_one(view: View, digest: str | None, trust: str) -> bool:
    """Tell whether a single Pod with that trust is ready: enough to take withdrawn bytes' place."""
    return digest is not None and view.inputs.ready_pods(digest, trust) > 0


def _full(workload: Workload, replicas: int) -> bool:
    return workload.settled and workload.replicas >= replicas and workload.ready >= replicas


def what_pods_say(view: View) -> str:
    """Return in brackets why a Pod on record does not run, or nothing."""
    label = names.manifest_label(view.rollout.manifest_digest or "")
    said = [
        f"Pod '{pod.name}': {pod.message}"
        for pod in view.inputs.pods
        if pod.manifest == label and not pod.ready and pod.message
    ]
    return f" ({said[0][:400]})" if said else ""
