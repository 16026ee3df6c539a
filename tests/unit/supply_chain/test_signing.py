"""Signatures: what verifies, what is refused and why, and that nothing hostile passes or raises."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from hypothesis import given, strategies as st

from hallmark.api.reasons import VersionReason
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.api.trust import TrustedKey
from hallmark.keys import public_pem
from hallmark.refusal import Refusal
from hallmark.supply_chain.dsse import IN_TOTO, pae, sign_envelope
from hallmark.supply_chain.signing import (
    VerifiedSignature,
    named_signer,
    sign_bundle,
    verify_bundle,
)
from tests.unit.supply_chain.factories import KEY, MODEL, NOW, OTHER_KEY, trusted

RESOURCES = {name: sha256_digest(name.encode()) for name in ("a.json", "manifest.json", "z.onnx")}
BUNDLE = sign_bundle(KEY, MODEL, RESOURCES)
VALID = VerifiedSignature(trusted().key_id, MODEL)


def verify(
    bundle: str = BUNDLE,
    *keys: TrustedKey,
    resources: dict[str, str] = RESOURCES,
) -> VerifiedSignature | Refusal:
    return verify_bundle(bundle, keys or (trusted(OTHER_KEY), trusted()), resources, NOW)


def test_our_signature_verifies_with_our_key() -> None:
    assert verify() == VALID


@pytest.mark.parametrize(
    ("key", "reason", "sentence"),
    [
        pytest.param(
            trusted(OTHER_KEY),
            VersionReason.UNKNOWN_SIGNER,
            "not among the 1 trusted signers",
            id="an unknown signer",
        ),
        pytest.param(
            trusted(revoked_at="2026-06-01T12:00:00Z"),
            VersionReason.SIGNER_REVOKED,
            "was revoked at 2026-06-01T12:00:00Z",
            id="a key that is revoked now",
        ),
        pytest.param(
            trusted(valid_from="2026-06-01T12:00:01Z"),
            VersionReason.SIGNER_EXPIRED,
            "not valid before",
            id="a key that is not valid yet",
        ),
        pytest.param(
            trusted(valid_until="2026-06-01T12:00:00Z"),
            VersionReason.SIGNER_EXPIRED,
            "was valid until",
            id="a key at its end",
        ),
        pytest.param(
            trusted(OTHER_KEY).model_copy(update={"key_id": trusted().key_id}),
            VersionReason.UNKNOWN_SIGNER,
            "the SHA-256 of its public key",
            id="an id that is another key's",
        ),
        pytest.param(
            trusted(public_key="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
            VersionReason.UNKNOWN_SIGNER,
            "cannot be used",
            id="a key that is no key",
        ),
        pytest.param(
            trusted().model_copy(update={"valid_until": "2026-99-99T00:00:00Z"}),
            VersionReason.UNKNOWN_SIGNER,
            "cannot be used",
            id="a validity that is no time",
        ),
    ],
)
def test_a_key_is_refused(key: TrustedKey, reason: VersionReason, sentence: str) -> None:
    found = verify(BUNDLE, key)
    assert isinstance(found, Refusal)
    assert found.reason is reason
    assert sentence in found.message


def test_a_key_within_its_validity_passes() -> None:
    key = trusted(
        valid_from="2026-06-01T12:00:00Z",
        valid_until="2026-06-01T12:00:01Z",
        revoked_at="2026-06-01T12:00:01Z",
    )
    assert verify(BUNDLE, key) == VALID


def test_one_revoked_entry_for_a_key_outweighs_another_that_is_valid() -> None:
    found = verify(BUNDLE, trusted(), trusted(revoked_at="2026-01-01T00:00:00Z"))
    assert isinstance(found, Refusal)
    assert found.reason is VersionReason.SIGNER_REVOKED


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        pytest.param({**RESOURCES, "new": sha256_digest(b"")}, "not signed: new", id="one more"),
        pytest.param(
            {k: v for k, v in RESOURCES.items() if k != "a.json"},
            "signed, but not in the manifest: a.json",
            id="one less",
        ),
        pytest.param(
            {**RESOURCES, "a.json": sha256_digest(b"")},
            "another digest: a.json",
            id="another digest",
        ),
        pytest.param({}, "not in the manifest", id="none"),
    ],
)
def test_other_resources_are_refused(resources: dict[str, str], sentence: str) -> None:
    found = verify(resources=resources)
    assert isinstance(found, Refusal)
    assert sentence in found.message


def edited(change: Callable[[Any], object]) -> str:
    """Return the bundle after an edit that needs no key."""
    bundle = json.loads(BUNDLE)
    change(bundle)
    return json.dumps(bundle)


def resigned(change: Callable[[Any], object], payload_type: str = IN_TOTO) -> str:
    """Return a bundle over an edited statement, validly signed by the trusted key."""
    bundle = json.loads(BUNDLE)
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(statement)
    payload = json.dumps(statement).encode()
    bundle["dsseEnvelope"] = sign_envelope(KEY, payload_type, payload)
    return json.dumps(bundle)


def signed_with(hash_: SHA256 | SHA384, message: Callable[[bytes], bytes]) -> str:
    """Return the bundle with a signature over ``message(payload)``."""
    bundle = json.loads(BUNDLE)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    signature = KEY.sign(message(payload), ec.ECDSA(hash_))
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return canonical_json(bundle).decode()


@pytest.mark.parametrize(
    ("bundle", "sentence"),
    [
        pytest.param("", "not JSON", id="nothing"),
        pytest.param("null", "not an object", id="null"),
        pytest.param(" " * 20_000, "20000 bytes", id="more than is read"),
        pytest.param("\ud800", "not JSON", id="half a surrogate pair"),
        pytest.param('{"mediaType":1,' + BUNDLE[1:], "a name twice", id="a name twice"),
        pytest.param(edited(lambda b: b.update(extra=1)), "unknown field", id="an unknown field"),
        pytest.param(
            edited(lambda b: b.update(mediaType=b["mediaType"].replace("0.3", "0.1"))),
            "media type",
            id="an older bundle",
        ),
        pytest.param(
            edited(lambda b: b["verificationMaterial"].update(tlogEntries=[{}])),
            "transparency log",
            id="a log entry nobody checks",
        ),
        pytest.param(
            edited(lambda b: b["verificationMaterial"].update(certificate={})),
            "unknown field",
            id="a certificate",
        ),
        pytest.param(
            edited(lambda b: b["verificationMaterial"]["publicKey"].update(hint=None)),
            "hint",
            id="no hint",
        ),
        pytest.param(
            edited(lambda b: b["dsseEnvelope"].update(payloadType="text/plain")),
            "payload type",
            id="another payload type",
        ),
        pytest.param(
            edited(lambda b: b["dsseEnvelope"]["signatures"].append({"sig": "AA=="})),
            "2 signatures where exactly one",
            id="two signatures",
        ),
        pytest.param(
            edited(lambda b: b["dsseEnvelope"].update(signatures=[])),
            "0 signatures",
            id="no signature",
        ),
        pytest.param(
            edited(lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid="x")),
            "keyid",
            id="a keyid",
        ),
        pytest.param(
            edited(lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="A===")),
            "base64",
            id="a signature that is not base64",
        ),
        pytest.param(
            edited(lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="AAAA")),
            "not made by the key",
            id="a signature that is no signature",
        ),
        pytest.param(
            sign_bundle(OTHER_KEY, MODEL, RESOURCES).replace(
                trusted(OTHER_KEY).key_id, trusted().key_id
            ),
            "not made by the key",
            id="a stranger's signature under a trusted hint",
        ),
        pytest.param(signed_with(SHA384(), lambda p: pae(IN_TOTO, p)), "not made by", id="SHA-384"),
        pytest.param(signed_with(SHA256(), lambda p: p), "not made by", id="no PAE"),
        pytest.param(
            signed_with(SHA256(), lambda p: pae("text/plain", p)),
            "not made by",
            id="a signature for another payload type",
        ),
        pytest.param(
            resigned(lambda s: None, "application/json"), "payload type", id="signed as JSON"
        ),
        pytest.param(
            resigned(lambda s: s.update(predicateType="https://slsa.dev/provenance/v1")),
            "type of statement or predicate",
            id="signed provenance instead",
        ),
        pytest.param(
            resigned(lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")),
            "type of statement",
            id="an older statement",
        ),
        pytest.param(
            resigned(lambda s: s["subject"].append(s["subject"][0])), "subject", id="two subjects"
        ),
        pytest.param(
            resigned(lambda s: s["subject"][0]["digest"].update(sha256="0" * 64)),
            "not that of its resources",
            id="a subject of other resources",
        ),
        pytest.param(
            resigned(lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0])),
            "of its own",
            id="a resource twice",
        ),
        pytest.param(
            resigned(lambda s: s["predicate"]["resources"][0].update(algorithm="blake2b")),
            "SHA-256",
            id="another hash",
        ),
        pytest.param(
            resigned(lambda s: s["predicate"]["serialization"].update(method="shards")),
            "another method",
            id="shards",
        ),
        pytest.param(
            resigned(lambda s: s["predicate"]["serialization"].update(allow_symlinks=True)),
            "symbolic links",
            id="symbolic links",
        ),
        pytest.param(
            resigned(lambda s: s["predicate"].update(more={})), "unknown field", id="more predicate"
        ),
    ],
)
def test_a_bundle_is_refused(bundle: str, sentence: str) -> None:
    found = verify(bundle)
    assert isinstance(found, Refusal)
    assert found.reason is VersionReason.SIGNATURE_INVALID
    assert sentence in found.message


def test_a_key_on_another_curve_is_refused() -> None:
    pem = public_pem(ec.generate_private_key(ec.SECP384R1()).public_key())
    found = verify(BUNDLE, trusted(public_key=pem))
    assert isinstance(found, Refusal)
    assert "P-256" in found.message


@given(st.integers(min_value=0), st.text(max_size=8), st.integers(0, 8))
def test_a_changed_bundle_never_raises_and_never_vouches_for_anything_else(
    at: int, noise: str, cut: int
) -> None:
    at %= len(BUNDLE) + 1
    found = verify(BUNDLE[:at] + noise + BUNDLE[at + cut :])
    assert isinstance(found, Refusal) or found == VALID


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def paths(value: object, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the way to every value inside ``value``."""
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [prefix] * bool(prefix) + [
        path for name, inner in items for path in paths(inner, (*prefix, name))
    ]


