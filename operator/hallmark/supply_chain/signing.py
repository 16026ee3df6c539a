"""Model signatures in the OpenSSF model signing v1.0 format, with keys.

A Sigstore bundle v0.3 holds a DSSE envelope, which holds an in-toto Statement v1 whose predicate
lists every file. Only ECDSA P-256/SHA-256 is signed and accepted, exactly one signature, no
certificate and no transparency log: what the verifier does not know it refuses.

https://github.com/sigstore/model-transparency, https://docs.sigstore.dev/about/bundle/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api.files import BUNDLE
from hallmark.api.reasons import VersionReason
from hallmark.api.texts import canonical_json, clip
from hallmark.keys import KeyFault, Signer, UnusableKey, key_id, usable_key
from hallmark.refusal import Refusal
from hallmark.supply_chain.dsse import (
    IN_TOTO,
    MalformedEnvelope,
    is_signed_by,
    open_envelope,
    sign_envelope,
    take,
)
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

if TYPE_CHECKING:
    from hallmark.api.trust import TrustedKey

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
MAX_BYTES = 16384
"""A bundle that is longer is refused unread; it is also the bound in ModelVersion."""

PROVENANCE_FOLDER = "provenance"
_IGNORED = [BUNDLE, PROVENANCE_FOLDER]
"""What stands beside the signed files in the store, so that other verifiers ignore it."""

_HEX64 = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True)
class VerifiedSignature:
    """A trusted key signed exactly the expected files."""

    key_id: str
    model: str


def sign_bundle(private_key: Signer, model: str, resources: Mapping[str, str]) -> str:
    """Return the text of ``model.sigstore.json``.

    Args:
        private_key: A key on P-256.
        model: The model's name.
        resources: Digest (``sha256:...``) by name of every file, with ``manifest.json``.
    """
    payload = canonical_json(_statement(model, resources))
    bundle = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            "publicKey": {"hint": key_id(private_key)},
            "tlogEntries": [],
        },
        "dsseEnvelope": sign_envelope(private_key, IN_TOTO, payload),
    }
    return canonical_json(bundle).decode()


def verify_bundle(
    bundle: str,
    keys: Sequence[TrustedKey],
    resources: Mapping[str, str],
    now: datetime,
    seen_at: datetime | None = None,
) -> VerifiedSignature | Refusal:
    """Return who signed exactly these resources, or why the bundle is refused.

    Never raises, whatever ``bundle`` and the keys hold.

    Args:
        bundle: The text of ``model.sigstore.json``.
        keys: The keys that are trusted, with their validity.
        resources: Digest (``sha256:...``) by name that the signature must cover: no more, no less.
        now: The moment at which the key must not be revoked (aware).
        seen_at: When somebody who is trusted with that first saw the signature, for the format has
            no time of signing; None: the key must be valid now.
    """
    try:
        hint, payload, signature = _read_bundle(bundle)
        key = _trusted(hint, keys, now, seen_at)
        if isinstance(key, Refusal):
            return key
        if not is_signed_by(key, IN_TOTO, payload, signature):
            return _invalid(f"The signature was not made by the key {hint} over this payload.")
        model, signed = _read_statement(payload)
    except (MalformedEnvelope, UnreadableJSON) as error:
        return _invalid(
            "Expected an OpenSSF model signature v1.0 in a Sigstore bundle v0.3; "
            f"found {clip(str(error))}."
        )
    if signed != dict(resources):
        return _invalid(_difference(signed, resources))
    return VerifiedSignature(hint, model)


def named_signer(bundle: str) -> str | None:
    """Return the id of the key that a bundle says it is signed with, or None; nothing is verified.

    Never raises, whatever ``bundle`` holds.
    """
    try:
        return _read_bundle(bundle)[0]
    except (MalformedEnvelope, UnreadableJSON):
        return None


def not_signed(bundle: str, model: str, resources: Mapping[str, str]) -> str:
    """Return how a bundle is about something else; empty where it is about exactly these resources.

    Who signed it is not looked at. Never raises, whatever ``bundle`` holds.

    Args:
        bundle: The text of ``model.sigstore.json``.
        model: The name that it must give the model.
        resources: As in ``verify_bundle``.
    """
    try:
        named, signed = _read_statement(_read_bundle(bundle)[1])
    except (MalformedEnvelope, UnreadableJSON) as error:
        return f"Expected an OpenSSF model signature v1.0, found {clip(str(error))}."
    if named != model:
        return f"Expected a signature that names the model '{model}', found '{clip(named, 64)}'."
    return "" if signed == dict(resources) else _difference(signed, resources)


def is_trusted_signature(
    keys: Sequence[TrustedKey],
    payload_type: str,
    payload: bytes,
    signature: bytes,
    now: datetime,
    seen_at: datetime | None = None,
) -> str | None:
    """Return the id of the trusted key that made a signature, or None where none of them did.

    Args:
        keys: The keys that are trusted, with their validity.
        payload_type: Of the envelope.
        payload: What was signed.
        signature: In DER.
        now: The moment at which the key must not be revoked (aware).
        seen_at: As in ``verify_bundle``.
    """
    for entry in keys:
        key = _trusted(entry.key_id, keys, now, seen_at)
        if not isinstance(key, Refusal) and is_signed_by(key, payload_type, payload, signature):
            return entry.key_id
    return None


def _statement(model: str, resources: Mapping[str, str]) -> dict[str, Any]:
    hexes = {name: each.removeprefix("sha256:") for name, each in sorted(resources.items())}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": model, "digest": {"sha256": _root(list(hexes.values()))}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": _IGNORED,
            },
            "resources": [
                {"name": name, "algorithm": "sha256", "digest": each}
                for name, each in hexes.items()
            ],
        },
    }


def _root(hexes: Sequence[str]) -> str:
    """Return the format's digest of a model: SHA-256 over its files' digests, in their order."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, hexes))).hexdigest()


