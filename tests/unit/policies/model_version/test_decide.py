"""What holds of a version today."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from hallmark.api.common import NamespacedMeta
from hallmark.api.conditions import Condition, ConditionStatus
from hallmark.api.dependencies import Severity
from hallmark.api.model_deployment import (
    HistoryEntry,
    ModelDeployment,
    ModelDeploymentSpec,
    ModelDeploymentStatus,
    Outcome,
)
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import sha256_digest, timestamp
from hallmark.policies.decision import Decision
from hallmark.policies.model_deployment.record import used_versions
from hallmark.policies.model_version.checks import summarise
from hallmark.policies.model_version.decide import decide_version
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.supply_chain.osv_entry import Vulnerability
from hallmark.supply_chain.vulnerabilities import Known
from tests.unit.policies.model_version.ballots import RITA, VOUCHED_SINCE, approval
from tests.unit.policies.training_run.runs import NOW, SBOM, bundle, policy, version
from tests.unit.supply_chain.factories import OTHER_KEY, trusted

OTHER = "sha256:" + "9" * 64
APPROVERS = [RITA.to_wire()]
FLAW = Vulnerability("numpy", "2.4.6", "GHSA-1", ("CVE-1",), Severity.HIGH, "3.0")


def inputs(**changes: Any) -> VersionInputs:  # noqa: ANN401
    base = VersionInputs(
        version=version(),
        now=NOW,
        policy_name="default",
        policy=policy(approvers=APPROVERS),
        manifest=bundle().evidence.manifest,
        report=bundle().report,
        sbom=SBOM,
        vouched_since=VOUCHED_SINCE,
    )
    return replace(base, **changes)


def said(decision: Decision) -> dict[str, str]:
    return {each.type: f"{each.status}/{each.reason}" for each in decision.conditions}


STATES = [
    pytest.param(
        inputs(),
        {
            "Verified": "True/SignatureValid",
            "PolicyPassed": "True/PolicyPassed",
            "Approved": "False/AwaitingApproval",
            "Denied": "False/NotDenied",
            "SBOMReady": "True/SBOMRecorded",
            "Ready": "True/Sealed",
        },
        id="a sealed version is verified and waits for approval",
    ),
    pytest.param(
        inputs(approvals=(approval(),)),
        {"Approved": "True/Approved"},
        id="one approval is enough where the policy asks for one",
    ),
    pytest.param(
        inputs(
            approvals=(approval(),),
            policy=policy(approvers=APPROVERS, approvals={"minimum": 2}),
        ),
        {"Approved": "False/AwaitingApproval"},
        id="one approval is not enough where the policy asks for two",
    ),
    pytest.param(
        inputs(approvals=(approval(), approval("no", approver="rob", decision="Denied"))),
        {
            "Approved": "False/Denied",
            "Denied": "True/Denied",
            "Ready": "False/Denied",
            "Stalled": "True/Denied",
        },
        id="a denial beats an approval",
    ),
    pytest.param(
        inputs(approvals=(approval(), approval("no", approver="rob", decision="Revoked"))),
        {"Approved": "False/Revoked", "Revoked": "True/Revoked", "Ready": "False/Revoked"},
        id="a revocation beats an approval",
    ),
    pytest.param(
        inputs(policy=None, approvals=(approval(),)),
        {
            "Verified": "Unknown/PolicyMissing",
            "Approved": "False/PolicyMissing",
            "Ready": "False/PolicyMissing",
        },
        id="without a policy nothing is known",
    ),
    pytest.param(
        inputs(manifest=None),
        {"Verified": "False/SignatureInvalid", "Ready": "False/Refused"},
        id="a manifest that is gone verifies nothing",
    ),
    pytest.param(
        inputs(manifest=(bundle().evidence.manifest or "").replace("onnx", "onny") + " "),
        {"Verified": "False/SignatureInvalid", "Stalled": "True/Refused"},
        id="a changed manifest does not verify",
    ),
    pytest.param(
        inputs(policy=policy(signers=[trusted(OTHER_KEY).to_wire()])),
        {"Verified": "False/UnknownSigner"},
        id="a signer that the policy dropped signs nothing",
    ),
    pytest.param(
        inputs(
            policy=policy(signers=[{**trusted().to_wire(), "revokedAt": "2026-01-01T00:00:00Z"}])
        ),
        {"Verified": "False/SignerRevoked"},
        id="a revoked signer signs nothing",
    ),
    *(
        pytest.param(
            inputs(version=version(**{field: OTHER})),
            {"Verified": "False/SignatureInvalid"},
            id=f"a ModelVersion with another {field} than was signed is refused",
        )
        for field in (
            "sbom_digest",
            "gate_report_digest",
            "baseline_digest",
            "dataset_fingerprint",
        )
    ),
    pytest.param(
        inputs(version=version(model="other")),
        {"Verified": "False/SignatureInvalid"},
        id="a ModelVersion of another model than was signed is refused",
    ),
    pytest.param(
        inputs(
            policy=policy(
                gates=[{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.99"}]
            )
        ),
        {
            "Verified": "True/SignatureValid",
            "PolicyPassed": "False/PolicyFailed",
            "Ready": "False/Refused",
        },
        id="a floor that rose fails versions that exist",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"denied": ["Scikit.Learn"]})),
        {"PolicyPassed": "False/PackagesRefused"},
        id="a package that is denied today fails versions that exist",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"denied": ["scikit-learn>=1,<99"]})),
        {"PolicyPassed": "False/PackagesRefused", "Ready": "False/Refused"},
        id="a range of versions that is denied today fails versions that exist",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"denied": ["scikit-learn<1", "numpy>99"]})),
        {"PolicyPassed": "True/PolicyPassed"},
        id="a range beside what is installed fails nothing",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"licences": {"allowed": ["MIT"]}}), sbom=None),
        {"PolicyPassed": "False/PolicyFailed"},
        id="licences that are asked for and cannot be seen fail",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"requireHashes": True})),
        {"PolicyPassed": "False/PackagesRefused"},
        id="a package without a digest fails versions that exist",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"licences": {"denied": ["MIT"]}}), sbom=SBOM + b" "),
        {"PolicyPassed": "False/PolicyFailed"},
        id="licences are judged by the signed SBOM alone",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"licences": {"allowed": ["MIT"]}})),
        {"PolicyPassed": "False/PackagesRefused"},
        id="a licence that is not stated fails versions that exist",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"denied": ["scikit-learn"]}), report=b"{}"),
        {"PolicyPassed": "False/PolicyFailed"},
        id="a report that cannot be read refuses no package",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"denied": ["~what"]})),
        {"PolicyPassed": "False/PolicyFailed"},
        id="a rule that cannot be read refuses no package, and passes none",
    ),
    pytest.param(
        inputs(policy=policy(dependencies={"vulnerabilities": {}})),
        {"PolicyPassed": "False/PolicyFailed"},
        id="a snapshot that is missing refuses no package, and passes none",
    ),
    pytest.param(
        inputs(
            policy=policy(dependencies={"vulnerabilities": {}}),
            vulnerabilities=Known(OTHER, NOW, trouble=("a whole snapshot", "half of one")),
        ),
        {"PolicyPassed": "False/PolicyFailed"},
        id="a broken snapshot refuses no package, and passes none",
    ),
    pytest.param(
        inputs(
            policy=policy(dependencies={"vulnerabilities": {}}),
            vulnerabilities=Known(OTHER, NOW, found=(FLAW,)),
        ),
        {"PolicyPassed": "False/PackagesRefused", "Ready": "False/Refused"},
        id="a known vulnerability fails versions that exist",
    ),
    pytest.param(
        inputs(report=b"{}"),
        {"PolicyPassed": "False/PolicyFailed"},
        id="a changed report passes no policy",
    ),
]


@pytest.mark.parametrize(("asked", "expected"), STATES)
def test_a_version_today(asked: VersionInputs, expected: dict[str, str]) -> None:
    found = said(decide_version(asked))
    assert {key: found.get(key) for key in expected} == expected


def sealed_at(moment: datetime | None) -> ModelVersion:
    made = version()
    created = timestamp(moment) if moment else None
    return made.replace(metadata=made.metadata.replace(creation_timestamp=created))


@pytest.mark.parametrize(
    ("made", "key", "reason"),
    [
        (NOW - timedelta(days=3), {}, "SignatureValid"),
        (NOW - timedelta(days=2), {}, "SignerExpired"),
        (NOW - timedelta(days=1), {}, "SignerExpired"),
        (NOW - timedelta(days=9), {}, "SignerExpired"),
        (None, {}, "SignerExpired"),
        (NOW - timedelta(days=3), {"revokedAt": timestamp(NOW)}, "SignerRevoked"),
    ],
    ids=["while valid", "at its end", "after it", "before its begin", "nobody knows", "revoked"],
)
def test_what_a_retired_key_sealed(made: datetime | None, key: dict[str, str], reason: str) -> None:
    ended = {
        "validFrom": timestamp(NOW - timedelta(days=5)),
        "validUntil": timestamp(NOW - timedelta(days=2)),
    }
    signer = {**trusted().to_wire(), **ended, **key}
    found = decide_version(inputs(version=sealed_at(made), policy=policy(signers=[signer])))
    assert said(found)["Verified"].endswith(f"/{reason}")


def test_what_was_decided_stays_while_no_policy_applies() -> None:
    seen = after(decide_version(inputs(approvals=(approval("no", decision="Denied"),))))
    found = said(decide_version(inputs(version=seen, policy=None)))
    assert found["Denied"] == "True/Denied"
    assert found["Approved"] == "False/Denied"


def after(decision: Decision) -> ModelVersion:
    """Return the version as it is after a decision was reported."""
    assert decision.status is not None
    conditions = [
        Condition(
            type=each.type,
            status=each.status,
            reason=each.reason,
            last_transition_time="2026-06-01T12:00:00Z",
        )
        for each in decision.conditions
    ]
    status = decision.status.replace(conditions=conditions)
    return version().replace(status=status)


def test_each_transition_is_recorded_once() -> None:
    first = decide_version(inputs(approvals=(approval(),)))
    assert [(each.event, each.outcome) for each in first.records] == [
        ("verify", "verified"),
        ("approve", "accepted"),
    ]
    assert first.records[1].actor == "rita"
    again = decide_version(inputs(version=after(first), approvals=(approval(),)))
    assert again.records == ()
    gone = decide_version(inputs(version=after(first)))
    assert [(each.event, each.outcome) for each in gone.records] == [("withdraw", "withdrawn")]
    lost = decide_version(inputs(version=after(first), approvals=(approval(),), manifest=None))
    assert [(each.event, each.outcome) for each in lost.records] == [("verify", "refused")]


def test_a_version_is_looked_at_again_when_an_approval_ends() -> None:
    end = (NOW + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    decision = decide_version(inputs(approvals=(approval(notAfter=end),)))
    assert decision.requeue == pytest.approx(301)


@pytest.mark.parametrize(
    ("sbom", "components"),
    [
        pytest.param(SBOM, 3, id="nested components count"),
        pytest.param(b"[]", None, id="a list is no SBOM"),
        pytest.param(b"\xff", None, id="bytes that are no text are no SBOM"),
        pytest.param(None, None, id="nothing was read"),
    ],
)
def test_an_sbom_in_short(sbom: bytes | None, components: int | None) -> None:
    summary = summarise(sbom, sha256_digest(sbom or b""))
    assert (summary.components if summary else None) == components
    assert summarise(SBOM, OTHER) is None, "other bytes than were sealed"


def deployment(**status: Any) -> ModelDeployment:  # noqa: ANN401
    return ModelDeployment(
        metadata=NamespacedMeta(name="credit", namespace="bank"),
        spec=ModelDeploymentSpec(model="credit"),
        status=ModelDeploymentStatus(**status),
    )


def history(was_stable: bool) -> list[HistoryEntry]:
    return [
        HistoryEntry(
            version="credit-v1",
            manifest_digest=OTHER,
            from_="2026-01-01T00:00:00Z",
            outcome=Outcome.REPLACED,
            was_stable=was_stable,
        )
    ]


@pytest.mark.parametrize(
    ("user", "used"),
    [
        pytest.param(deployment(), False, id="a deployment that serves nothing"),
        pytest.param(deployment(active_model_version="credit-v1"), True, id="it serves"),
        pytest.param(deployment(stable_model_version="credit-v1"), True, id="it is stable"),
        pytest.param(deployment(candidate_model_version="credit-v1"), True, id="it starts"),
        pytest.param(deployment(history=history(True)), True, id="it could be rolled back to"),
        pytest.param(deployment(history=history(False)), False, id="it never was stable"),
        pytest.param(deployment(active_model_version="credit-v2"), False, id="another serves"),
    ],
)
def test_who_uses_a_version(user: ModelDeployment, used: bool) -> None:
    assert ("credit-v1" in used_versions(user.status)) is used


def test_every_condition_has_a_status_that_kubernetes_knows() -> None:
    for each in decide_version(inputs()).conditions:
        assert each.status in ConditionStatus
