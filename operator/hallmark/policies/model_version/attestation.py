"""An approver's own signature over a decision: portable, so no ModelVersion's uid is in it.

A DSSE envelope by the approver's key over canonical JSON: every field of the decision but the
reference to the ModelVersion, the model, and an id of its own. It vouches for the approver where
somebody else applies the object (a relay). Who withdrew it has withdrawn it for good: another one
with another id must be signed.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api.model_approval import ApprovalReason, ModelApprovalSpec
from hallmark.api.model_policy import ApproverKey
from hallmark.api.texts import canonical_json, clip, sha256_digest
from hallmark.errors import ConfigurationError
from hallmark.keys import KeyFault, Signer, UnusableKey, load_public_key, usable_key
from hallmark.refusal import Refusal
from hallmark.supply_chain.dsse import (
    MalformedEnvelope,
    is_signed_by,
    open_envelope,
    sign_envelope,
)
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

PAYLOAD_TYPE = "application/vnd.hallmark.approval.v2+json"
MAX_BYTES = 16384
"""A longer envelope is refused unread; it is also the bound in ModelApproval."""
_ID = re.compile(r"[a-f0-9]{32}")


def payload(model: str, spec: ModelApprovalSpec, attestation_id: str) -> bytes:
    """Return what an approver signs for a decision on a version of ``model``."""
    end = {} if spec.not_after is None else {"notAfter": spec.not_after}
    shown = {} if spec.shown_digest is None else {"shownDigest": spec.shown_digest}
    said = {} if spec.assessment is None else {"assessment": spec.assessment.to_wire()}
    return canonical_json(
        {
            "id": attestation_id,
            "model": model,
            "manifestDigest": spec.manifest_digest,
            "sbomDigest": spec.sbom_digest,
            "gateReportDigest": spec.gate_report_digest,
            "decision": spec.decision.value,
            "approver": spec.approver,
            "reason": spec.reason,
            "targets": sorted(spec.targets),
            **end,
            **shown,
            **said,
        }
    )


def attest(
    key: Signer,
    model: str,
    spec: ModelApprovalSpec,
    attestation_id: str | None = None,
) -> str:
    """Return the text for ``spec.attestation``, with a new id unless one is given."""
    signed = payload(model, spec, attestation_id or secrets.token_hex(16))
    return json.dumps(sign_envelope(key, PAYLOAD_TYPE, signed))


def attestation_digest(spec: ModelApprovalSpec) -> str | None:
    """Return what identifies an attestation: the digest of what is signed, or None.

    Not that of the envelope: whoever has one can write another envelope of the same signature.
    """
    if not spec.attestation:
        return None
    try:
        return sha256_digest(_opened(spec.attestation)[0])
    except (MalformedEnvelope, UnreadableJSON):
        return None


def attesting_key(
    model: str, spec: ModelApprovalSpec, keys: Sequence[ApproverKey], now: datetime
) -> str | Refusal:
    """Return the id of the key that vouches for the approver, or why none does.

    Args:
        model: the model of the version that is decided on.
        spec: the decision.
        keys: the policy's approver keys.
        now: the moment at which the key must be valid (aware).
    """
    try:
        found, signature = _opened(spec.attestation or "")
        attestation_id = parse_object(found, MAX_BYTES).get("id")
    except (MalformedEnvelope, UnreadableJSON) as error:
        return _invalid(f"the envelope has {clip(str(error))}")
    if not isinstance(attestation_id, str) or not _ID.fullmatch(attestation_id):
        return _invalid("what was signed has no id of 32 hex digits")
    if found != payload(model, spec, attestation_id):
        return _invalid(
            "it was made for another model, digest, decision, approver, reason, assessment, target "
            "or end"
        )
    own = [key for key in keys if key.approver == spec.approver]
    for key in own:
        public = _public(key)
        if public is not None and is_signed_by(public, PAYLOAD_TYPE, found, signature):
            return fallen_key(key.key_id, spec.approver, keys, now) or key.key_id
    return _invalid(
        f"the policy has no valid key of approver '{spec.approver}' that made the signature"
    )


def fallen_key(
    key_id: str | None,
    approver: str,
    keys: Iterable[ApproverKey],
    now: datetime,
    seen_at: datetime | None = None,
) -> Refusal | None:
    """Return why a key of an approver vouches for nothing today, or None where it does.

    Args:
        key_id: the key that signed.
        approver: whose it must be.
        keys: the policy's approver keys.
        now: the moment at which the key must not be revoked (aware).
        seen_at: when the operator accepted what it signed, at which it must have been valid; None:
            it must be valid now.
    """
    entries = [entry for entry in keys if entry.key_id == key_id]
    if approver not in {entry.approver for entry in entries}:
        return _invalid(
            f"the policy has no valid key of approver '{approver}' that made the signature"
        )
    # Each entry of a key counts that takes trust away, and a revocation under any name.
    for entry in entries:
        key = usable_key(entry, now, seen_at)
        revoked = isinstance(key, UnusableKey) and key.fault is KeyFault.REVOKED
        if isinstance(key, UnusableKey) and (revoked or entry.approver == approver):
            reason = ApprovalReason.KEY_REVOKED if revoked else ApprovalReason.ATTESTATION_INVALID
            return _invalid(f"the key {key_id} of approver '{approver}' {key.why}", reason)
    return None


def _public(entry: ApproverKey) -> ec.EllipticCurvePublicKey | None:
    try:
        return load_public_key(entry.public_key)
    except ConfigurationError:
        return None


def _opened(text: str) -> tuple[bytes, bytes]:
    return open_envelope(parse_object(text, MAX_BYTES), PAYLOAD_TYPE)


def _invalid(why: str, reason: ApprovalReason = ApprovalReason.ATTESTATION_INVALID) -> Refusal:
    return Refusal(
        reason,
        f"The attestation does not count: {why}. Sign the decision again with the approver's key "
        f"and create a new ModelApproval.",
    )
