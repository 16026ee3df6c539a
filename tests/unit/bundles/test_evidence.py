"""How long what the store says of a version is believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.conditions import Condition, ConditionStatus
from hallmark.api.dependencies import (
    Dependencies,
    Vulnerabilities,
    VulnerabilityException,
)
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion, SBOMSummary
from hallmark.api.texts import timestamp
from hallmark.api.trust import TrustedKey
from hallmark.bundles.evidence import BELIEVED, EvidenceMemory
from hallmark.policies.model_version.inputs import Evidence
from hallmark.refusal import Refusal
from hallmark.supply_chain.vulnerabilities import Known
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    condition,
    policy,
    version as a_version,
)
from tests.unit.supply_chain.factories import KEY, trusted

MINUTE = timedelta(minutes=1)
SBOM = SBOMSummary(components=3, spec_version="1.6")
GOOD = Evidence(key_id=trusted(KEY).key_id, sbom=SBOM)
HELD = ("Verified", "SBOMReady", "PolicyPassed")


def policy_of(*signers: TrustedKey, **changes: Any) -> ModelPolicySpec:  # noqa: ANN401
    spec = policy().spec
    return spec.model_copy(update={"signers": list(signers) or [trusted(KEY)], **changes})


POLICY = policy_of()
OTHER_IMAGES = POLICY.images.model_copy(update={"predictor": "p:2"})


def version(uid: str = "version-1", *, asked: str = "", status: bool = False) -> ModelVersion:
    """Return a version; with ``status`` one of which all was found to hold under ``POLICY``."""
    found = a_version(1)
    marks = {names.ANNOTATION_RECONCILE: asked} if asked else {}
    metadata = found.metadata.model_copy(update={"uid": uid, "annotations": marks})
    found = found.model_copy(update={"metadata": metadata})
    return shown(found) if status else found


def shown(found: ModelVersion, *, under: ModelPolicySpec = POLICY, **changes: Any) -> ModelVersion:  # noqa: ANN401
    status = {
        "conditions": [condition(type_) for type_ in HELD],
        "policy_digest": under.digest,
        "key_id": GOOD.key_id,
        "sbom": SBOM,
        **changes,
    }
    return found.model_copy(update={"status": found.status.model_copy(update=status)})


def remembered(evidence: Evidence = GOOD, under: ModelPolicySpec = POLICY) -> EvidenceMemory:
    memory = EvidenceMemory()
    memory.remember(version(), under, evidence, NOW)
    return memory


@pytest.mark.parametrize(
    ("asking", "under", "later", "known"),
    [
        pytest.param(version(), POLICY, timedelta(), True, id="at once"),
        pytest.param(version(), POLICY, BELIEVED - MINUTE, True, id="until the time is over"),
        pytest.param(version(), POLICY, BELIEVED, False, id="not longer"),
        pytest.param(version("another"), POLICY, MINUTE, False, id="not for another version"),
        pytest.param(version(), None, MINUTE, False, id="not without a policy"),
        pytest.param(
            version(), policy_of(images=OTHER_IMAGES), MINUTE, False, id="not under another policy"
        ),
        pytest.param(version(), policy_of(), MINUTE, True, id="under the same content of a policy"),
        pytest.param(
            version(asked="2026-11-25"), POLICY, MINUTE, False, id="not where a look was asked for"
        ),
    ],
)
def test_what_was_found_is_believed(
    asking: ModelVersion, under: ModelPolicySpec | None, later: timedelta, *, known: bool
) -> None:
    found = remembered().recall(asking, under, NOW + later)
    assert found == (GOOD if known else None)


def test_a_look_that_was_asked_for_is_taken_once() -> None:
    memory, asking = EvidenceMemory(), version(asked="now, please")
    memory.remember(version(), POLICY, GOOD, NOW)
    assert memory.recall(asking, POLICY, NOW) is None
    memory.remember(asking, POLICY, GOOD, NOW)
    assert memory.recall(asking, POLICY, NOW + MINUTE) == GOOD
    assert memory.recall(version(asked="again"), POLICY, NOW + MINUTE) is None


REFUSED = Refusal("SignatureInvalid", "No.")


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        pytest.param(GOOD, True, id="a signature that holds and an SBOM"),
        pytest.param(
            replace(GOOD, policy=REFUSED), True, id="also where the policy is not met by it"
        ),
        pytest.param(replace(GOOD, refusal=REFUSED), False, id="not a signature that fails"),
        pytest.param(replace(GOOD, sbom=None), False, id="not while the SBOM is missing"),
    ],
)
def test_what_does_not_hold_is_read_again_by_the_next_look(found: Evidence, *, kept: bool) -> None:
    memory = remembered()
    memory.remember(version(), POLICY, found, NOW + MINUTE)
    assert memory.recall(version(), POLICY, NOW + MINUTE) == (found if kept else None)
    assert (memory.until(version()) is not None) == kept, "what was known before is forgotten too"


def until(memory: EvidenceMemory) -> datetime | None:
    return memory.until(version())


def key(**moments: timedelta) -> TrustedKey:
    """Return the signer's key whose moments are so far from now."""
    return trusted(KEY, **{name: timestamp(NOW + after) for name, after in moments.items()})


