"""What the reports say of clients whose rows look made to find the model's boundary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hallmark.api.bounds import Oddity
from hallmark.api.drift import Drift, OnRejections
from hallmark.api.drift_report import DriftReport, OddBlock, OddRows
from hallmark.api.drift_state import DriftState
from hallmark.api.texts import parse_timestamp
from hallmark.drift.region import BLOCK


def odd_since(report: DriftReport, since: datetime) -> tuple[OddBlock, ...]:
    """Return the odd blocks of a believed report that began after a moment."""
    newest = report.odd.newest if report.odd else []
    return tuple(block for block in newest if parse_timestamp(block.start) >= since)


def kinds(blocks: Iterable[OddBlock]) -> list[Oddity]:
    """Return which oddities there are, in their order."""
    found = {block.kind for block in blocks}
    return [kind for kind in Oddity if kind in found]


def probing_clients(pods: Iterable[Sequence[OddBlock]]) -> int:
    """Return how many clients the Pod saw probing that saw most of them.

    Each Pod has numbers of its own for clients, so those of several are not added: one client that
    asks all Pods is one.
    """
    return max(
        (
            len({block.client for block in blocks if block.kind is Oddity.PROBING})
            for blocks in pods
        ),
        default=0,
    )


def is_probed(state: DriftState, drift: Drift) -> bool:
    """Tell whether as many clients probe as the spec declares to be too many."""
    declared = drift.probing
    return declared is not None and state.probing_clients >= declared.clients


def probing_rolls_back(state: DriftState, drift: Drift) -> bool:
    """Tell whether that is a reason to roll back."""
    declared = drift.probing
    return bool(declared and declared.then is OnRejections.ROLLBACK) and is_probed(state, drift)


def odd_sentence(state: DriftState) -> str:
    """Return what is odd of clients' rows; empty where nothing is."""
    said = []
    if state.probing_clients:
        who = (
            f"{state.probing_clients} clients go" if state.probing_clients > 1 else "A client goes"
        )
        said.append(f"{who} along the decision boundary in small steps")
    said += [_SAID[kind] for kind in state.odd if kind in _SAID]
    if not said:
        return ""
    return f"{'; '.join(said)}: see the addresses in the predictors' logs."


_SAID = {
    Oddity.BORDERLINE: "more rows of a client are near the boundary than chance explains",
    Oddity.OUTSIDE: "more rows of a client lie outside the training region than chance explains",
}


def problem_of(odd: OddRows | None) -> str | None:
    """Return why what is told of odd rows is not to be believed; it goes on from the subject."""
    if odd is None:
        return None
    if max(odd.near, odd.outside) > odd.rows or odd.blocks * BLOCK > odd.rows:
        return f"claims odd rows and blocks beyond the {odd.rows} that were looked at."
    if max(odd.borderline, odd.beyond, odd.probing) > odd.blocks:
        return f"claims more odd blocks than the {odd.blocks} that were looked at."
    return None
