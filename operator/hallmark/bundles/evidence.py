"""How long what the store says of a version is believed, before its files are read again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hallmark.api import names
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.keys import UnusableKey, moments_of, usable_key
from hallmark.policies.model_version.inputs import Evidence
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED, Known, judged_until

BELIEVED = timedelta(hours=6)
"""Nothing is rolled out on this word alone: every byte is read then. It bounds how long the
version's own conditions may lag behind a store that somebody changed."""


@dataclass(frozen=True)
class _Known:
    """What was found, by which policy, feed and words, at whose request, until when it counts."""

    policy: str
    feed: str
    vex: str
    asked: str
    until: datetime
    evidence: Evidence


class EvidenceMemory:
    """What was found about each version, by its uid. Used by one event loop alone."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._known: dict[str, _Known] = {}

    def recall(
        self,
        version: ModelVersion,
        policy: ModelPolicySpec | None,
        now: datetime,
        feed: Known | None = None,
        vex: str = "",
    ) -> Evidence | None:
        """Return what was found under this very policy, or None where the files must be read.

        Args:
            version: the version.
            policy: the policy that applies.
            now: the time.
            feed: the snapshot of OSV as it was last looked at, where the policy asks for one.
            vex: the digest of what reviewers say today of the version's vulnerabilities.
        """
        if policy is None:
            return None
        uid = version.metadata.uid
        if uid not in self._known:
            shown = _shown(version, policy, now, feed, vex)
            if shown is None:
                return None
            # After a start the versions are read again one after the other, not all at once.
            self._remember(version, policy, shown, now, _spread(uid) * BELIEVED)
        known = self._known[uid]
        found = (known.policy, known.feed, known.vex, known.asked)
        digest = feed.digest if feed else ""
        asked = (policy.digest, digest, vex, asked_by(version))
        return known.evidence if found == asked and now < known.until else None

    def remember(
        self, version: ModelVersion, policy: ModelPolicySpec, evidence: Evidence, now: datetime
    ) -> None:
        """Keep what was found just now; what does not hold is read again by the next look."""
        self._known.pop(version.metadata.uid, None)
        if evidence.refusal is None and evidence.sbom is not None:
            self._remember(version, policy, evidence, now, BELIEVED)

    def until(self, version: ModelVersion) -> datetime | None:
        """Return when the files are to be read again, where anything is known."""
        known = self._known.get(version.metadata.uid)
        return known.until if known else None

    def forget(self, uid: str) -> None:
        """Forget a version that is gone."""
        self._known.pop(uid, None)

    def _remember(
        self,
        version: ModelVersion,
        policy: ModelPolicySpec,
        evidence: Evidence,
        now: datetime,
        time: timedelta,
    ) -> None:
        ends = [evidence.until] if evidence.until else []
        until = min([now + time, *moments_of(policy.signers, now), *ends])
        known = _Known(
            policy.digest, evidence.feed, evidence.vex, asked_by(version), until, evidence
        )
        self._known[version.metadata.uid] = known


def asked_by(version: ModelVersion) -> str:
    """Return which look at its files a version's author asked for."""
    return version.metadata.annotations.get(names.ANNOTATION_RECONCILE, "")


def _shown(
    version: ModelVersion,
    policy: ModelPolicySpec,
    now: datetime,
    feed: Known | None,
    vex: str,
) -> Evidence | None:
    """Return what the status says, where all held under this policy and the key may be used."""
    status = version.status
    held = (
        VersionCondition.VERIFIED,
        VersionCondition.SBOM_READY,
        VersionCondition.POLICY_PASSED,
    )
    digest = feed.digest if feed else ""
    found = (status.policy_digest, status.feed_digest or "", status.vex_digest or "")
    if found != (policy.digest, digest, vex) or not all(map(status.is_true, held)):
        return None
    until = judged_until(feed or NOT_MOUNTED, policy.dependencies.vulnerabilities, now)
    for key in policy.signers:
        usable = usable_key(key, now, version.made_at)
        if key.key_id == status.key_id and not isinstance(usable, UnusableKey):
            passed = status.condition(VersionCondition.POLICY_PASSED)
            return Evidence(
                key_id=key.key_id,
                sbom=status.sbom,
                feed=digest,
                vex=vex,
                remark=passed.message if passed and vex else "",
                until=until,
            )
    return None


def _spread(uid: str) -> float:
    """Return a number between 0 and 1 that follows from a uid."""
    return int(names.short_hash(uid, digits=8), 16) / 0xFFFFFFFF
