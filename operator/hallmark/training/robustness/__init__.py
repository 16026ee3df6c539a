"""How much a row may change before a model decides otherwise: certificates, attack, noise."""

from __future__ import annotations

from hallmark.training.robustness.measure import Robustness, measure_robustness

__all__ = ["Robustness", "measure_robustness"]
