"""The command line as a whole: what it imports, and what its reference says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hallmark.cli.reference import PAGE, page

ROOT = Path(__file__).parents[3]
NOT_IN_EVERY_IMAGE = (
    "sklearn", "joblib", "polars", "numpy", "onnx", "onnxruntime", "fairlearn", "phonenumbers",
    "stdnum", "obstore", "fastapi", "uvicorn", "kopf", "jinja2", "prometheus_client", "cyclonedx",
)  # fmt: skip
HIDDEN = f"""
import sys
sys.modules.update(dict.fromkeys({NOT_IN_EVERY_IMAGE!r}))
from hallmark.cli import main
main()
"""


def without_the_extra(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where the packages of the extra `local` are not installed."""
    return subprocess.run(
        [sys.executable, "-c", HIDDEN, *arguments], capture_output=True, text=True, timeout=60
    )


def test_it_starts_where_only_its_own_packages_are() -> None:
    done = without_the_extra("--help")

    assert done.returncode == 0, done.stderr
    assert "approve" in done.stdout


@pytest.mark.parametrize(
    "command",
    [("init", "data.csv"), ("local", "status"), ("local", "run.yaml"), ("local", "serve")],
    ids=" ".join,
)
def test_what_needs_the_extra_says_so(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    run = {
        "run.yaml": str(ROOT / "tests/unit/cli/run.yaml"),
        "data.csv": str(tmp_path / "data.csv"),
    }
    done = without_the_extra(*(run.get(word, word) for word in command))

    assert done.returncode == 1
    assert 'pip install "hallmark-operator[local]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_the_reference_is_what_the_commands_say() -> None:
    assert (ROOT / PAGE).read_text() == page(), "run `make generate`"
