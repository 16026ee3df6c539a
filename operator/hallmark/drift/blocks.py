"""Blocks of rows or requests in a Pod's report: which count, and whether to believe them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from hallmark.api.drift_report import AnswerBlock, RejectionBlock
from hallmark.api.texts import parse_timestamp

Block = TypeVar("Block", RejectionBlock, AnswerBlock)


def last_blocks(blocks: Sequence[Block], count: int, since: datetime) -> Sequence[Block]:
    """Return the last blocks, or none where there are too few.

    Args:
        blocks: of the report, oldest first.
        count: how many in a row decide.
        since: when the version got the traffic; a block that began before does not count.
    """
    counted = [block for block in blocks if parse_timestamp(block.start) >= since]
    return counted[-count:] if len(counted) >= count else []


def problem_of_blocks(
    blocks: Sequence[Block], what: str, claim: Callable[[Block], str | None]
) -> str | None:
    """Return why blocks are not to be believed; it goes on from the report's subject.

    Args:
        blocks: of the report, oldest first.
        what: they are blocks of.
        claim: what a block claims that cannot be; None where its counts fit.
    """
    for former, block in zip([None, *blocks], blocks, strict=False):
        if wrong := claim(block):
            return wrong
        if former and block.number != former.number + 1:
            return f"has block {block.number} of {what} after block {former.number}."
        try:
            parse_timestamp(block.start)
        except ValueError:
            return f"has no real time in block {block.number} of {what}."
    return None
