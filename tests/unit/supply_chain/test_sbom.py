"""The bill of materials: what it says, that it is the same each time, what is refused."""

from __future__ import annotations

import json
import time
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.api.artifacts import Finding
from hallmark.api.common import canonical_json, sha256_digest
from hallmark.supply_chain.installed import (
    installed_licences,
    installed_packages,
    stated_licence,
)
from hallmark.supply_chain.packages import packages_of
from hallmark.supply_chain.sbom import SBOM, check_sbom, read_sbom
from tests.examples import examples
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import FINGERPRINT, MODEL, RUN_ID

FILES = {"model.onnx": sha256_digest(b"onnx"), "schema.json": sha256_digest(b"schema")}


def check(data: bytes) -> list[str]:
    found = check_sbom(
        read_sbom(data), model=MODEL, run_id=RUN_ID, fingerprint=FINGERPRINT, files=FILES
    )
    return [each.sentence() for each in found]


def test_the_bill_has_no_findings_and_reads_back() -> None:
    data = factories.sbom()
    assert check(data) == []
    read = read_sbom(data)
    assert isinstance(read, SBOM)
    assert (read.model, read.run_id, read.dataset_fingerprint) == (MODEL, RUN_ID, FINGERPRINT)
    assert [package.version for package in packages_of(json.loads(data))] == [
        "2.4.6",
        "1.9.1",
        "8.0",
    ]
    assert read.files == {"model.onnx": FILES["model.onnx"]}
    assert (read.summary.components, read.summary.spec_version) == (5, "1.6")


def test_the_same_inputs_give_the_same_bytes_at_another_time() -> None:
    first = factories.sbom()
    time.sleep(0.002)
    assert factories.sbom() == first
    assert factories.sbom(run_id="ffffffffffff") != first


def test_the_model_depends_on_its_data_files_and_libraries() -> None:
    document = json.loads(factories.sbom())
    depends = next(each for each in document["dependencies"] if each["ref"] == "model")
    assert depends["dependsOn"] == [
        "dataset",
        "file:model.onnx",
        "pkg:pypi/numpy@2.4.6",
        "pkg:pypi/scikit-learn@1.9.1",
        "pkg:pypi/zope-interface@8.0",
    ]


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        pytest.param("MIT", [{"license": {"id": "MIT"}}], id="an id of SPDX"),
        pytest.param("mit", [{"license": {"id": "MIT"}}], id="the same in another case"),
        pytest.param(
            "MIT OR Apache-2.0", [{"expression": "MIT OR Apache-2.0"}], id="an expression"
        ),
        pytest.param(
            "BSD 2-Clause License",
            [{"license": {"name": "BSD 2-Clause License"}}],
            id="other words",
        ),
        pytest.param("MIT AND", [{"license": {"name": "MIT AND"}}], id="a broken expression"),
    ],
)
def test_a_library_has_one_licence_as_it_states_it(licence: str, expected: list[object]) -> None:
    data = factories.sbom(licences={"numpy": licence, "absent": "MIT"})
    assert check(data) == []
    licences = {
        each["name"]: each.get("licenses")
        for each in json.loads(data)["components"]
        if "purl" in each
    }
    assert licences == {"numpy": expected, "scikit-learn": None, "zope-interface": None}


@given(st.text(min_size=1).filter(str.isprintable))
@examples(30)
def test_whatever_a_package_calls_its_licence_the_bill_is_valid_and_has_one(licence: str) -> None:
    data = factories.sbom(licences={"numpy": licence})
    assert check(data) == []
    (numpy,) = [each for each in json.loads(data)["components"] if each["name"] == "numpy"]
    assert len(numpy["licenses"]) == 1


