"""What the operator follows, and what follows from it: keys in the queue, reports that are judged.

kopf is the operator's frame (start, signals, end); its watches are not used, see
docs/decisions/0020-reconcile-from-memory.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

import kopf

from hallmark.api import names
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.texts import GROUP
from hallmark.cluster.cache import Change, Key, key_of
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.gather.drift import judge_reports
from hallmark.cluster.informer import Informer
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    ENDPOINT_SLICE,
    HALLMARK_KINDS,
    HTTP_ROUTE,
    JOB,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    Obj,
)
from hallmark.cluster.lists import Selection
from hallmark.cluster.parse import read
from hallmark.controllers import metrics
from hallmark.controllers.guards import GuardWatch
from hallmark.controllers.heartbeat import Heartbeat
from hallmark.controllers.queue import Urgency
from hallmark.controllers.route_watch import RouteWatch
from hallmark.controllers.routes import policy_label
from hallmark.controllers.runtime import Operator
from hallmark.policies.guards import namespace_record
from hallmark.policies.model_deployment.actions import lost_action
from hallmark.refusal import Refusal

CHILDREN = (
    SERVICE,
    CONFIG_MAP,
    POD,
    JOB,
    APPS_DEPLOYMENT,
    SERVICE_ACCOUNT,
    ROLE,
    ROLE_BINDING,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
)
OURS = {names.LABEL_MANAGED_BY: names.MANAGED_BY}
"""Only our children are sent over the wire, not every object of the cluster."""
API_SERVERS = {"kubernetes.io/service-name": "kubernetes"}

SELECTIONS = (
    *(Selection(kind) for kind in (*HALLMARK_KINDS, NAMESPACE)),
    *(Selection(kind, labels=OURS) for kind in CHILDREN),
    Selection(ENDPOINT_SLICE, "default", API_SERVERS),
)


def configure(settings: kopf.OperatorSettings) -> None:
    """Set kopf up: no peering, no scanning, no Events, no marks of its own on objects."""
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.persistence.finalizer = f"kopf.{GROUP}/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{GROUP}")
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=f"kopf.{GROUP}")


class Watches:
    """The informers of all kinds, and what is done with what they bring."""

    def __init__(
        self, operator: Operator, source: ApiCluster, heartbeat: Heartbeat, guards: GuardWatch
    ) -> None:
        """Prepare an informer for each selection."""
        self._operator = operator
        self._heartbeat = heartbeat
        self._guards = guards
        self.informers = [
            Informer(source, operator.cache, selection, self._changed, self._came)
            for selection in SELECTIONS
        ]
        self.routes = RouteWatch(source, operator.cache, self._changed, self._routes_are_known)

    async def synced(self) -> None:
        """Wait until every first list is in the cache."""
        synced = (informer.synced.wait() for informer in self.informers)
        await asyncio.gather(*synced, self.routes.known.wait())

    @property
    def policies(self) -> Informer:
        """The informer of the ModelPolicies."""
        return next(found for found in self.informers if found.selection.kind == MODEL_POLICY)

    @property
    def ages(self) -> Mapping[str, float]:
        """Seconds since the API server last said anything, by plural of the kind."""
        ages = {informer.selection.kind.plural: informer.age for informer in self.informers}
        routes = self.routes.age
        return ages if routes is None else {**ages, HTTP_ROUTE.plural: routes}

    def _routes_are_known(self) -> None:
        """What waits for HTTPRoutes goes on, or says that there are none any more."""
        for key in self._operator.cache.keys(MODEL_DEPLOYMENT):
            self._operator.queue.request(key)

    def _changed(self, change: Change) -> None:
        if self._operator.outside is not None:
            self._operator.outside.changed(change)
        if change.after is None and change.before is not None:
            self._forget(change.key, change.before)
        elif change.key.kind == NAMESPACE and change.before and change.after:
            self._note_policy(change.before, change.after)
        self._operator.wake(change)

    def _forget(self, key: Key, obj: Obj) -> None:
        if key.kind == MODEL_DEPLOYMENT:
            self._operator.drift.forget(key.namespace or "", key.name)
            self._operator.unwritten.forget(obj)
            self._note_lost_action(obj)
            metrics.forget(key.namespace or "", key.name)
        elif key.kind == MODEL_VERSION:
            self._operator.reader.forget(obj["metadata"]["uid"])
        elif key.kind == MODEL_POLICY:
            self._guards.changed(Change(key, obj, None))
            metrics.forget("", key.name)

    def _note_lost_action(self, obj: Obj) -> None:
        """What a person asked for of an object that is gone is recorded all the same."""
        gone, outside = read(ModelDeployment, obj), self._operator.outside
        lost = None if isinstance(gone, Refusal) else lost_action(gone)
        if lost is not None and outside is not None:
            outside.note(lost)

    def _note_policy(self, before: Obj, after: Obj) -> None:
        """Which demands hold in a namespace is recorded when it changes."""
        old, new, outside = policy_label(before), policy_label(after), self._operator.outside
        if old != new and outside is not None:
            found = after["metadata"]
            version = str(found["resourceVersion"])
            outside.note(namespace_record(found["name"], found["uid"], version, old, new))

    def _came(self, kind: Kind, obj: Obj) -> None:
        """Look at an object as it came, whether it changed or not."""
        if kind == CONFIG_MAP and obj["metadata"]["name"] == names.HEARTBEAT_CONFIG_MAP:
            if obj["metadata"]["namespace"] == self._operator.settings.namespace:
                self._heartbeat.seen()
        elif kind == MODEL_DEPLOYMENT:
            self._hear(obj)
        elif kind == MODEL_POLICY:
            self._guards.came(kind, obj)

    def _hear(self, obj: Obj) -> None:
        operator = self._operator
        judge = partial(judge_reports, operator.cache, operator.bundles, operator.clock)
        if operator.drift.hear(obj, judge):
            key = key_of(MODEL_DEPLOYMENT, obj)
            operator.queue.request(key, urgency=Urgency.AT_ONCE)
