"""A first TrainingRun for a table: guesses, each with its reason."""

from hallmark.local.starter.starter import Starter, by_reason, make_starter
from hallmark.local.starter.text import starter_text

__all__ = ["Starter", "by_reason", "make_starter", "starter_text"]
