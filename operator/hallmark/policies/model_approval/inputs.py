"""What a ModelApproval's status is made from: it and its ModelVersion at one moment, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_version import ModelVersion


@dataclass(frozen=True)
class ApprovalInputs:
    """A ModelApproval, the ModelVersion of the name it gives, and the time."""

    approval: ModelApproval
    version: ModelVersion | None
    now: datetime
