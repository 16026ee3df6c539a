"""What a start finds: a log that holds all that its heads name, a new one, or a broken one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain as concatenate
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.chain import Chain, Expected, Line
from hallmark.audit.files import log_files, read_head, read_lines
from hallmark.audit.head import Head, Place, is_signed_by
from hallmark.audit.succession import Change, Keys, Succession, changes_in
from hallmark.keys import key_id

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
        handed_over: another key signed all of it, and handed it over to the operator's.
    """

    chain: Chain
    problems: tuple[str, ...]
    last_known: Place
    is_new: bool = False
    handed_over: bool = False


def expected_of(head: Head | str | None, anchor: Anchored, keys: Succession | None) -> Expected:
    """Return what a log that is not new is held against."""
    found = ((HEAD, head), (ANCHOR, anchor))
    heads = {what: named for what, named in found if isinstance(named, Head)}
    missing = [named for _, named in found if isinstance(named, str)]
    if head is None:
        missing.append("The signed head is missing: a cut could not be found.")
    if anchor is None:
        missing.append(f"The {ANCHOR} is missing: whether this is the newest log cannot be told.")
    return Expected(heads, tuple(missing), keys)


def look_at(
    log: Path,
    public_key: ec.EllipticCurvePublicKey,
    anchor: Anchored,
    is_over: Callable[[], bool],
    handover: Keys | None = None,
) -> Found | None:
    """Read a whole log and hold it against its heads; None where it is over meanwhile.

    Args:
        log: its current file.
        public_key: the operator's audit key.
        anchor: the head outside the volume.
        is_over: whether to stop.
        handover: the word of the key before, where there is one.

    Raises:
        OSError: it cannot be read.
    """
    head = read_head(log)
    changes = list(changes_in(line.data for line in _lines(log)))
    keys = Succession(public_key, changes)
    handed_over = handover is not None and _awaits(handover, changes, (head, anchor))
    if handover is not None and handed_over:
        keys = Succession(handover.old, changes)
    expected = expected_of(head, anchor, keys)
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
    if not handed_over and key_id(keys.last) != key_id(public_key):
        problems.append(_NOT_ANY_MORE.format(keys.since, key_id(keys.last)[:12]))
    places = [chain.place, *(named.place for named in expected.heads.values())]
    last_known = max(places, key=lambda place: place.seq)
    return Found(chain, tuple(problems), last_known, handed_over=handed_over)


_NOT_ANY_MORE = (
    "Record {} handed the log over to the key {}, and the operator was started with another one; "
    "mount the Secret of that key."
)


def _awaits(handover: Keys, changes: Sequence[Change], heads: Sequence[Anchored]) -> bool:
    """Tell whether a log is still the old key's: it signs last, and the new one signed no head."""
    if key_id(Succession(handover.old, changes).last) != key_id(handover.old):
        return False
    signed = [head for head in heads if isinstance(head, Head)]
    return any(is_signed_by(head, handover.old) for head in signed) and not any(
        is_signed_by(head, handover.new) and head.seq >= _since(changes) for head in signed
    )


def _since(changes: Sequence[Change]) -> int:
    return changes[-1].seq if changes else 0


def _lines(log: Path) -> Iterator[Line]:
    return concatenate.from_iterable(map(read_lines, log_files(log)))


def _names_nothing(named: Anchored) -> bool:
    return named is None or (isinstance(named, Head) and named.seq == 0)


def _read(log: Path, chain: Chain, is_over: Callable[[], bool]) -> Chain | None:
    for _ in chain.follow(_lines(log)):
        if is_over():
            return None
    return chain
