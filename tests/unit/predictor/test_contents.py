"""An image has the packages that its model's bill of materials lists, or there is no image."""

from __future__ import annotations

import json
from importlib.metadata import distributions
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hallmark.api.files import REFUSED_EXIT_CODE
from hallmark_predictor.contents import differences, listed, main
from tests.examples import examples

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]\.[0-9]{1,2}(\+[a-z]{1,2})?", fullmatch=True)


def bill(packages: dict[str, str]) -> dict[str, object]:
    parts = [
        {"type": "library", "name": name, "purl": f"pkg:pypi/{name}@{version.replace('+', '%2B')}"}
        for name, version in packages.items()
    ]
    return {"components": [*parts, {"type": "file", "name": "model.onnx"}]}


@given(st.dictionaries(NAMES, VERSIONS), st.dictionaries(NAMES, VERSIONS))
@examples(100)
def test_exactly_what_is_not_listed_so_is_named(
    image: dict[str, str], others: dict[str, str]
) -> None:
    known = {**image, **others}
    found = list(differences(image.items(), listed(bill(known))))
    wrong = sorted(name for name, version in image.items() if known[name] != version)
    assert [sentence.split("'")[1] for sentence in found] == wrong
    assert list(differences(image.items(), listed(bill(image)))) == []


@pytest.mark.parametrize(
    "document",
    [{}, {"components": None}, {"components": ["x", {"purl": 7}, {"purl": "pkg:deb/debian/x@1"}]}],
)
def test_a_bill_of_another_form_lists_nothing(document: dict[str, object]) -> None:
    assert listed(document) == set()


def test_this_interpreter_is_what_its_own_bill_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = {found.metadata["Name"]: found.version for found in distributions()}
    file = tmp_path / "sbom.json"
    file.write_text(json.dumps(bill(here)))
    assert main([str(file)]) == 0

    here["numpy"] = "0.1"
    file.write_text(json.dumps(bill(here)))
    assert main([str(file)]) == REFUSED_EXIT_CODE
    assert "Package 'numpy': expected version 0.1 as the SBOM lists it" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"a":1,"a":2}', b"\xff"])
def test_a_bill_that_cannot_be_read_is_refused(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sbom.json"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == REFUSED_EXIT_CODE
    assert f"The bill of materials {file} cannot be read" in capsys.readouterr().err
