"""Rollouts without a cluster: the operator's decisions about what serves, carried out here."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from hallmark.api.common import NamespacedMeta
from hallmark.api.drift import Drift
from hallmark.api.model_deployment import (
    Action,
    ActionName,
    ModelDeployment,
    ModelDeploymentSpec,
    RollbackMode,
    Strategy,
)
from hallmark.api.model_policy import ModelPolicySpec, Store as StoreSpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import ANNOTATION_ACTION, manifest_label
from hallmark.api.trust import Trust
from hallmark.audit import Record
from hallmark.audit.files import replace_file
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.stores import Stores
from hallmark.drift.decision import Memory
from hallmark.errors import ConfigurationError, HallmarkError
from hallmark.files import DOCUMENT_BYTES, read_whole
from hallmark.local.folder import Folder, Transaction
from hallmark.local.pods import LocalPods
from hallmark.local.registry import Registry
from hallmark.local.reviews import approver_here, looked_at
from hallmark.policies.conditions import ConditionUpdate
from hallmark.policies.model_deployment.decide import DeploymentDecision, decide
from hallmark.policies.model_deployment.desired import PlannedVersion
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need
from hallmark.policies.model_deployment.trust import trust_sha256
from hallmark.policies.status import merge_conditions
from hallmark.store import Store

FAR = timedelta(days=3650)
"""Files here need no URLs that end."""
MOST_STEPS = 16
"""Transitions in a row; more than any rollout has."""


class _FolderStores(Stores):
    """Gives the folder's store, whatever a policy names."""

    def __init__(self, store: Store) -> None:
        super().__init__(Path("/nowhere"))
        self._store = store

    def open(self, spec: StoreSpec) -> Store:
        """Return the folder's store."""
        del spec
        return self._store


def new_deployment(version: ModelVersion, drift: Drift, rollback: RollbackMode) -> ModelDeployment:
    """Return the deployment of a version's model on this machine.

    A version that serves here counts as stable at once: there is one process, which either loads
    it or does not.
    """
    spec = ModelDeploymentSpec(
        model=version.spec.model,
        strategy=Strategy(bake="0s", keep_warm="24h"),
        drift=drift,
        rollback=rollback,
    )
    return ModelDeployment(
        metadata=NamespacedMeta(
            name=version.spec.model,
            namespace=version.metadata.namespace,
            uid=str(uuid.uuid4()),
            generation=1,
        ),
        spec=spec,
    )


def deploy_here(
    folder: Folder, model: str, drift: Drift | None, rollback: RollbackMode | None
) -> ModelDeployment:
    """Return the model's deployment, made or changed as asked; None leaves a part as it is.

    Raises:
        ConfigurationError: no version of the model is there.
    """
    with folder.transaction() as transaction:
        registry = transaction.registry
        versions = [version for version in registry.versions if version.spec.model == model]
        if not versions:
            known = ", ".join(sorted({found.spec.model for found in registry.versions})) or "none"
            raise ConfigurationError(
                f"Expected a model in {folder.path}, found no '{model}'; there are: {known}."
            )
        found = registry.deployment(model)
        if found is None:
            mode = rollback or RollbackMode.AUTOMATIC
            found = new_deployment(versions[-1], drift or Drift(), mode)
        spec = found.spec.replace(
            drift=drift or found.spec.drift, rollback=rollback or found.spec.rollback
        )
        found = found.replace(spec=spec)
        transaction.commit(registry.with_deployment(found))
        return found


def ask_here(
    folder: Folder, model: str, action: ActionName, reason: str, target: str | None
) -> str:
    """Write a person's action as its annotation, and return its id.

    Raises:
        ConfigurationError: the model never served here.
    """
    identity = secrets.token_hex(8)
    asked = Action(id=identity, action=action, target=target, by=approver_here(), reason=reason)
    with folder.transaction() as transaction:
        found = transaction.registry.deployment(model)
        if found is None:
            raise ConfigurationError(
                f"Expected a model that serves or served here, found no '{model}'; serve it with "
                "'hallmark local serve'."
            )
        annotations = {**found.metadata.annotations}
        annotations[ANNOTATION_ACTION] = json.dumps(asked.to_wire())
        metadata = found.metadata.replace(annotations=annotations)
        changed = found.replace(metadata=metadata)
        transaction.commit(transaction.registry.with_deployment(changed))
    return identity


