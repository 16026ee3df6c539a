"""Whether what got the traffic was approved as the policy asked then: from the log alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from hallmark.api.model_approval import ModelApprovalSpec
from hallmark.api.model_policy import Approvals
from hallmark.api.texts import timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import AuditRecord, Record, build_record
from hallmark.policies.model_version.demands import demands_of, read_demands
from hallmark.verification.deployments import Watched, deployment_links
from hallmark.verification.history import served_at
from hallmark.verification.links import Link, State
from hallmark.verification.recorded import Recorded
from hallmark.verification.registry import DeploymentEntry
from tests.unit.policies.model_version.ballots import approval
from tests.unit.policies.training_run import runs
from tests.unit.supply_chain.factories import NOW

DIGEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
ENTRY = DeploymentEntry.model_construct(
    namespace="bank", name="credit", uid="d", active_model_version="v1", active_digest=DIGEST
)
RISK = {"groups": [{"name": "risk", "members": ["rita"]}]}
RENEW = {"renewAfterRollback": True}


@dataclass(frozen=True)
class Said:
    """A record, and the hours since the beginning at which it was decided."""

    hour: float
    event: AuditEvent
    outcome: AuditOutcome
    actor: str = "operator"
    details: Mapping[str, str] = field(default_factory=dict)
    evidence: str = ""
    reason: str = "Why"

    def record(self, seq: int) -> AuditRecord:
        """Return the line of the log."""
        kind = "ModelVersion" if "approvalUid" in self.details else "Deployment"
        details = {"manifestDigest": DIGEST, "model": "m", **self.details}
        record = Record(f"{seq}", self.event, kind, "bank", "credit", "d", self.outcome,
                        self.reason, "", self.actor, details, self.evidence)  # fmt: skip
        return build_record(record, seq, at(self.hour), "sha256:" + "0" * 64)


def at(hour: float) -> str:
    return timestamp(NOW + timedelta(hours=hour))


def approved(by: str, hour: float, *, given: float | None = None, uid: str = "") -> Said:
    details = {"approvalUid": uid or f"by-{by}", "decidedAt": at(hour)}
    details["given"] = at(hour if given is None else given)
    return Said(hour, AuditEvent.APPROVE, AuditOutcome.ACCEPTED, by, details)


def withdrawn(by: str, hour: float) -> Said:
    said = {"approvalUid": f"by-{by}"}
    return Said(hour, AuditEvent.WITHDRAW, AuditOutcome.WITHDRAWN, by, said)


def rolled_back(hour: float) -> Said:
    said = {"fromDigest": DIGEST, "manifestDigest": "", "decidedAt": at(hour)}
    return Said(hour, AuditEvent.ROLLBACK, AuditOutcome.STOPPED, details=said)


def promoted(hour: float, evidence: str = "") -> Said:
    said = {"modelVersion": "v1"}
    return Said(hour, AuditEvent.PROMOTE, AuditOutcome.PROMOTED, details=said, evidence=evidence)


def under(**asked: Any) -> str:  # noqa: ANN401
    return demands_of(runs.policy(approvals=asked))


def followed(hour: float, rollout: Any, **details: str) -> Said:  # noqa: ANN401
    """Return that the version took another one's place under a policy that demands how."""
    said = {"modelVersion": "v1", "fromDigest": OTHER, "intent": "i", **details}
    evidence = demands_of(runs.policy(rollout=rollout))
    return Said(hour, AuditEvent.PROMOTE, AuditOutcome.PROMOTED, details=said, evidence=evidence)


def shown(hour: float, reason: str, **details: str) -> Said:
    """Return that the version was watched beside what served."""
    said = {"intent": "i", **details}
    return Said(hour, AuditEvent.PROMOTE, AuditOutcome.STARTED, details=said, reason=reason)


def logged(said: Sequence[Said]) -> Recorded:
    return Recorded([one.record(seq) for seq, one in enumerate(said, 1)])