MIT = "License :: OSI Approved :: MIT License"
BSD = "License :: OSI Approved :: BSD License"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param([("License-Expression", "MIT"), ("License", "no")], "MIT", id="of today"),
        pytest.param([("License", "Apache 2.0"), ("Classifier", MIT)], "Apache 2.0", id="words"),
        pytest.param([("License", "UNKNOWN"), ("Classifier", MIT)], "MIT License", id="unknown"),
        pytest.param([("License", "a\n b"), ("Classifier", MIT)], "MIT License", id="a text"),
        pytest.param(
            [("License", "a" * 999), ("Classifier", BSD)], "BSD License", id="a long line"
        ),
        pytest.param([("Classifier", MIT), ("Classifier", BSD)], "", id="two, and no word how"),
        pytest.param([("Classifier", "Topic :: MIT License")], "", id="no licence"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_the_licence_that_a_package_states(fields: list[tuple[str, str]], expected: str) -> None:
    metadata = Message()
    for name, value in fields:
        metadata[name] = value
    assert stated_licence(metadata) == expected  # type: ignore[arg-type]


def test_what_trains_here_states_its_licences() -> None:
    licences = installed_licences()
    assert licences["scikit-learn"] == "BSD-3-Clause"
    assert set(licences) <= set(installed_packages())


def test_the_model_card_has_metrics_and_fairness_and_names_no_group_of_people() -> None:
    data = factories.sbom()
    card = json.loads(data)["metadata"]["component"]["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"ref": "dataset"}]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "accuracy", "value": "0.912000"}
    ]
    (fairness,) = card["considerations"]["fairnessAssessments"]
    assert fairness["groupAtRisk"] == "The 2 groups of 'origin'"
    assert "0.040000" in fairness["harms"]
    assert "inconclusive" in fairness["harms"]
    assert b"Northerner" not in data


def changed(**changes: object) -> bytes:
    return canonical_json({**json.loads(factories.sbom()), **changes})


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(b"\xff", "found bytes that are not UTF-8", id="bytes that are no text"),
        pytest.param(b"{", "found bytes that are not JSON", id="half a document"),
        pytest.param(b"[]", "found JSON that is not an object", id="a list"),
        pytest.param(b'{"a":1,"a":2}', "a name twice", id="a name twice"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="a deep nest"),
        pytest.param(b" " * 5_000_000, "5000000 bytes", id="more bytes than are read"),
        pytest.param(changed(specVersion="1.4"), "specVersion '1.4'", id="an older version"),
        pytest.param(changed(version=True), "$.version breaks the rule", id="a broken schema"),
        pytest.param(changed(extra=1), "additionalProperties", id="an unknown field"),
        pytest.param(
            changed(metadata={"component": {"type": "library", "name": "x"}}),
            "found 'library'",
            id="a bill of something else",
        ),
        pytest.param(changed(metadata={}), "found None", id="a bill of nothing"),
        pytest.param(factories.sbom(model="other"), "found other", id="another model's bill"),
        pytest.param(
            factories.sbom(run_id="f" * 12), "found ffffffffffff", id="another run's bill"
        ),
        pytest.param(
            factories.sbom(fingerprint=sha256_digest(b"x")),
            "dataset fingerprint",
            id="another dataset's bill",
        ),
        pytest.param(
            factories.sbom(files={"model.onnx": sha256_digest(b"other")}),
            "digest of 'model.onnx'",
            id="a file with another digest",
        ),
        pytest.param(
            factories.sbom(files={"extra": sha256_digest(b"other")}),
            "no such file",
            id="a file that is not in the bundle",
        ),
    ],
)
def test_it_is_refused(data: bytes, sentence: str) -> None:
    assert any(sentence in each for each in check(data)), check(data)


@given(st.binary(max_size=64), st.integers(min_value=0, max_value=1000), st.integers(0, 64))
def test_reading_never_raises(noise: bytes, start: int, cut: int) -> None:
    data = factories.sbom(packages={})
    mutated = data[:start] + noise + data[start + cut :]
    assert isinstance(read_sbom(mutated), SBOM | Finding)


def test_the_installed_packages_are_those_of_this_interpreter() -> None:
    packages = installed_packages()
    assert packages["pydantic"].startswith("2.")
    assert "cyclonedx-python-lib" in packages
    assert list(packages) == sorted(packages)
