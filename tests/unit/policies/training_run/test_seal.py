"""Which sealed evidence becomes a ModelVersion, and which does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hallmark.api.model_version import Requester
from hallmark.api.texts import sha256_digest
from hallmark.policies.training_run.seal import Claim, Evidence, Seal, sealed_spec, verify_claim
from hallmark.refusal import Refusal
from tests.unit.policies.training_run.runs import (
    MODEL,
    NAMESPACE,
    SBOM,
    bundle,
    claim,
    policy,
    run,
    trained,
)
from tests.unit.supply_chain.factories import OTHER_KEY, trusted

OTHER = "sha256:" + "9" * 64


def evidence(**changes: Any) -> Evidence:  # noqa: ANN401
    return replace(bundle().evidence, **changes)


def outcome(**changes: Any) -> Claim:  # noqa: ANN401
    return claim(outcome=bundle().sealed.replace(**changes))


def test_honest_evidence_becomes_the_spec_of_a_version() -> None:
    seal = verify_claim(claim())
    assert isinstance(seal, Seal)
    spec = sealed_spec(seal, 7, Requester(name="alice", authenticated=False, relay="argo"))
    assert spec.version == 7
    assert spec.requested_by == Requester(name="alice", authenticated=False, relay="argo")
    folder = f"models/{NAMESPACE}.{MODEL}/{bundle().digest.removeprefix('sha256:')}"
    assert spec.artifact.uri == f"s3://hallmark/{folder}", "never where the Job says"
    assert spec.artifact.size == sum(each.size for each in bundle().manifest.files)
    assert spec.sbom_digest == sha256_digest(SBOM)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        pytest.param(
            outcome(manifest_digest=OTHER), "manifest digest", id="another manifest was sealed"
        ),
        pytest.param(
            claim(evidence=evidence(manifest=None)), "no manifest.json", id="no manifest there"
        ),
        pytest.param(
            claim(evidence=evidence(bundle=None)), "no model.sigstore.json", id="no signature there"
        ),
        pytest.param(claim(evidence=evidence(report=None)), "no report.json", id="no report there"),
        pytest.param(
            claim(evidence=evidence(manifest=bundle().evidence.manifest + " ")),
            "digest",
            id="one byte was added to the manifest",
        ),
        pytest.param(
            claim(evidence=evidence(report=bundle().report + b" ")),
            "report.json",
            id="one byte was added to the report",
        ),
        pytest.param(
            claim(policy=policy(signers=[trusted(OTHER_KEY).to_wire()]).spec),
            "not among the 1 trusted",
            id="a foreign key signed",
        ),
        pytest.param(
            claim(
                policy=policy(signers=[trusted(valid_until="2026-02-01T00:00:00Z").to_wire()]).spec
            ),
            "was valid until",
            id="a retired key signed",
        ),
        pytest.param(
            claim(run=trained(datasetFingerprint=OTHER)), "fingerprint", id="of another dataset"
        ),
        pytest.param(
            claim(
                run=trained().replace(spec=run(trainer={"seed": 9}).spec),
            ),
            "spec digest",
            id="of another spec",
        ),
        pytest.param(
            claim(
                run=trained(manifestDigest=bundle(namespace="thief").digest),
                outcome=bundle(namespace="thief").sealed,
                evidence=bundle(namespace="thief").evidence,
            ),
            "namespace",
            id="sealed for another namespace",
        ),
        pytest.param(outcome(sbom_digest=OTHER), "SBOM", id="the Job named another SBOM"),
        pytest.param(outcome(gate_report_digest=None), "report.json", id="the Job named no report"),
        pytest.param(
            outcome(baseline_digest=OTHER), "baseline.json", id="the Job named another baseline"
        ),
    ],
)
def test_evidence_that_does_not_hold_is_refused(made: Claim, words: str) -> None:
    found = verify_claim(made)
    assert isinstance(found, Refusal)
    assert found.reason == "SealRefused"
    assert words in found.message


def test_the_policys_floors_are_judged_from_the_sealed_report() -> None:
    floor = {"metric": "rocAuc", "comparison": "AtLeast", "threshold": "0.8"}
    found = verify_claim(claim(policy=policy(gates=[floor]).spec))
    assert isinstance(found, Refusal)
    assert found.reason == "GateFailed"
    assert found.message == (
        "The policy's gate rocAuc failed: expected at least 0.8, it could not be measured."
    )