@pytest.mark.parametrize(
    ("signer", "after"),
    [
        pytest.param(key(), BELIEVED, id="the whole time where the key has no end"),
        pytest.param(key(valid_until=MINUTE), MINUTE, id="until the key ends"),
        pytest.param(key(revoked_at=MINUTE), MINUTE, id="until the key is revoked"),
        pytest.param(key(valid_from=MINUTE), MINUTE, id="until the key begins"),
        pytest.param(key(valid_until=BELIEVED * 2), BELIEVED, id="not until an end far away"),
        pytest.param(key(valid_from=-MINUTE), BELIEVED, id="whatever a moment that is over says"),
        pytest.param(
            key(valid_until=2 * MINUTE, revoked_at=MINUTE), MINUTE, id="until the first of moments"
        ),
    ],
)
def test_it_is_believed_no_longer_than_the_keys_stay_as_they_are(
    signer: TrustedKey, after: timedelta
) -> None:
    memory = remembered(under=policy_of(signer))
    assert until(memory) == NOW + after
    assert memory.recall(version(), policy_of(signer), NOW + after - timedelta(seconds=1)) == GOOD
    assert memory.recall(version(), policy_of(signer), NOW + after) is None


def test_any_signer_of_the_policy_counts() -> None:
    other = TrustedKey(
        key_id="f" * 64, public_key="-----BEGIN PUBLIC KEY-----", valid_from=timestamp(NOW + MINUTE)
    )
    assert until(remembered(under=policy_of(trusted(KEY), other))) == NOW + MINUTE


def test_what_is_gone_is_forgotten() -> None:
    memory = remembered()
    memory.forget("version-1")
    memory.forget("version-1")
    assert until(memory) is None
    assert memory.recall(version(), POLICY, NOW) is None


def failed(type_: str) -> list[Condition]:
    return [condition(held, true=held != type_) for held in HELD]


def unknown(type_: str) -> list[Condition]:
    return [
        found.model_copy(update={"status": ConditionStatus.UNKNOWN})
        if found.type == type_
        else found
        for found in map(condition, HELD)
    ]


@pytest.mark.parametrize(
    ("found", "under", "known"),
    [
        pytest.param(version(status=True), POLICY, True, id="where all held"),
        *(
            pytest.param(
                shown(version(), conditions=failed(type_)), POLICY, False, id=f"not without {type_}"
            )
            for type_ in HELD
        ),
        *(
            pytest.param(
                shown(version(), conditions=unknown(type_)),
                POLICY,
                False,
                id=f"not where {type_} is unknown",
            )
            for type_ in HELD
        ),
        pytest.param(version(), POLICY, False, id="not where nothing was found yet"),
        pytest.param(
            version(status=True), policy_of(images=OTHER_IMAGES), False, id="not of another policy"
        ),
        pytest.param(
            shown(version(), key_id="e" * 64), POLICY, False, id="not of a key that is no signer's"
        ),
        *(
            pytest.param(
                shown(version(), under=policy_of(signer)),
                policy_of(signer),
                False,
                id=f"not of a key that {why}",
            )
            for why, signer in (
                ("ended meanwhile", key(valid_until=-MINUTE)),
                ("was revoked meanwhile", key(revoked_at=-MINUTE)),
                ("is not valid yet", key(valid_from=MINUTE)),
            )
        ),
    ],
)
def test_after_a_start_the_status_is_believed(
    found: ModelVersion, under: ModelPolicySpec, *, known: bool
) -> None:
    assert EvidenceMemory().recall(found, under, NOW) == (GOOD if known else None)


