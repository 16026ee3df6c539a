"""How much a row may change before a model decides otherwise: certificates, attack, noise."""

from __future__ import annotations

from hallmark.training.robustness.measure import MOST, Robustness, measure_robustness

__all__ = ["MOST", "Robustness", "measure_robustness"]
