"""How well the model separates the classes, on the test rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn import metrics

Positives = npt.NDArray[np.int64]
"""Shape (rows,): 1 for the positive class, 0 for the other."""
Probabilities = npt.NDArray[np.float64]
"""Shape (rows,): of the positive class."""

DECISION_THRESHOLD = 0.5
"""From this probability on a row is decided as positive."""


def decide(probabilities: Probabilities) -> Positives:
    """Return the decisions."""
    return (probabilities >= DECISION_THRESHOLD).astype(np.int64)


def performance(truth: Positives, probabilities: Probabilities) -> dict[str, float | None]:
    """Return each metric by the name that gates use; None where it is not defined.

    Args:
        truth: The rows' classes.
        probabilities: What the model says.
    """
    decisions = decide(probabilities)
    found: dict[str, float | None] = {
        "accuracy": float(metrics.accuracy_score(truth, decisions)),
        "balancedAccuracy": None,
        "rocAuc": None,
        "logLoss": float(metrics.log_loss(truth, probabilities, labels=[0, 1])),
        "brier": float(np.mean((probabilities - truth) ** 2)),
    }
    if 0 < truth.sum() < len(truth):
        found["balancedAccuracy"] = float(metrics.balanced_accuracy_score(truth, decisions))
        found["rocAuc"] = float(metrics.roc_auc_score(truth, probabilities))
    return found
