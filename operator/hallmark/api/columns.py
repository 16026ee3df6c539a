"""What a column of a table may be."""

from __future__ import annotations

from enum import StrEnum


class FeatureType(StrEnum):
    """The type of a column's values."""

    NUMBER = "Number"
    INTEGER = "Integer"
    BOOLEAN = "Boolean"
    CATEGORY = "Category"


class OutOfRange(StrEnum):
    """The predictor's answer to a number below the minimum or above the maximum."""

    REFUSE = "Refuse"
    """It is refused. What is certified holds within the range."""
    ALLOW = "Allow"
    """It is answered. What is certified holds as if there were no range."""
