"""What a version's page says: what is unmet, who can decide, and the chain behind it."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api.model_deployment import ModelDeployment
from hallmark.policies.unmet import unmet, votes
from hallmark_dashboard.problems import Right
from hallmark_dashboard.views.chain import chain
from hallmark_dashboard.views.review import choices
from hallmark_dashboard.views.version import VersionDetail
from tests.unit.dashboard.objects import (
    APPROVED,
    DIGEST,
    NOW,
    OTHER,
    SPACE,
    THEN,
    approval,
    deployment,
    policy,
    seen,
    version,
)
from tests.unit.dashboard.view_makers import detail


def said(found: Any) -> list[str]:  # noqa: ANN401
    return [f"{one.what}: {one.state}" for one in found]


def test_everything_unmet_is_named_at_once() -> None:
    sealed = version(
        told={"Verified": "False/UnknownSigner", "PolicyPassed": "False/PolicyFailed"},
        status={"approvals": [approval("rita")]},
    )
    frozen = deployment(suspend=True)
    found = unmet(sealed, policy(approvals={"minimum": 3}).spec, "default", [frozen], NOW)

    assert said(found) == [
        "Verified: stopped",
        "PolicyPassed: stopped",
        "Approved: waiting",
        "Deployment loan: waiting",
    ]
    assert "2 more people must approve it (1 of 3 approvals)." in found[2].sentence
    assert "alice asked for it; rita approved it already" in found[2].who
    assert "verb 'approve'" in found[2].who


@pytest.mark.parametrize(
    ("told", "deployments", "expected"),
    [
        pytest.param(APPROVED, [], [], id="nothing"),
        pytest.param(
            {**APPROVED, "Denied": "True/Denied", "Revoked": "True/Revoked"},
            [],
            ["Denied: stopped", "Revoked: stopped"],
            id="both final decisions",
        ),
        pytest.param(
            {**APPROVED, "Verified": "Unknown/Pending"},
            [],
            ["Verified: waiting"],
            id="a check to come",
        ),
        pytest.param(
            APPROVED,
            [deployment(status={"paused": True})],
            ["Deployment loan: waiting"],
            id="a pause",
        ),
    ],
)
def test_what_is_unmet(
    told: dict[str, str], deployments: list[ModelDeployment], expected: list[str]
) -> None:
    found = version(told=told, status={"approvals": [approval("rita")]})
    assert said(unmet(found, policy().spec, "default", deployments, NOW)) == expected


def test_without_a_policy_that_is_said_too() -> None:
    found = unmet(version(), None, "strict", [], NOW)

    assert said(found) == ["Policy: unknown", "Approved: waiting"]
    assert "'strict'" in found[0].sentence


def test_an_approval_that_ended_does_not_count() -> None:
    ended = approval("rita", notAfter="2026-05-01T00:00:00Z")
    found = votes(version(status={"approvals": [ended]}), policy().spec, NOW)

    assert (found.approvers, found.missing) == ((), 1)


def test_a_version_says_where_it_serves_and_why_not() -> None:
    serving = deployment(status={"activeModelVersion": "loan-v1", "activeDigest": DIGEST})

    assert detail(deployments=[serving]).headline == (
        "loan version 1 cannot be promoted: 1 condition unmet. It serves in loan."
    )
    assert detail(version=version(told=APPROVED)).headline == (
        "loan version 1 is verified and approved."
    )
    assert "was revoked, for good" in detail(version=version(told={"Revoked": "True/X"})).headline


def test_a_reviewers_own_words_stand_beside_the_verdict() -> None:
    sealed = version(
        status={"approvals": [approval("rita", accepted=False, reason="SelfApproval")]}
    )
    (ballot,) = detail(version=sealed, said={"uid-rita": "I read it."}).ballots

    assert (ballot.said, ballot.counts, ballot.reason) == ("I read it.", False, "SelfApproval")


ROLLED_BACK = {
    "approvals": [approval("rita")],
    "rolledBack": {"time": "2026-06-01T11:58:00Z", "deployment": "loan", "reason": "ErrorRollback"},
}


RENEWS = policy(approvals={"renewAfterRollback": True}).spec


def test_an_approval_of_before_a_rollback_is_told_and_may_be_given_anew() -> None:
    found = detail(version=version(status=ROLLED_BACK), policy=RENEWS)
    (ballot,) = found.ballots
    assert (ballot.counts, ballot.reason) == (False, "BeforeRollback")
    verbs = [choice.verb for choice in choices(found, "rita", ()) if choice.possible]
    assert verbs == ["approve", "deny", "revoke"]
    assert "1 more person must approve it" in found.unmet[0].sentence
    assert "(ErrorRollback)" in found.unmet[0].sentence
    waits = seen(versions=[version(status=ROLLED_BACK)]).waiting
    assert [item.name for item in waits] == ["loan-v1"], "It waits for her again."
    (ballot,) = detail(version=version(status=ROLLED_BACK)).ballots
    assert ballot.counts, "The policy does not mind."


@pytest.mark.parametrize(
    ("person", "found", "possible"),
    [
        pytest.param("rita", detail(), ["approve", "deny", "revoke"], id="a reviewer"),
        pytest.param("alice", detail(), ["deny", "revoke"], id="who asked for it"),
        pytest.param(
            "rita",
            detail(version=version(status={"approvals": [approval("rita")]})),
            ["deny", "revoke"],
            id="who approved it",
        ),
        pytest.param(
            "Alice ", detail(), ["deny", "revoke"], id="who asked for it, otherwise spelled"
        ),
        pytest.param(
            "Rita",
            detail(version=version(status={"approvals": [approval("rita")]})),
            ["deny", "revoke"],
            id="who approved it, otherwise spelled",
        ),
        pytest.param(
            "rita",
            detail(version=version(told={"Denied": "True/Denied"})),
            ["deny", "revoke"],
            id="after a denial",
        ),
    ],
)
def test_a_person_can(person: str, found: VersionDetail, possible: list[str]) -> None:
    assert [choice.verb for choice in choices(found, person, ()) if choice.possible] == possible


def test_without_the_right_nothing_can_be_decided() -> None:
    lacked = (Right("approve", "modelversions", SPACE, "loan-v1"),)

    assert not any(choice.possible for choice in choices(detail(), "vera", lacked))


def test_the_chain_has_nine_links_each_with_a_state_and_a_fact() -> None:
    serving = deployment(
        status={
            "activeModelVersion": "loan-v1",
            "activeDigest": DIGEST,
            "driftState": {"verdict": "NoDrift", "top": [{"feature": "income", "psi": "0.0312"}]},
        }
    )
    sealed = version(told=APPROVED, status={"approvals": [approval()]})
    links = chain(sealed, None, [serving])

    assert [one.name for one in links] == [
        "dataset",
        "run",
        "gates",
        "seal",
        "SBOM",
        "approval",
        "rollout",
        "drift",
        "rollback",
    ]
    assert [one.state for one in links] == [
        "good",
        "unknown",
        "unknown",
        "good",
        "good",
        "good",
        "good",
        "good",
        "good",
    ]
    assert links[5].fact == "rita"
    assert links[7].fact == "income PSI 0.031, limit 0.2"


def test_a_version_that_gave_way_says_so() -> None:
    gone = deployment(
        status={
            "activeDigest": OTHER,
            "lastRollback": {
                "from": "loan-v1",
                "to": "loan-v0",
                "fromDigest": DIGEST,
                "toDigest": OTHER,
                "reason": "DriftRollback",
                "time": THEN,
            },
        }
    )

    assert chain(version(), None, [gone])[-1].fact == "gave way to loan-v0 in loan"
