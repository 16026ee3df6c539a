"""The bill of materials: what it says, that it is the same each time, what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.findings import Finding
from hallmark.api.metrics import Comparison, Evaluation, GateResult, MetricValue
from hallmark.api.model_card import EthicalConsideration, ModelCard
from hallmark.api.report import CertifiedAt, NoiseLevel, RobustnessReport
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.supply_chain.debian import MD5SUMS_PROPERTY, DebianPackage
from hallmark.supply_chain.library import SERVING, TRAINING, Library
from hallmark.supply_chain.packages import packages_of
from hallmark.supply_chain.sbom import SBOM, check_sbom, read_sbom, read_sealed_sbom
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


LIBRARIES = [
    Library("scikit-learn", "1.9.1", "BSD-3-Clause", ("numpy",), sha256_digest(b"files")),
    Library("numpy", "2.4.6", "", (), None, sha256_digest(b"wheel"), (TRAINING, SERVING)),
    Library("uvicorn", "0.54.0", "BSD-3-Clause", ("click",), used_in=(SERVING,)),
    Library("click", "8.5.1", "", ("uvicorn",), used_in=(SERVING,)),
    Library("stranger", "", "", ("numpy", "absent")),
]
DEBIAN = [
    DebianPackage(
        "libc6", "2.36-9+deb12u10", "amd64", "debian", "debian-12", ("Expat", "GPL-2+", "MIT")
    ),
    DebianPackage(
        *("zlib1g", "1:1.2.13", "amd64", "debian", "debian-12", (), ("libc6",)),
        md5sums="sha256:" + "7" * 64,
    ),
]


def test_a_library_has_its_hashes_and_where_it_is_used() -> None:
    data = factories.sbom(libraries=LIBRARIES)
    assert check(data) == []
    parts = {part["name"]: part for part in json.loads(data)["components"]}
    digest = sha256_digest(b"wheel").removeprefix("sha256:")
    assert parts["numpy"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert "hashes" not in parts["scikit-learn"]
    assert parts["scikit-learn"]["properties"] == [
        {"name": "hallmark:files-sha256", "value": sha256_digest(b"files")},
        {"name": "hallmark:used-in", "value": "training"},
    ]
    assert parts["numpy"]["properties"] == [
        {"name": "hallmark:used-in", "value": use} for use in ("serving", "training")
    ]
    assert parts["stranger"]["purl"] == "pkg:pypi/stranger"


def test_libraries_need_each_other_and_the_model_what_no_library_needs() -> None:
    document = json.loads(factories.sbom(libraries=LIBRARIES, debian=DEBIAN))
    needs = {node["ref"]: node.get("dependsOn", []) for node in document["dependencies"]}
    assert needs["model"] == [
        "dataset",
        "file:model.onnx",
        "pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64&distro=debian-12",
        "pkg:pypi/click@8.5.1",
        "pkg:pypi/scikit-learn@1.9.1",
        "pkg:pypi/stranger",
    ]
    assert needs["pkg:pypi/scikit-learn@1.9.1"] == ["pkg:pypi/numpy@2.4.6"]
    assert needs["pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64&distro=debian-12"] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12"
    ]
    assert needs["pkg:pypi/click@8.5.1"] == ["pkg:pypi/uvicorn@0.54.0"]
    assert set(needs) == {"model", *(part["bom-ref"] for part in document["components"])}


def test_packages_of_the_system_are_listed_and_no_packages_of_the_models() -> None:
    data = factories.sbom(libraries=LIBRARIES[:1], debian=DEBIAN)
    assert check(data) == []
    assert [package.name for package in packages_of(json.loads(data))] == ["scikit-learn"]
    licences = {part["name"]: part.get("licenses") for part in json.loads(data)["components"]}
    assert licences["libc6"] == [
        {"license": {"id": "MIT"}},
        {"license": {"name": "Expat"}},
        {"license": {"name": "GPL-2+"}},
    ]
    assert licences["zlib1g"] is None


def test_a_debian_package_is_told_by_its_list_of_files_where_that_is_known() -> None:
    parts = json.loads(factories.sbom(debian=DEBIAN))["components"]
    told = {part["name"]: part.get("properties") for part in parts}
    assert told["zlib1g"] == [{"name": MD5SUMS_PROPERTY, "value": "sha256:" + "7" * 64}]
    assert told["libc6"] is None
    assert not any("hashes" in part for part in parts if part["name"] in {"zlib1g", "libc6"})


@given(st.permutations(LIBRARIES), st.permutations(DEBIAN))
@examples(10)
def test_the_order_in_which_parts_are_found_changes_no_byte(
    libraries: list[Library], debian: list[DebianPackage]
) -> None:
    wanted = factories.sbom(libraries=LIBRARIES, debian=DEBIAN)
    assert factories.sbom(libraries=libraries, debian=debian) == wanted


def test_another_library_is_another_bill_by_its_number_too() -> None:
    numbers = {
        json.loads(factories.sbom(libraries=LIBRARIES[:count]))["serialNumber"]
        for count in range(len(LIBRARIES))
    }
    assert len(numbers) == len(LIBRARIES)


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


def card(data: bytes) -> dict[str, Any]:
    """Return the model card of a bill."""
    found: dict[str, Any] = json.loads(data)["metadata"]["component"]["modelCard"]
    return found


def test_the_model_card_has_metrics_and_fairness_and_names_no_group_of_people() -> None:
    data = factories.sbom()
    assert check(data) == []
    found = card(data)
    assert found["modelParameters"]["datasets"] == [{"ref": "dataset"}]
    assert found["modelParameters"]["architectureFamily"] == "linear model"
    assert found["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "accuracy", "value": "0.912000"}
    ]
    (fairness,) = found["considerations"]["fairnessAssessments"]
    assert fairness["groupAtRisk"] == "The 2 groups of 'origin'"
    assert "demographic parity difference: 0.040000" in fairness["harms"]
    assert "equalized odds difference: inconclusive" in fairness["harms"]
    assert b"Northerner" not in data


ROBUSTNESS = RobustnessReport(
    epsilon=0.1,
    moving=["income"],
    rows=100,
    test_rows=100,
    bound="Exact",
    bound_l2="Lower",
    unmovable=0.0,
    attack="WorstCase",
    curve=[CertifiedAt(radius=0.25, certified_accuracy=0.5, certified_accuracy_l2=0.6)],
    noise_rows=100,
    noise_draws=10,
    noise=[NoiseLevel(deviations=0.1, stability=0.99)],
)


def test_the_model_card_has_intervals_robustness_and_what_the_gates_said() -> None:
    gate = GateResult(
        metric="accuracy",
        comparison=Comparison.AT_LEAST,
        threshold="0.9",
        value="0.912000",
        passed=True,
    )
    metric = MetricValue(name="accuracy", value="0.912000", lower="0.900000", upper="0.920000")
    data = factories.sbom(
        metrics=[metric], robustness=ROBUSTNESS, gates=[gate], evaluation=Evaluation()
    )
    assert check(data) == []
    found = card(data)
    norm = "changes up to 0.25 standard deviations in the {} norm"
    assert found["quantitativeAnalysis"]["performanceMetrics"] == [
        {
            "type": "accuracy",
            "value": "0.912000",
            "confidenceInterval": {"lowerBound": "0.900000", "upperBound": "0.920000"},
        },
        {"type": "certifiedAccuracy", "value": "0.500000", "slice": norm.format("maximum")},
        {"type": "certifiedAccuracyL2", "value": "0.600000", "slice": norm.format("Euclidean")},
        {
            "type": "noiseStability",
            "value": "0.990000",
            "slice": "Gaussian noise of 0.1 standard deviations",
        },
    ]
    facts = {fact["name"]: fact["value"] for fact in found["properties"]}
    assert facts["hallmark:confidence"] == "0.95"
    assert facts["hallmark:robustness:bound"] == "Exact"
    assert facts["hallmark:gate:Run:accuracy"] == "AtLeast 0.9, Estimate: 0.912000, passed"


def test_the_dataset_says_how_many_rows_it_has_and_which_columns_are_sensitive() -> None:
    proxies = [{"attribute": name, "rows": 9} for name in ("origin", "age")]
    document = json.loads(factories.sbom(proxies=proxies))
    (dataset,) = [part for part in document["components"] if part["type"] == "data"]
    (data,) = dataset["data"]
    assert data["sensitiveData"] == ["age", "origin"]
    assert {"name": "hallmark:train-rows", "value": "300"} in data["contents"]["properties"]
    assert dataset["hashes"][0]["content"] == FINGERPRINT.removeprefix("sha256:")


WORDS = st.text(min_size=1, max_size=512).filter(str.strip)
TEXTS = st.lists(WORDS, max_size=3)


@given(
    st.builds(
        ModelCard,
        users=TEXTS,
        use_cases=TEXTS,
        technical_limitations=TEXTS,
        performance_tradeoffs=TEXTS,
        ethical_considerations=st.lists(
            st.builds(EthicalConsideration, name=WORDS, mitigation_strategy=st.none() | WORDS),
            max_size=2,
        ),
    )
)
@examples(30)
def test_whatever_its_author_says_of_a_model_stands_in_the_card_word_for_word(
    said: ModelCard,
) -> None:
    data = factories.sbom(card=said)
    assert check(data) == []
    found = card(data)["considerations"]
    del found["fairnessAssessments"]
    assert ModelCard.model_validate(found) == said


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
        pytest.param(
            changed(components=[{"type": "data", "name": str(number)} for number in range(2049)]),
            "at most 2048 components",
            id="more components than are compared",
        ),
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
            factories.sbom(files={"model.onnx": sha256_digest(b"other")}),
            "digest of the model",
            id="a model with another digest",
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


@pytest.mark.parametrize("read", [read_sbom, read_sealed_sbom])
@pytest.mark.parametrize(
    "said",
    [{"name": ""}, {"version": {}}, {"version": 1}],
    ids=["no name", "an object", "a number"],
)
def test_a_package_without_a_name_or_with_a_version_that_is_no_text_is_refused(
    read: Callable[[bytes], SBOM | Finding], said: dict[str, object]
) -> None:
    document = json.loads(changed())
    library = next(part for part in document["components"] if "pkg:pypi/" in part.get("purl", ""))
    library.update(said)
    assert isinstance(read(canonical_json(document)), Finding)


def test_a_package_has_a_digest_where_the_bill_states_it_wherever_it_is_used() -> None:
    found = {
        (package.name, package.version): package.hashed
        for package in packages_of(json.loads(factories.sbom(libraries=LIBRARIES)))
    }
    assert found == {
        ("click", "8.5.1"): False,
        ("numpy", "2.4.6"): True,
        ("scikit-learn", "1.9.1"): False,
        ("stranger", ""): False,
        ("uvicorn", "0.54.0"): False,
    }
