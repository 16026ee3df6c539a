"""``python -m tests.mutations [--count 10000] [--seed 1]``: change an export, and verify it.

Each change is made to the same export, alone. One that the verifier does not call broken, or that
makes it fail with an error, has survived.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hallmark.local.folder import now
from hallmark.verification.links import State
from hallmark.verification.opening import verify_export
from hallmark.verification.trusted import Trusted
from tests.chains import Whole, whole_chain
from tests.mutations.changes import KINDS, Folder


@dataclass(frozen=True)
class Tried:
    """One change, and what the verifier said."""

    kind: str
    what: str
    found: str
    """The verdict, or the error."""

    @property
    def survived(self) -> bool:
        """Whether it was not found."""
        return self.found != State.BROKEN


def main() -> int:
    """Try the changes; return 1 if one survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"seed: {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        whole = whole_chain(Path(folder) / "chain")
        return tell(tried(whole, Path(folder), asked.count, asked.seed))


def tell(found: Iterator[Tried]) -> int:
    """Print what survived, the count of each kind, and the sum; return 1 if one survived."""
    kinds: Counter[str] = Counter()
    survived = 0
    for one in found:
        kinds[one.kind] += 1
        if one.survived:
            survived += 1
            print(f"survived: {one.kind}: {one.what} ({one.found})", flush=True)
    for kind in KINDS:
        print(f"{kinds[kind]:7} {kind}")
    print(f"mutations: {kinds.total()} tried, {survived} survived", flush=True)
    return 1 if survived else 0


def tried(whole: Whole, folder: Path, count: int, seed: int) -> Iterator[Tried]:
    """Yield so many changes of a chain's export, each kind in its turn.

    Args:
        whole: the chain.
        folder: where the export is made and changed.
        count: how many.
        seed: the same seed makes the same changes of the same export.
    """
    original, changed = folder / "export", folder / "changed"
    whole.export(original)
    whole.export(changed)
    files = {
        str(path.relative_to(original)): path.read_bytes()
        for path in original.rglob("*")
        if path.is_file()
    }
    trusted = whole.trusted
    if (state := verify_export(changed, trusted, now()).state) is not State.HOLDS:
        raise AssertionError(f"Expected an export that holds before it is changed, found {state}.")
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    names = list(KINDS)
    done = 0
    while done < count:
        kind = names[done % len(names)]
        folder_ = dict(files)
        what = KINDS[kind](folder_, draw)
        if what is None or folder_ == files:
            continue
        found = _verdict(files, folder_, changed, trusted)
        done += 1
        yield Tried(kind, what, found)


def _verdict(files: Folder, wanted: Folder, changed: Path, trusted: Trusted) -> str:
    """Change the folder, verify it, and change it back; only the files that differ are written."""
    differing = {
        name for name in files.keys() | wanted.keys() if files.get(name) != wanted.get(name)
    }
    _write(changed, {name: wanted.get(name) for name in differing})
    try:
        return verify_export(changed, trusted, now()).state
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        _write(changed, {name: files.get(name) for name in differing})


def _write(folder: Path, files: dict[str, bytes | None]) -> None:
    for name, data in files.items():
        path = folder / name
        path.unlink(missing_ok=True)  # Some are links to the same file.
        if data is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
