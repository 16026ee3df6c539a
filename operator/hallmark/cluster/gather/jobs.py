"""From a Job and its Pods, as the API server has them, to what decisions need of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hallmark.policies.training_run.jobs import JobView, PodView


def job_view(job: Mapping[str, Any]) -> JobView:
    """Return the view of a Job object."""
    conditions = [
        condition
        for condition in (job.get("status") or {}).get("conditions") or []
        if condition.get("status") == "True"
    ]
    failed = next(
        (condition for condition in conditions if condition.get("type") == "Failed"), None
    )
    containers = job["spec"]["template"]["spec"]["containers"]
    return JobView(
        name=job["metadata"]["name"],
        uid=job["metadata"]["uid"],
        image=containers[0]["image"],
        suspended=bool(job["spec"].get("suspend")),
        complete=any(condition.get("type") == "Complete" for condition in conditions),
        failed=failed is not None,
        reason=str(failed.get("reason", "")) if failed else "",
    )


def pod_view(pods: Iterable[Mapping[str, Any]]) -> PodView | None:
    """Return the view of a Job's Pods, or None where there are none."""
    views = [(_ended_at(pod), _created_at(pod), _view(pod)) for pod in pods]
    return max(views, key=lambda view: view[:2])[2] if views else None


def _view(pod: Mapping[str, Any]) -> PodView:
    status = pod.get("status") or {}
    ended = _terminated(pod)
    if ended is not None:
        code = ended.get("exitCode")
        return PodView(
            exit_code=code if isinstance(code, int) else None,
            end_reason=str(ended.get("reason", "")),
            message=str(ended.get("message", "")),
        )
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason", ""))
        if reason not in {"", "ContainerCreating", "PodInitializing"}:
            image = container.get("image", "")
            return PodView(trouble=f"The Pod cannot start image '{image}': {reason}.")
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return PodView(
                trouble=f"No node takes the Pod: {str(condition.get('message', ''))[:400]}"
            )
    return PodView()


def _terminated(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        ended: Mapping[str, Any] | None = (container.get("state") or {}).get("terminated")
        if ended:
            return ended
    return None


def _ended_at(pod: Mapping[str, Any]) -> str:
    return str((_terminated(pod) or {}).get("finishedAt") or "")


def _created_at(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")
