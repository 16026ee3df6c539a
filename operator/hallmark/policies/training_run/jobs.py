"""What a Job and its Pods tell, read from objects that users' code has influence on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from hallmark.api.common import FileModel

Document = TypeVar("Document", bound=FileModel)

TERMINATION_BYTES = 4096
"""What Kubernetes keeps of a termination message."""


@dataclass(frozen=True)
class JobView:
    """A Job, as far as decisions need it."""

    name: str
    uid: str
    image: str
    suspended: bool
    complete: bool = False
    failed: bool = False
    reason: str = ""
    """Why it failed, such as ``DeadlineExceeded``."""

    @property
    def finished(self) -> bool:
        """Tell whether no Pod of it runs or will run."""
        return self.complete or self.failed


@dataclass(frozen=True)
class PodView:
    """The Pod of a Job whose word counts: the one that ended last, else the newest."""

    trouble: str = ""
    """A sentence: why it does not run (image, scheduling)."""
    exit_code: int | None = None
    end_reason: str = ""
    """Such as ``OOMKilled``."""
    message: str = ""
    """The termination message."""


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


def parse_outcome(document: type[Document], message: str) -> Document | None:
    """Return what a termination message says, or None where it is not such a document.

    It comes from a Pod in a user's namespace, so nothing in it is believed that can be checked.
    """
    if len(message.encode()) > TERMINATION_BYTES:
        return None
    try:
        return document.model_validate_json(message)
    except ValidationError:
        return None


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
