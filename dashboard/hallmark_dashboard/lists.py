"""All objects of a kind, parsed and in order: made once for each state of the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hallmark.api.common import NamespacedResource
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    TRAINING_RUN,
    Kind,
)
from hallmark.refusal import Refusal

MODELS: dict[Kind, type[NamespacedResource]] = {
    TRAINING_RUN: TrainingRun,
    MODEL_VERSION: ModelVersion,
    MODEL_APPROVAL: ModelApproval,
    MODEL_DEPLOYMENT: ModelDeployment,
}


@dataclass(frozen=True)
class Unreadable:
    """An object that has another form than this dashboard knows."""

    kind: str
    namespace: str
    name: str
    sentence: str


@dataclass(frozen=True)
class Parsed:
    """The objects of a kind.

    Attributes:
        everywhere: All that can be read, by namespace and name.
        within: The same, by namespace.
        unreadable: The others.
    """

    everywhere: Sequence[Any]
    within: Mapping[str, Sequence[Any]]
    unreadable: Sequence[Unreadable]


class Lists:
    """The lists of the namespaced kinds over a cache."""

    def __init__(self, cache: ObjectCache) -> None:
        """Start with none made."""
        self._cache = cache
        self._made: dict[Kind, Parsed] = {}

    def of(self, kind: Kind) -> Parsed:
        """Return the objects of a kind as they are now."""
        found = self._made.get(kind)
        if found is None:
            found = self._made[kind] = self._parsed(kind)
        return found

    def changed(self, kind: Kind) -> None:
        """Take that an object of a kind became another one."""
        self._made.pop(kind, None)

    def _parsed(self, kind: Kind) -> Parsed:
        within: dict[str, list[Any]] = {}
        unreadable = []
        places = sorted((key.namespace or "", key.name) for key in self._cache.keys(kind))
        for namespace, name in places:
            found = self._cache.read(MODELS[kind], kind, namespace, name)
            if isinstance(found, Refusal):
                unreadable.append(Unreadable(kind.kind, namespace, name, found.message))
            elif found is not None:
                within.setdefault(namespace, []).append(found)
        everywhere = [obj for objects in within.values() for obj in objects]
        return Parsed(everywhere, within, tuple(unreadable))
