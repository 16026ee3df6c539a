from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hallmark.api.model_approval import ModelApproval, ReviewDecision
from hallmark.api.model_policy import ApproverKey
from hallmark.api.model_version import ModelVersion
from hallmark.cli.approvals import Said, model_approval, read_version, require_open
from hallmark.cluster.kinds import Obj
from hallmark.errors import ConfigurationError
from hallmark.keys import private_pem
from hallmark.policies.model_version.attestation import attesting_key
from hallmark.resources.decisions import not_after
from tests.unit.supply_chain.factories import KEY, trusted

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def digest(character: str) -> str:
    return "sha256:" + character * 64


def version() -> ModelVersion:
    return read_version(
        {
            "apiVersion": "hallmark.dev/v1alpha1",
            "kind": "ModelVersion",
            "metadata": {"name": "loan-v1", "namespace": "credit", "uid": "u-1"},
            "spec": {
                "model": "loan",
                "version": 1,
                "trainingRun": {"name": "loan-v1", "uid": "r-1", "specDigest": digest("0")},
                "requestedBy": {"name": "alice", "authenticated": True},
                "artifact": {
                    "uri": "s3://hallmark/models/x/",
                    "manifestDigest": digest("a"),
                    "size": 1,
                },
                "datasetFingerprint": digest("1"),
                "gateReportDigest": digest("b"),
                "sbomDigest": digest("c"),
                "baselineDigest": digest("d"),
                "bundle": "{}",
            },
        }
    )


APPROVED = Said(ReviewDecision.APPROVED, "Read.")


def decide(said: Said = APPROVED, approver: str = "rita") -> Obj:
    return model_approval(version(), said, approver)


def test_an_approval_names_the_uid_and_the_digests_of_the_version() -> None:
    made = ModelApproval.model_validate(decide())

    assert made.spec.model_version.uid == "u-1"
    assert made.spec.manifest_digest == digest("a")
    assert made.spec.gate_report_digest == digest("b")
    assert made.spec.sbom_digest == digest("c")
    assert made.metadata.namespace == "credit"


def test_the_same_decision_has_the_same_name_and_another_has_another() -> None:
    first = decide()["metadata"]["name"]

    assert decide(replace(APPROVED, reason="Read again."))["metadata"]["name"] == first
    others = [
        decide(replace(APPROVED, decision=ReviewDecision.DENIED)),
        decide(approver="rob"),
        decide(replace(APPROVED, targets=("loan",))),
        decide(replace(APPROVED, not_after="2027-01-01T00:00:00Z")),
    ]
    assert len({first, *(each["metadata"]["name"] for each in others)}) == 5


def test_a_denial_has_no_targets() -> None:
    assert "targets" not in decide(Said(ReviewDecision.DENIED, "Leak."))["spec"]


def test_an_empty_reason_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"reason: .*at least 1 character"):
        decide(Said(ReviewDecision.APPROVED, ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("720h", "2026-03-02T12:00:00.000000Z"),
        ("1h30m", "2026-01-31T13:30:00.000000Z"),
        ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00.000000Z"),
        ("2027-01-31T01:00:00+01:00", "2027-01-31T00:00:00.000000Z"),
    ],
    ids=["a duration in hours", "a mixed duration", "a moment", "a moment in another zone"],
)
def test_an_end_is(text: str, expected: str) -> None:
    assert not_after(text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tomorrow", "expected a moment such as"),
        ("", "expected a moment such as"),
        ("2026-01-31T12:00:00Z", "has passed"),
        ("0s", "has passed"),
        ("999999h" * 100, "expected a moment such as"),
    ],
    ids=["a word", "nothing", "now", "no time at all", "beyond the calendar"],
)
def test_an_end_is_not(text: str, found: str) -> None:
    with pytest.raises(ConfigurationError, match=found):
        not_after(text, NOW)


def test_a_version_of_another_form_is_refused_with_its_name() -> None:
    with pytest.raises(ConfigurationError, match="ModelVersion loan-v9 has a form"):
        read_version({"metadata": {"name": "loan-v9"}, "spec": {}})


@pytest.mark.parametrize("decision", ReviewDecision)
def test_a_decision_is_attested_with_the_approvers_key(
    tmp_path: Path, decision: ReviewDecision
) -> None:
    file = tmp_path / "rita.pem"
    file.write_bytes(private_pem(KEY))
    made = ModelApproval.model_validate(decide(Said(decision, "Read.", key=file)))
    rita = ApproverKey.model_validate({**trusted(KEY).to_wire(), "approver": "rita"})
    assert attesting_key("loan", made.spec, [rita], NOW) == rita.key_id
    assert ModelApproval.model_validate(decide()).spec.attestation is None


@pytest.mark.parametrize("found", [None, b"", b"no key"], ids=["missing", "empty", "no key"])
def test_a_key_that_cannot_be_used_is_refused(tmp_path: Path, found: bytes | None) -> None:
    file = tmp_path / "rita.pem"
    if found is not None:
        file.write_bytes(found)
    with pytest.raises(ConfigurationError, match=r"xpected .*private key"):
        decide(replace(APPROVED, key=file))


def rejected(decision: str) -> ModelVersion:
    record = {
        "uid": "u",
        "name": "no",
        "decision": decision,
        "approver": "rob",
        "accepted": True,
        "reason": "Accepted",
        "time": "2026-01-01T00:00:00Z",
        "modelVersion": "loan-v0",
    }
    wire = version().to_wire()
    return read_version({**wire, "status": {"approvals": [record]}})


@pytest.mark.parametrize("decision", ["Denied", "Revoked"])
def test_bytes_that_were_rejected_are_not_approved_in_ignorance(decision: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{decision} by rob .*'loan-v0'.*same bytes"):
        require_open(rejected(decision), APPROVED)
    require_open(rejected(decision), replace(APPROVED, decision=ReviewDecision.REVOKED))
    require_open(version(), APPROVED)