def test_after_a_start_versions_are_read_again_one_after_the_other() -> None:
    memory = EvidenceMemory()
    ends = []
    for number in range(100):
        found = version(f"uid-{number}", status=True)
        memory.recall(found, POLICY, NOW)
        end = memory.until(found)
        assert end is not None
        ends.append((end - NOW) / BELIEVED)
    assert all(0 <= end <= 1 for end in ends)
    quarters = [sum(1 for end in ends if low <= end < low + 0.25) for low in (0, 0.25, 0.5, 0.75)]
    assert all(10 <= count <= 40 for count in quarters), "spread in time"


def test_after_a_start_a_restart_moves_no_moment() -> None:
    ends = []
    for _ in range(2):
        memory = EvidenceMemory()
        memory.recall(version(status=True), POLICY, NOW)
        ends.append(until(memory))
    assert ends[0] == ends[1]


def test_after_a_start_a_key_that_ends_soon_ends_the_belief() -> None:
    under = policy_of(key(valid_until=timedelta(seconds=1)))
    memory, found = EvidenceMemory(), shown(version(), under=under)
    assert memory.recall(found, under, NOW) == GOOD
    assert memory.recall(found, under, NOW + timedelta(seconds=1)) is None


def test_when_the_time_is_over_the_status_does_not_renew_it() -> None:
    memory, found = EvidenceMemory(), version(status=True)
    memory.recall(found, POLICY, NOW)
    assert memory.recall(found, POLICY, NOW + BELIEVED) is None
    assert memory.recall(found, POLICY, NOW + BELIEVED * 2) is None


LOOKS = policy_of(dependencies=Dependencies(vulnerabilities=Vulnerabilities()))
FEED, OTHER_FEED = (Known(f"sha256:{digit * 64}", NOW) for digit in "01")


@pytest.mark.parametrize(("feed", "known"), [(FEED, True), (OTHER_FEED, False), (None, False)])
@pytest.mark.parametrize("started", [False, True])
def test_what_was_found_counts_under_the_same_snapshot_alone(
    feed: Known | None, known: bool, started: bool
) -> None:
    found = shown(version(), under=LOOKS, feed_digest=FEED.digest)
    memory = EvidenceMemory()
    evidence = replace(GOOD, feed=FEED.digest)
    if not started:
        memory.remember(found, LOOKS, evidence, NOW)
    assert memory.recall(found, LOOKS, NOW, feed) == (evidence if known else None)


@pytest.mark.parametrize(("words", "known"), [("sha256:1", True), ("sha256:2", False), ("", False)])
@pytest.mark.parametrize("started", [False, True])
def test_what_was_found_counts_while_reviewers_say_the_same_alone(
    words: str, known: bool, started: bool
) -> None:
    found = shown(version(), under=LOOKS, feed_digest=FEED.digest, vex_digest="sha256:1")
    memory = EvidenceMemory()
    if not started:
        memory.remember(found, LOOKS, replace(GOOD, feed=FEED.digest, vex="sha256:1"), NOW)
    assert (memory.recall(found, LOOKS, NOW, FEED, words) is not None) is known


@pytest.mark.parametrize("started", [False, True])
def test_what_time_alone_may_change_is_believed_until_then(started: bool) -> None:
    ends = timestamp(NOW + MINUTE)
    excepted = VulnerabilityException(package="numpy", id="GHSA-1", reason="x", until=ends)
    rules = Vulnerabilities(exceptions=[excepted])
    under = policy_of(dependencies=Dependencies(vulnerabilities=rules))
    found, memory = shown(version(), under=under, feed_digest=FEED.digest), EvidenceMemory()
    if not started:
        evidence = replace(GOOD, feed=FEED.digest, until=NOW + MINUTE)
        memory.remember(found, under, evidence, NOW)
    assert memory.recall(found, under, NOW, FEED) is not None
    end = memory.until(found)
    assert end is not None
    assert end <= NOW + MINUTE
    assert memory.recall(found, under, NOW + MINUTE, FEED) is None
