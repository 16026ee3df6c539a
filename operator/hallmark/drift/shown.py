"""Whether a new drift state is worth a write: most reports say nothing new."""

from __future__ import annotations

from hallmark.api.drift_state import DriftState
from hallmark.drift.quality import quality_differs

STEP = 0.25
"""A PSI is shown anew when it moved by this share of the threshold, or of its own former value.

In a window of 500 rows and ten bins chance alone moves a PSI by about 0.01, and with it the order
of features of which none has moved.
"""


def shown_differs(before: DriftState, after: DriftState, threshold: float) -> bool:
    """Tell whether a state shows or decides anything that the former did not.

    The Pods' sequences alone are no reason: they go on with each report, and are written along
    with the next state that differs.

    Args:
        before: What stands in ``status.driftState``.
        after: What the reports say now.
        threshold: ``spec.drift.threshold``.
    """
    if _decided(before) != _decided(after) or quality_differs(before.quality, after.quality):
        return True
    names = {feature.feature for feature in (*before.top, *after.top)}
    return any(_moved(_psi(before, name), _psi(after, name), threshold) for name in names)


def _decided(state: DriftState) -> tuple[object, ...]:
    quiet = (state.silent_pods, tuple(state.silent))
    counted = (state.voters, state.drifting, state.unsure, state.windows, len(state.top))
    refused = (state.rejecting, state.input_rejected, state.probing_clients, tuple(state.odd))
    return (state.verdict, state.manifest_digest, state.answers, *counted, *refused, *quiet)


def _psi(state: DriftState, name: str) -> float:
    """Return a feature's PSI; one that is not among the first five has the last one's at most."""
    shown = {feature.feature: float(feature.psi) for feature in state.top}
    return shown.get(name, min(shown.values(), default=0.0))


def _moved(before: float, after: float, threshold: float) -> bool:
    if (before > threshold) != (after > threshold):
        return True
    return abs(after - before) > STEP * max(threshold, before)
