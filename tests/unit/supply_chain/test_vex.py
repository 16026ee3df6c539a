"""What a reviewer signs about a vulnerability, and what counts for nothing."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, strategies as st

from hallmark.api.common import canonical_json, sha256_digest
from hallmark.api.model_policy import ApproverKey
from hallmark.errors import ConfigurationError
from hallmark.supply_chain.dsse import IN_TOTO, sign_envelope
from hallmark.supply_chain.library import SERVING, TRAINING, Library
from hallmark.supply_chain.vex import (
    Analysis,
    Assessment,
    Heard,
    Justification,
    Sealed,
    document,
    file_name,
    is_named,
    parts_named,
    read_vex,
    sign_vex,
)
from tests.examples import examples
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import KEY, NOW, OTHER_KEY, RUN_ID

BILL = factories.sbom(
    libraries=[
        Library("numpy", "2.4.6"),
        Library("numpy", "2.5.5", used_in=(SERVING,)),
        Library("scikit-learn", "1.9.1", used_in=(TRAINING,)),
    ]
)
RITA = ApproverKey(approver="rita", **factories.trusted().model_dump())
SAID = Assessment(
    vulnerability="CVE-2026-1234",
    parts=("pkg:pypi/numpy@2.4.6", "pkg:pypi/numpy@2.5.5"),
    analysis=Analysis.NOT_AFFECTED,
    justification=Justification.CODE_NOT_REACHABLE,
    detail="numpy.f2py is not imported.",
    at=NOW,
)


def sealed(bill: bytes = BILL, **changes: str) -> Sealed:
    manifest = factories.manifest({f"sbom_{RUN_ID}.cdx.json": bill, "model.onnx": b"x"}, **changes)
    return Sealed(manifest, sha256_digest(manifest.to_bytes()), json.loads(bill))


SEALED = sealed()


def heard(envelope: bytes, about: Sealed = SEALED, **key: str) -> Heard | str:
    return read_vex(envelope, about, [RITA.replace(**key)], NOW)


def test_what_a_reviewer_signed_is_heard() -> None:
    found = heard(sign_vex(KEY, SEALED, SAID))
    assert found == Heard(SAID, "rita", RITA.key_id)
    assert isinstance(found, Heard)
    assert found.sentence() == (
        "CVE-2026-1234 in numpy: not_affected (code_not_reachable), says rita since "
        "2026-06-01: numpy.f2py is not imported."
    )


@pytest.mark.parametrize("analysis", Analysis)
@pytest.mark.parametrize("justification", [None, *Justification])
def test_the_document_is_valid_and_its_refs_lead_to_the_bill(
    analysis: Analysis, justification: Justification | None
) -> None:
    serial = SEALED.bill["serialNumber"]
    parts = (*SAID.parts, "pkg:deb/debian/a@1%2B2?arch=all")
    said = replace(SAID, analysis=analysis, justification=justification, parts=parts)
    found = document(said, serial)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found)) is None
    (vulnerability,) = found["vulnerabilities"]
    link = f"urn:cdx:{serial.removeprefix('urn:uuid:')}/1#"
    assert vulnerability["affects"][0] == {"ref": f"{link}pkg%3Apypi%2Fnumpy%402.4.6"}
    if analysis is not Analysis.NOT_AFFECTED or justification:
        assert heard(sign_vex(KEY, SEALED, said)) == Heard(said, "rita", RITA.key_id)


def test_a_package_is_meant_in_all_its_versions() -> None:
    assert parts_named(SEALED.bill, "numpy") == SAID.parts
    assert parts_named(SEALED.bill, "torch") == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"vulnerability": "a b"}, "Expected an id such as CVE-2026-1234, found 'a b'"),
        ({"vulnerability": ""}, "Expected an id"),
        ({"parts": ()}, "Expected a component"),
        ({"justification": None}, "Expected a justification, found none: one of code_not_present"),
        ({"detail": " "}, "Expected a detail on one line"),
        ({"detail": "a\nb"}, "Expected a detail on one line"),
        ({"detail": "a" * 1025}, "Expected a detail on one line"),
    ],
)
def test_what_makes_no_sense_is_not_signed(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        sign_vex(KEY, SEALED, replace(SAID, **changes))


STATEMENT = json.loads(base64.b64decode(json.loads(sign_vex(KEY, SEALED, SAID))["payload"]))


def signed(**changes: object) -> bytes:
    """Return another statement by the reviewer's key."""
    return canonical_json(sign_envelope(KEY, IN_TOTO, canonical_json({**STATEMENT, **changes})))


