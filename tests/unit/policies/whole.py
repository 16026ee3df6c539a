"""Whole decisions: all that is told, recorded and planned in each situation of the tables.

The tables' own tests ask one thing of each situation. Here every word counts: conditions, Events,
audit records, what is to run, what stands in the status. Whoever changes a decision writes the
files anew with ``python -m tests.unit.policies.whole`` and reads what became different.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import yaml

from hallmark.api.conditions import ConditionedStatus
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import manifest_label
from hallmark.api.texts import timestamp
from hallmark.policies.decision import unreadable
from hallmark.policies.guards import Guard, guard_event, guard_record, namespace_record
from hallmark.policies.model_approval.decide import decide_approval
from hallmark.policies.model_approval.inputs import ApprovalInputs
from hallmark.policies.model_deployment.actions import lost_action
from hallmark.policies.model_deployment.decide import (
    DeploymentDecision,
    decide as decide_deployment,
)
from hallmark.policies.model_deployment.inputs import View
from hallmark.policies.model_deployment.last_resort import last_resort
from hallmark.policies.model_version.decide import decide_version
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.status import merge_conditions
from hallmark.policies.training_run.decide import decide_run
from hallmark.policies.training_run.inputs import RunInputs
from hallmark.policies.unmet import Votes, unmet, votes
from hallmark.refusal import Refusal
from tests.unit.policies.model_deployment import (
    test_conditions,
    test_desired,
    test_traffic,
    test_triggers,
)
from tests.unit.policies.model_deployment.rollouts import view
from tests.unit.policies.model_deployment.situations import SITUATIONS, acting
from tests.unit.policies.model_deployment.situations_beside import BESIDE
from tests.unit.policies.model_deployment.trigger_views import SERVING2
from tests.unit.policies.model_version import test_decide as of_version
from tests.unit.policies.model_version.ballots import approval, look, with_records
from tests.unit.policies.more_situations import LACKING, RUNS, VERSIONS
from tests.unit.policies.plain import Told, plain, told
from tests.unit.policies.training_run import test_decide as of_run
from tests.unit.policies.training_run.runs import version
from tests.unit.supply_chain.factories import NOW

FOLDER = Path(__file__).with_name("whole")
Situations = Mapping[str, Callable[[], Told]]


def deployments() -> Situations:
    """Return how to decide about ModelDeployments, by situation."""
    found: dict[str, Callable[[], Told]] = {}
    for module in (test_triggers, test_conditions, test_desired, test_traffic):
        for name, case in module.CASES.items():
            title = f"{module.__name__.rpartition('_')[2]}: {name}"
            found[title] = partial(_of_deployment, case[0])
    more = {**SITUATIONS, **BESIDE}
    found |= {name: partial(_of_deployment, view) for name, view in more.items()}
    lost = acting(view(SERVING2), "rollback", None)
    return {**found, "action: on what is gone": partial(_of_lost_action, lost)}


def last_resorts() -> Situations:
    """Return what stops where nothing can be decided, by situation in which something must."""
    cases = {name: case[0] for name, case in test_triggers.CASES.items()}
    return {
        name: partial(_of_last_resort, view)
        for name, view in cases.items()
        if _of_last_resort(view) != NOTHING_STOPS
    }


def approvals() -> Situations:
    """Return how to tell an approval what became of it, by situation."""
    ended = approval(notAfter=timestamp(NOW + timedelta(seconds=30)))
    denied = approval("no", approver="rob", decision="Denied")
    seen = with_records(*look(version(), approval(), denied, approval("own", approver="alice")))
    late = NOW + timedelta(hours=1)
    return {
        "of no version": partial(_of_approval, approval(), None),
        "not looked at yet": partial(_of_approval, approval(), version()),
        "of denied bytes": partial(_of_approval, approval(), seen),
        "the denial": partial(_of_approval, denied, seen),
        "one's own": partial(_of_approval, approval("own", approver="alice"), seen),
        "ends soon": partial(_of_approval, ended, with_records(*look(version(), ended))),
        "ended": partial(_of_approval, ended, with_records(*look(version(), ended)), late),
    }


def guards() -> Situations:
    """Return what is recorded and told of what Hallmark rests on, by situation."""
    fields = {"match": "0123456789ab", "gone": "111111111111"}
    old = Guard("ModelPolicy", "default", "uid-1", 3, "sha256:old", fields, "", 7)
    new = replace(old, generation=4, digest="sha256:new", fields={"match": "ba9876543210"})
    sides = {
        "made": (None, old),
        "made anew": (old, replace(new, uid="uid-2")),
        "changed": (old, new),
        "touched": (old, replace(old, generation=5)),
        "deleted": (old, None),
    }
    shipped = {"a policy": None, "as shipped": True, "not as shipped": False}
    found: dict[str, Callable[[], Told]] = {
        f"{change}, {what}": partial(_of_guard, *both, as_shipped)
        for change, both in sides.items()
        for what, as_shipped in shipped.items()
    }
    return {
        **found,
        "a namespace under another policy": _of_namespace,
        "an object that cannot be read": _of_unreadable,
    }


def lacking() -> Situations:
    """Return what is told to lack before a version serves, by situation."""
    views = {**SITUATIONS, **LACKING}
    return {name: partial(_of_lacking, view) for name, view in views.items()}


def runs() -> Situations:
    """Return how to decide about TrainingRuns, by situation."""
    states = {str(case.id): cast("RunInputs", case.values[0]) for case in of_run.STATES}
    return {name: partial(_of_run, asked) for name, asked in {**states, **RUNS}.items()}


def versions() -> Situations:
    """Return how to decide about ModelVersions, by situation."""
    states = {str(case.id): cast("VersionInputs", case.values[0]) for case in of_version.STATES}
    return {name: partial(_of_version, asked) for name, asked in {**states, **VERSIONS}.items()}


@cache
def kept(table: str) -> Mapping[str, Told]:
    """Return what stands in a table's file."""
    text = (FOLDER / f"{table}.yaml").read_text()
    found: Mapping[str, Told] = yaml.load(text, yaml.CSafeLoader)
    return found


