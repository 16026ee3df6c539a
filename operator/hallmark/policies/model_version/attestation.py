"""An approver's own signature over a decision: portable, so no uid is in it.

A DSSE envelope by the approver's key over the canonical JSON of model, digests, decision and
targets. It vouches for the approver where somebody else applies the object (a relay).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api.common import canonical_json, parse_timestamp
from hallmark.api.model_approval import ApprovalReason, ModelApprovalSpec
from hallmark.api.model_policy import ApproverKey, TrustedKey
from hallmark.errors import ConfigurationError
from hallmark.policies.refusals import Refusal
from hallmark.supply_chain.dsse import (
    MalformedEnvelope,
    is_signed_by,
    open_envelope,
    sign_envelope,
)
from hallmark.supply_chain.keys import key_id, load_public_key

PAYLOAD_TYPE = "application/vnd.hallmark.approval.v1+json"


def payload(model: str, spec: ModelApprovalSpec) -> bytes:
    """Return what an approver signs for a decision on a version of ``model``."""
    return canonical_json(
        {
            "model": model,
            "manifestDigest": spec.manifest_digest,
            "sbomDigest": spec.sbom_digest,
            "gateReportDigest": spec.gate_report_digest,
            "decision": spec.decision.value,
            "targets": sorted(spec.targets),
        }
    )


def attest(key: ec.EllipticCurvePrivateKey, model: str, spec: ModelApprovalSpec) -> str:
    """Return the text for ``spec.attestation``."""
    return json.dumps(sign_envelope(key, PAYLOAD_TYPE, payload(model, spec)))


def verify_attestation(
    model: str, spec: ModelApprovalSpec, keys: Sequence[ApproverKey], now: datetime
) -> Refusal | None:
    """Return why the attestation does not vouch for the approver; None where it does.

    Args:
        model: the model of the version that is decided on.
        spec: the decision.
        keys: the policy's approver keys.
        now: the moment at which the key must be valid (aware).
    """
    own = [key for key in keys if key.approver == spec.approver and is_usable(key, now)]
    if not own:
        return _invalid(f"the policy has no valid key of approver '{spec.approver}'")
    try:
        envelope = json.loads(spec.attestation or "")
        found, signature = open_envelope(envelope, PAYLOAD_TYPE)
    except MalformedEnvelope as error:
        return _invalid(f"the envelope has {error}")
    except (ValueError, RecursionError):
        return _invalid("it is no JSON")
    if found != payload(model, spec):
        return _invalid("it was made for another model, digest, decision or target")
    for key in own:
        if is_signed_by(load_public_key(key.public_key), PAYLOAD_TYPE, found, signature):
            return None
    return _invalid(f"no valid key of approver '{spec.approver}' made the signature")


def is_usable(key: TrustedKey, now: datetime) -> bool:
    """Tell whether a key reads, has the id it claims, and is valid at ``now``."""
    try:
        if key_id(key.public_key) != key.key_id:
            return False
    except ConfigurationError:
        return False
    return not (
        (key.revoked_at is not None and parse_timestamp(key.revoked_at) <= now)
        or (key.valid_from is not None and now < parse_timestamp(key.valid_from))
        or (key.valid_until is not None and parse_timestamp(key.valid_until) <= now)
    )


def _invalid(why: str) -> Refusal:
    return Refusal(
        ApprovalReason.ATTESTATION_INVALID,
        f"The attestation does not count: {why}. Sign the decision again with the approver's key "
        f"and create a new ModelApproval.",
    )
