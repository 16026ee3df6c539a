"""What reviewers say of vulnerabilities, as CycloneDX VEX for other tools."""

from __future__ import annotations

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hallmark.api.assessment import Analysis, Assessment, Justification
from hallmark.supply_chain.foreign_vex import read_foreign
from hallmark.supply_chain.library import SERVING, TRAINING, Library
from hallmark.supply_chain.vex import Word, document, parts_meant
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import NOW

BILL = json.loads(
    factories.sbom(
        libraries=[
            Library("numpy", "2.1.0", used_in=(TRAINING,)),
            Library("numpy", "2.5.5", used_in=(SERVING,)),
            Library("numpy-extra", "1.0", used_in=(TRAINING,)),
        ]
    )
)


@pytest.mark.parametrize("analysis", [*Analysis])
@pytest.mark.parametrize("justification", [*Justification, None])
def test_each_word_is_valid_and_reads_back(
    analysis: Analysis, justification: Justification | None
) -> None:
    said = Assessment(
        vulnerability="CVE-1",
        package="numpy",
        version="2.1.0",
        analysis=analysis,
        justification=justification,
    )
    found = document([Word(said, "rita", "2027-01-01T00:00:00Z")], BILL, NOW)
    text = json.dumps(found)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    if said.is_justified:
        (stated,) = read_foreign(text.encode(), BILL)
        assert stated.assessment == said
        assert stated.detail == "Said by rita until 2027-01-01T00:00:00Z."


def test_what_is_about_no_part_of_the_bill_is_left_out() -> None:
    said = Assessment(vulnerability="CVE-1", package="scipy", analysis=Analysis.RESOLVED)
    assert document([Word(said, "rita")], BILL, NOW)["vulnerabilities"] == []


@pytest.mark.parametrize(
    ("package", "version", "parts"),
    [
        ("numpy", None, ["pkg:pypi/numpy@2.1.0", "pkg:pypi/numpy@2.5.5"]),
        ("numpy", "2.5.5", ["pkg:pypi/numpy@2.5.5"]),
        ("numpy", "2.5", []),
        ("numpy-extra", None, ["pkg:pypi/numpy-extra@1.0"]),
    ],
)
def test_parts_are_those_of_the_name_and_version(
    package: str, version: str | None, parts: list[str]
) -> None:
    said = Assessment(
        vulnerability="CVE-1", package=package, version=version, analysis=Analysis.RESOLVED
    )
    assert [*parts_meant(BILL, said)] == parts
