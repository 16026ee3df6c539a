"""Tiles and entry bundles (C2SP tlog-tiles): which files a tree of a size consists of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hallmark.audit.tlog.tree import Tree, leaf_hash

WIDTH = 256
"""Hashes in a full tile, records in a full bundle."""
_HEIGHT = 8
_HASH = 32
ENTRIES = "entries"
CHECKPOINT = "checkpoint"

Read = Callable[[str], bytes | None]
"""Returns the bytes of a file of the log, or None where there is none."""


def tile_path(level: int | str, number: int, width: int = WIDTH) -> str:
    """Return the path of a tile, or of a bundle where the level is ``entries``."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def grown_tiles(tree: Tree, before: int) -> Iterator[tuple[str, bytes]]:
    """Yield each tile that a tree has beyond that of its first ``before`` leaves."""
    level = 0
    while count := tree.size >> (_HEIGHT * level):
        hashes = tree.levels[_HEIGHT * level]
        for number, width in _spans(before >> (_HEIGHT * level), count):
            start = number * WIDTH
            yield tile_path(level, number, width), b"".join(hashes[start : start + width])
        level += 1


def grown_bundles(
    entries: Callable[[int, int], Sequence[bytes]], before: int, size: int
) -> Iterator[tuple[str, bytes]]:
    """Yield each bundle of entries that a log has beyond its first ``before`` ones.

    Args:
        entries: returns those from one place to before another one, counted from 0.
        before: entries before.
        size: entries now.
    """
    for number, width in _spans(before, size):
        start = number * WIDTH
        yield (
            tile_path(ENTRIES, number, width),
            b"".join(len(one).to_bytes(2) + one for one in entries(start, start + width)),
        )


def _spans(before: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield number and width of each tile of ``count`` hashes that ``before`` did not have so."""
    if count <= before:
        return
    for number in range(before // WIDTH, -(-count // WIDTH)):
        yield number, min(WIDTH, count - number * WIDTH)


def read_tree(read: Read, size: int) -> Tree | str:
    """Return the tree of the first ``size`` leaves, or a sentence on what is wrong with its tiles.

    The lowest tiles are read, which fix all others; a partial one may be there as a fuller one.
    """
    tree = Tree()
    for number, width in _spans(0, size):
        data = _tile(read, 0, number, width)
        if isinstance(data, str):
            return data
        for start in range(0, len(data), _HASH):
            tree.append(data[start : start + _HASH])
    return tree


def read_entry(read: Read, index: int, size: int) -> bytes | str:
    """Return an entry by its place, or a sentence on what is wrong with its bundle."""
    number, place = divmod(index, WIDTH)
    path = tile_path(ENTRIES, number, min(WIDTH, size - number * WIDTH))
    data = read(path)
    if data is None:
        data = read(tile_path(ENTRIES, number))
    entries = list(entries_of(data or b""))
    if len(entries) <= place:
        return f"Expected {path} with at least {place + 1} entries, found {len(entries)}."
    return entries[place]


def entries_of(data: bytes) -> Iterator[bytes]:
    """Yield the entries of a bundle, as far as they are whole."""
    start = 0
    while start + 2 <= len(data):
        end = start + 2 + int.from_bytes(data[start : start + 2])
        if end > len(data):
            return
        yield data[start + 2 : end]
        start = end


def other_tiles(read: Read, tree: Tree) -> str | None:
    """Return how a log's upper tiles or entries are not those of its lowest tiles, or None."""
    for path, data in grown_tiles(tree, 0):
        if read(path) != data:
            return f"Expected {path} as the tiles below it say, found another one."
    for number, width in _spans(0, tree.size):
        path, start = tile_path(ENTRIES, number, width), number * WIDTH
        found = [leaf_hash(one) for one in entries_of(read(path) or b"")]
        if found != tree.levels[0][start : start + width]:
            return f"Expected {path} with the records that the tiles name, found others."
    return None


def _tile(read: Read, level: int, number: int, width: int) -> bytes | str:
    path = tile_path(level, number, width)
    data = read(path)
    if data is not None and len(data) == width * _HASH:
        return data
    whole = read(tile_path(level, number)) if data is None and width < WIDTH else None
    if whole is not None and len(whole) == WIDTH * _HASH:
        return whole[: width * _HASH]
    found = "none" if data is None else f"{len(data)} bytes"
    return f"Expected {path} with {width * _HASH} bytes, found {found}."
