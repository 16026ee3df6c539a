"""What happens to personal data that are found in a run's rows."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hallmark.api.common import ApiModel, ColumnName
from hallmark.api.rules import cel, list_map, rule


class PIIDetector(StrEnum):
    """A kind of personal datum that is looked for."""

    EMAIL = "Email"
    PHONE = "Phone"
    PAYMENT_CARD = "PaymentCard"
    IBAN = "IBAN"
    IP_ADDRESS = "IPAddress"
    MAC_ADDRESS = "MACAddress"
    NATIONAL_ID = "NationalID"
    PERSON_NAME = "PersonName"
    DATE_OF_BIRTH = "DateOfBirth"
    POSTAL_ADDRESS = "PostalAddress"
    SECRET = "Secret"  # noqa: S105 - a kind of datum
    """A password, key or token."""


class PIIAction(StrEnum):
    """The action on a column in which a personal datum was found."""

    REFUSE = "Refuse"
    DROP = "Drop"
    MASK = "Mask"


class PIIRule(ApiModel):
    """An exception from the default action, for a detector and, if named, a column."""

    detector: PIIDetector
    """The kind of personal datum."""
    action: PIIAction
    """The action on a column in which it was found."""
    column: ColumnName | None = None
    """The column that the rule is for; absent: all."""


class PIIAllowance(ApiModel):
    """An exception for what looks like a personal datum and may stay, with its reason."""

    detector: PIIDetector
    """The kind of personal datum."""
    column: ColumnName
    """The column in which it may stay."""
    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=256,
            json_schema_extra=cel(
                rule(
                    "self.trim().size() > 0",
                    "Give a reason why the datum may stay, for whoever reads the report.",
                )
            ),
        ),
    ]
    """Why; it is recorded in the report."""


class PII(ApiModel):
    """The rule about personal data."""

    default_action: PIIAction = PIIAction.REFUSE
    """What happens where no rule says otherwise."""
    rules: Annotated[
        list[PIIRule],
        Field(
            max_length=64,
            json_schema_extra=cel(
                rule(
                    "self.all(one, self.exists_one(other, one.detector == other.detector && "
                    "(has(one.column) ? one.column : '') == "
                    "(has(other.column) ? other.column : '')))",
                    "There must be one rule at most for a detector and a column.",
                )
            ),
        ),
    ] = Field(default_factory=list)
    """Exceptions from the default action."""
    allow: Annotated[
        list[PIIAllowance],
        Field(max_length=64, json_schema_extra=list_map("detector", "column")),
    ] = Field(default_factory=list)
    """What may stay, if the ModelPolicy lets a run allow it."""
