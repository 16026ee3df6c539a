"""People for each risk, and approvals that wait: for a version and where it is to serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from hallmark.api.model_policy import Approvals, ModelPolicy
from hallmark.api.model_version import ApprovalRecord
from hallmark.api.texts import timestamp
from hallmark.api.trust import ReviewerGroup
from hallmark.policies.decision import Decision
from hallmark.policies.model_deployment.checks import Proposal, is_approved_here
from hallmark.policies.model_deployment.decide import DeploymentDecision, decide
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.policies.model_deployment.trust import trust_of
from hallmark.policies.model_version.decide import decide_version
from hallmark.policies.unmet import votes
from tests.unit.policies.model_deployment import rollouts
from tests.unit.policies.model_version.ballots import approval
from tests.unit.policies.model_version.test_decide import inputs
from tests.unit.policies.training_run import runs
from tests.unit.policies.training_run.runs import version
from tests.unit.supply_chain.factories import NOW

RISK = {"name": "risk", "members": ["rita", "rob"]}
BUILD = {"name": "engineering", "members": ["eva", "rita"]}
BOTH = {"minimum": 2, "groups": [RISK, BUILD]}
HOUR = timedelta(hours=1)


def approved(
    decision: Decision, reason: str = "Approved", type_: str = "Approved"
) -> tuple[str, str]:
    found = next(update for update in decision.conditions if update.type == type_)
    return f"{found.status}/{found.reason}", found.message


def by(*people: str, **spec: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return tuple(approval(f"by-{name}", approver=name, **spec) for name in people)


def decided(
    asked: Mapping[str, object], *people: str, now: datetime = NOW, earlier: Decision | None = None
) -> Decision:
    seen = version()
    if earlier is not None and earlier.status is not None:
        seen = seen.replace(status=earlier.status)
    policy = runs.policy(approvals=asked)
    return decide_version(inputs(version=seen, approvals=by(*people), policy=policy, now=now))


# -- groups -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "condition", "words"),
    [
        (("rita",), "False/AwaitingApproval", "1 of 2 approvals, still missing 1 from group"),
        (("rita", "zoe"), "False/AwaitingApproval", "2 of 2 approvals, still missing 1"),
        (("rita", "rob"), "True/Approved", "Approved by rita, rob."),
        (("rob", "eva"), "True/Approved", "Approved by eva, rob."),
        (("rob", "zoe"), "False/AwaitingApproval", "missing 1 from group 'engineering'"),
    ],
)
def test_a_version_needs_somebody_of_each_group(
    people: tuple[str, ...], condition: str, words: str
) -> None:
    found, message = approved(decided(BOTH, *people))
    assert found == condition
    assert words in message


def test_who_is_a_member_is_the_policys_word_of_today() -> None:
    first = decided(BOTH, "rob", "eva")
    assert approved(first)[0] == "True/Approved"
    without = {**BOTH, "groups": [RISK, {"name": "engineering", "members": ["erik"]}]}
    assert approved(decided(without, "rob", "eva", earlier=first))[0] == "False/AwaitingApproval"


def test_who_asked_for_it_stands_for_nothing() -> None:
    alone = {"groups": [{"name": "risk", "members": ["alice", "rita"]}]}
    found, message = approved(decided(alone, "alice"))
    assert found == "False/AwaitingApproval"
    assert "0 of 1 approvals, still missing 1 from group 'risk'" in message


def groups(*found: Mapping[str, object]) -> list[ReviewerGroup]:
    return [ReviewerGroup.model_validate(group) for group in found]


def under(**asked: object) -> ModelPolicy:
    made = rollouts.policy()
    return made.replace(spec=made.spec.replace(approvals=Approvals.model_validate(asked)))


def here(policy: ModelPolicy, *approvals: ApprovalRecord) -> tuple[DeploymentInputs, str]:
    """Return the inputs of a ModelDeployment that asks for a version, and what it lacks."""
    asked = rollouts.version(1, approvals=approvals)
    given = rollouts.inputs(asked, under=policy, verified=(1,))
    refusal = is_approved_here(Proposal(asked, given))
    return given, refusal.message if refusal else ""


def test_a_member_whose_word_is_for_another_deployment_does_not_stand_here() -> None:
    rita, rob = (rollouts.approval(approver=name) for name in ("rita", "rob"))
    policy = under(**BOTH)
    _, lacks = here(policy, rita, rob.replace(targets=["elsewhere"]))
    assert "1 of 2 approvals, still missing 1 from group" in lacks
    assert here(policy, rita, rob)[1] == ""


def test_the_predictor_is_told_whose_approvals_it_needs() -> None:
    given, _ = here(under(groups=[RISK]), rollouts.approval(approver="rita"))
    trust = trust_of(given, given.versions[0])
    assert trust is not None
    assert trust.groups == groups(RISK)


# -- cooling time -----------------------------------------------------------------------------

COOL = {"coolingTime": "1h"}


def test_an_approval_counts_when_its_cooling_time_has_passed() -> None:
    first = decided(COOL, "rita")
    found, message = approved(first)
    assert found == "False/AwaitingApproval"
    assert f"1 more count from {timestamp(NOW + HOUR)} on." in message
    assert first.requeue == pytest.approx(3601)
    for seconds, expected in ((-1, "False/AwaitingApproval"), (0, "True/Approved")):
        later = NOW + HOUR + timedelta(seconds=seconds)
        assert approved(decided(COOL, "rita", now=later, earlier=first))[0] == expected


@pytest.mark.parametrize("word", ["Denied", "Revoked"])
def test_a_denial_and_a_revocation_never_wait(word: str) -> None:
    policy = runs.policy(approvals=COOL)
    no = approval("no", approver="rob", decision=word)
    found = decide_version(inputs(approvals=(*by("rita"), no), policy=policy))
    assert approved(found)[0] == f"False/{word}"


def test_where_it_is_to_serve_the_end_of_the_cooling_time_is_waited_for() -> None:
    said = rollouts.approval(approver="rita").replace(time=timestamp(rollouts.NOW))
    given, lacks = here(under(**COOL), said)
    assert "0 of 1 approvals" in lacks
    assert f"1 more count from {timestamp(rollouts.NOW + HOUR)} on." in lacks
    status = rollouts.candidate_status(1)
    waiting = replace(given, deployment=given.deployment.replace(status=status))
    found = decide(waiting)
    assert isinstance(found, DeploymentDecision)
    assert found.requeue is not None
    assert found.requeue <= 3601
    asked = given.versions[0]
    later = replace(given, now=rollouts.NOW + HOUR)
    assert is_approved_here(Proposal(asked, later)) is None


def test_who_approved_already_need_not_again_while_it_waits() -> None:
    first = decided(COOL, "rita")
    assert first.status is not None
    seen = version().replace(status=first.status)
    found = votes(seen, runs.policy(approvals=COOL).spec, NOW)
    assert (found.approvers, found.missing, found.tally.enough) == (("rita",), 0, False)
    assert "rita approved it already" in found.excluded
