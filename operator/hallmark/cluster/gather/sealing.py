"""What is before a run that is to be sealed: from the cache alone."""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.training_run import TrainingRun
from hallmark.cluster.cache import Key, ObjectCache
from hallmark.cluster.gather.jobs import job_view
from hallmark.cluster.kinds import JOB, MODEL_VERSION, TRAINING_RUN
from hallmark.policies.training_run.turns import MOST_COUNTED, SealingQueue


def sealing_queue(cache: ObjectCache, system: str, run: TrainingRun) -> SealingQueue:
    """Return what is before a run in its namespace.

    Args:
        cache: the cluster as it is known.
        system: the operator's namespace, where sealing Jobs run.
        run: the run, which is trained.
    """
    space = run.metadata.namespace
    own = run.metadata.creation_timestamp or "", run.metadata.name
    running = waiting = 0
    for key in cache.indexed("seal", space, kind=TRAINING_RUN):
        uid = cache.uid(key)
        if uid == run.metadata.uid or cache.uid(Key(MODEL_VERSION, space, key.name)):
            continue
        job = Key(JOB, system, names.seal_job_name(space, key.name, uid))
        if cache.uid(job):
            running += not job_view(cache.get(*job) or {}).finished
        elif (_created(cache, key), key.name) < own:
            waiting += 1
        if waiting >= MOST_COUNTED:
            break
    return SealingQueue(running, waiting)


def _created(cache: ObjectCache, run: Key) -> str:
    """Return when a run was created, without reading it: a namespace may have thousands."""
    return next((str(index[1]) for index in cache.under(run) if index[0] == "created"), "")
