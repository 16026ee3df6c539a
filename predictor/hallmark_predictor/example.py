"""An example of what a model is asked, made of its schema and never of data."""

from __future__ import annotations

import math
from typing import Any

from hallmark.api.columns import FeatureType
from hallmark.api.documents import ServedFeature, ServedSchema
from hallmark_predictor.datatypes import DATATYPES


def example_row(schema: ServedSchema) -> dict[str, object]:
    """Return a row that the schema allows."""
    return {feature.name: _value(feature) for feature in schema.features}


def example_tensors(schema: ServedSchema) -> list[dict[str, Any]]:
    """Return the same row as the Open Inference Protocol's tensors, one for each feature."""
    return [
        {
            "name": feature.name,
            "shape": [1],
            "datatype": DATATYPES[feature.type][0],
            "data": [_value(feature)],
        }
        for feature in schema.features
    ]


def _value(feature: ServedFeature) -> object:
    match feature.type:
        case FeatureType.CATEGORY:
            return (feature.categories or [""])[0]
        case FeatureType.BOOLEAN:
            return True
    ends = [end for end in (feature.minimum, feature.maximum) if end is not None]
    if feature.type is FeatureType.INTEGER:
        return _whole(ends, feature.minimum)
    return _middle(ends)


def _middle(ends: list[float]) -> float:
    """Return a number between the ends, with few digits where such a one lies there."""
    middle = sum((end / len(ends) for end in ends), 0.0)
    short = round(middle, 6)
    return short if min(ends, default=0) <= short <= max(ends, default=0) else middle


def _whole(ends: list[float], minimum: float | None) -> int:
    """Return a whole number between the ends, or beyond the only one."""
    if len(ends) == 2:
        return min(math.floor(ends[1]), max(math.ceil(ends[0]), round(_middle(ends))))
    return (math.floor if minimum is None else math.ceil)(_middle(ends))
