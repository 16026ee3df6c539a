"""Which objects are to be looked at when another one changed: exactly those it concerns. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from hallmark.api import names
from hallmark.api.conditions import SummaryCondition
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import Outcome
from hallmark.api.model_version import VersionCondition
from hallmark.api.reasons import DeploymentReason
from hallmark.cluster.cache import Change, Key
from hallmark.cluster.indices import text, used_versions
from hallmark.cluster.kinds import (
    CONFIG_MAP,
    ENDPOINT_SLICE,
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    POD,
    TRAINING_RUN,
    Kind,
    Obj,
)
from hallmark.controllers.event_queue import AFTER_SECONDS
from hallmark.controllers.queue import Urgency

UNDER_POLICY = (MODEL_DEPLOYMENT, MODEL_VERSION, TRAINING_RUN)
"""The kinds whose decisions depend on the ModelPolicy of their namespace."""


class Index(Protocol):
    """The part of the cache that routing reads."""

    def indexed(self, *index: str | None, kind: Kind | None = None) -> list[Key]:
        """Return the places of the objects under an index key."""
        ...

    def keys(self, kind: Kind, namespace: str | None = None) -> Iterator[Key]:
        """Yield the places of all objects of a kind."""
        ...


def concerned(change: Change, index: Index) -> list[Key]:
    """Return the objects whose decision may be another one after a change, each once."""
    return list(dict.fromkeys(_BY_KIND.get(change.key.kind, _child)(change, index)))


def urgency(change: Change, key: Key) -> Urgency:
    """Return how long a look may wait behind others."""
    if key.kind == MODEL_VERSION and change.key.kind in _WORDS and key != change.key:
        return Urgency.AT_ONCE
    if key.kind != MODEL_DEPLOYMENT:
        return Urgency.IN_TURN
    if change.key.kind == MODEL_VERSION and _is_withdrawn(change):
        return Urgency.AT_ONCE
    return Urgency.SOON if change.key.kind in {MODEL_VERSION, POD} else Urgency.IN_TURN


def delay(change: Change, key: Key) -> float:
    """Return the seconds that a look may wait: a version only shows where it serves."""
    shows = change.key.kind == MODEL_DEPLOYMENT and key.kind == MODEL_VERSION
    return AFTER_SECONDS if shows else 0.0


_WORDS = {MODEL_APPROVAL, MODEL_VERSION, CONFIG_MAP}
"""Where what people decided stands: its object, a twin of the version, what is remembered."""


def _is_withdrawn(change: Change) -> bool:
    """Whether a version was good and is not any more, or was rejected now."""
    if change.before is None:
        return False
    before, after = _true_conditions(change.before), _true_conditions(change.after)
    return bool((before - after) & _GOOD or (after - before) & _REJECTED)


_GOOD = {SummaryCondition.READY, VersionCondition.APPROVED}
_REJECTED = {VersionCondition.DENIED, VersionCondition.REVOKED}


def _true_conditions(version: Obj | None) -> set[str]:
    status: dict[str, Any] = (version or {}).get("status") or {}
    conditions = status.get("conditions") or []
    return {str(found.get("type")) for found in conditions if found.get("status") == "True"}


def _itself(change: Change, _: Index) -> Iterator[Key]:
    yield change.key


def _model_version(change: Change, index: Index) -> Iterator[Key]:
    """A version concerns itself, its run, approvals it decided on anew, and what may serve it."""
    key = change.key
    yield key
    if change.before is None or change.after is None:
        yield Key(TRAINING_RUN, key.namespace, key.name)
    before, after = _records(change.before), _records(change.after)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Key(MODEL_APPROVAL, key.namespace, name)
    if _final(change.before) != _final(change.after):
        yield from index.indexed("version", key.namespace, key.name, kind=MODEL_APPROVAL)
    if _field(_status(change.before), "rolledBack") != _field(_status(change.after), "rolledBack"):
        yield from index.indexed("version", key.namespace, key.name, kind=MODEL_APPROVAL)
    if _read_by_deployments(change.before) != _read_by_deployments(change.after):
        yield from index.indexed("version", key.namespace, key.name, kind=MODEL_DEPLOYMENT)
        for model in _either(change, lambda obj: text(obj, "spec", "model")):
            yield from index.indexed("model", key.namespace, model, kind=MODEL_DEPLOYMENT)
    # What serves stops first, however many others have its bytes. These hear a word where it was
    # said, and not from each other again.
    if _final(change.before, own=True) != _final(change.after, own=True):
        yield from _twins(change, index)


def _final(version: Obj | None, *, own: bool = False) -> set[str]:
    """Return the uids of the denials and revocations of a version, which hold for its bytes.

    Args:
        version: the version.
        own: only those that were said of this object.
    """
    return {
        str(record.get("uid"))
        for record in _status(version).get("approvals") or []
        if record.get("accepted") and record.get("decision") in _FINAL
        if not (own and record.get("modelVersion"))
    }


_FINAL = {ReviewDecision.DENIED, ReviewDecision.REVOKED}


def _twins(change: Change, index: Index) -> Iterator[Key]:
    """Yield the other versions of the same bytes in the namespace."""
    for digest in _either(change, lambda obj: text(obj, "spec", "artifact", "manifestDigest")):
        for key in index.indexed("digest", digest, kind=MODEL_VERSION):
            if key.namespace == change.key.namespace and key != change.key:
                yield key


def _records(version: Obj | None) -> dict[str, Any]:
    status: dict[str, Any] = (version or {}).get("status") or {}
    return {str(record.get("name")): record for record in status.get("approvals") or []}


def _read_by_deployments(version: Obj | None) -> object:
    """Return what a decision about a ModelDeployment reads of a version."""
    if version is None:
        return None
    status: dict[str, Any] = version.get("status") or {}
    shown = [
        [condition.get(field) for field in ("type", "status", "reason", "message")]
        for condition in status.get("conditions") or []
    ]
    metadata = version["metadata"]
    terminating = metadata.get("deletionTimestamp")
    words = status.get("approvals"), status.get("rolledBack")
    # The same verdict by other rules is another one: which policy and snapshot gave it is read.
    judged_by = status.get("policyDigest"), status.get("feedDigest")
    return metadata["uid"], terminating, version.get("spec"), shown, words, judged_by


def _model_approval(change: Change, _: Index) -> Iterator[Key]:
    """An approval is decided on with its version; its own status follows."""
    yield change.key
    for version in _either(change, lambda obj: text(obj, "spec", "modelVersion", "name")):
        yield Key(MODEL_VERSION, change.key.namespace, version)


def _model_deployment(change: Change, index: Index) -> Iterator[Key]:
    """A ModelDeployment concerns itself, the versions whose use begins or ends or that gave way."""
    yield change.key
    before = used_versions(change.before) if change.before else frozenset()
    after = used_versions(change.after) if change.after else frozenset()
    for version in sorted(before ^ after):
        yield Key(MODEL_VERSION, change.key.namespace, version)
    for digest, _ in sorted(_gave_way(change.before) ^ _gave_way(change.after)):
        for found in index.indexed("digest", digest, kind=MODEL_VERSION):
            if found.namespace == change.key.namespace:
                yield found


def _gave_way(deployment: Obj | None) -> set[tuple[str, str]]:
    """Return the digests that were rolled back or stopped, and when, as far as is on record."""
    status = _status(deployment)
    history: list[dict[str, Any]] = status.get("history") or []
    found = {
        (str(entry.get("manifestDigest")), str(entry.get("to")))
        for entry in history
        if entry.get("outcome") == Outcome.ROLLED_BACK
    }
    if (status.get("rollout") or {}).get("cause") == DeploymentReason.STOPPED:
        found.add((str(status.get("activeDigest")), ""))
    return found


def _model_policy(change: Change, index: Index) -> Iterator[Key]:
    """A policy concerns itself and everything in the namespaces that it applies to."""
    yield change.key
    if _field(change.before, "spec") != _field(change.after, "spec"):
        for space in index.indexed("policy", change.key.name, kind=NAMESPACE):
            yield from _under_policy(space.name, index)


def _namespace(change: Change, index: Index) -> Iterator[Key]:
    """A namespace's label chooses the policy of everything in it."""
    policies = {policy_label(obj) for obj in (change.before, change.after)}
    if len(policies) > 1:
        yield from _under_policy(change.key.name, index)


