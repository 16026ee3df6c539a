"""What a Job and its Pods tell; users' code has influence on all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

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
