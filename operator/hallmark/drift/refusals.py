"""Counts the rows that a predictor refused: which features were at fault, and why.

Only declared features have a count of their own: anything else in a request may be anybody's text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from hallmark.api.bounds import MAX_REFUSED_FEATURES
from hallmark.api.structs import RefusedFeature


class Reason(StrEnum):
    """Why a value was refused."""

    MISSING = "Missing"
    """It is absent, or null where none may be."""
    WRONG_TYPE = "WrongType"
    """It is of another type: a text, a fraction for a whole number, another datatype."""
    UNSEEN_CATEGORY = "UnseenCategory"
    """It is none of the declared categories."""
    OUT_OF_RANGE = "OutOfRange"
    """It is below the minimum, above the maximum, or beyond what its datatype holds."""
    UNKNOWN_FEATURE = "UnknownFeature"
    """There is no such feature; it is counted without a name."""


NO_FEATURE = ""
"""Stands where no declared feature is at fault."""

Fault = tuple[str, Reason]
"""A declared feature, or none, and what was wrong."""


class Refusals(Struct, frozen=True):
    """The rows at fault in one request.

    Attributes:
        rows: How many; one that is wrong twice counts once.
        faults: Rows by what was wrong with them.
    """

    rows: int = 0
    faults: Mapping[Fault, int] = field(default_factory=dict)


NONE = Refusals()


class RefusalCounter:
    """Adds up refused rows since the start."""

    def __init__(self) -> None:
        """Start empty."""
        self.rows = 0
        """Rows that were refused."""
        self._features: dict[str, Counter[Reason]] = {}

    def add(self, refusals: Refusals) -> None:
        """Count a request's rows."""
        self.rows += refusals.rows
        for (feature, reason), rows in refusals.faults.items():
            if feature:
                self._features.setdefault(feature, Counter())[reason] += rows

    def most(self) -> list[RefusedFeature]:
        """Return the features that were most often at fault, those first."""
        ranked = sorted(self._features.items(), key=lambda item: (-item[1].total(), item[0]))
        return [
            RefusedFeature(
                feature=feature,
                missing=counts[Reason.MISSING] or None,
                wrong_type=counts[Reason.WRONG_TYPE] or None,
                unseen_category=counts[Reason.UNSEEN_CATEGORY] or None,
                out_of_range=counts[Reason.OUT_OF_RANGE] or None,
            )
            for feature, counts in ranked[:MAX_REFUSED_FEATURES]
        ]