def _of_deployment(view: View) -> Told:
    asked = replace(view.inputs, deployment=view.inputs.deployment.replace(status=view.status))
    return told(decide_deployment(asked), view.status)


def _of_lost_action(asked: View) -> Told:
    return {"Record": plain(lost_action(asked.inputs.deployment), NOTHING)}


def _of_approval(asked: ModelApproval, seen: ModelVersion | None, now: datetime = NOW) -> Told:
    return told(decide_approval(ApprovalInputs(asked, seen, now)), asked.status)


def _of_guard(before: Guard | None, after: Guard | None, as_shipped: bool | None) -> Told:
    digest = "sha256:policy" if after and as_shipped is None else ""
    record = guard_record(before, after, "kubectl-edit", as_shipped, digest)
    return {"told": [plain(record, NOTHING), plain(guard_event(record, as_shipped), NOTHING)]}


def _of_namespace() -> Told:
    return told(namespace_record("bank", "uid-3", "99", "default", "strict"), NOTHING)


def _of_unreadable() -> Told:
    return told(unreadable(Refusal("Unreadable", "Expected a number, found a word.")), NOTHING)


def _of_lacking(view: View) -> Told:
    decided = decide_deployment(view.inputs)
    if not isinstance(decided, DeploymentDecision):
        return {"Need": decided.version.metadata.name}
    on, now, policy = view.inputs.deployment, view.inputs.now, view.inputs.policy
    conditions = merge_conditions(on.status.conditions, decided.conditions, now, 1)
    on = on.replace(status=decided.status.replace(conditions=conditions))
    spec = policy.spec if policy else None
    return {
        version.metadata.name: {
            "unmet": plain(unmet(version, spec, "default", [on], now), NOTHING),
            "votes": _of_votes(votes(version, spec, now)),
        }
        for version in view.inputs.versions
    }


def _of_votes(found: Votes) -> Told:
    return {
        "said": found.tally.sentence,
        "missing": found.missing,
        "excluded": list(found.excluded),
    }


def _of_last_resort(view: View) -> Told:
    labels = {
        manifest_label(version.spec.artifact.manifest_digest) for version in view.inputs.versions
    }
    return told(last_resort(view.inputs, frozenset(labels)), NOTHING)


NOTHING = ConditionedStatus()
NOTHING_STOPS = {"LastResort": dict[str, Any]()}


def _of_run(asked: RunInputs) -> Told:
    return told(decide_run(asked), asked.run.status)


def _of_version(asked: VersionInputs) -> Told:
    return told(decide_version(asked), asked.version.status)


TABLES: Mapping[str, Situations] = {
    "model_deployment": deployments(),
    "training_run": runs(),
    "model_version": versions(),
    "model_approval": approvals(),
    "guards": guards(),
    "unmet": lacking(),
    "last_resort": last_resorts(),
}


def main() -> None:
    """Write the files anew."""
    FOLDER.mkdir(exist_ok=True)
    for table, situations in TABLES.items():
        found = {name: decide() for name, decide in situations.items()}
        text = yaml.dump(found, width=100, allow_unicode=True, sort_keys=False)
        (FOLDER / f"{table}.yaml").write_text(text)


if __name__ == "__main__":
    main()
