"""A bundle that was sealed elsewhere, adopted if a trusted key sealed it for this model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hallmark.api.model_version import ModelVersion, Requester
from hallmark.api.texts import sha256_digest
from hallmark.api.training_run import TrainingRun
from hallmark.policies.training_run.adoption import bundle_lies_in_the_store
from hallmark.policies.training_run.decide import decide_run
from hallmark.policies.training_run.inputs import RunInputs, SealedVersion
from hallmark.policies.training_run.seal import Evidence
from hallmark.supply_chain.manifest import FileFact
from tests.unit.policies.training_run import runs
from tests.unit.supply_chain.factories import OTHER_KEY, trusted

DIGEST = runs.bundle().digest
PLACE = f"s3://hallmark/models/{runs.NAMESPACE}.{runs.MODEL}/{DIGEST.removeprefix('sha256:')}"
FACTS = {file.name: FileFact(file.digest, file.size) for file in runs.bundle().manifest.files}
NOBODY = Evidence(None, None, None)


def adopting(uri: str = PLACE, digest: str = DIGEST, **changes: Any) -> TrainingRun:  # noqa: ANN401
    return runs.run(
        dataset=None, schema=None, sealed={"uri": uri, "manifestDigest": digest}, **changes
    )


def inputs(**changes: Any) -> RunInputs:  # noqa: ANN401
    whole = {
        "run": adopting(),
        "evidence": replace(runs.bundle().evidence, facts=FACTS),
        "requester": Requester(name="alice", authenticated=True),
        "urls": None,
        **changes,
    }
    return runs.inputs(**whole)


def reason(found: RunInputs) -> tuple[str, str, str]:
    decided = decide_run(found)
    assert decided.wanted is None
    said = {one.type: one for one in decided.decision.conditions}
    return said["Ready"].reason, said["Stalled"].status, said["Ready"].message


def test_a_bundle_of_a_trusted_key_becomes_a_version_and_two_records() -> None:
    decided = decide_run(inputs())

    assert isinstance(decided.wanted, SealedVersion)
    spec = decided.wanted.spec(7)
    assert (spec.version, spec.artifact.manifest_digest, spec.artifact.uri) == (7, DIGEST, PLACE)
    assert spec.training_run.uid == runs.UID
    assert spec.requested_by == Requester(name="alice", authenticated=True)
    assert [(record.event, record.outcome) for record in decided.decision.records] == [
        ("gate", "passed"),
        ("seal", "sealed"),
    ]
    assert {record.details["manifestDigest"] for record in decided.decision.records} == {DIGEST}


def test_a_run_made_again_under_the_name_adopts_nothing_twice() -> None:
    wanted = decide_run(inputs()).wanted
    assert isinstance(wanted, SealedVersion)
    meta = adopting().metadata
    version = ModelVersion(metadata=meta, spec=wanted.spec(1))
    again = adopting()
    again = again.replace(metadata=again.metadata.replace(uid="another"))
    assert reason(inputs(run=again, version=version))[:2] == ("AlreadySealed", "False")
    other = adopting(digest=sha256_digest(b"other"))
    other = other.replace(metadata=other.metadata.replace(uid="another"))
    assert reason(inputs(run=other, version=version))[:2] == ("SpecConflict", "True")


@pytest.mark.parametrize("missing", ["manifest", "bundle", "report"])
def test_a_bundle_that_is_not_there_yet_is_waited_for(missing: str) -> None:
    found = replace(runs.bundle().evidence, **{missing: None})
    assert reason(inputs(evidence=found))[:2] == ("BundleMissing", "False")
    decided = decide_run(inputs(evidence=NOBODY)).decision
    assert decided.requeue
    assert decided.records == ()


def _changed(name: str, fact: FileFact | None) -> Evidence:
    facts = {**FACTS, name: fact} if fact else {k: v for k, v in FACTS.items() if k != name}
    return replace(runs.bundle().evidence, facts=facts)  # type: ignore[arg-type]


STRANGER = runs.policy(signers=[trusted(OTHER_KEY).to_wire()])
REVOKED = runs.policy(signers=[trusted(revoked_at="2026-01-01T00:00:00Z").to_wire()])
RETIRED = runs.policy(signers=[trusted(valid_until="2026-02-01T00:00:00Z").to_wire()])
STRICT = runs.policy(gates=[{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.99"}])
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a key that the policy does not trust": ({"policy": STRANGER}, "SealRefused", "trusted"),
    "a key that was revoked": ({"policy": REVOKED}, "SealRefused", "revoked"),
    "a retired key, backdated or not: nobody saw it seal in time": (
        {"policy": RETIRED},
        "SealRefused",
        "was valid until",
    ),
    "a policy whose floor it misses": ({"policy": STRICT}, "GateFailed", "0.99"),
    "a place outside the store": (
        {"run": adopting(uri="s3://elsewhere/bundle")},
        "InvalidSpec",
        PLACE,
    ),
    "a model of another name": ({"run": adopting(model="other")}, "InvalidSpec", "bank.other"),
    "bytes that changed": (
        {"evidence": _changed("baseline.json", FileFact(sha256_digest(b"x"), 1))},
        "SealRefused",
        "baseline.json",
    ),
    "a file that is missing": (
        {"evidence": _changed("baseline.json", None)},
        "SealRefused",
        "baseline.json",
    ),
    "another manifest": (
        {"evidence": replace(runs.bundle().evidence, facts=FACTS, manifest="{}")},
        "SealRefused",
        "Manifest",
    ),
    "another report": (
        {"evidence": replace(runs.bundle().evidence, facts=FACTS, report=b"{}")},
        "SealRefused",
        "report.json",
    ),
}


@pytest.mark.parametrize(("changes", "why", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_it_is_refused_for(changes: dict[str, Any], why: str, words: str) -> None:
    found, stalled, said = reason(inputs(**changes))
    assert (found, stalled) == (why, "True")
    assert words in said


def test_a_bundle_of_another_namespace_is_refused_though_it_lies_here() -> None:
    away = adopting(uri=PLACE.replace("bank.", "shop."))
    away = away.replace(metadata=away.metadata.replace(namespace="shop"))
    assert reason(inputs(run=away))[0] == "SealRefused"


def test_a_suspended_run_adopts_nothing() -> None:
    assert reason(inputs(run=adopting(suspend=True)))[:2] == ("Suspended", "False")


def test_without_a_policy_a_bundle_waits_for_one() -> None:
    found = inputs(policy=None)
    assert bundle_lies_in_the_store(found) is None
    assert reason(found)[0] == "PolicyMissing"
