"""What a step of a key's life changes in a ModelPolicy, and whom it would lock out. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hallmark.api.model_policy import ApproverKey, ModelPolicySpec
from hallmark.api.texts import timestamp
from hallmark.api.trust import TrustedKey
from hallmark.errors import ConfigurationError
from hallmark.keys import KeyFault, Purpose, UnusableKey, usable_key

FIELDS = {
    Purpose.SEAL: "signers",
    Purpose.APPROVE: "approvers",
    Purpose.AUDIT: "auditors",
}
"""Where a ModelPolicy lists the keys of each purpose."""


@dataclass(frozen=True)
class Change:
    """What a step makes of a policy.

    Args:
        spec: the policy's spec afterwards.
        fields: those of its fields that change, in wire form; None removes one.
        operations: the same as a JSON patch, which fails where the entry is not the one meant.
    """

    spec: ModelPolicySpec
    fields: Mapping[str, Any]
    operations: Sequence[Mapping[str, Any]]

    def command(self, policy: str) -> str:
        """Return the kubectl command that does the same."""
        patch = shlex.quote(json.dumps(list(self.operations)))
        return f"kubectl patch modelpolicy {policy} --type=json -p {patch}"


def keys_of(spec: ModelPolicySpec, purpose: Purpose) -> Sequence[TrustedKey]:
    """Return the keys that a policy trusts for a purpose."""
    match purpose:
        case Purpose.SEAL:
            return spec.signers
        case Purpose.APPROVE:
            return spec.approvers
        case Purpose.AUDIT:
            return spec.auditors


def found_key(spec: ModelPolicySpec, purpose: Purpose, beginning: str) -> TrustedKey:
    """Return the one key of a purpose whose id begins so.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    keys = keys_of(spec, purpose)
    found = [key for key in keys if beginning and key.key_id.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(key.key_id[:12] for key in keys) or "none"
    raise ConfigurationError(
        f"Expected the beginning of the id of one key in '{FIELDS[purpose]}', found "
        f"'{beginning}', which fits {len(found)}; there are: {known}."
    )


def added(spec: ModelPolicySpec, purpose: Purpose, key: TrustedKey, approver: str = "") -> Change:
    """Return the change after which a policy trusts one more key.

    Raises:
        ConfigurationError: it trusts the key already, for this or another purpose.
    """
    for other in Purpose:
        if any(key.key_id == known.key_id for known in keys_of(spec, other)):
            raise ConfigurationError(
                f"Expected a key of its own for each purpose, found that the policy lists "
                f"{key.key_id[:12]} in '{FIELDS[other]}' already; make another one with "
                f"'hallmark keys create {purpose}'."
            )
    if bool(approver) != (purpose is Purpose.APPROVE):
        raise ConfigurationError(
            "Expected --approver NAME for a key with which somebody approves, and for no other."
        )
    wire = key.to_wire()
    if approver:
        wire = ApproverKey.model_validate({**wire, "approver": approver}).to_wire()
    listed = [*(known.to_wire() for known in keys_of(spec, purpose)), wire]
    field = FIELDS[purpose]
    operation = (
        {"op": "add", "path": f"/spec/{field}/-", "value": wire}
        if len(listed) > 1
        else {"op": "add", "path": f"/spec/{field}", "value": listed}
    )
    return _change(spec, {field: listed}, operation)


def made_current(spec: ModelPolicySpec, key: TrustedKey, *, first: bool, now: datetime) -> Change:
    """Return the change after which another key seals.

    Args:
        spec: the policy.
        key: one of its signers.
        first: whether it is the key in the Secret without an id in its name.
        now: when it must be valid (aware).

    Raises:
        ConfigurationError: the key counts for nothing now, so that nothing could be sealed.
    """
    usable = usable_key(key, now)
    if isinstance(usable, UnusableKey):
        raise ConfigurationError(
            f"Expected a key that counts, found that {key.key_id[:12]} {usable.why}: nothing could "
            "be sealed with it."
        )
    if first:
        removed = [{"op": "remove", "path": "/spec/sealWith"}] if spec.seal_with else []
        return _change(spec, {"sealWith": None}, *removed)
    operation = {"op": "add", "path": "/spec/sealWith", "value": key.key_id}
    return _change(spec, {"sealWith": key.key_id}, operation)


def retired(
    spec: ModelPolicySpec, purpose: Purpose, key: TrustedKey, at: datetime, current: str | None
) -> Change:
    """Return the change after which a key's validity ends; what was seen before counts on.

    Args:
        spec: the policy.
        purpose: what the key is for.
        key: it.
        at: when its validity ends (aware).
        current: the id of the key that its component signs with; None where nobody knows.

    Raises:
        ConfigurationError: it would lock somebody out.
    """
    if isinstance(refused := usable_key(key, at), UnusableKey):
        if refused.fault is KeyFault.REVOKED:
            raise ConfigurationError(
                f"Expected a key that was not revoked, found that {key.key_id[:12]} {refused.why}."
            )
        if refused.fault is KeyFault.OUT_OF_VALIDITY and key.valid_until:
            raise ConfigurationError(
                f"Expected an end before {key.valid_until}, which is that of {key.key_id[:12]} "
                f"already, found {timestamp(at)}: an end is brought forward, never put off."
            )
    _require_another(spec, purpose, key, at, current)
    return _marked(spec, purpose, key, "validUntil", at)


def revoked(spec: ModelPolicySpec, purpose: Purpose, key: TrustedKey, at: datetime) -> Change:
    """Return the change after which nothing that a key ever signed counts.

    Raises:
        ConfigurationError: it was revoked before that.
    """
    if key.revoked_at is not None and isinstance(usable_key(key, at), UnusableKey):
        raise ConfigurationError(f"{key.key_id[:12]} was revoked at {key.revoked_at} already.")
    return _marked(spec, purpose, key, "revokedAt", at)


def left_without(
    spec: ModelPolicySpec, purpose: Purpose, key: TrustedKey, at: datetime, current: str | None
) -> str | None:
    """Return the sentence on what could not be signed any more without a key, or None.

    Args:
        spec: the policy.
        purpose: what the key is for.
        key: the one that is to go.
        at: when (aware).
        current: the id of the key that its component signs with; None where nobody knows.
    """
    if purpose is Purpose.APPROVE:
        return None  # An approver without a key approves through the API server.
    others = [
        other
        for other in keys_of(spec, purpose)
        if other.key_id != key.key_id and not isinstance(usable_key(other, at), UnusableKey)
    ]
    if not others:
        return (
            f"'{FIELDS[purpose]}' has no other key that is valid then. Make one and add it first: "
            f"hallmark keys create {purpose}"
        )
    if current is None:
        return (
            "Which key its component signs with could not be read. Make another one current first: "
            f"hallmark keys use {purpose} {others[-1].key_id[:12]}"
        )
    if current == key.key_id:
        return (
            "It is the key that its component signs with. Make another one current first: "
            f"hallmark keys use {purpose} {others[-1].key_id[:12]}"
        )
    return None


def _require_another(
    spec: ModelPolicySpec, purpose: Purpose, key: TrustedKey, at: datetime, current: str | None
) -> None:
    if lacking := left_without(spec, purpose, key, at, current):
        raise ConfigurationError(f"{key.key_id[:12]} is not retired: {lacking}")


def _marked(
    spec: ModelPolicySpec, purpose: Purpose, key: TrustedKey, mark: str, at: datetime
) -> Change:
    """Return the change that gives a key's entry a moment."""
    field = FIELDS[purpose]
    listed = [known.to_wire() for known in keys_of(spec, purpose)]
    index = next(i for i, wire in enumerate(listed) if wire["keyId"] == key.key_id)
    listed[index] = {**listed[index], mark: timestamp(at)}
    path = f"/spec/{field}/{index}"
    return _change(
        spec,
        {field: listed},
        {"op": "test", "path": f"{path}/keyId", "value": key.key_id},
        {"op": "add", "path": f"{path}/{mark}", "value": timestamp(at)},
    )


def _change(
    spec: ModelPolicySpec, fields: Mapping[str, Any], *operations: Mapping[str, Any]
) -> Change:
    wire = {**spec.to_wire(), **fields}
    made = {name: value for name, value in wire.items() if value is not None}
    return Change(ModelPolicySpec.model_validate(made), fields, operations)
