"""The estimator that a run fits, and its settings."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hallmark.api.common import ApiModel, DecimalString, ShortText
from hallmark.api.rules import cel, list_map, rule


class Algorithm(StrEnum):
    """An estimator that the trainer knows."""

    LOGISTIC_REGRESSION = "LogisticRegression"
    LINEAR_SVM = "LinearSVM"
    RANDOM_FOREST = "RandomForest"
    HIST_GRADIENT_BOOSTING = "HistGradientBoosting"


class Parameter(ApiModel):
    """A hyperparameter of the estimator: its scikit-learn name, and its value as text."""

    name: Annotated[str, Field(pattern=r"^[a-z_A-Z][a-z_A-Z0-9]*$", max_length=64)]
    value: ShortText


class Trainer(ApiModel):
    """The estimator and its settings."""

    algorithm: Algorithm = Algorithm.LOGISTIC_REGRESSION
    """The estimator."""
    parameters: Annotated[
        list[Parameter], Field(max_length=32, json_schema_extra=list_map("name"))
    ] = Field(default_factory=list)
    """The estimator's hyperparameters, where they differ from its defaults."""
    test_fraction: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule(
                    "double(self) >= 0.05 && double(self) <= 0.5",
                    "The test split must be between 0.05 and 0.5 of the rows.",
                )
            )
        ),
    ] = "0.25"
    """The part of the rows that is kept for measuring."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """What the split and the fit derive their random numbers from."""
