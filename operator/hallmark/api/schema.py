"""The columns that a run's dataset must have."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from hallmark.api.columns import FeatureType, OutOfRange
from hallmark.api.common import ApiModel, ColumnName, DecimalString, ShortText
from hallmark.api.rules import SET, cel, list_map, rule


class Feature(ApiModel):
    """A declared input column of the model."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "self.type == 'Category' ? has(self.categories) : !has(self.categories)",
                "A feature of type Category needs 'categories', and no other type has them.",
                field="categories",
            ),
            rule(
                "!has(self.minimum) && !has(self.maximum) || self.type in ['Number', 'Integer']",
                "Only a Number or an Integer has a 'minimum' and a 'maximum'.",
                field="type",
            ),
            rule(
                "!has(self.minimum) || !has(self.maximum) || "
                "double(self.minimum) <= double(self.maximum)",
                "'minimum' must not be above 'maximum'.",
                field="minimum",
            ),
        )
    )

    name: ColumnName
    """The column's name in the dataset and in requests."""
    type: FeatureType
    """What its values are."""
    nullable: bool = False
    """Whether a value may be missing."""
    minimum: DecimalString | None = None
    """The smallest value that is valid."""
    maximum: DecimalString | None = None
    """The largest value that is valid."""
    out_of_range: OutOfRange = OutOfRange.REFUSE
    """What a predictor does with a number beyond them. Rows to learn from must be within."""
    categories: (
        Annotated[list[ShortText], Field(min_length=1, max_length=256, json_schema_extra=SET)]
        | None
    ) = None
    """Every value that is valid."""


class Target(ApiModel):
    """The column to predict."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!has(self.positive) || !has(self.categories) || self.positive in self.categories",
                "'positive' must be one of 'categories'.",
                field="positive",
            )
        )
    )

    name: ColumnName
    """The column's name in the dataset."""
    positive: ShortText | None = None
    """The value that counts as positive; of three classes or more, all of them in ``categories``,
    the favourable outcome. Absent: the classes are peers. Two classes need it for fairness."""
    categories: (
        Annotated[list[ShortText], Field(min_length=2, max_length=64, json_schema_extra=SET)] | None
    ) = None
    """Every class; another value refuses the run. Absent: the values that occur, two of them if
    'positive' is given, and none that differs from another in case, spaces or a full stop alone."""


class SensitiveAttribute(ApiModel):
    """A protected attribute: measured for fairness; an input only if it is also a feature."""

    name: ColumnName
    """The column's name in the dataset."""
    categories: (
        Annotated[list[ShortText], Field(min_length=2, max_length=64, json_schema_extra=SET)] | None
    ) = None
    """The groups to compare; absent: every value that occurs."""


class Schema(ApiModel):
    """The columns that the dataset must have."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!self.features.exists(feature, feature.name == self.target.name)",
                "The target must not be a feature too: the model would read its own answer.",
                field="target",
            ),
            rule(
                "!has(self.sensitive) || "
                "!self.sensitive.exists(attribute, attribute.name == self.target.name)",
                "The target must not be a sensitive attribute too.",
                field="target",
            ),
            rule(
                "!has(self.identifiers) || !self.identifiers.exists(name, "
                "name == self.target.name || "
                "self.features.exists(feature, feature.name == name))",
                "An identifier must be neither a feature nor the target: a model that knows its "
                "rows by name has learned nothing. Leave it out of one of them.",
                field="identifiers",
            ),
            rule(
                "!has(self.identifiers) || !has(self.sensitive) || "
                "!self.identifiers.exists(name, "
                "self.sensitive.exists(attribute, attribute.name == name))",
                "An identifier must not be a sensitive attribute too: each group would be one row.",
                field="identifiers",
            ),
        )
    )

    features: Annotated[
        list[Feature],
        Field(min_length=1, max_length=256, json_schema_extra=list_map("name")),
    ]
    """The model's input columns."""
    target: Target
    sensitive: Annotated[
        list[SensitiveAttribute], Field(max_length=16, json_schema_extra=list_map("name"))
    ] = Field(default_factory=list)
    """Protected attributes, by which fairness is measured."""
    identifiers: Annotated[list[ColumnName], Field(max_length=16, json_schema_extra=SET)] = Field(
        default_factory=list
    )
    """Columns that name a row, such as a number of a loan: each value stands once. They are never
    features, and rows that differ in them alone are duplicates."""
