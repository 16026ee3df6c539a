"""What the provenance says of a build, and what it reads from a statement of strangers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.files import MANIFEST
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.supply_chain.library import SERVING, TRAINING, Library
from hallmark.supply_chain.provenance import Build, build_in, statement
from hallmark.supply_chain.sbom import SBOM, read_sealed_sbom
from tests.examples import examples
from tests.unit.supply_chain import factories

RUN = {"run_name": "credit-1", "run_uid": "uid-1"}
SPEC = {"model": "credit", "trainer": {"seed": 7}}
PINNED = f"registry.example.org/hallmark-operator@{sha256_digest(b'image')}"
LIBRARIES = [
    Library("numpy", "2.4.6", wheel=sha256_digest(b"wheel"), files=sha256_digest(b"files")),
    Library("scikit-learn", "1.9.1", used_in=(TRAINING, SERVING)),
    Library("uvicorn", "0.54.0", wheel=sha256_digest(b"other"), used_in=(SERVING,)),
]


def bill(libraries: list[Library]) -> SBOM:
    read = read_sealed_sbom(factories.sbom(libraries=libraries))
    assert isinstance(read, SBOM)
    return read


def said(build: Build | None, read: SBOM | None) -> bytes:
    manifest = factories.manifest()
    digest = sha256_digest(manifest.to_bytes())
    return statement(manifest, manifest_digest=digest, build=build, bill=read, **RUN)


def hexadecimal(data: bytes) -> dict[str, str]:
    return {"sha256": sha256_digest(data).removeprefix("sha256:")}


OF_BEFORE = [
    {"name": "dataset", "digest": hexadecimal(b"rows")},
    {"name": "trainer image", "digest": hexadecimal(b"image")},
]


def test_it_has_the_spec_the_libraries_that_trained_and_the_image_that_sealed() -> None:
    predicate = json.loads(said(Build(SPEC, PINNED), bill(LIBRARIES)))["predicate"]
    definition = predicate["buildDefinition"]
    assert definition["externalParameters"]["spec"] == SPEC
    assert definition["resolvedDependencies"] == [
        *OF_BEFORE,
        {
            "uri": "pkg:pypi/numpy@2.4.6",
            "digest": hexadecimal(b"wheel"),
            "annotations": {"hallmark:files-sha256": sha256_digest(b"files")},
        },
        {"uri": "pkg:pypi/scikit-learn@1.9.1"},
    ]
    assert predicate["runDetails"]["builder"]["builderDependencies"] == [
        {"name": "sealing image", "uri": PINNED, "digest": hexadecimal(b"image")}
    ]


def test_statements_of_before_are_the_same_bytes() -> None:
    manifest = factories.manifest()
    data = manifest.to_bytes()
    files = {file.name: file.digest for file in manifest.files} | {MANIFEST: sha256_digest(data)}
    expected = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": files[name].removeprefix("sha256:")}}
            for name in sorted(files)
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://hallmark.dev/training-run/v1alpha1",
                "externalParameters": {
                    "namespace": "team",
                    "trainingRun": "credit-1",
                    "model": "credit",
                    "specDigest": sha256_digest(b"spec"),
                },
                "resolvedDependencies": OF_BEFORE,
            },
            "runDetails": {
                "builder": {"id": "https://hallmark.dev/sealing-job/v1alpha1"},
                "metadata": {"invocationId": "uid-1"},
            },
        },
    }
    assert said(None, None) == said(None, bill(LIBRARIES)) == canonical_json(expected)
    assert build_in(said(None, None)) is None


def test_a_bill_of_before_has_libraries_that_trained() -> None:
    document = json.loads(factories.sbom(libraries=LIBRARIES[:1]))
    for part in document["components"]:
        part.pop("properties", None)
    read = read_sealed_sbom(canonical_json(document))
    assert isinstance(read, SBOM)
    assert [library.used_in for library in read.libraries] == [(TRAINING,)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=9), JSON), st.sampled_from(["", "local", PINNED]))
@examples(50)
def test_what_a_statement_says_is_read_back(spec: dict[str, Any], image: str) -> None:
    build = Build(spec, image)
    assert build_in(said(build, None)) == build


def deep(levels: int) -> bytes:
    spec = b'{"a":' * levels + b"{}" + b"}" * levels
    return (
        b'{"predicate":{"buildDefinition":{"externalParameters":{"spec":%b}},'
        b'"runDetails":{"builder":{}}}}' % spec
    )


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"predicate":7}', id="a predicate that is a number"),
        pytest.param(deep(200).replace(b"{}}", b"9007199254740993}", 1), id="a number too large"),
        pytest.param(deep(900), id="a deep nest"),
        pytest.param(deep(100_000), id="a very deep nest"),
        pytest.param(
            said(Build(SPEC, PINNED), None).replace(
                b'"builderDependencies":[', b'"builderDependencies":[7,'
            ),
            id="an image that is a number",
        ),
        pytest.param(said(Build(SPEC, ""), None).replace(canonical_json(SPEC), b"7"), id="no spec"),
    ],
)
def test_a_statement_of_another_form_says_nothing(payload: bytes) -> None:
    assert build_in(payload) is None


@given(st.binary(max_size=20), st.integers(0, 2000), st.integers(0, 20))
@examples(100)
def test_no_bytes_end_the_reading(noise: bytes, start: int, cut: int) -> None:
    data = said(Build(SPEC, PINNED), bill(LIBRARIES))
    found = build_in(data[:start] + noise + data[start + cut :])
    assert found is None or canonical_json(found.spec)
