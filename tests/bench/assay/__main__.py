"""``python -m tests.bench.assay [validation|reading|pii|robustness|fit ...] [--rows N]``.

Each figure is one line of JSON; the surroundings stand on stderr. The exit code is 1 if a goal is
missed or two sides disagree.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "numpy",
    "polars",
    "pandas",
    "scikit-learn",
    "pandera",
    "presidio-analyzer",
    "adversarial-robustness-toolbox",
)
MODULES = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")
)


def main() -> int:
    """Run the named benchmarks, or all, one after the other."""
    parser = argparse.ArgumentParser(prog="tests.bench.assay", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODULES)}")
    parser.add_argument("--rows", type=int, help="instead of a million")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(MODULES)
    if unknown:
        parser.error(f"expected names of {', '.join(MODULES)}, found {', '.join(sorted(unknown))}")
    if asked.rows:
        # Before the modules are imported: they read it then.
        os.environ["HALLMARK_BENCH_ROWS"] = str(asked.rows)
    _say(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {_versions()}")
    passed = [_run(name) for name in asked.names or MODULES]
    return 0 if all(passed) else 1


def _run(name: str) -> bool:
    """Run one benchmark and print its figures; return whether each reaches its goal."""
    _say(f"{name}: load average {' '.join(f'{load:.2f}' for load in os.getloadavg())} before")
    try:
        figures = importlib.import_module(f"tests.bench.assay.{name}").run()
    except Exception:
        traceback.print_exc()
        return False
    for figure in figures:
        print(figure.line(), flush=True)
    return all(figure.ok for figure in figures)


def _versions() -> str:
    versions = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(versions)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
