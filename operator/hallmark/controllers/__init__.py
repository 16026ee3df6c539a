"""The only code that imports kopf; ``kopf run -m hallmark.controllers`` starts the operator."""

from hallmark.controllers import lifecycle, watches

__all__ = ["lifecycle", "watches"]
