"""The only code that imports kopf; ``kopf run -m hallmark.controllers`` starts the operator.

Importing it registers kopf's handlers and the reconcile function of each kind.
"""

from hallmark.controllers import (
    lifecycle,
    model_approval,
    model_deployment,
    model_policy,
    model_version,
    training_run,
    watches,
)

__all__ = [
    "lifecycle",
    "model_approval",
    "model_deployment",
    "model_policy",
    "model_version",
    "training_run",
    "watches",
]
