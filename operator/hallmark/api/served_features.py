"""The features of a served form, as they follow from a run's schema.

Apart from ``served``, which predictors load: they have no use for the spec of a run.
"""

from __future__ import annotations

from hallmark.api.schema import Schema
from hallmark.api.served import ServedFeature


def served_features(schema: Schema) -> list[ServedFeature]:
    """Return the features as the served form takes them, in the schema's order."""
    return [
        ServedFeature(
            name=feature.name,
            type=feature.type,
            nullable=feature.nullable,
            minimum=None if feature.minimum is None else float(feature.minimum),
            maximum=None if feature.maximum is None else float(feature.maximum),
            out_of_range=feature.out_of_range,
            categories=list(feature.categories) if feature.categories else None,
        )
        for feature in schema.features
    ]
