"""The words of its author on what a model is for, and where it ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hallmark.api.common import ApiModel
from hallmark.api.rules import cel, rule

CardText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=512,
        json_schema_extra=cel(
            rule("self.trim().size() > 0", "Say something, for whoever reads the model card.")
        ),
    ),
]
"""A sentence of a model card."""


CardTexts = Annotated[list[CardText], Field(max_length=16)]


class EthicalConsideration(ApiModel):
    """A risk to people, and what is done about it."""

    name: CardText
    """The risk."""
    mitigation_strategy: CardText | None = None
    """What is done about it."""


class ModelCard(ApiModel):
    """The words of its author on what a model is for; sealed in the bill of materials.

    The names are those of CycloneDX's model card.
    """

    users: CardTexts = Field(default_factory=list)
    """Who is meant to use the model."""
    use_cases: CardTexts = Field(default_factory=list)
    """What the model is meant for."""
    technical_limitations: CardTexts = Field(default_factory=list)
    """Where the model ends: what it must not be used for, or does not know."""
    performance_tradeoffs: CardTexts = Field(default_factory=list)
    """What was given up for what."""
    ethical_considerations: Annotated[list[EthicalConsideration], Field(max_length=16)] = Field(
        default_factory=list
    )
    """Risks to people, and what is done about them."""