class Rollouts:
    """Decides about one deployment, and carries out what was decided."""

    def __init__(self, folder: Folder, name: str, pods: LocalPods, url: str | None = None) -> None:
        """Begin with what the folder says.

        Args:
            folder: the chain.
            name: the deployment's name.
            pods: what runs.
            url: where it is reached, if it is.
        """
        self._folder, self._name, self._pods, self._url = folder, name, pods, url
        self._store = folder.store()
        self._bundles = Bundles(_FolderStores(self._store))
        self._memory: Memory | None = None
        self._trusts: dict[str, Trust] = {}

    def reconcile(self) -> float | None:
        """Bring the rollout as far as it goes now; return when to look again, in seconds.

        Raises:
            HallmarkError: the folder cannot be used; nothing that was not recorded took effect.
        """
        with self._folder.transaction() as transaction:
            self._look_at_versions(transaction)
        for _ in range(MOST_STEPS):
            with self._folder.transaction() as transaction:
                again, settled = self._step(transaction)
            if settled:
                return again
        return 1.0

    def _step(self, transaction: Transaction) -> tuple[float | None, bool]:
        registry = transaction.registry
        deployment = registry.deployment(self._name)
        if deployment is None:
            raise ConfigurationError(f"The registry has no deployment '{self._name}' any more.")
        inputs, decided = self._decide(self._inputs(registry, deployment))
        self._memory = decided.drift_memory
        conditions = merge_conditions(
            deployment.status.conditions, self._as_said_here(decided), inputs.now, 1
        )
        status = decided.status.replace(conditions=conditions, selector=None, url=self._url)
        changed = deployment.replace(status=status)
        for planned in decided.plan.versions:
            self._keep_trust(planned)
        transaction.commit(registry.with_deployment(changed), decided.records)
        return decided.requeue, not (self._apply(decided, inputs) or decided.moved)

    def _as_said_here(self, decided: DeploymentDecision) -> list[ConditionUpdate]:
        """Return the conditions with the address of this machine in place of a Service's."""
        there, here = decided.status.url, self._url or "this machine"
        return [
            replace(update, message=update.message.replace(there, here)) if there else update
            for update in decided.conditions
        ]

    def _look_at_versions(self, transaction: Transaction) -> None:
        """Look at the model's versions: keys, policy and ends of approvals count as of now."""
        registry = transaction.registry
        records: list[Record] = []
        for version in transaction.registry.versions:
            if version.spec.model == self._name:
                found, noted = looked_at(self._folder, registry, version)
                registry = registry.with_version(found)
                records += noted
        transaction.commit(registry, records)

    def _inputs(self, registry: Registry, deployment: ModelDeployment) -> DeploymentInputs:
        now = self._folder.clock()
        for digest in _trusts_on_record(deployment):
            self._known_trust(digest)
        serving = self._pods.pod(deployment.status.active_digest)
        return DeploymentInputs(
            deployment=deployment,
            now=now,
            policy=registry.policy,
            versions=tuple(registry.versions),
            workloads=self._pods.workloads(),
            pods=self._pods.states(),
            trusts={sha256: trust.drift for sha256, trust in self._trusts.items()},
            urls_until=dict.fromkeys(self._pods.workloads(), now + FAR),
            baseline=serving.baseline if serving else None,
            reports=self._pods.reports(),
            drift_memory=self._memory,
            selected=manifest_label(self._pods.switched or deployment.status.active_digest or ""),
        )

    def _decide(self, inputs: DeploymentInputs) -> tuple[DeploymentInputs, DeploymentDecision]:
        while isinstance(found := decide(inputs), Need):
            policy = _required(inputs.policy.spec if inputs.policy else None)
            digest = found.version.spec.artifact.manifest_digest
            if digest in inputs.verifications:
                raise HallmarkError(f"A decision asked twice for the bytes of {digest}.")
            verified = asyncio.run(
                self._bundles.verify(found.version, policy, self._folder.clock())
            )
            inputs = replace(inputs, verifications={**inputs.verifications, digest: verified})
        return inputs, found

    def _apply(self, decided: DeploymentDecision, inputs: DeploymentInputs) -> bool:
        """Start, switch and end predictors as planned; tell whether any was started or ended.

        What answers is switched before anything ends, so that each request finds a predictor.
        """
        wanted = {planned.label: planned for planned in decided.plan.versions if planned.replicas}
        started = [self._start(planned, inputs) for planned in wanted.values()]
        self._pods.switch(decided.plan.active_digest)
        over = inputs.workloads.keys() - wanted.keys()
        for label in over:
            self._pods.end(label)
        return any(started) or bool(over)

    def _start(self, planned: PlannedVersion, inputs: DeploymentInputs) -> bool:
        """Start a predictor unless it runs as planned; tell whether it was started."""
        running = inputs.workloads.get(planned.label)
        trust = self._known_trust(planned.trust_sha256)
        stands = running is not None and running.trust_sha256 == planned.trust_sha256
        if stands or trust is None or planned.only_shrinks:
            return False
        self._pods.start(trust, inputs.now)
        return True

    # -- trusts: fixed when a predictor starts, so kept ------------------------------------------

    def _keep_trust(self, planned: PlannedVersion) -> None:
        if planned.trust is None:
            return
        file = self._trust_file(planned.trust_sha256)
        if not file.exists():
            replace_file(file, planned.trust.to_bytes(), os.fsync)
        self._trusts[planned.trust_sha256] = planned.trust

    def _known_trust(self, sha256: str) -> Trust | None:
        """Return a trust that was written before, if it holds what its name says."""
        if sha256 and sha256 not in self._trusts:
            try:
                trust = Trust.model_validate_json(
                    read_whole(self._trust_file(sha256), DOCUMENT_BYTES)
                )
            except (OSError, ValidationError):
                return None
            if trust_sha256(trust) == sha256:
                self._trusts[sha256] = trust
        return self._trusts.get(sha256)

    def _trust_file(self, sha256: str) -> Path:
        return self._folder.path / "serving" / f"trust-{sha256[:12]}.json"


