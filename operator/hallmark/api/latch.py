"""What people decided about bytes for good: kept by digest, whatever becomes of the objects."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hallmark.api.common import Digest, FileModel, Timestamp, Uid
from hallmark.api.model_version import ApprovalRecord, RolledBack

LATCH_KEY = "latch.json"
"""The key of a latch's ConfigMap."""
MAX_FINAL = 8
"""Denials and revocations that are kept, the first ones; one alone decides."""
MAX_ATTESTED = 128
"""Attestations that count for the same bytes at most, in all the time."""


class Attested(FileModel):
    """The ModelApproval that first brought an attestation; where it is gone, so is its word."""

    attestation: Digest
    """The digest of what was signed."""
    uid: Uid
    given: Timestamp | None = None
    """When it was first brought; None where an earlier release heard it."""


class Latch(FileModel):
    """``latch.json``: what holds of a manifest digest in its namespace, for ever.

    The operator alone writes it, into its own namespace: it outlives the ModelApprovals, the
    ModelVersions and their namespace. It is small enough to be kept in memory whole.
    """

    schema_version: Literal["hallmark.dev/latch/v1"] = "hallmark.dev/latch/v1"
    namespace: Annotated[str, Field(max_length=63)]
    """Where the bytes may serve; the manifest says it, too."""
    manifest_digest: Digest
    final: Annotated[list[ApprovalRecord], Field(max_length=MAX_FINAL)] = Field(
        default_factory=list
    )
    """Denials and revocations, each with the ModelVersion that it was made on."""
    attested: Annotated[list[Attested], Field(max_length=MAX_ATTESTED)] = Field(
        default_factory=list
    )
    """Attestations of approvals that counted."""
    rolled_back: RolledBack | None = None
    """The last time that the bytes had to give way; one entry, however often they did."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be remembered."""
        return not self.final and not self.attested and self.rolled_back is None