def _read_bundle(text: str) -> tuple[str, bytes, bytes]:
    """Return key hint, payload and signature, as yet unverified."""
    parts = {"mediaType", "verificationMaterial", "dsseEnvelope"}
    bundle = take(parse_object(text, MAX_BYTES), "the bundle", parts)
    if bundle["mediaType"] != MEDIA_TYPE:
        raise MalformedEnvelope("another media type")
    material = take(
        bundle["verificationMaterial"],
        "verificationMaterial",
        {"publicKey"},
        {"tlogEntries", "timestampVerificationData"},
    )
    if material.get("tlogEntries") or material.get("timestampVerificationData"):
        raise MalformedEnvelope("entries of a transparency log or a time stamp")
    hint = take(material["publicKey"], "publicKey", {"hint"})["hint"]
    payload, signature = open_envelope(bundle["dsseEnvelope"], IN_TOTO)
    return _hex64(hint, "hint"), payload, signature


def _read_statement(payload: bytes) -> tuple[str, dict[str, str]]:
    """Return the model's name and its files' digests by name, which a trusted key signed."""
    parts = {"_type", "subject", "predicateType", "predicate"}
    statement = take(parse_object(payload, MAX_BYTES), "the statement", parts)
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PREDICATE_TYPE:
        raise MalformedEnvelope("another type of statement or predicate")
    predicate = take(statement["predicate"], "the predicate", {"serialization", "resources"})
    serialization = take(
        predicate["serialization"],
        "serialization",
        {"method", "hash_type", "allow_symlinks"},
        {"ignore_paths"},
    )
    if (serialization["method"], serialization["hash_type"]) != ("files", "sha256"):
        raise MalformedEnvelope("another method or hash than files by sha256")
    if serialization["allow_symlinks"] is not False:
        raise MalformedEnvelope("symbolic links among the files")
    resources = _read_resources(predicate["resources"])
    name, digest = _read_subject(statement["subject"])
    if digest != _root([each.removeprefix("sha256:") for each in resources.values()]):
        raise MalformedEnvelope("a subject whose digest is not that of its resources")
    return name, resources


def _read_subject(value: object) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 1:
        raise MalformedEnvelope("not exactly one subject")
    subject = take(value[0], "the subject", {"name", "digest"})
    if not isinstance(subject["name"], str):
        raise MalformedEnvelope("a subject whose name is no text")
    digest = take(subject["digest"], "the subject's digest", {"sha256"})["sha256"]
    return subject["name"], _hex64(digest, "the subject's digest")


def _read_resources(value: object) -> dict[str, str]:
    if not isinstance(value, list):
        raise MalformedEnvelope("resources that are no list")
    found: dict[str, str] = {}
    for each in value:
        resource = take(each, "a resource", {"name", "algorithm", "digest"})
        name = resource["name"]
        if not isinstance(name, str) or name in found or resource["algorithm"] != "sha256":
            raise MalformedEnvelope("a resource without a name of its own or a SHA-256")
        found[name] = f"sha256:{_hex64(resource['digest'], 'a digest')}"
    return found


def _hex64(value: object, what: str) -> str:
    if not isinstance(value, str) or not _HEX64.fullmatch(value):
        raise MalformedEnvelope(f"{what} that is not 64 hex digits")
    return value


def _trusted(
    hint: str, keys: Sequence[TrustedKey], now: datetime, seen_at: datetime | None
) -> ec.EllipticCurvePublicKey | Refusal:
    """Return the key of that id if every entry for it may be used."""
    entries = [each for each in keys if each.key_id == hint]
    if not entries:
        return Refusal(
            VersionReason.UNKNOWN_SIGNER,
            f"The bundle names the key {hint}, which is not among the {len(keys)} trusted "
            "signers. Sign with a trusted key, or add this one to the policy's signers.",
        )
    for entry in entries:
        key = usable_key(entry, now, seen_at)
        if isinstance(key, UnusableKey):
            return _unusable(hint, key)
        found = key
    return found


def _unusable(hint: str, key: UnusableKey) -> Refusal:
    advice = " Correct the policy." if key.fault is KeyFault.MISCONFIGURED else ""
    return Refusal(_REASONS[key.fault], f"The key {hint} {key.why}.{advice}")


_REASONS = {
    KeyFault.MISCONFIGURED: VersionReason.UNKNOWN_SIGNER,
    KeyFault.REVOKED: VersionReason.SIGNER_REVOKED,
    KeyFault.OUT_OF_VALIDITY: VersionReason.SIGNER_EXPIRED,
}


def _invalid(message: str) -> Refusal:
    return Refusal(VersionReason.SIGNATURE_INVALID, message)


def _difference(signed: Mapping[str, str], expected: Mapping[str, str]) -> str:
    """Say which files differ between what was signed and what should be."""
    parts = [
        (word, sorted(names))
        for word, names in (
            ("not signed", expected.keys() - signed.keys()),
            ("signed, but not in the manifest", signed.keys() - expected.keys()),
            (
                "signed with another digest",
                {n for n in expected.keys() & signed.keys() if signed[n] != expected[n]},
            ),
        )
        if names
    ]
    text = "; ".join(f"{word}: {', '.join(names)}" for word, names in parts)
    return f"The signature does not cover exactly the manifest's files. {clip(text, 512)}."
