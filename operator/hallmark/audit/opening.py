"""What a start finds: a log that holds all that its heads name, a new one, or a broken one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain as concatenate
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.chain import Chain, Expected
from hallmark.audit.files import log_files, read_head, read_lines
from hallmark.audit.head import Head, Place

HEAD = "head"
ANCHOR = "anchor outside the volume"
"""What the two signed heads are called in a sentence."""

Anchored = Head | str | None
"""The head outside the volume; a sentence where it cannot be read; None where there is none."""


@dataclass(frozen=True)
class Found:
    """A log as it was found.

    Args:
        chain: it, followed to its end.
        problems: what is wrong with it, the first bad record first.
        last_known: the last record that any head or the log names.
        is_new: nothing was ever recorded.
    """

    chain: Chain
    problems: tuple[str, ...]
    last_known: Place
    is_new: bool = False


def expected_of(
    head: Head | str | None, anchor: Anchored, public_key: ec.EllipticCurvePublicKey | None
) -> Expected:
    """Return what a log that is not new is held against."""
    found = ((HEAD, head), (ANCHOR, anchor))
    heads = {what: named for what, named in found if isinstance(named, Head)}
    missing = [named for _, named in found if isinstance(named, str)]
    if head is None:
        missing.append("The signed head is missing: a cut could not be found.")
    if anchor is None:
        missing.append(f"The {ANCHOR} is missing: whether this is the newest log cannot be told.")
    return Expected(heads, tuple(missing), public_key)


def look_at(
    log: Path,
    public_key: ec.EllipticCurvePublicKey,
    anchor: Anchored,
    is_over: Callable[[], bool],
) -> Found | None:
    """Read a whole log and hold it against its heads; None where it is over meanwhile.

    Raises:
        OSError: it cannot be read.
    """
    head = read_head(log)
    expected = expected_of(head, anchor, public_key)
    chain = _read(log, Chain(expected), is_over)
    if chain is None:
        return None
    if chain.empty and not chain.problems and all(map(_names_nothing, (head, anchor))):
        return Found(chain, (), chain.place, is_new=True)
    chain.finish()
    problems = [*chain.problems, *expected.doubts()]
    if chain.problems:
        # Which record is the first that the operator did not write, each signature says.
        closely = _read(log, Chain(expected, every_signature=True), is_over)
        if closely is None:
            return None
        closely.finish()
        problems = [*closely.problems, *expected.doubts()]
    places = [chain.place, *(named.place for named in expected.heads.values())]
    return Found(chain, tuple(problems), max(places, key=lambda place: place.seq))


def _names_nothing(named: Anchored) -> bool:
    return named is None or (isinstance(named, Head) and named.seq == 0)


def _read(log: Path, chain: Chain, is_over: Callable[[], bool]) -> Chain | None:
    lines = concatenate.from_iterable(map(read_lines, log_files(log)))
    for _ in chain.follow(lines):
        if is_over():
            return None
    return chain
