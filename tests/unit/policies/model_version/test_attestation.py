"""What an approver's own signature covers, how strictly it is read, and that it counts once."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, strategies as st

from hallmark.api.model_approval import ModelApprovalSpec
from hallmark.api.model_policy import ApproverKey
from hallmark.policies.model_version.attestation import (
    MAX_BYTES,
    attest,
    attestation_digest,
    attesting_key,
)
from hallmark.refusal import Refusal
from tests.unit.policies.model_version.ballots import RITA, approval
from tests.unit.policies.training_run.runs import MODEL, NOW
from tests.unit.supply_chain.factories import KEY, OTHER_KEY, trusted

OTHER = "sha256:" + "9" * 64
END = "2026-07-01T00:00:00Z"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ROB = ApproverKey.model_validate({**trusted(KEY).to_wire(), "approver": "rob"})


def signed(**spec: Any) -> ModelApprovalSpec:  # noqa: ANN401
    return approval(attested=True, **{"notAfter": END, "targets": ["loans", "cards"], **spec}).spec


def read(spec: ModelApprovalSpec, model: str = MODEL, *keys: ApproverKey) -> str | Refusal:
    return attesting_key(model, spec, keys or [RITA, ROB], NOW)


def refusal(spec: ModelApprovalSpec, model: str = MODEL) -> Refusal:
    found = read(spec, model)
    assert isinstance(found, Refusal)
    return found


def test_what_was_signed_holds() -> None:
    assert read(signed()) == RITA.key_id


CHANGES: dict[str, Any] = {
    "manifestDigest": OTHER,
    "sbomDigest": OTHER,
    "gateReportDigest": OTHER,
    "decision": "Denied",
    "approver": "rob",
    "reason": "Somebody else's reason.",
    "targets": ["loans", "production"],
    "notAfter": "2036-07-01T00:00:00Z",
    "shownDigest": OTHER,
    "assessment": {"vulnerability": "CVE-1", "package": "numpy", "analysis": "resolved"},
}
"""Another value for each field that is signed."""
NOT_SIGNED = {"modelVersion", "attestation"}
"""The reference is held against the version itself, so that an attestation is portable."""


def test_every_field_of_a_decision_is_signed() -> None:
    fields = {field.alias or name for name, field in ModelApprovalSpec.model_fields.items()}
    assert fields - NOT_SIGNED == CHANGES.keys()


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_that_was_changed_after_signing_is_refused(field: str) -> None:
    changed = {**signed().to_wire(), field: CHANGES[field]}
    assert "was made for another" in refusal(ModelApprovalSpec.model_validate(changed)).message


@pytest.mark.parametrize("field", ["notAfter", "targets"])
def test_a_field_that_was_taken_out_after_signing_is_refused(field: str) -> None:
    wire = signed().to_wire()
    del wire[field]
    assert "was made for another" in refusal(ModelApprovalSpec.model_validate(wire)).message


def test_a_field_that_was_added_after_signing_is_refused() -> None:
    bare = approval(attested=True).spec.to_wire()
    for added in ({"notAfter": END}, {"targets": ["loans"]}):
        spec = ModelApprovalSpec.model_validate({**bare, **added})
        assert "was made for another" in refusal(spec).message


def test_the_model_is_signed() -> None:
    assert "was made for another model" in refusal(signed(), "another").message


def test_the_order_of_targets_says_nothing() -> None:
    wire = signed().to_wire()
    wire["targets"].reverse()
    assert read(ModelApprovalSpec.model_validate(wire)) == RITA.key_id


def test_another_persons_key_vouches_for_nobody_else() -> None:
    spec = approval(approver="rob").spec
    forged = spec.replace(attestation=attest(OTHER_KEY, MODEL, spec))
    assert "no valid key of approver 'rob'" in refusal(forged).message


# --- the envelope ----------------------------------------------------------------------------


def envelope() -> dict[str, Any]:
    opened: dict[str, Any] = json.loads(signed().attestation or "")
    return opened


def without_padding(text: str) -> str:
    return text.rstrip("=") if text.endswith("=") else text + "===="


def other_bits(text: str) -> str:
    """Return base64 that a lenient reader takes for the same bytes."""
    body = text.rstrip("=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    if len(body) == len(text):
        return text[:8] + "\n" + text[8:]
    return body[:-1] + letters[letters.index(body[-1]) | 1] + text[len(body) :]


LENIENT: dict[str, Callable[[dict[str, Any]], str]] = {
    "a payload given twice": lambda made: json.dumps(made).replace(
        '"payload":', '"payload": "e30=", "payload":', 1
    ),
    "a payload given twice, the good one first": lambda made: json.dumps(made).replace(
        '"payloadType"', '"payload": "e30=", "payloadType"', 1
    ),
    "signatures given twice": lambda made: json.dumps(made)[:-1] + ', "signatures": []}',
    "an unknown member": lambda made: json.dumps({**made, "comment": "hello"}),
    "an unknown member of the signature": lambda made: json.dumps(
        {**made, "signatures": [{**made["signatures"][0], "cert": ""}]}
    ),
    "no signature": lambda made: json.dumps({**made, "signatures": []}),
    "two signatures": lambda made: json.dumps({**made, "signatures": made["signatures"] * 2}),
    "a key id": lambda made: json.dumps(
        {**made, "signatures": [{**made["signatures"][0], "keyid": "k"}]}
    ),
    "another payload type": lambda made: json.dumps({**made, "payloadType": "text/plain"}),
    "the payload type of an older release": lambda made: json.dumps(
        {**made, "payloadType": "application/vnd.hallmark.approval.v1+json"}
    ),
    "base64 without its padding": lambda made: json.dumps(
        {**made, "payload": without_padding(made["payload"])}
    ),
    "base64 with other spare bits": lambda made: json.dumps(
        {**made, "payload": other_bits(made["payload"])}
    ),
    "base64 with a line break": lambda made: json.dumps(
        {**made, "payload": made["payload"][:8] + "\n" + made["payload"][8:]}
    ),
    "base64 of the other alphabet": lambda made: json.dumps(
        {**made, "payload": base64.urlsafe_b64encode(b"\xff\xfe" * 9).decode()}
    ),
    "a payload that is a list": lambda made: json.dumps({**made, "payload": [made["payload"]]}),
    "more than is read": lambda made: json.dumps(made) + " " * MAX_BYTES,
    "something behind it": lambda made: json.dumps(made) + "{}",
    "a list": lambda made: json.dumps([made]),
    "nothing but null": lambda _: "null",
    "a number of many digits": lambda _: "9" * 5000,
    "very deep nesting": lambda _: "[" * 5000,
}


@pytest.mark.parametrize("change", LENIENT.values(), ids=LENIENT)
def test_an_envelope_is_read_in_one_way_or_not_at_all(
    change: Callable[[dict[str, Any]], str],
) -> None:
    text = change(envelope())
    # However long it is: the CRD's bound is not the reader's only one.
    spec = signed().model_copy(update={"attestation": text})
    assert refusal(spec).reason == "AttestationInvalid"


@given(
    st.text(max_size=300)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    ).map(json.dumps)
)
def test_no_text_passes_for_an_attestation_or_breaks_anything(text: str) -> None:
    spec = approval().spec.replace(attestation=text)
    assert isinstance(read(spec), Refusal)
    assert attestation_digest(spec) is None


@pytest.mark.parametrize("bad", ["", "x", "0" * 31, "0" * 33, "G" * 32, None, 7])
def test_what_is_signed_has_an_id(bad: str | int | None) -> None:
    spec = approval().spec
    made: Any = bad
    attested = spec.replace(attestation=attest(OTHER_KEY, MODEL, spec, made or ""))
    if made:
        assert refusal(attested).reason == "AttestationInvalid"
    else:
        assert read(attested) == RITA.key_id, "an id is made where none is given"


# --- identity --------------------------------------------------------------------------------


def test_two_attestations_of_the_same_decision_are_two() -> None:
    assert attestation_digest(signed()) != attestation_digest(signed())


def test_another_envelope_of_the_same_signature_is_the_same_attestation() -> None:
    spec = signed()
    opened = json.loads(spec.attestation or "")
    r, s = decode_dss_signature(base64.b64decode(opened["signatures"][0]["sig"]))
    mirrored = encode_dss_signature(r, P256_ORDER - s)
    opened["signatures"][0]["sig"] = base64.b64encode(mirrored).decode()
    again = spec.replace(attestation=json.dumps(opened, indent=1))
    assert read(again) == RITA.key_id, "the curve has two signatures for each"
    assert attestation_digest(again) == attestation_digest(spec)


# --- keys ------------------------------------------------------------------------------------

REVOKED = {"revoked_at": "2026-05-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        pytest.param([RITA.replace(**REVOKED)], "KeyRevoked", id="a revoked key"),
        pytest.param(
            [RITA.replace(**REVOKED), ROB.replace(approver="rita")],
            "KeyRevoked",
            id="a revoked key beside a good one that did not sign",
        ),
        pytest.param(
            [RITA.replace(valid_until="2026-05-01T00:00:00Z")],
            "AttestationInvalid",
            id="a key that ended",
        ),
        pytest.param(
            [RITA.replace(valid_from="2026-08-01T00:00:00Z")],
            "AttestationInvalid",
            id="a key that is not valid yet",
        ),
        pytest.param([ROB], "AttestationInvalid", id="no key"),
        pytest.param(
            [RITA.replace(key_id="0" * 64)], "AttestationInvalid", id="a key with another id"
        ),
        pytest.param(
            [RITA.replace(public_key="no key")], "AttestationInvalid", id="a key that is none"
        ),
    ],
)
def test_a_key_that_vouches_for_nothing(keys: list[ApproverKey], reason: str) -> None:
    found = read(signed(), MODEL, *keys)
    assert isinstance(found, Refusal)
    assert found.reason == reason
    assert "Sign the decision again" in found.message
