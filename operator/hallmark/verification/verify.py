"""The verifier: a registry, files, a log and the verifier's keys in; a verdict on each link out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.artifacts import Manifest
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion
from hallmark.audit.events import AuditEvent
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED, LookUp
from hallmark.verification.approvals import judge_decisions
from hallmark.verification.bundle import baseline_of, bundle_of, folder_of, signatures_beside
from hallmark.verification.deployments import Watched, deployment_links
from hallmark.verification.files import INDEX, Files, problems_of_index
from hallmark.verification.held import Held
from hallmark.verification.links import Link, Subject, Verdict, broken, holds, open_
from hallmark.verification.log import Log, audit_link
from hallmark.verification.recorded import Recorded
from hallmark.verification.registry import (
    ApprovalEntry,
    DeploymentEntry,
    Registry,
    RunEntry,
    plain_run,
    policy_of,
    run_of,
    version_of,
)
from hallmark.verification.stage_records import keeps_drift_counts
from hallmark.verification.trusted import Trusted
from hallmark.verification.versions import run_links, version_links
from hallmark.verification.wholeness import (
    complete_link,
    copies_link,
    form_link,
    nothing_else_link,
)


@dataclass(frozen=True)
class Evidence:
    """All that is verified.

    Args:
        registry: the objects.
        files: the files.
        log: the audit log, or None.
        exported: whether it is an export, whose every file is named by its index.
        look_up: says which vulnerabilities packages have, by the verifier's own snapshot of OSV.
    """

    registry: Registry
    files: Files
    log: Log | None
    exported: bool
    look_up: LookUp = lambda _: NOT_MOUNTED


def verify(evidence: Evidence, trusted: Trusted, now: datetime) -> Verdict:
    """Return how every link stands.

    Args:
        evidence: what is verified.
        trusted: the verifier's keys.
        now: when the keys must be valid (aware).
    """
    fact = evidence.files.fact(INDEX) if evidence.exported else None
    subjects = _Verifier(evidence, trusted, now).subjects()
    return Verdict(tuple(subjects), fact.digest if fact else None)


class _Verifier:
    """Walks the chain once."""

    def __init__(self, evidence: Evidence, trusted: Trusted, now: datetime) -> None:
        registry, log = evidence.registry, evidence.log
        self._evidence, self._registry = evidence, registry
        self._trusted, self._now = trusted, now
        # A log that somebody changed, or that nobody is known to have signed, proves nothing.
        self._recorded: Recorded | None = log.believed if log else None
        self._policies = {
            policy.spec.digest: policy for policy in map(policy_of, registry.policies)
        }
        self._versions = [version_of(entry) for entry in registry.versions]
        self._bundles = {
            version.metadata.uid: bundle_of(version, evidence.files) for version in self._versions
        }
        self._beside = signatures_beside(self._versions)
        self._runs: dict[str, RunEntry] = {entry.uid: entry for entry in registry.runs}
        self._approvals: dict[str, list[ApprovalEntry]] = defaultdict(list)
        for entry in registry.approvals:
            self._approvals[entry.spec.model_version.uid].append(entry)

    def subjects(self) -> Iterator[Subject]:
        """Yield every subject, in the chain's order."""
        yield Subject("Export", "the whole", tuple(self._whole()))
        link = audit_link(self._evidence.log, self._registry.log, exported=self._evidence.exported)
        yield Subject("AuditLog", "decisions", (link,))
        for policy in map(policy_of, self._registry.policies):
            yield Subject("ModelPolicy", policy.metadata.name, (self._policy(policy),))
        for entry in self._registry.runs:
            yield Subject("TrainingRun", f"{entry.namespace}/{entry.name}", self._run(entry))
        for version in self._versions:
            yield self._version(version)
        for deployment in self._registry.deployments:
            name = f"{deployment.namespace}/{deployment.name}"
            yield Subject("Deployment", name, tuple(self._deployment(deployment)))

    def _whole(self) -> Iterator[Link]:
        evidence = self._evidence
        if evidence.exported:
            problems = problems_of_index(evidence.files)
            yield (
                broken("index", " ".join(problems[:3]))
                if problems
                else holds("index", "every file is the one that the index names")
            )
        yield form_link(self._registry)
        yield complete_link(self._registry, self._recorded)
        found = (bundle.manifest for bundle in self._bundles.values())
        yield copies_link((one for one in found if isinstance(one, Manifest)), evidence.files)
        if evidence.exported:
            log = evidence.log is not None
            yield nothing_else_link(evidence.files, self._bundles, self._versions, log=log)

    def _policy(self, policy: ModelPolicy) -> Link:
        if self._recorded is None:
            return open_("record", "There is no audit log to hold it against.")
        if self._recorded.names_policy(policy):
            return holds("record", f"records name it by {policy.spec.digest}")
        return broken("record", "Expected a record that names this policy, found none.")

    def _run(self, entry: RunEntry) -> tuple[Link, ...]:
        links = tuple(run_links(run_of(entry), self._recorded))
        if plain_run(entry.spec) == entry.spec:
            return links
        return (*links, broken("form", "Expected no 'suspend' and no 'jobTTL', found one."))

    def _version(self, version: ModelVersion) -> Subject:
        entry = self._runs.get(version.spec.training_run.uid)
        policy = self._policy_of(version)
        decided = judge_decisions(
            version,
            self._versions,
            self._approvals.get(version.metadata.uid, []),
            policy,
            self._recorded,
            self._trusted,
            self._now,
        )
        held = Held(
            version=version,
            decided=decided.records,
            bundle=self._bundles[version.metadata.uid],
            beside=self._beside[folder_of(version)],
            files=self._evidence.files,
            run=run_of(entry) if entry else None,
            policy=policy,
            recorded=self._recorded,
            trusted=self._trusted,
            now=self._now,
            look_up=self._evidence.look_up,
        )
        name = f"{version.metadata.namespace}/{version.metadata.name}"
        return Subject("ModelVersion", name, (*version_links(held), *decided.links))

    def _policy_of(self, version: ModelVersion) -> ModelPolicy | None:
        """Return the policy that the newest record that names one does, or the only one."""
        if self._recorded is not None:
            for record in reversed(self._recorded.of("ModelVersion", version.metadata.uid)):
                # One of before would not do: whoever exports would choose by which he is judged.
                if digest := record.details.get("policyDigest"):
                    return self._policies.get(digest)
        policies = list(self._policies.values())
        return policies[0] if len(policies) == 1 else None

    def _deployment(self, entry: DeploymentEntry) -> Iterator[Link]:
        if self._recorded is None:
            yield open_("record", "There is no audit log to hold it against.")
            return
        mine = [v for v in self._versions if v.metadata.namespace == entry.namespace]
        named = {
            record.details.get("manifestDigest")
            for record in self._recorded.of("Deployment", entry.uid)
            if (record.event == AuditEvent.DRIFT and record.evidence is not None)
            or keeps_drift_counts(record)
        }
        baselines = {
            version.spec.artifact.manifest_digest: baseline
            for version in mine
            if version.spec.artifact.manifest_digest in named
            and (baseline := baseline_of(version, self._evidence.files))
        }
        versions = {v.metadata.name: v.spec.artifact.manifest_digest for v in mine}
        decisions = {approval.uid: approval.spec for approval in self._registry.approvals}
        asked = {digest: policy.spec for digest, policy in self._policies.items()}
        yield from deployment_links(
            Watched(entry, self._recorded, baselines, versions, decisions, asked)
        )
