"""The objects that one caller may see, parsed: what pages and answers are made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from hallmark.api.common import Resource
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark.cluster.gather.model_policy import AppliedPolicy, gather_policy
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    TRAINING_RUN,
    Kind,
)
from hallmark.refusal import Refusal
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.access.rights import NAMESPACED_KINDS, Sight
from hallmark_dashboard.lists import Unreadable
from hallmark_dashboard.problems import Problem, Right, lacking, not_found
from hallmark_dashboard.watch import Watch

Model = TypeVar("Model", bound=Resource)


@dataclass(frozen=True)
class Seen:
    """What a caller may see now.

    Args:
        watch: the memory of the cluster.
        caller: who looks.
        sight: what the caller may see.
        now: the time (aware).
    """

    watch: Watch
    caller: Caller
    sight: Sight
    now: datetime

    @property
    def age(self) -> float:
        """Seconds since the API server last said anything."""
        return self.watch.age

    def runs(self, namespace: str | None = None) -> Sequence[TrainingRun]:
        """Return the TrainingRuns, in one namespace or in all."""
        return self._all(TRAINING_RUN, namespace)

    def versions(self, namespace: str | None = None) -> Sequence[ModelVersion]:
        """Return the ModelVersions, in one namespace or in all."""
        return self._all(MODEL_VERSION, namespace)

    def approvals(self, namespace: str | None = None) -> Sequence[ModelApproval]:
        """Return the ModelApprovals, in one namespace or in all."""
        return self._all(MODEL_APPROVAL, namespace)

    def deployments(self, namespace: str | None = None) -> Sequence[ModelDeployment]:
        """Return the ModelDeployments, in one namespace or in all."""
        return self._all(MODEL_DEPLOYMENT, namespace)

    def policies(self) -> list[ModelPolicy]:
        """Return the ModelPolicies."""
        if MODEL_POLICY not in self.sight.everywhere:
            return []
        cache = self.watch.cache
        names = sorted(key.name for key in cache.keys(MODEL_POLICY))
        found = (cache.read(ModelPolicy, MODEL_POLICY, None, name) for name in names)
        return [policy for policy in found if isinstance(policy, ModelPolicy)]

    def policy(self, namespace: str) -> AppliedPolicy:
        """Return the policy of a namespace: its name, and its content where that may be read."""
        found = gather_policy(self.watch.cache, namespace)
        may = MODEL_POLICY in self.sight.everywhere
        return found if may else AppliedPolicy(found.name, None)

    def version(self, namespace: str, name: str) -> ModelVersion:
        """Return a ModelVersion.

        Raises:
            Problem: There is none, or the caller may not see it.
        """
        return self._one(ModelVersion, MODEL_VERSION, namespace, name)

    def run(self, namespace: str, name: str) -> TrainingRun:
        """Return a TrainingRun.

        Raises:
            Problem: There is none, or the caller may not see it.
        """
        return self._one(TrainingRun, TRAINING_RUN, namespace, name)

    def deployment(self, namespace: str, name: str) -> ModelDeployment:
        """Return a ModelDeployment.

        Raises:
            Problem: There is none, or the caller may not see it.
        """
        return self._one(ModelDeployment, MODEL_DEPLOYMENT, namespace, name)

    def unreadable(self) -> Iterator[Unreadable]:
        """Yield the objects that cannot be parsed: they are shown too, as what they are."""
        for kind in NAMESPACED_KINDS:
            for found in self.watch.lists.of(kind).unreadable:
                if self.sight.sees(kind, found.namespace):
                    yield found

    def require(self, kind: Kind, namespace: str) -> None:
        """Refuse a caller who may not see a kind in a namespace, whether it exists or not.

        Raises:
            Problem: So it is.
        """
        if not self.sight.sees(kind, namespace):
            raise lacking(self.caller.name, [Right("list", kind.plural, namespace)])

    def _one(self, model: type[Model], kind: Kind, namespace: str, name: str) -> Model:
        self.require(kind, namespace)
        found = self.watch.cache.read(model, kind, namespace, name)
        if isinstance(found, Refusal):
            raise _unreadable(kind, namespace, name, found)
        if found is None:
            raise not_found(_title(kind), namespace, name)
        return found

    def _all(self, kind: Kind, namespace: str | None) -> Sequence[Any]:
        parsed = self.watch.lists.of(kind)
        if namespace is not None:
            sees = self.sight.sees(kind, namespace)
            return parsed.within.get(namespace, ()) if sees else ()
        if kind in self.sight.everywhere:
            return parsed.everywhere
        seen = sorted(self.sight.within.get(kind, ()))
        return [obj for space in seen for obj in parsed.within.get(space, ())]


def _title(kind: Kind) -> str:
    return "ModelDeployment" if kind == MODEL_DEPLOYMENT else kind.kind


def _unreadable(kind: Kind, namespace: str, name: str, refusal: Refusal) -> Exception:
    return Problem(422, f"{_title(kind)} {namespace}/{name} cannot be shown. {refusal.message}")
