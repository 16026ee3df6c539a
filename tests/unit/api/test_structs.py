"""A struct takes nothing that its model refuses, and reads the same of what it takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import fields

from hallmark.api import documents, struct_source, structs
from hallmark.api.columns import FeatureType
from hallmark.api.common import FileModel
from hallmark.api.document import Document
from hallmark.api.drift import Drift, Rejections, RequestLimits
from hallmark.api.feedback import Feedback, GroupFloor
from hallmark.api.findings import Finding
from hallmark.api.served import BaselineFeature, TrainingRegion
from hallmark.api.structs import DriftReport
from hallmark.api.texts import sha256_digest
from hallmark.supply_chain.manifest import read_manifest
from hallmark_predictor.verification import Refused, sealed_manifest
from tests.examples import examples
from tests.unit.predictor import factories

WHOLE = factories.sealed(
    sealed_at="2026-01-01T00:00:00Z",
    keys=[factories.trusted(valid_from="2026-01-01T00:00:00.5Z")],
    groups=[{"name": "risk", "members": ["reviewer@example.org"], "minimum": 1}],
    drift=Drift(
        features=["income", "prediction/score"],
        rejections=Rejections(limit="0.25"),
        requests=RequestLimits(max_errors="0.01", max_latency="25ms"),
        feedback=Feedback(groups=["f", "m"], group_floor=GroupFloor(minimum_accuracy="0.8")),
    ),
)
LABEL = BaselineFeature(
    name="prediction/label", type=FeatureType.CATEGORY, categories=["a"], counts=[1, 2, 3]
)
REGION = TrainingRegion(
    centers=[0.5, 0],
    scales=[1, 2.25],
    reaches=[3, 0],
    margin=1e-3,
    step=0.25,
    rows=9,
    near=1,
    outside=0,
)
RIGHT: dict[type[FileModel], bytes] = {
    documents.Trust: WHOLE.trust.to_bytes(),
    documents.Manifest: WHOLE.trust.manifest.encode(),
    documents.DownloadURLs: b'{"urls":{"model.onnx":"https://store/1"}}',
    documents.ServedSchema: factories.SCHEMA_DOCUMENT.to_bytes(),
    documents.Baseline: factories.baseline().replace(predictions=[LABEL], region=REGION).to_bytes(),
}
ODD = [
    *(None, True, False, [], {}, "", "x", "x\n", "\n", "\x00", "é", "\U0001d7d8", "x" * 64),
    *(0, 1, -1, 2**53 - 1, 2**53, 2**63, 2**64, 10**30, -(2**63) - 1, 99, 100, 257),
    *(0.5, 1.0, -0.0, 1e300, 5e-324, 0.1 + 0.2, 1e22, float("nan"), float("inf")),
    *("1", "0.5", "1e3", "true", "null", "-1", "0.5\n", "Number", "Allow", "Alert", "NUMBER"),
    *("2026-02-30T00:00:00Z", "2026-01-01T00:00:00Z\n", "0000-01-01T00:00:00Z", "10m", "0s", "1d"),
    *(f"sha256:{'a' * 64}", f"sha256:{'a' * 64}\n", f"sha256:{'A' * 64}", "a" * 64, "-a", "a-"),
]
BOUNDS = sorted(
    {
        int(bound) + step
        for bound in re.findall(r"(?:[gl]e|length)=(\d+)", struct_source.source())
        for step in (-1, 0, 1)
    }
)
"""Every bound of a number, a text or a list, and what lies beside it."""
LENGTHS = [bound for bound in BOUNDS if 0 <= bound <= 1100]
TWICE = [b"", b"", b'"version":', b'"name":', b'"rows":', b'"urls":']


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """Return where the parts of a document are."""
    parts = dict(enumerate(value)) if isinstance(value, list) else value
    items = parts.items() if isinstance(parts, dict) else ()
    return [at, *(found for name, part in items for found in places(part, (*at, name)))]


def change(draw: st.DrawFn, whole: dict[str, Any]) -> None:
    """Change a value, its member, or its list."""
    *way, last = draw(st.sampled_from(places(whole)[1:]))
    holder: Any = whole
    for step in way:
        holder = holder[step]
    how = draw(st.sampled_from(["other", "other", "other", "gone", "renamed", "more"]))
    if how == "other" or holder is whole:
        holder[last] = draw(st.sampled_from(ODD) | st.floats() | st.text(max_size=3))
    elif how == "gone":
        del holder[last]
    elif isinstance(holder, list):
        holder.extend([holder[last]] * draw(st.sampled_from([1, 40, 300])))
    elif how == "renamed":
        snake = "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in last)
        holder[draw(st.sampled_from([snake, last.upper(), f"{last} "]))] = holder.pop(last)
    else:
        holder["further"] = 1


@st.composite
def nearly_right(draw: st.DrawFn, form: type[FileModel]) -> bytes:
    """Draw a document with a few changes of values, members or bytes."""
    whole = {"it": json.loads(RIGHT[form])}
    for _ in range(draw(st.integers(1, 3))):
        change(draw, whole)
    text = json.dumps(whole["it"], ensure_ascii=draw(st.booleans())).encode()
    twice = draw(st.sampled_from(TWICE))
    if twice and (at := text.find(twice)) >= 0:
        member = draw(st.sampled_from([b"3", b'"x"', b"null", b'{"a":"b"}']))
        text = text[:at] + twice + member + b"," + text[at:]
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.binary(max_size=2)) + text[at + draw(st.integers(0, 2)) :]
    return text


def taken(form: type[FileModel], data: bytes) -> FileModel | None:
    """Return a document as its model reads it, or None where it refuses."""
    try:
        return documents.model_of(form).model_validate_json(data)
    except ValueError:
        return None


def values(document: FileModel | None) -> str:
    """Return all values of a document in one text, minus zero and no number included."""
    assert document is not None
    return repr(document.to_wire())


def others(value: object) -> Iterator[object]:
    """Yield what may stand in a part's place: odd values, and its own at all bounds."""
    yield from ODD
    yield from BOUNDS
    if isinstance(value, str):
        yield from ((value or "a")[0] * length for length in LENGTHS)
    if isinstance(value, list) and value:
        yield from ([value[0]] * length for length in LENGTHS)


