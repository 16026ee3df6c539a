"""The first steps in a folder: keys, and what it demands."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from hallmark.api.model_policy import ModelPolicy
from hallmark.api.training_run import TrainingRun
from hallmark.audit import Record
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.local.folder import Folder
from hallmark.local.lost import AUDIT_KEY, SEALING_KEY
from hallmark.local.policy import policy_here
from hallmark.local.runs import image_here
from hallmark.policies.guards import GuardReason


def begin(path: Path, run: TrainingRun, demands: ModelPolicy | None) -> Folder:
    """Return a folder that is ready for a run: with keys, and the policy that holds from now on.

    Args:
        path: the folder, made if it is not there.
        run: what is to be run; where no policy says otherwise, its data may come from its source.
        demands: a cluster's policy whose demands hold here; None: those that held before.
    """
    folder = Folder(path)
    folder.make()
    former = folder.read().policy if folder.exists else None
    policy = policy_here(
        folder.public_key(SEALING_KEY),
        folder.public_key(AUDIT_KEY),
        image_here(),
        former=former,
        demands=demands,
        sources=_sources(run),
    )
    with folder.transaction(policy) as transaction:
        registry = transaction.registry.replace(policy=policy)
        changed = former is not None and former != policy
        after = registry.audit.seq if registry.audit else 0
        records = [_changed(former, policy, after)] if former and changed else []
        transaction.commit(registry, records)
    return folder


def _changed(former: ModelPolicy, policy: ModelPolicy, after: int) -> Record:
    """Return the record that this folder demands something else from now on.

    Args:
        former: what held before.
        policy: what holds from now on.
        after: the number of the last record that the folder knows of: what changed to and fro
            changes again, and is another decision each time.
    """
    old, new = former.spec.digest, policy.spec.digest
    return Record(
        decision_id=f"guard/ModelPolicy/{old}/{new}/{after}",
        event=AuditEvent.GUARD,
        kind=policy.kind,
        namespace="",
        name=policy.metadata.name,
        uid="",
        outcome=AuditOutcome.CHANGED,
        reason=GuardReason.GUARD_CHANGED,
        message="The policy of this folder became another one.",
        details={"oldDigest": old, "newDigest": new, "policyDigest": new},
    )


def _sources(run: TrainingRun) -> list[str]:
    """Return the prefix that covers the run's own dataset, where that is a URL."""
    dataset = run.spec.dataset
    if dataset is None or dataset.uri is None:
        return []
    url = urlsplit(dataset.uri)
    return [f"{url.scheme}://{url.netloc}/"]
