"""The keys that a verifier trusts: his input, never something that the chain brings along. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from hallmark.api.model_policy import ApproverKey, ModelPolicySpec
from hallmark.api.trust import TrustedKey
from hallmark.keys import Purpose, key_id, load_public_key, public_pem


@dataclass(frozen=True)
class Trusted:
    """Public keys by purpose.

    Args:
        signers: that seal models.
        auditors: that sign the audit log.
        approvers: with which people attest their decisions.
    """

    signers: tuple[TrustedKey, ...] = ()
    auditors: tuple[TrustedKey, ...] = ()
    approvers: tuple[ApproverKey, ...] = ()

    @classmethod
    def of_policy(cls, spec: ModelPolicySpec) -> Self:
        """Return the keys that a ModelPolicy lists."""
        return cls(tuple(spec.signers), tuple(spec.auditors), tuple(spec.approvers))

    def __or__(self, other: Trusted) -> Trusted:
        """Return the keys of both."""
        return Trusted(
            (*self.signers, *other.signers),
            (*self.auditors, *other.auditors),
            (*self.approvers, *other.approvers),
        )


def trusted_key(purpose: Purpose, pem: str, approver: str = "") -> Trusted:
    """Return one key that is trusted for one purpose.

    Args:
        purpose: what for.
        pem: the public key.
        approver: whose it is, for an approver's key.

    Raises:
        ConfigurationError: it is no public key on P-256.
    """
    public = public_pem(load_public_key(pem))
    key = {"key_id": key_id(public), "public_key": public}
    match purpose:
        case Purpose.SEAL:
            return Trusted(signers=(TrustedKey(**key),))
        case Purpose.AUDIT:
            return Trusted(auditors=(TrustedKey(**key),))
        case Purpose.APPROVE:
            return Trusted(approvers=(ApproverKey(approver=approver, **key),))


def all_of(parts: Iterable[Trusted]) -> Trusted:
    """Return the keys of all parts."""
    found = Trusted()
    for part in parts:
        found = found | part
    return found
