"""docs/threat-model.md names tests that exist, at least one for each threat."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| threat |", "| ---"))
]
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def names_in(file: Path) -> set[str]:
    """Return the names of the tests in a file."""
    return {
        found.name
        for found in ast.parse(file.read_text()).body
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)
        and found.name.startswith("test_")
    }


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_threat_has_a_control_and_tests_that_exist(row: list[str]) -> None:
    threat, control, attacks = row
    assert threat
    assert control
    named = NAMED.findall(attacks)
    assert ", ".join(f"`{file}::{test}`" for file, test in named) == attacks.rstrip(" |")
    assert named
    for file, test in named:
        assert test in names_in(ROOT / "tests" / file), f"{file} has no {test}"


ATLAS = {
    "T0010", "T0011.000", "T0012", "T0015", "T0018", "T0020", "T0024", "T0029", "T0031", "T0034",
    "T0040", "T0043", "T0046", "T0050", "T0055", "T0059", "T0105", "T0109",
}  # fmt: skip
"""The techniques that concern what Hallmark does."""


def test_every_technique_has_a_row_or_is_said_not_to_be_defended() -> None:
    assert set(re.findall(r"T\d{4}(?:\.\d{3})?", PAGE)) == ATLAS
    assert len(ROWS) == len({row[0] for row in ROWS})