def _trusts_on_record(deployment: ModelDeployment) -> set[str]:
    status = deployment.status
    found = {entry.trust_sha256 for entry in status.history}
    return found | ({status.rollout.trust_sha256} if status.rollout else set())


def _required(policy: ModelPolicySpec | None) -> ModelPolicySpec:
    if policy is None:
        raise HallmarkError("A folder always has a policy, found none.")
    return policy


def drift_here(pods: LocalPods, deployment: ModelDeployment) -> Mapping[str, object]:
    """Return what is known of the traffic: counts, windows, verdict."""
    pod = pods.pod(deployment.status.active_digest)
    state, drift = deployment.status.drift_state, deployment.spec.drift
    report = pod.report if pod else None
    return {
        "model": deployment.spec.model,
        "active": deployment.status.active_model_version,
        "manifestDigest": deployment.status.active_digest,
        "verdict": state.verdict if state else "Inconclusive",
        "top": [moved.to_wire() for moved in state.top] if state else [],
        "rows": pod.recorder.rows if pod and pod.recorder else 0,
        "window": drift.window,
        "consecutive": drift.consecutive,
        "threshold": drift.threshold,
        "needed": state.needed if state else "",
        "report": report.to_wire() if report else None,
        "lastRollback": deployment.status.last_rollback.to_wire()
        if deployment.status.last_rollback
        else None,
    }