def replace(value: Any, path: tuple[str | int, ...], new: object) -> None:  # noqa: ANN401
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = new


BUNDLE_PATHS = paths(json.loads(BUNDLE))
STATEMENT_PATHS = paths(json.loads(base64.b64decode(json.loads(BUNDLE)["dsseEnvelope"]["payload"])))


@given(st.sampled_from(BUNDLE_PATHS), JSON)
def test_any_value_in_the_bundle_may_be_anything(path: tuple[str | int, ...], new: object) -> None:
    found = verify(edited(lambda bundle: replace(bundle, path, new)))
    assert isinstance(found, Refusal) or found == VALID


@given(st.sampled_from(STATEMENT_PATHS), JSON)
def test_any_value_in_a_signed_statement_may_be_anything(
    path: tuple[str | int, ...], new: object
) -> None:
    found = verify(resigned(lambda statement: replace(statement, path, new)))
    assert isinstance(found, Refusal) or found.key_id == VALID.key_id


def test_a_bundle_names_its_signer_whether_it_verifies_or_not() -> None:
    assert named_signer(BUNDLE) == trusted().key_id
    for damaged in ("", "{}", BUNDLE[:-9], BUNDLE.replace("hint", "hind"), "[" * 9999):
        assert named_signer(damaged) is None
