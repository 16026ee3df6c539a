"""The Merkle tree over a log's records (RFC 6962, section 2.1): roots and proofs. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY = hashlib.sha256().digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that only grows; every hash of a complete subtree is kept, 64 bytes for each leaf."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """Build the tree over leaf hashes."""
        self.levels: list[list[bytes]] = [[]]
        """Level k has the hash of each complete subtree of 2^k leaves."""
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self.levels[0])

    def append(self, leaf: bytes) -> None:
        """Add the hash of one more leaf."""
        level, found = 0, leaf
        while True:
            if level == len(self.levels):
                self.levels.append([])
            self.levels[level].append(found)
            if len(self.levels[level]) % 2:
                return
            found = node_hash(*self.levels[level][-2:])
            level += 1

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first ``size`` leaves; of all where it is left out."""
        size = self.size if size is None else size
        return self._hash(0, size) if size else EMPTY

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that a leaf is in the tree of the first ``size`` leaves."""
        proof: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                proof.append(self._hash(middle, high))
                high = middle
            else:
                proof.append(self._hash(low, middle))
                low = middle
        return proof[::-1]

    def _hash(self, low: int, high: int) -> bytes:
        width = high - low
        if width & (width - 1) == 0:
            level = width.bit_length() - 1
            return self.levels[level][low >> level]
        middle = low + _split(width)
        return node_hash(self._hash(low, middle), self._hash(middle, high))


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Return the root that a proof leads to from a leaf; None where it has another length.

    Args:
        leaf: the leaf's hash.
        index: its place, from 0.
        size: leaves of the tree.
        proof: as ``Tree.inclusion`` returns it.
    """
    if not 0 <= index < size:
        return None
    found, last = leaf, size - 1
    for sibling in proof:
        if last == 0:
            return None
        if index & 1 or index == last:
            found = node_hash(sibling, found)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        index, last = index >> 1, last >> 1
    return found if last == 0 else None


def _split(width: int) -> int:
    """Return the largest power of two below a width of at least 2."""
    return 1 << ((width - 1).bit_length() - 1)
