"""Situations of TrainingRuns, ModelVersions and reviews, for whole decisions alone."""

from __future__ import annotations

from collections.abc import Mapping

from hallmark.api.model_policy import ApproverKey
from hallmark.api.training_run import Progress
from hallmark.policies.model_deployment.inputs import View
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.training_run.inputs import RunInputs
from tests.unit.policies.model_deployment import rollouts
from tests.unit.policies.model_deployment.trigger_views import FIRST
from tests.unit.policies.model_version import test_decide as of_version
from tests.unit.policies.model_version.ballots import RITA, approval, look, with_records
from tests.unit.policies.training_run import runs, test_adoption
from tests.unit.supply_chain.factories import NOW

ENDED = runs.run(
    status={"completionTime": "2026-06-01T11:00:00Z", "specDigest": "sha256:" + "5" * 64},
    jobTTL="10m",
)
RUNS: Mapping[str, RunInputs] = {
    "its training goes on": runs.inputs(job=runs.job(), progress=Progress(stage="Fit", percent=7)),
    "its Job is as old as it may be": runs.inputs(run=ENDED, job=runs.job(complete=True)),
    "a sealing Job took too long": runs.inputs(
        run=runs.trained(), seal_job=runs.job(failed=True, reason="DeadlineExceeded")
    ),
    "a bundle to adopt": test_adoption.inputs(),
    "a bundle to adopt from elsewhere": test_adoption.inputs(
        run=test_adoption.adopting("s3://elsewhere/bundle")
    ),
    "a bundle to adopt, from a store that is named with a slash": test_adoption.inputs(
        policy=runs.policy(store={"uri": "s3://hallmark/"})
    ),
}
"""By what is the matter."""


def approved(*approvals: object, **more: object) -> VersionInputs:
    return of_version.inputs(**{"approvals": approvals, **more})


VERSIONS: Mapping[str, VersionInputs] = {
    "its requester approves": approved(approval("own", approver="alice")),
    "one person approves twice": approved(approval(), approval("again", created=NOW)),
    "one person approves twice for one target": approved(
        *(approval(name, created=NOW, targets=["here"]) for name in ("one", "two"))
    ),
    "another SBOM is approved": approved(approval("other", sbomDigest="sha256:" + "7" * 64)),
    "its approval was deleted": approved(
        version=with_records(*look(runs.version(), approval())), approvals=()
    ),
    "many use it": approved(used_by=tuple(f"deployment-{number:03}" for number in range(70))),
}
"""By what is the matter."""

WAITS = rollouts.version(1, approvals=())
KEYS = [
    ApproverKey.model_validate({**RITA.to_wire(), "approver": f"person-{number}"})
    for number in range(7)
]
UNDER = rollouts.policy()
LACKING: Mapping[str, View] = {
    "suspended": rollouts.view(FIRST, rollouts.version(1), verified=(1,), suspend=True),
    "many could approve it": rollouts.view(
        FIRST, WAITS, under=UNDER.replace(spec=UNDER.spec.replace(approvers=KEYS))
    ),
    "nobody has a key": rollouts.view(FIRST, WAITS),
}
"""Reviews, by what is the matter."""
