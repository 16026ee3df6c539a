"""What is before a run that is to be sealed: from the cache alone."""

from __future__ import annotations

from datetime import datetime

from hallmark.api import names
from hallmark.api.texts import parse_timestamp
from hallmark.api.training_run import TrainingRun
from hallmark.cluster.cache import Key, ObjectCache
from hallmark.cluster.gather.jobs import job_view
from hallmark.cluster.kinds import JOB, MODEL_VERSION, POD, TRAINING_RUN, Kind, Obj
from hallmark.policies.training_run.turns import MOST_COUNTED, SealingQueue


def sealing_queue(cache: ObjectCache, system: str, run: TrainingRun, now: datetime) -> SealingQueue:
    """Return what is before a run in its namespace.

    Args:
        cache: the cluster as it is known.
        system: the operator's namespace, where sealing Jobs run.
        run: the run, which is trained.
        now: the time of the decision.
    """
    space, own = run.metadata.namespace, run.metadata.uid
    before = run.metadata.creation_timestamp or "", run.metadata.name
    jobs = _of_uids(cache, system, space, JOB)
    running = {uid for uid, job in jobs if not job_view(job).finished} - {own}
    begun = {uid for uid, _ in jobs} | {own}
    # Who deletes a run has its Job deleted; the Pod of that takes its time to end.
    pods = _of_uids(cache, system, space, POD)
    running |= {uid for uid, pod in pods if uid not in begun and _may_run(pod, now)}
    waiting = 0
    for key in cache.indexed("seal", space, kind=TRAINING_RUN):
        if cache.uid(key) in begun or cache.uid(Key(MODEL_VERSION, space, key.name)):
            continue
        waiting += (_created(cache, key), key.name) < before
        if waiting >= MOST_COUNTED:
            break
    return SealingQueue(len(running), waiting)


def _of_uids(cache: ObjectCache, system: str, space: str, kind: Kind) -> list[tuple[str, Obj]]:
    """Return the sealing Jobs, or their Pods, of a namespace's runs, with the run's uid."""
    found = cache.objects("sealing", space, kind=kind)
    return [
        (str(obj["metadata"]["labels"].get(names.LABEL_RUN_UID)), obj)
        for obj in found
        if obj["metadata"]["namespace"] == system
    ]


def _may_run(pod: Obj, now: datetime) -> bool:
    """Tell whether a Pod may run still; of one on a node that is lost nobody says that it ended."""
    end = pod["metadata"].get("deletionTimestamp")
    return end is None or now <= parse_timestamp(end)


def _created(cache: ObjectCache, run: Key) -> str:
    """Return when a run was created, without reading it: a namespace may have thousands."""
    return next((str(index[1]) for index in cache.under(run) if index[0] == "created"), "")
