"""CPU and memory that a container asks for and may use."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field

from hallmark.api.common import ApiModel
from hallmark.api.rules import Rule, cel, rule

_UNITS = {"m": Decimal("0.001"), "": Decimal(1), "Ki": Decimal(2**10)}
_UNITS |= {"Mi": Decimal(2**20), "Gi": Decimal(2**30)}


def quantity(text: str) -> Decimal:
    """Return the number of a Kubernetes quantity such as ``"500m"`` or ``"512Mi"``.

    Raises:
        ValueError: ``text`` is none of those that ``ResourceAmounts`` allows.
    """
    parts = re.fullmatch(r"([0-9]+)(m|Ki|Mi|Gi)?", text)
    if parts is None:
        raise ValueError(f"Expected a quantity such as '500m' or '512Mi', found {text!r}.")
    return int(parts[1]) * _UNITS[parts[2] or ""]


class ResourceAmounts(ApiModel):
    """CPU and memory, as Kubernetes quantities."""

    cpu: Annotated[str, Field(pattern=r"^[1-9][0-9]*m?$", max_length=12)] | None = None
    """Cores (``"2"``) or thousandths of one (``"500m"``), above zero."""
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*(Ki|Mi|Gi)?$", max_length=16)] | None = None
    """Bytes (``"512Mi"``), above zero: a limit of zero would be none."""


def _not_above(name: str) -> Rule:
    """Return the CEL rule that no more of a resource is requested than it is limited to."""
    sides = ("self.requests", "self.limits")
    # Of an optional's value the API server does not know that it is short.
    absent = " || ".join(f"!has({side}) || !has({side}.{name})" for side in sides)
    asked, limit = (f"quantity({side}.{name})" for side in sides)
    return rule(
        f"{absent} || !{asked}.isGreaterThan({limit})",
        f"'requests.{name}' must be at most 'limits.{name}'.",
    )


class Resources(ApiModel):
    """The resources that a container asks for and may use at most.

    What is not given has its default.
    """

    model_config = ConfigDict(json_schema_extra=cel(_not_above("cpu"), _not_above("memory")))

    requests: ResourceAmounts | None = None
    """What is set aside for it."""
    limits: ResourceAmounts | None = None
    """What it may use at most."""