def policy_label(namespace: Obj | None) -> str:
    """Return the name of the ModelPolicy that applies to a namespace."""
    return _labels(namespace).get(names.LABEL_POLICY, names.DEFAULT_POLICY)


def _under_policy(namespace: str, index: Index) -> Iterator[Key]:
    for kind in UNDER_POLICY:
        yield from index.indexed("in", namespace, kind=kind)


def _api_servers(_: Change, index: Index) -> Iterator[Key]:
    """Where the API server is, each predictor's NetworkPolicy says."""
    yield from index.keys(MODEL_DEPLOYMENT)


def _config_map(change: Change, index: Index) -> Iterator[Key]:
    """A latch concerns the versions of its bytes, in whichever namespace; others are children."""
    latches = [_labels(obj).get(names.LABEL_LATCH) for obj in (change.before, change.after)]
    for label in dict.fromkeys(filter(None, latches)):
        yield from index.indexed("latch", label, kind=MODEL_VERSION)
    yield from _child(change, index)


def _labels(obj: Obj | None) -> dict[str, str]:
    return ((obj or {}).get("metadata") or {}).get("labels") or {}


def _child(change: Change, _: Index) -> Iterator[Key]:
    """A child concerns the run or the ModelDeployment that its labels name."""
    space = change.key.namespace
    for obj in (change.before, change.after):
        labels = _labels(obj)
        if run := labels.get(names.LABEL_RUN):
            yield Key(TRAINING_RUN, labels.get(names.LABEL_RUN_NAMESPACE, space), run)
        if deployment := labels.get(names.LABEL_DEPLOYMENT):
            yield Key(MODEL_DEPLOYMENT, space, deployment)


def _either(change: Change, of: Callable[[Obj], str]) -> Iterable[str]:
    """Return what the object says and said, without what is empty."""
    return dict.fromkeys(
        said for obj in (change.before, change.after) if obj is not None and (said := of(obj))
    )


def _status(obj: Obj | None) -> dict[str, Any]:
    return (obj or {}).get("status") or {}


def _field(obj: Obj | None, name: str) -> object:
    return None if obj is None else obj.get(name)


Route = Callable[[Change, Index], Iterator[Key]]

_BY_KIND: dict[Kind, Route] = {
    TRAINING_RUN: _itself,
    MODEL_VERSION: _model_version,
    MODEL_APPROVAL: _model_approval,
    MODEL_DEPLOYMENT: _model_deployment,
    MODEL_POLICY: _model_policy,
    NAMESPACE: _namespace,
    ENDPOINT_SLICE: _api_servers,
    CONFIG_MAP: _config_map,
}
