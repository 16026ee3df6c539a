"""``python -m tests.mutants [--sample 400] [--seed 1]``: change what decides, and run its tests.

mutmut makes one small change at a time in policies, drift, supply chain, audit and the predictor's
verification, and runs those of these packages' own unit tests that call the changed function: what
other tests would notice counts for nothing. A change that no test notices is a survivor. All of
them take hours; a sample, the same for the same seed, takes less. A run that was interrupted, or
asked for more, goes on where it stood, unless a file was changed.

The last line is ``mutants: <N> tried, <K> survived, <P> % killed``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parents[2]
STAGE = ROOT / "build" / "mutants"
LAID_OUT = {
    "operator/hallmark": "src/hallmark",
    "predictor/hallmark_predictor": "src/hallmark_predictor",
    **{name: name for name in ("tests", "crds", "manifests", "docs", "requirements")},
}
MUTATED = [
    "src/hallmark/policies/*",
    "src/hallmark/drift/*",
    "src/hallmark/supply_chain/*",
    "src/hallmark/audit/*",
    "src/hallmark_predictor/verification.py",
]
TESTS = [
    "tests/unit/policies",
    "tests/unit/drift",
    "tests/unit/supply_chain",
    "tests/unit/audit",
    "tests/unit/predictor/test_verification.py",
]
SMALLEST = "hallmark.drift.psi.*"
"""Trying one module makes all mutants, and finds out which tests call which function."""
BATCH = 100
"""Tried at a time, so that what is done by then is a sample as well: quick ones go first."""
TEXT = re.compile(r"""["'][^"']*\s[^"']*["']""")
KILLED = {"killed", "timeout", "segfault", "caught by type check"}


def main() -> int:
    """Make the mutants, try a sample, and print the survivors and the score."""
    asked = _arguments()
    _lay_out()
    os.chdir(STAGE)
    _mutmut("run", "--max-children", asked.children, SMALLEST)
    paths = {name: path for path in _metas() for name in _codes(path)}
    names = list(islice(_decisions(paths, asked.seed), asked.sample or None))
    open_ = [name for name in names if _codes(paths[name])[name] is None]
    print(f"mutants: {len(paths)} made, {len(open_)} to try (seed {asked.seed})", flush=True)
    for first in range(0, len(open_), BATCH):
        _mutmut("run", "--max-children", asked.children, *open_[first : first + BATCH])
    return _report({name: paths[name] for name in names}, asked.goal)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=400, help="how many; 0 tries all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--children", default=str(os.cpu_count() or 2), help="processes")
    parser.add_argument("--goal", type=float, default=95.0, help="per cent killed")
    return parser.parse_args()


def _lay_out() -> None:
    """Copy the project in the layout that mutmut reads; another state of it starts anew."""
    settings = {
        "source_paths": ["src"],
        "only_mutate": MUTATED,
        "also_copy": [target for target in LAID_OUT.values() if not target.startswith("src/")],
        "pytest_add_cli_args": ["-q", "-x", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": TESTS,
        "use_git_change_detection": False,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    project = (ROOT / "pyproject.toml").read_text() + "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"
    state = hashlib.sha256(project.encode())
    for source in LAID_OUT:
        for file in _files(ROOT / source):
            state.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    note = STAGE / "state"
    if note.exists() and note.read_text() == state.hexdigest():
        return
    shutil.rmtree(STAGE, ignore_errors=True)
    for source, target in LAID_OUT.items():
        for file in _files(ROOT / source):
            copy = STAGE / target / file.relative_to(ROOT / source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
    (STAGE / "pyproject.toml").write_text(project)
    note.write_text(state.hexdigest())


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(
        file for file in place.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    )


def _mutmut(*arguments: str) -> None:
    subprocess.run([Path(sys.executable).parent / "mutmut", *arguments], cwd=STAGE, check=True)


def _metas() -> list[Path]:
    return sorted(Path("mutants/src").rglob("*.meta"))


def _codes(meta: Path) -> dict[str, int | None]:
    codes: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
    return codes


def _decisions(paths: dict[str, Path], seed: int) -> Iterator[str]:
    """Yield the mutants in a random order, without those that change only a sentence."""
    names = sorted(paths)
    random.Random(seed).shuffle(names)  # noqa: S311 - a sample, no secret
    return (name for name in names if not _changes_a_text(_difference(name, paths[name])))


def _difference(name: str, meta: Path) -> list[str]:
    source = meta.relative_to("mutants").with_suffix("")
    shown = get_diff_for_mutant(name, path=source).splitlines()[3:]
    return [line for line in shown if line.startswith(("-", "+"))]


def _changes_a_text(difference: list[str]) -> bool:
    """Whether a mutant changes letters of a text with spaces and nothing else."""
    before, after = (
        " ".join(line[1:].strip() for line in difference if line[0] == sign) for sign in "-+"
    )
    if not TEXT.search(before):
        return False
    return before.lower() == after.replace("XX", "").lower()


def _report(tried: dict[str, Path], goal: float) -> int:
    codes = {name: code for meta in set(tried.values()) for name, code in _codes(meta).items()}
    statuses = {name: status_by_exit_code[codes[name]] for name in tried}
    survivors = sorted(name for name, status in statuses.items() if status not in KILLED)
    for name in survivors:
        print(f"\n{name}: {statuses[name]}")
        print("\n".join(_difference(name, tried[name])))
    print()
    packages = Counter(".".join(name.split(".")[:2]) for name in tried)
    missed = Counter(".".join(name.split(".")[:2]) for name in survivors)
    for package, count in sorted(packages.items()):
        print(f"{package}: {count} tried, {missed[package]} survived")
    killed = 100 * (1 - len(survivors) / len(tried))
    print(f"mutants: {len(tried)} tried, {len(survivors)} survived, {killed:.1f} % killed")
    return 0 if killed >= goal else 1


if __name__ == "__main__":
    sys.exit(main())