@pytest.mark.parametrize("form", RIGHT)
def test_no_other_value_of_any_part_is_taken_that_a_model_refuses(form: type[FileModel]) -> None:
    whole = {"it": json.loads(RIGHT[form])}
    tried = 0
    for *way, last in places(whole)[1:]:
        holder: Any = whole
        for step in way:
            holder = holder[step]
        if isinstance(holder, list) and last > 1:
            continue  # The parts of a list are alike.
        value = holder[last]
        for other in others(value):
            holder[last] = other
            text = json.dumps(whole["it"]).encode()
            quick = documents.quickly(form, text)
            tried += quick is not None
            assert quick is None or values(quick) == values(taken(form, text)), (way, last, other)
        holder[last] = value
    assert tried > 0


@pytest.mark.parametrize("form", RIGHT)
@given(data=st.data())
@examples(100)
def test_a_struct_takes_nothing_that_its_model_refuses(
    form: type[FileModel], data: st.DataObject
) -> None:
    text = data.draw(nearly_right(form))
    quick = documents.quickly(form, text)
    assert quick is None or values(quick) == values(taken(form, text))


@pytest.mark.parametrize("form", RIGHT)
@given(data=st.data())
@examples(50)
def test_what_a_struct_does_not_take_the_model_judges(
    form: type[FileModel], data: st.DataObject
) -> None:
    text = data.draw(nearly_right(form))
    model = taken(form, text)
    if model is None:
        with pytest.raises(documents.UnreadableDocument, match=form.__name__):
            documents.read(form, text)
    else:
        assert values(documents.read(form, text)) == values(model)


@pytest.mark.parametrize("form", RIGHT)
def test_what_components_write_is_taken_at_once(form: type[FileModel]) -> None:
    quick = documents.quickly(form, RIGHT[form])
    assert quick is not None
    assert quick.to_bytes() == RIGHT[form]
    assert values(quick) == values(taken(form, RIGHT[form]))


def test_what_is_derived_of_a_document_is_what_its_model_derives() -> None:
    schema = documents.read(documents.ServedSchema, RIGHT[documents.ServedSchema])
    ranges = [feature.range for feature in factories.SCHEMA_DOCUMENT.features]
    assert [feature.range for feature in schema.features] == ranges
    baseline = documents.read(documents.Baseline, RIGHT[documents.Baseline])
    label = baseline.feature("prediction/label")
    assert values(label) == values(LABEL)
    assert baseline.counted[-1] is label
    assert baseline.feature("nobody") is None
    manifest = documents.read(documents.Manifest, RIGHT[documents.Manifest])
    assert [manifest.file(entry.name) for entry in manifest.files] == manifest.files


def test_structs_are_what_the_models_say() -> None:
    assert struct_source.FILE.read_text(encoding="utf-8") == struct_source.source()


def test_a_copy_of_a_struct_has_no_other_fields() -> None:
    manifest = documents.read(documents.Manifest, RIGHT[documents.Manifest])
    assert manifest.replace(model="other").model == "other"
    with pytest.raises(TypeError):
        manifest.replace(other="model")


def test_structs_have_the_members_of_their_models() -> None:
    found = [form for form in vars(structs).values() if isinstance(form, type)]
    forms = [form for form in found if issubclass(form, Document) and form is not Document]
    assert DriftReport in forms
    for form in forms:
        model = documents.model_of(form)  # type: ignore[type-var]
        told = {field.alias or name for name, field in model.model_fields.items()}
        assert {field.encode_name for field in fields(form)} == told


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            RIGHT[documents.Manifest].replace(b'"model":', b'"model":"other","model":', 1),
            id="a member twice",
        ),
        pytest.param(RIGHT[documents.Manifest] + b" " * 70_000, id="too long"),
        pytest.param(RIGHT[documents.Manifest] + b" ", id="not canonical"),
        pytest.param(b"{}", id="without fields"),
        pytest.param(b"\xff", id="no text"),
    ],
)
def test_a_manifest_is_refused_in_the_words_of_whoever_else_reads_it(text: bytes) -> None:
    said = text.decode(errors="replace")
    digest = sha256_digest(said.encode())
    refused = read_manifest(said.encode(), digest)
    assert isinstance(refused, Finding)
    trust = WHOLE.trust.replace(manifest=said, manifest_digest=digest)
    assert sealed_manifest(trust) == Refused(refused.sentence())


def test_who_reads_what_is_right_never_imports_pydantic(tmp_path: Path) -> None:
    for form, data in RIGHT.items():
        (tmp_path / form.__name__).write_bytes(data)
    code = f"""
import sys, pathlib
from hallmark.api import documents
import hallmark_predictor.process, hallmark_predictor.worker, hallmark.supply_chain.seal
for file in pathlib.Path({str(tmp_path)!r}).iterdir():
    documents.read(getattr(documents, file.name), file.read_bytes())
print([name for name in ("pydantic", "pydantic_core", "fastapi") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
