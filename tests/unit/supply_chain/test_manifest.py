"""The manifest is read strictly, and every file is held against it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from hallmark.api.artifacts import Manifest
from hallmark.api.findings import Finding
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.supply_chain.manifest import FileFact, check_bytes, check_files, read_manifest
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import FILES

GOOD = factories.manifest()
WIRE = json.loads(GOOD.to_bytes())
FACTS = {name: FileFact.of(data) for name, data in FILES.items()}


def read(data: bytes) -> Manifest | Finding:
    return read_manifest(data, sha256_digest(data))


def test_it_reads_back() -> None:
    assert read(GOOD.to_bytes()) == GOOD


def test_the_order_in_which_files_come_changes_nothing() -> None:
    assert factories.manifest(dict(reversed(FILES.items()))) == GOOD


def with_files(*names: str) -> bytes:
    entries = [{"name": name, "digest": sha256_digest(b""), "size": 0} for name in names]
    return canonical_json({**WIRE, "files": entries})


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(b"\xff", "not UTF-8", id="bytes that are no text"),
        pytest.param(b"{}", "expected a valid 'namespace', found missing", id="a missing field"),
        pytest.param(canonical_json({**WIRE, "more": 1}), "extra_forbidden", id="an extra field"),
        pytest.param(
            canonical_json({**WIRE, "specDigest": "md5:1"}), "'specDigest'", id="another digest"
        ),
        pytest.param(with_files(), "'files'", id="no files"),
        pytest.param(with_files("../up"), "'files.0.name'", id="a name that leaves the folder"),
        pytest.param(with_files("b", "a"), "in name order", id="another order"),
        pytest.param(with_files("a", "a"), "a name twice", id="a file twice"),
        pytest.param(
            with_files("manifest.json"), "found manifest.json", id="a file that is itself"
        ),
        pytest.param(
            with_files("model.sigstore.json"), "model.sigstore.json", id="its own signature"
        ),
        pytest.param(json.dumps(WIRE).encode(), "canonical", id="spaces"),
        pytest.param(
            canonical_json(WIRE).replace(b'"size":', b'"size":9007199254740993', 1),
            "'files.0.size'",
            id="a size that canonical JSON cannot express",
        ),
        pytest.param(b" " * 70_000, "70000 bytes", id="more bytes than are read"),
    ],
)
def test_it_is_refused(data: bytes, sentence: str) -> None:
    found = read(data)
    assert isinstance(found, Finding)
    assert sentence in found.sentence()


def test_another_digest_is_refused_before_anything_is_read() -> None:
    found = read_manifest(b"\xff", sha256_digest(b""))
    assert isinstance(found, Finding)
    assert found.expected == f"digest {sha256_digest(b'')}"


def test_the_files_it_lists_pass() -> None:
    assert check_files(GOOD, FACTS) == []
    assert all(check_bytes(GOOD, name, data) is None for name, data in FILES.items())


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        pytest.param(
            {k: v for k, v in FACTS.items() if k != "model.onnx"},
            "found no 'model.onnx'",
            id="a file is missing",
        ),
        pytest.param(
            {**FACTS, "extra": FileFact.of(b"x")}, "expected no 'extra'", id="a file is too many"
        ),
        pytest.param(
            {**FACTS, "model.onnx": FileFact.of(b"onnX")}, "4 bytes", id="a file is changed"
        ),
        pytest.param(
            {**FACTS, "model.onnx": FileFact(FACTS["model.onnx"].digest, 5)},
            "5 bytes",
            id="a file has another size",
        ),
    ],
)
def test_a_wrong_file_is_found(facts: dict[str, FileFact], sentence: str) -> None:
    (found,) = check_files(GOOD, facts)
    assert sentence in found.sentence()


def test_bytes_of_a_file_that_is_not_listed_are_refused() -> None:
    found = check_bytes(GOOD, "model.joblib", b"x")
    assert found is not None
    assert "expected no 'model.joblib'" in found.sentence()


@given(st.integers(min_value=0), st.binary(max_size=8), st.integers(0, 8))
def test_no_changed_manifest_passes_for_the_signed_digest(at: int, noise: bytes, cut: int) -> None:
    data = GOOD.to_bytes()
    at %= len(data) + 1
    mutated = data[:at] + noise + data[at + cut :]
    found = read_manifest(mutated, sha256_digest(data))
    assert isinstance(found, Finding) == (mutated != data)
    again = read(mutated)
    assert isinstance(again, Finding) or again.to_bytes() == mutated
