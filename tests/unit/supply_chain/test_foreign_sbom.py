"""Tools that are not ours read the bill of materials of a model that was really trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.assessment import Analysis, Assessment, Justification
from hallmark.api.files import SLOT_SBOM
from hallmark.supply_chain.vex import Word, document
from hallmark.training.outcome import Artifacts
from tests.foreign import HERE, built, needs, said
from tests.unit.supply_chain.factories import NOW
from tests.unit.training import factories as training

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """The bill of a small run."""
    made = training.run(training.mixed_spec(), training.mixed_parquet())
    assert isinstance(made, Artifacts)
    return dict(json.loads(made.files[SLOT_SBOM]))


@pytest.fixture(scope="module")
def validate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], str]:
    """CycloneDX's own validator for JavaScript, with its own copy of the schema."""
    node, folder = needs("node"), tmp_path_factory.mktemp("cyclonedx") / "tool"
    shutil.copytree(HERE / "cyclonedx", folder)
    built([needs("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    def run(document: dict[str, Any]) -> str:
        path = folder / "bill.json"
        path.write_text(json.dumps(document))
        return said([node, folder / "check.mjs", path])[1].strip()

    return run


def a_licence_twice(document: dict[str, Any]) -> None:
    licences = [{"expression": "MIT"}, {"license": {"id": "MIT"}}]
    document["components"][0]["licenses"] = licences


def a_field_more(document: dict[str, Any]) -> None:
    document["components"][0]["extra"] = 1


def a_short_hash(document: dict[str, Any]) -> None:
    document["components"][0]["hashes"] = [{"alg": "SHA-256", "content": "ab"}]


def test_another_validator_takes_it(
    bill: dict[str, Any], validate: Callable[[dict[str, Any]], str]
) -> None:
    assert validate(bill) == "valid"


def test_another_validator_takes_what_a_reviewer_says_of_a_vulnerability(
    bill: dict[str, Any], validate: Callable[[dict[str, Any]], str]
) -> None:
    said = Assessment(
        vulnerability="CVE-2026-1234",
        package="numpy",
        analysis=Analysis.NOT_AFFECTED,
        justification=Justification.CODE_NOT_REACHABLE,
    )
    found = document([Word(said, "rita", "2027-01-01T00:00:00Z")], bill, NOW)
    assert len(found["vulnerabilities"]) == 1
    assert validate(found) == "valid"


@pytest.mark.parametrize("change", [a_licence_twice, a_field_more, a_short_hash])
def test_another_validator_would_say_so(
    bill: dict[str, Any],
    validate: Callable[[dict[str, Any]], str],
    change: Callable[[dict[str, Any]], None],
) -> None:
    document = json.loads(json.dumps(bill))
    change(document)
    assert validate(document) != "valid"


def test_sbom_tools_reads_all_of_it(bill: dict[str, Any], tmp_path: Path) -> None:
    """Only where it is installed (``cargo install sbom-tools``): it takes ten minutes to build."""
    program, path = needs("sbom-tools"), tmp_path / "bill.cdx.json"
    path.write_text(json.dumps(bill))
    code, text = said([program, "quality", path, "--no-color"])
    assert code == 0, text
    components = len(bill["components"]) + 1
    assert f"Parsed {components} components" in text
    assert "Structural             10.0/10" in text