def with_vulnerability(**changes: object) -> bytes:
    (vulnerability,) = STATEMENT["predicate"]["vulnerabilities"]
    changed = {**STATEMENT["predicate"], "vulnerabilities": [{**vulnerability, **changes}]}
    return signed(predicate=changed)


SOMETHING_ELSE = "signed something else than VEX about these bytes"
NO_KEY = "No trusted key of an approver"


@pytest.mark.parametrize(
    ("envelope", "sentence"),
    [
        pytest.param(sign_vex(OTHER_KEY, SEALED, SAID), NO_KEY, id="a stranger's"),
        pytest.param(sign_vex(KEY, sealed(namespace="other"), SAID), SOMETHING_ELSE, id="another"),
        pytest.param(
            signed(predicateType="https://slsa.dev/provenance/v1"), SOMETHING_ELSE, id="p"
        ),
        pytest.param(signed(extra=1), SOMETHING_ELSE, id="a field more"),
        pytest.param(signed(predicate=7), SOMETHING_ELSE, id="a number"),
        pytest.param(with_vulnerability(id=7), SOMETHING_ELSE, id="an id that is a number"),
        pytest.param(with_vulnerability(analysis={"state": "fine"}), SOMETHING_ELSE, id="a word"),
        pytest.param(with_vulnerability(affects=[]), SOMETHING_ELSE, id="no component"),
        pytest.param(with_vulnerability(ratings=[]), SOMETHING_ELSE, id="more than is read"),
        pytest.param(b"{}", "without 'payload'", id="no envelope"),
        pytest.param(b"\xff", "not UTF-8", id="no text"),
        pytest.param(b" " * 70_000, "70000 bytes", id="more bytes than are read"),
    ],
)
def test_what_counts_for_nothing(envelope: bytes, sentence: str) -> None:
    found = heard(envelope)
    assert isinstance(found, str)
    assert sentence in found


@pytest.mark.parametrize(
    "key",
    [
        {"revoked_at": "2026-05-01T00:00:00Z"},
        {"valid_until": "2026-05-01T00:00:00Z"},
        {"valid_from": "2026-07-01T00:00:00Z"},
        {"key_id": "0" * 64},
    ],
)
def test_a_key_that_is_not_valid_today_says_nothing(key: dict[str, str]) -> None:
    found = heard(sign_vex(KEY, SEALED, SAID), **key)
    assert isinstance(found, str)
    assert NO_KEY in found


def test_a_seal_is_no_vex_and_a_vex_is_named_by_its_digest() -> None:
    envelope = sign_vex(KEY, SEALED, SAID)
    name = file_name(envelope)
    assert name == f"vex/{sha256_digest(envelope).removeprefix('sha256:')}.json"
    assert is_named(name)
    for other in (name.upper(), f"a/{name}", name[4:], f"{name}/", "vex/../manifest.json"):
        assert not is_named(other)
    later = sign_vex(KEY, SEALED, replace(SAID, at=NOW + timedelta(seconds=1)))
    assert file_name(later) != name


@given(st.binary(max_size=20), st.integers(0, 2000), st.integers(0, 20))
@examples(50)
def test_no_bytes_end_the_reading(noise: bytes, start: int, cut: int) -> None:
    data = sign_vex(KEY, SEALED, SAID)
    assert heard(data[:start] + noise + data[start + cut :]) is not None


@given(st.binary(max_size=20), st.integers(0, 2000), st.integers(0, 20))
@examples(50)
def test_no_payload_of_a_reviewers_ends_the_reading(noise: bytes, start: int, cut: int) -> None:
    payload = canonical_json(STATEMENT)
    changed = payload[:start] + noise + payload[start + cut :]
    found = heard(canonical_json(sign_envelope(KEY, IN_TOTO, changed)))
    assert changed == payload or isinstance(found, str | Heard)