def rollout(said: Sequence[Said], **more: Any) -> Link:  # noqa: ANN401
    watched = Watched(ENTRY, logged(said), {}, {"v1": DIGEST}, **more)
    return next(link for link in deployment_links(watched) if link.name == "rollout")


RITA, ROB = approved("rita", 1), approved("rob", 1)


@pytest.mark.parametrize(
    ("asked", "said", "lacks"),
    [
        pytest.param({}, [RITA], "", id="one is enough"),
        pytest.param({"minimum": 2}, [RITA], "1 of 2 approvals", id="one of two"),
        pytest.param({"minimum": 2}, [RITA, ROB], "", id="two of two"),
        pytest.param(
            {"minimum": 2},
            [RITA, approved("rita", 2, uid="again")],
            "1 of 2 approvals",
            id="one person twice",
        ),
        pytest.param(
            {"minimum": 2}, [RITA, ROB, withdrawn("rob", 2)], "1 of 2", id="one was withdrawn"
        ),
        pytest.param(RISK, [ROB], "still missing 1 from group 'risk'", id="nobody of the group"),
        pytest.param(RISK, [RITA], "", id="somebody of the group"),
        pytest.param({"coolingTime": "9h"}, [RITA], "", id="it waited exactly as long"),
        pytest.param(
            {"coolingTime": "10h"}, [RITA], "0 of 1 approvals. 1 more count from", id="too soon"
        ),
        pytest.param(
            {"coolingTime": "1h"}, [approved("rita", 10)], "0 of 1 approvals", id="not waited"
        ),
        pytest.param(RENEW, [RITA, rolled_back(2)], "rolled back", id="of before the rollback"),
        pytest.param(RENEW, [rolled_back(0.5), RITA], "", id="of after the rollback"),
        pytest.param(
            RENEW,
            [rolled_back(1), approved("rita", 2, given=0.5)],
            "rolled back",
            id="heard after it, and given before",
        ),
        pytest.param({}, [RITA, rolled_back(2)], "", id="a rollback that nobody minds"),
    ],
)
def test_what_got_the_traffic_was_approved_as_the_policy_asked_then(
    asked: dict[str, Any], said: list[Said], lacks: str
) -> None:
    link = rollout([*said, promoted(10, under(**asked))])
    assert (link.state is State.BROKEN) is bool(lacks), link.said
    assert lacks in link.said
    if not lacks:
        assert "approved as the policy asked then" in link.said


def test_what_the_policy_asks_today_is_not_asked_of_what_got_the_traffic_before() -> None:
    stricter = {"0" * 64: runs.policy(approvals={"minimum": 5}).spec}
    assert rollout([RITA, promoted(2, under())], policies=stricter).state is State.HOLDS


def test_demands_are_those_of_the_policy_where_it_is_here() -> None:
    policy = runs.policy(approvals={"minimum": 1})
    same = {policy.spec.digest: policy.spec}
    said = [RITA, promoted(2, demands_of(policy))]
    assert rollout(said, policies=same).state is State.HOLDS
    other = {policy.spec.digest: policy.spec.replace(approvals=Approvals(minimum=2))}
    link = rollout(said, policies=other)
    assert link.state is State.BROKEN
    assert "names other demands than ModelPolicy" in link.said


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, State.HOLDS),
        ({"targets": ["credit"]}, State.HOLDS),
        ({"targets": ["another"]}, State.BROKEN),
        ({"notAfter": at(11)}, State.HOLDS),
        ({"notAfter": at(9)}, State.BROKEN),
    ],
)
def test_an_approval_counts_where_and_as_long_as_it_says(
    change: dict[str, Any], state: State
) -> None:
    spec: ModelApprovalSpec = approval(**change).spec
    found = rollout([RITA, promoted(10, under())], decisions={"by-rita": spec})
    assert found.state is state


