"""From the objects of a cluster or a folder to a registry: what somebody vouches for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark.verification.deployments import names_intent
from hallmark.verification.log import Log
from hallmark.verification.recorded import Recorded, Thing
from hallmark.verification.registry import (
    DeploymentEntry,
    GoneEntry,
    GonePolicy,
    LogPlace,
    PolicyEntry,
    Registry,
    approval_entry,
    deployment_entry,
    policy_entry,
    run_entry,
    version_entry,
)
from hallmark.verification.wholeness import there, went


@dataclass(frozen=True)
class Objects:
    """What there is, whole, as it was read."""

    policies: tuple[ModelPolicy, ...] = ()
    runs: tuple[TrainingRun, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    approvals: tuple[ModelApproval, ...] = ()
    deployments: tuple[ModelDeployment, ...] = ()


@dataclass
class Gathered:
    """A registry, and sentences on what was left out of it."""

    registry: Registry
    left_out: list[str] = field(default_factory=list)


def gather(objects: Objects, namespaces: set[str] | None, log: Log | None) -> Gathered:
    """Return the registry of some objects.

    Args:
        objects: all of them.
        namespaces: to which it is limited; None: every one in which there is anything.
        log: the audit log; what it does not name in its whole length is left out.
    """
    recorded = log.recorded if log else None
    left: list[str] = []
    known = _Known(recorded, left)
    versions = [one for one in objects.versions if known.is_recorded("ModelVersion", one)]
    uids = {version.metadata.uid for version in versions}
    registry = Registry(
        log=_place(log),
        policies=sorted(known.policies(objects.policies), key=lambda entry: entry.name),
        runs=sorted(
            (run_entry(one) for one in objects.runs if known.is_recorded("TrainingRun", one)),
            key=lambda entry: entry.key,
        ),
        versions=sorted(map(version_entry, versions), key=lambda entry: entry.key),
        approvals=sorted(
            (
                approval_entry(one)
                for one in objects.approvals
                if one.spec.model_version.uid in uids and known.is_heard(one)
            ),
            key=lambda entry: entry.key,
        ),
        deployments=sorted(
            (
                known.deployment(one)
                for one in objects.deployments
                if known.is_recorded("Deployment", one)
            ),
            key=lambda entry: entry.key,
        ),
    )
    gone = _gone(registry, recorded, namespaces)
    if recorded is not None:
        left += _not_recorded(gone, recorded, uids)
    spaces = {entry.namespace for entry in (*registry.entries, *gone)}
    whole = registry.replace(
        namespaces=sorted(spaces), gone=gone, gone_policies=_gone_policies(registry, recorded)
    )
    return Gathered(whole, left)


def _place(log: Log | None) -> LogPlace | None:
    if log is None or not log.recorded.records:
        return None
    last = log.recorded.records[-1]
    return LogPlace(seq=last.seq, hash=last.hash)


def _gone(
    registry: Registry, recorded: Recorded | None, namespaces: set[str] | None
) -> list[GoneEntry]:
    things = recorded.things() if recorded else set()
    found = [
        GoneEntry.model_validate(thing._asdict())
        for thing in things - there(registry)
        if namespaces is None or thing.namespace in namespaces
    ]
    return sorted(found, key=lambda entry: entry.key)


def _not_recorded(
    gone: Iterable[GoneEntry], recorded: Recorded, versions: set[str]
) -> Iterator[str]:
    for one in gone:
        if not went(Thing(one.kind, one.namespace, one.name, one.uid), recorded, versions):
            yield (
                f"{one.kind} '{one.name}': it is not there, and the log does not say that it was "
                f"deleted. Take a newer copy of the log: the operator records it within seconds."
            )


def _gone_policies(registry: Registry, recorded: Recorded | None) -> list[GonePolicy]:
    present = {policy.name: policy.spec.digest for policy in registry.policies}
    named = recorded.policies if recorded else {}
    return [
        GonePolicy(name=name, digest=digest)
        for name, digest in sorted(named.items())
        if present.get(name) != digest
    ]


@dataclass(frozen=True)
class _Known:
    """What the log names; of the rest a sentence is kept."""

    recorded: Recorded | None
    left: list[str]

    def is_recorded(self, kind: str, one: TrainingRun | ModelVersion | ModelDeployment) -> bool:
        """Tell whether a record is about an object, or may have been."""
        if self.recorded is None or not self.recorded.whole:
            return True
        if self.recorded.of(kind, one.metadata.uid):
            return True
        self._leave(kind, one.metadata.name, "nothing is recorded of it yet")
        return False

    def is_heard(self, approval: ModelApproval) -> bool:
        """Tell whether a decision was recorded, or may have been."""
        if self.recorded is None or not self.recorded.whole:
            return True
        if self.recorded.decision(approval.metadata.uid):
            return True
        self._leave("ModelApproval", approval.metadata.name, "nothing is recorded of it yet")
        return False

    def policies(self, policies: tuple[ModelPolicy, ...]) -> Iterator[PolicyEntry]:
        """Yield the policies whose present content a record names."""
        for policy in policies:
            if self.recorded is None or self.recorded.names_policy(policy):
                yield policy_entry(policy)
            else:
                self._leave("ModelPolicy", policy.metadata.name, "no record names its content")

    def deployment(self, one: ModelDeployment) -> DeploymentEntry:
        """Return a deployment, with its spec where a record names that intent."""
        entry = deployment_entry(one, spec_is_recorded=True)
        if self.recorded is None or names_intent(entry, self.recorded):
            return entry
        what = "the spec, for no record names what it asks for now"
        self._leave("Deployment", one.metadata.name, what)
        return deployment_entry(one, spec_is_recorded=False)

    def _leave(self, kind: str, name: str, why: str) -> None:
        self.left.append(f"{kind} '{name}': {why}.")
