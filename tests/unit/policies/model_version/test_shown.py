"""What was shown is what is approved: the digest of a review, and what it is held against."""

from __future__ import annotations

import hashlib
import json
from itertools import product

import pytest

from hallmark.api.common import NamespacedMeta
from hallmark.api.model_deployment import ModelDeployment, ModelDeploymentStatus
from hallmark.api.model_version import ModelVersion
from hallmark.policies.model_version.approvals import record_of
from hallmark.policies.model_version.shown import Shown, shown_digest, shown_of
from tests.unit.policies.model_deployment.rollouts import spec as deployment_spec
from tests.unit.policies.model_version.ballots import approval, ballot
from tests.unit.policies.training_run.runs import MODEL, NAMESPACE, version

OTHER = "sha256:" + "9" * 64
OFFERED = version()
EVIDENCE = ("manifestDigest", "sbomDigest", "gateReportDigest")


def made(name: str, digit: str) -> ModelVersion:
    """Return another version of the model, of other bytes."""
    digest = f"sha256:{digit * 64}"
    return version(
        name=name,
        uid=f"uid-{name}",
        version=int(digit),
        artifact=OFFERED.spec.artifact.replace(manifest_digest=digest),
        sbom_digest=digest,
        gate_report_digest=digest,
    )


FIRST, SECOND = made("credit-v2", "2"), made("credit-v3", "3")
VERSIONS = [OFFERED, FIRST, SECOND]
SERVING = {"": None, FIRST.metadata.name: FIRST, SECOND.metadata.name: SECOND}


def deployment(
    serving: ModelVersion | None, name: str = "credit", model: str = MODEL
) -> ModelDeployment:
    """Return a Deployment of the model that serves a version."""
    digest = serving.spec.artifact.manifest_digest if serving else None
    return ModelDeployment(
        metadata=NamespacedMeta(name=name, namespace=NAMESPACE, uid=f"uid-{name}"),
        spec=deployment_spec(model=model),
        status=ModelDeploymentStatus(active_digest=digest),
    )


def now(serving: ModelVersion | None) -> Shown:
    """Return what is shown while a version serves."""
    return shown_of(OFFERED, [deployment(serving)], VERSIONS)


def test_the_digest_is_that_of_the_document_that_the_documentation_says() -> None:
    def evidence(found: ModelVersion) -> dict[str, str]:
        spec = found.spec
        return dict(
            zip(
                EVIDENCE,
                (spec.artifact.manifest_digest, spec.sbom_digest, spec.gate_report_digest),
                strict=True,
            )
        )

    for serving in (None, FIRST):
        document = {
            "form": "hallmark.dev/shown/v1",
            "shown": evidence(OFFERED),
            "beside": serving and evidence(serving),
        }
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        assert (
            shown_digest(OFFERED, serving) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        )


@pytest.mark.parametrize("side", ["shown", "beside"])
@pytest.mark.parametrize("field", EVIDENCE)
def test_other_evidence_on_either_side_gives_another_digest(side: str, field: str) -> None:
    found = OFFERED if side == "shown" else FIRST
    spec = found.spec
    changes = {
        "manifestDigest": {"artifact": spec.artifact.replace(manifest_digest=OTHER)},
        "sbomDigest": {"sbom_digest": OTHER},
        "gateReportDigest": {"gate_report_digest": OTHER},
    }
    changed = found.replace(spec=spec.replace(**changes[field]))
    pair = (changed, FIRST) if side == "shown" else (OFFERED, changed)
    assert shown_digest(*pair) not in {shown_digest(OFFERED, FIRST), shown_digest(OFFERED, None)}


def test_of_several_deployments_the_first_that_asks_and_serves_another_one_says() -> None:
    others = [
        deployment(SECOND, "z"),
        deployment(FIRST, "m"),
        deployment(OFFERED, "a"),
        deployment(None, "b"),
        deployment(SECOND, "c", model="another"),
    ]
    for order in (others, others[::-1]):
        assert shown_of(OFFERED, order, VERSIONS).beside == FIRST.metadata.name


@pytest.mark.parametrize("decision", ["Approved", "Denied", "Revoked"])
@pytest.mark.parametrize("attested", [False, True], ids=["plain", "attested"])
@pytest.mark.parametrize(("looked", "serves"), [*product(SERVING, SERVING)])
def test_an_approval_counts_where_what_was_shown_is_what_is_shown(
    decision: str, attested: bool, looked: str, serves: str
) -> None:
    digest = shown_digest(OFFERED, SERVING[looked])
    record = record_of(
        ballot(
            approval=approval(attested=attested, decision=decision, shownDigest=digest),
            shown=now(SERVING[serves]),
        )
    )
    elsewhere = attested and not serves
    assert record.accepted == (decision != "Approved" or looked == serves or elsewhere)
    if not record.accepted:
        assert record.reason == "ShownOtherwise"
        assert (f"beside '{looked}'" if looked else "shown alone") in record.message
        assert (f"'{serves}', which serves" if serves else "nothing serves") in record.message
        assert "decide again" in record.message


def test_a_digest_of_nothing_that_is_here_says_so() -> None:
    ballots = ballot(approval=approval(shownDigest=OTHER), shown=now(FIRST))
    assert "it was shown of other evidence" in record_of(ballots).message


@pytest.mark.parametrize("demanded", [False, True])
@pytest.mark.parametrize("decision", ["Approved", "Denied", "Revoked"])
def test_what_was_shown_must_be_named_where_the_policy_demands_it(
    decision: str, demanded: bool
) -> None:
    record = record_of(ballot(approval=approval(decision=decision), must_show=demanded))
    assert record.accepted == (decision != "Approved" or not demanded)
    if not record.accepted:
        assert record.reason == "ShownMissing"


def test_an_attestation_does_not_fit_another_digest_of_what_was_shown() -> None:
    signed = approval(attested=True, shownDigest=shown_digest(OFFERED, FIRST))
    for other in (shown_digest(OFFERED, SECOND), None):
        forged = signed.replace(spec=signed.spec.replace(shown_digest=other))
        served = SECOND if other else FIRST
        record = record_of(ballot(approval=forged, shown=now(served)))
        assert (record.accepted, record.reason) == (False, "AttestationInvalid")