def test_a_log_of_an_earlier_release_says_no_moment_and_breaks_nothing() -> None:
    word = Said(1, AuditEvent.APPROVE, AuditOutcome.ACCEPTED, "rita", {"approvalUid": "a"})
    plain = rollout([word, promoted(10)])
    assert plain.state is State.HOLDS
    assert "as the policy asked then" not in plain.said
    assert rollout([word, promoted(10, under(coolingTime="99h"))]).state is State.HOLDS
    assert rollout([word, rolled_back(2), promoted(9, under(**RENEW))]).state is State.BROKEN


def test_asof_says_what_the_policy_asked_then_and_that_it_had_been_rolled_back() -> None:
    sealed = Said(0, AuditEvent.SEAL, AuditOutcome.SEALED)
    recorded = logged([sealed, RITA, rolled_back(2), promoted(10, under(coolingTime="1h"))])
    (served,) = served_at(recorded, "m", NOW + timedelta(hours=11))
    assert served.asked["coolingTime"] == "1h"
    assert served.rolled_back == at(2)


@pytest.mark.parametrize("text", ["", "x", "AAAA", demands_of(runs.policy())[:-4], "e" * 1000])
def test_what_is_no_such_thing_demands_nothing(text: str) -> None:
    assert read_demands(text) is None


def test_demands_are_read_as_they_were_written() -> None:
    policy = runs.policy(approvals={**RISK, **RENEW, "coolingTime": "1h", "minimum": 3})
    found = read_demands(demands_of(policy))
    assert found is not None
    assert (found.approvals, found.policy_digest) == (policy.spec.approvals, policy.spec.digest)


CANARY, MIRROR = {"canary": {"maxStep": 50}}, {"mirror": {}}


@pytest.mark.parametrize(
    ("demands", "said", "details", "lacks"),
    [
        pytest.param(None, [], {}, "", id="nothing is demanded"),
        pytest.param({"minBake": "1h"}, [], {}, "", id="a bake leaves no record before"),
        pytest.param(CANARY, [], {}, "a record of Canary before", id="no step"),
        pytest.param(CANARY, ["Canary"], {}, "", id="a step"),
        pytest.param(CANARY, ["Mirroring"], {}, "a record of Canary", id="copies are no step"),
        pytest.param(MIRROR, ["Canary"], {}, "a record of Mirroring", id="a step is no copies"),
        pytest.param(CANARY | MIRROR, [], {}, "Mirroring and Canary", id="neither"),
        pytest.param(CANARY | MIRROR, ["Mirroring", "Canary"], {}, "", id="both"),
        pytest.param(CANARY, [], {"fromDigest": ""}, "", id="nothing served before"),
        pytest.param(CANARY, [], {"fromDigest": DIGEST}, "", id="the same bytes served before"),
        pytest.param(CANARY, [], {"gaveWay": "true"}, "", id="what served had to give way"),
    ],
)
def test_what_got_the_traffic_was_watched_as_the_policy_asked_then(
    demands: Any,  # noqa: ANN401
    said: list[str],
    details: dict[str, str],
    lacks: str,
) -> None:
    watched = [shown(2, reason) for reason in said]
    link = rollout([RITA, *watched, followed(3, demands, **details)])
    assert (link.state is State.BROKEN) is bool(lacks), link.said
    assert lacks in link.said


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([shown(2, "Canary", intent="j")], id="of another intent"),
        pytest.param([shown(2, "Canary", manifestDigest=OTHER)], id="of other bytes"),
    ],
)
def test_a_step_counts_for_what_it_was_alone(other: list[Said]) -> None:
    assert rollout([RITA, *other, followed(3, CANARY)]).state is State.BROKEN
    later = [RITA, followed(3, CANARY), shown(4, "Canary")]
    assert rollout(later).state is State.BROKEN


def test_a_rollback_is_asked_for_no_step() -> None:
    back = followed(3, CANARY)
    done = Said(3, AuditEvent.ROLLBACK, AuditOutcome.COMPLETED, details=back.details,
                evidence=back.evidence)  # fmt: skip
    assert "watched" not in rollout([RITA, done]).said
