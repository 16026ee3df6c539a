"""What is installed for what: the locks agree, and the demo has all that it imports."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.recipes import REPOSITORY, SHARED
from tests.dependencies import bar, counts

PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)
LOCKS = ("operator", "trainer", "predictor", "dashboard", "shared", "demo")
# Loads all that the demo may, and prints which files of this repository that are.
LOAD = """
import importlib, pkgutil, sys
import hallmark.cli, tests.cluster, tests.demo, tests.e2e.harness
for package in (hallmark.cli, tests.cluster, tests.demo, tests.e2e.harness):
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
ours = ("hallmark", "tests")
files = [module.__file__ for name, module in sys.modules.items() if name.startswith(ours)]
print(*files, sep="\\n")
"""


def imported_by(file: Path) -> set[str]:
    """Return the top-level names that a file imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def versions(lock: str) -> set[tuple[str, str]]:
    return set(PIN.findall((REPOSITORY / "requirements" / f"{lock}.txt").read_text()))


def stage(dockerfile: str) -> str:
    text = (REPOSITORY / dockerfile).read_text()
    return text[text.index("FROM ${BASE} AS shared") : text.index("FROM shared")]


@pytest.mark.parametrize("lock", LOCKS)
def test_what_the_tests_test_is_what_the_images_hold_and_the_demo_runs(lock: str) -> None:
    assert versions(lock) <= versions("dev")


def test_every_image_begins_with_the_same_layers() -> None:
    assert stage("operator/Dockerfile") == stage("predictor/Dockerfile")
    assert stage("operator/Dockerfile") == stage("dashboard/Dockerfile")
    assert all(file in stage("operator/Dockerfile") for file in SHARED)
    assert all(
        versions("shared") <= versions(lock)
        for lock in ("operator", "trainer", "predictor", "dashboard")
    )


def test_the_demo_imports_nothing_that_its_lock_does_not_hold() -> None:
    command = [sys.executable, "-c", LOAD]
    loaded = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    names = set().union(*(imported_by(Path(file)) for file in loaded.stdout.split()))
    packages = importlib.metadata.packages_distributions()
    found = {package for name in names for package in packages.get(name, [])}
    # A lock writes names as PEP 503 says.
    imported = {re.sub(r"[-_.]+", "-", package).lower() for package in found}
    assert imported - {"hallmark-operator"} <= {name for name, _ in versions("demo")}
    assert "kubernetes" in imported


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        pytest.param(
            "\x1b[37m⠙\x1b[0m Preparing packages... (3/45)   ", (3, 45), id="packages are fetched"
        ),
        pytest.param(
            "██░░ [41/45] \x1b[2mnumpy==2.4.6\x1b[0m", (41, 45), id="packages are put in place"
        ),
        pytest.param("[1/45] a\r\x1b[2K[2/45] b", (2, 45), id="the last count is the newest"),
        pytest.param("pandas ------ 16.00 KiB/9.75 MiB", None, id="bytes are no packages"),
        pytest.param("Resolved 45 packages in 1.70s", None, id="nothing is counted yet"),
    ],
)
def test_what_uv_draws_says_how_far_it_is_when(chunk: str, expected: object) -> None:
    assert counts(chunk) == expected


def test_the_bar_fills_with_what_is_done() -> None:
    assert bar(0, 0) == f"[{'.' * 30}] 0 of 0"
    assert bar(15, 45) == f"[{'#' * 10}{'.' * 20}] 15 of 45"
    assert bar(45, 45) == f"[{'#' * 30}] 45 of 45"
