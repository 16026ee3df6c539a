"""The first steps in a folder: keys, and what it demands."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from hallmark.api.model_policy import ModelPolicy
from hallmark.api.training_run import TrainingRun
from hallmark.local.folder import AUDIT_KEY, SEALING_KEY, Folder
from hallmark.local.policy import policy_here
from hallmark.local.runs import image_here


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
        transaction.commit(transaction.registry.replace(policy=policy))
    return folder


def _sources(run: TrainingRun) -> list[str]:
    """Return the prefix that covers the run's own dataset, where that is a URL."""
    dataset = run.spec.dataset
    if dataset is None or dataset.uri is None:
        return []
    url = urlsplit(dataset.uri)
    return [f"{url.scheme}://{url.netloc}/"]
