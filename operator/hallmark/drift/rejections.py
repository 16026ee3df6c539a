"""Whether too many rows are refused, by blocks of rows that few clients do not decide.

A changed upstream is refused at the door, and what is refused stands in no window: PSI is blind to
it. So rows are also counted in blocks by client, and a block is judged without the clients that had
most rows refused and without those that had most answered (``clients``): few of them can neither
cause the verdict nor hide it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from datetime import datetime

from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport, RefusedFeature, RejectionBlock
from hallmark.api.drift_state import DriftState
from hallmark.drift.blocks import last_blocks, problem_of_blocks


def rejects(report: DriftReport, drift: Drift, since: datetime) -> bool | None:
    """Tell whether a Pod's last blocks are all above the limit.

    Args:
        report: of the Pod, believed.
        drift: the limit, and how many blocks in a row must be above it.
        since: when the version got the traffic; a block that began before does not count.

    Returns:
        None where no limit is declared, or there are too few blocks.
    """
    last = last_blocks(report.rejections, drift.consecutive, since)
    if drift.rejections is None or not last:
        return None
    limit = float(drift.rejections.limit)
    return all(block.refused > limit * block.rows for block in last)


def problem_of(blocks: Sequence[RejectionBlock], minimum: int) -> str | None:
    """Return why blocks are not to be believed; it goes on from the report's subject."""

    def claim(block: RejectionBlock) -> str | None:
        if block.rows < minimum or block.refused > block.rows:
            return f"claims {block.refused} refused of {block.rows} rows in block {block.number}."
        return None

    return problem_of_blocks(blocks, "refusals", claim)


def most_refused(refused: Iterable[RefusedFeature], known: Container[str]) -> str:
    """Return what rows were refused for, the most frequent first; empty where nothing says so.

    Args:
        refused: of the Pods that reject.
        known: the version's features: a Pod may write any name.
    """
    totals: Counter[str] = Counter()
    for fault in refused:
        for reason, rows in fault.to_wire().items():
            if reason in _SAID and fault.feature in known:
                totals[f"'{fault.feature}' {_SAID[reason]}"] += int(rows)
    return ", ".join(sorted(totals, key=lambda what: (-totals[what], what))[:3])


def rejection_sentence(state: DriftState, drift: Drift) -> str:
    """Return that too many rows are refused, and what for."""
    limit = f" ({drift.rejections.limit} of the rows)" if drift.rejections else ""
    what = f": {state.rejected_for}" if state.rejected_for else ""
    return (
        f"{state.rejecting} Pods refuse more rows than the limit{limit}{what}. Nobody knows how "
        f"far these rows moved: see what the clients send, or whether the version fits them."
    )


_SAID = {
    "missing": "is missing",
    "wrongType": "has another type",
    "unseenCategory": "has an unseen category",
    "outOfRange": "is out of range",
}
