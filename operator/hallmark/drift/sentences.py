"""What the reports say, in sentences: the message of the condition DriftDetected."""

from __future__ import annotations

from hallmark.api.drift import Drift
from hallmark.api.drift_state import DriftState
from hallmark.api.served import Baseline
from hallmark.drift.answers import answer_sentences
from hallmark.drift.odd import odd_sentence
from hallmark.drift.opinion import beside
from hallmark.drift.quality import is_below_floor, quality_sentence
from hallmark.drift.rejections import rejection_sentence
from hallmark.drift.silence import sentence
from hallmark.drift.weights import SPAN


def drift_sentences(state: DriftState, drift: Drift, baseline: Baseline) -> str:
    """Return what is shown of the reports, what matters most first.

    Args:
        state: what is shown.
        drift: what was asked for.
        baseline: of the active version, for the names of its features.
    """
    said = [_verdict_sentence(state, drift)]
    if state.input_rejected:
        said.insert(0, rejection_sentence(state, drift))
    said = [*answer_sentences(state.answers, drift), *said]
    if strange := odd_sentence(state):
        said.append(strange)
    if realised := quality_sentence(state, drift):
        said.insert(0 if is_below_floor(state) else len(said), realised)
    if quiet := sentence(state):
        said.insert(
            0,
            f"{quiet}, so that nobody knows of their traffic; see their logs, and whether their "
            f"ServiceAccount, its RoleBinding and the network let them reach the API server.",
        )
    known = {feature.name for feature in baseline.counted}
    if missing := [name for name in drift.features if name not in known]:
        said.append(f"Not features of this version, and so not watched: {', '.join(missing[:5])}.")
    return " ".join(said)


def _verdict_sentence(state: DriftState, drift: Drift) -> str:
    need = f"{drift.consecutive} windows of {drift.window} rows"
    if not state.top:
        return f"No Pod has {need} since the version got the traffic; there is no verdict yet."
    top = state.top[0]
    proof = f"; evidence 10^{top.evidence}, needed 10^{state.needed}" if top.evidence else ""
    found = f"PSI {top.psi}, threshold {drift.threshold}{beside(top)}{proof}"
    unsure = (
        f" In {state.unsure} more the PSI is above the threshold, and the evidence does not "
        f"suffice yet."
    )
    idle = (
        f" {state.idle} of them answered no row in the last {SPAN.seconds // 60} minutes, and what "
        f"they saw before does not count."
    )
    return (
        (
            f"{state.drifting} of {state.voters} Pods that have {need} drift; "
            f"'{top.feature}' moved most ({found})."
        )
        + (idle if state.idle else "")
        + (unsure if state.unsure else "")
    )
