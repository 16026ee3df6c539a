"""What a predictor serves with: ``schema.json``, ``baseline.json``, and rows that prove a form."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hallmark.api.bounds import FLOAT32_MAX, as_float32
from hallmark.api.columns import FeatureType, OutOfRange
from hallmark.api.common import ColumnName, FileModel, ObjectName, WatchedName


class ServedFeature(FileModel):
    """An input column of the served form.

    The served form takes one float32 matrix: a Number, Integer or Boolean (0, 1) is one column;
    a Category is its index in ``categories``; null is NaN. ``model.onnx`` does the rest.
    """

    name: ColumnName
    type: FeatureType
    nullable: bool
    minimum: float | None = None
    maximum: float | None = None
    out_of_range: OutOfRange = OutOfRange.REFUSE
    categories: list[str] | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest number that a predictor takes, as float32 holds them.

        A request's number is rounded to float32 before it is compared, and so are the bounds: a
        bound itself is always taken, however it is written.
        """
        low, high = self.minimum, self.maximum
        if self.out_of_range is OutOfRange.ALLOW:
            low = high = None
        return (
            -FLOAT32_MAX if low is None else as_float32(low),
            FLOAT32_MAX if high is None else as_float32(high),
        )


class ServedSchema(FileModel):
    """``schema.json``: what the predictor takes and answers."""

    schema_version: Literal["hallmark.dev/schema/v1"] = "hallmark.dev/schema/v1"
    model: ObjectName
    features: Annotated[list[ServedFeature], Field(min_length=1, max_length=256)]
    target: ColumnName
    classes: Annotated[list[str], Field(min_length=2, max_length=64)]
    """Class labels in the order of the probabilities."""
    positive: str | None = None
    """Of two classes, the one that is decided from a probability of 0.5 on. Otherwise the most
    probable class is decided, the first of those that are equally probable."""
    input_name: str
    """ONNX input: float32, shape (rows, features)."""
    probabilities_name: str
    """ONNX output: float32, shape (rows, classes)."""


class BaselineFeature(FileModel):
    """A feature's bins and how many training rows fell into each.

    Numbers: bin i holds values with ``edges[i-1] < value <= edges[i]``; the first and the last
    bin are open, so there are ``len(edges) + 1`` of them. Categories: one bin for each, in the
    schema's order, then one for anything else. In both cases a last bin counts nulls.
    """

    name: WatchedName
    type: FeatureType
    edges: list[float] | None = None
    categories: list[str] | None = None
    counts: Annotated[list[int], Field(min_length=2, max_length=259)]


class TrainingRegion(FileModel):
    """Where the rows lie that a model knows, and how near they come to its decision boundary.

    For each served feature, in order: means, standard deviations and multiples of these alone, to
    six digits, so that it holds no value of a single row.
    """

    centers: list[float]
    scales: list[float]
    """What is no number has the center 0 and the scale 1."""
    reaches: list[int]
    """So many scales from the center lies every training row; 0 for what is no number."""
    margin: float
    """A row whose margin is at most this is near the boundary: see ``hallmark.drift.region``."""
    step: float
    """Two different rows that are nearer to each other, in scales, are a small step apart."""
    rows: Annotated[int, Field(ge=0)]
    """Test rows."""
    near: Annotated[int, Field(ge=0)]
    """How many of them are near the boundary."""
    outside: Annotated[int, Field(ge=0)]
    """How many of them lie beyond the reach of a feature."""


class Baseline(FileModel):
    """``baseline.json``: the training data's distribution, with frozen bin edges."""

    schema_version: Literal["hallmark.dev/baseline/v1"] = "hallmark.dev/baseline/v1"
    rows: Annotated[int, Field(ge=1)]
    features: Annotated[list[BaselineFeature], Field(min_length=1, max_length=256)]
    predictions: Annotated[list[BaselineFeature], Field(max_length=2)] = Field(default_factory=list)
    """What the model said of the test rows, which it had not seen: its score and its label. Empty
    in bundles of before they were watched."""
    region: TrainingRegion | None = None
    """Against which rows are held that look made to find the boundary."""

    @property
    def counted(self) -> list[BaselineFeature]:
        """All that is counted of a row: its features, then what the model says of it."""
        return [*self.features, *self.predictions]

    def feature(self, name: str) -> BaselineFeature | None:
        """Return what is counted under that name, or None."""
        return next((feature for feature in self.counted if feature.name == name), None)


class Golden(FileModel):
    """``golden.json``: rows made from the schema, not from data, and the estimator's answers."""

    schema_version: Literal["hallmark.dev/golden/v1"] = "hallmark.dev/golden/v1"
    rows: Annotated[list[list[float | None]], Field(min_length=1, max_length=256)]
    """Encoded as the served form takes them; null stands for NaN."""
    probabilities: list[list[float]]
    tolerance: float
