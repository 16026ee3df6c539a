"""What a person says of a break of the audit log, in an annotation on its anchor. Pure."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field, ValidationError

from hallmark.api.common import ApiModel

BREAK_PATTERN = r"^[a-f0-9]{12}$"


class Acknowledgement(ApiModel):
    """The annotation's JSON."""

    break_id: Annotated[str, Field(alias="break", pattern=BREAK_PATTERN)]
    """Which break."""
    by: Annotated[str, Field(min_length=1, max_length=253)]
    """Who says so; admission holds it to the authenticated user."""
    reason: Annotated[str, Field(min_length=1, max_length=512)]
    """What was found, for whoever reads the audit log."""


def read_acknowledgement(text: str) -> Acknowledgement | None:
    """Return what the annotation says; None where it says nothing that can be read."""
    try:
        return Acknowledgement.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        return None
