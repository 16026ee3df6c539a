"""``python -m tests.mutants [--only drift] [--sample 400] [--seed 1]``: change what decides.

mutmut makes one small change at a time in a package that decides, and runs those of the package's
own unit tests that call the changed function: what other tests would notice counts for nothing. A
change that no test notices is a survivor. All of them take hours; a sample, the same for the same
seed, takes less. A run that was interrupted, or asked for more, goes on where it stood, unless a
file was changed.

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
from contextlib import chdir
from dataclasses import dataclass
from itertools import filterfalse, islice
from operator import attrgetter
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


@dataclass(frozen=True)
class Package:
    """What is changed together, and judged together."""

    mutated: str
    """The files, as a pattern of the copied layout."""
    tests: tuple[str, ...]
    """Those that are about it, wherever they stand."""
    smallest: str
    """Trying these few makes all mutants, and finds out which tests call which function."""


PACKAGES = {
    "policies": Package(
        "src/hallmark/policies/*", ("tests/unit/policies",), "hallmark.policies.status.*"
    ),
    "drift": Package(
        "src/hallmark/drift/*",
        (
            "tests/unit/drift",
            "tests/unit/predictor/test_refusals.py",
        ),
        "hallmark.drift.room.*",
    ),
    "supply_chain": Package(
        "src/hallmark/supply_chain/*",
        ("tests/unit/supply_chain",),
        "hallmark.supply_chain.dockerfile.*",
    ),
    "audit": Package("src/hallmark/audit/*", ("tests/unit/audit",), "hallmark.audit.events.*"),
    "predictor": Package(
        "src/hallmark_predictor/verification.py",
        ("tests/unit/predictor/test_verification.py",),
        "hallmark_predictor.verification.x__where*",
    ),
}
THREADED = ("tests/unit/supply_chain/test_trained_bundle.py",)
"""Left out: they start threads, which the forks that mutmut makes of its process do not have."""
BATCH = 100
"""Tried at a time, so that what is done by then is a sample as well: quick ones go first."""
TEXT = re.compile(r"""["'][^"']*\s[^"']*["']""")
KILLED = {"killed", "timeout", "segfault", "caught by type check"}


@dataclass(frozen=True)
class Mutant:
    """One change."""

    package: str
    name: str
    meta: Path
    """Where mutmut keeps the results of the file's mutants."""

    @property
    def tried(self) -> bool:
        """Whether there is a result."""
        return _codes(self.meta)[self.name] is not None

    @property
    def status(self) -> str:
        """What became of it, in mutmut's words."""
        return str(status_by_exit_code[_codes(self.meta)[self.name]])

    @property
    def difference(self) -> list[str]:
        """The lines that are changed, before and after."""
        stage = STAGE / self.package
        with chdir(stage):  # mutmut knows its own folder alone.
            path = self.meta.relative_to(stage / "mutants").with_suffix("")
            shown = get_diff_for_mutant(self.name, path=path).splitlines()[3:]
        return [line for line in shown if line.startswith(("-", "+"))]


def _codes(meta: Path) -> dict[str, int | None]:
    codes: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
    return codes


def changes_a_text(mutant: Mutant) -> bool:
    """Whether a mutant changes letters of a text with spaces and nothing else."""
    difference = mutant.difference
    before, after = (
        " ".join(line[1:].strip() for line in difference if line[0] == sign) for sign in "-+"
    )
    if not TEXT.search(before):
        return False
    return before.lower() == after.replace("XX", "").lower()


def main() -> int:
    """Make the mutants of each package, try a sample of all, and print survivors and score."""
    asked = _arguments()
    mutants = [mutant for name in asked.only for mutant in _made(name, asked.children)]
    random.Random(asked.seed).shuffle(mutants)  # noqa: S311 - a sample, no secret
    sample = list(islice(filterfalse(changes_a_text, mutants), asked.sample or None))
    print(f"mutants: {len(mutants)} made, {len(sample)} in the sample", flush=True)
    for name in asked.only:
        left = [mutant.name for mutant in sample if mutant.package == name and not mutant.tried]
        for first in range(0, len(left), BATCH):
            _mutmut(name, asked.children, *left[first : first + BATCH])
    return _report(sample, asked.goal)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.mutants", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PACKAGES), default=list(PACKAGES))
    parser.add_argument("--sample", type=int, default=400, help="how many; 0 tries all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--children", default=str(os.cpu_count() or 2), help="processes")
    parser.add_argument("--goal", type=float, default=95.0, help="per cent killed")
    return parser.parse_args()


def _lay_out(name: str) -> None:
    """Copy the project in the layout that mutmut reads; another state of it starts anew."""
    package, stage = PACKAGES[name], STAGE / name
    settings = {
        "source_paths": ["src"],
        "only_mutate": [package.mutated],
        "also_copy": [target for target in LAID_OUT.values() if not target.startswith("src/")],
        "pytest_add_cli_args": [
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-m",
            "not slow",
            *(f"--ignore={file}" for file in THREADED),
        ],
        "pytest_add_cli_args_test_selection": list(package.tests),
        "use_git_change_detection": False,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    project = (ROOT / "pyproject.toml").read_text() + "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"
    state = hashlib.sha256(project.encode())
    for source in LAID_OUT:
        for file in _files(ROOT / source):
            state.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    note = stage / "state"
    if note.exists() and note.read_text() == state.hexdigest():
        return
    shutil.rmtree(stage, ignore_errors=True)
    for source, target in LAID_OUT.items():
        for file in _files(ROOT / source):
            copy = stage / target / file.relative_to(ROOT / source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
    (stage / "pyproject.toml").write_text(project)
    note.write_text(state.hexdigest())


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(
        file for file in place.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    )


def _made(name: str, children: str) -> list[Mutant]:
    """Make the mutants of a package."""
    _lay_out(name)
    _mutmut(name, children, PACKAGES[name].smallest)
    metas = sorted((STAGE / name / "mutants/src").rglob("*.meta"))
    return [Mutant(name, mutant, meta) for meta in metas for mutant in _codes(meta)]


def _mutmut(name: str, children: str, *mutants: str) -> None:
    command = [Path(sys.executable).parent / "mutmut", "run", "--max-children", children]
    subprocess.run([*command, *mutants], cwd=STAGE / name, check=True)


def _report(sample: list[Mutant], goal: float) -> int:
    survivors = sorted(
        (mutant for mutant in sample if mutant.status not in KILLED), key=attrgetter("name")
    )
    for mutant in survivors:
        print(f"\n{mutant.name}: {mutant.status}")
        print("\n".join(mutant.difference))
    print()
    missed = Counter(mutant.package for mutant in survivors)
    for package, count in sorted(Counter(mutant.package for mutant in sample).items()):
        print(f"{package}: {count} tried, {missed[package]} survived")
    killed = 100 * (1 - len(survivors) / len(sample))
    print(f"mutants: {len(sample)} tried, {len(survivors)} survived, {killed:.1f} % killed")
    return 0 if killed >= goal else 1


if __name__ == "__main__":
    sys.exit(main())
