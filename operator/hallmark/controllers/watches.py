"""kopf's part: watch objects, put keys into the queue. Nothing else happens in a handler.

Only ``@kopf.on.event``: every other decorator leaves annotations or finalizers on the objects,
and a finalizer holds up deletion while the operator is away.
"""

from __future__ import annotations

import kopf

from hallmark.api import names
from hallmark.api.common import GROUP, VERSION
from hallmark.cluster.kinds import MODEL_VERSION
from hallmark.controllers import routes
from hallmark.controllers.runtime import Operator

CHILDREN = (
    ("", "v1", "services"),
    ("", "v1", "configmaps"),
    ("", "v1", "pods"),
    ("batch", "v1", "jobs"),
    ("apps", "v1", "deployments"),
)
OURS = {names.LABEL_MANAGED_BY: names.MANAGED_BY}


def configure(settings: kopf.OperatorSettings) -> None:
    """Set kopf up: bounded calls, live watches, no Events, no marks of its own on objects."""
    settings.posting.enabled = False
    settings.watching.server_timeout = 600
    settings.watching.connect_timeout = 30
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.queueing.error_delays = (1, 2, 5, 10, 30, 60)
    settings.execution.max_workers = 4
    settings.persistence.finalizer = f"kopf.{GROUP}/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{GROUP}")
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=f"kopf.{GROUP}")
    # The kinds are installed before the operator starts; it needs no rights to watch CRDs.
    settings.scanning.disabled = True
    # Only our children are sent over the wire, not every object of the cluster.
    ours = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
    for resource in CHILDREN:
        settings.watching.label_selectors[resource] = ours


def _enqueue(operator: Operator, route: routes.Route, body: kopf.Body) -> None:
    for key in route(dict(body)):
        operator.queue.request(*key)


@kopf.on.event(GROUP, VERSION, "trainingruns")
async def _run_changed(body: kopf.Body, memo: kopf.Memo, **_: object) -> None:
    _enqueue(memo.operator, routes.training_run, body)


@kopf.on.event(GROUP, VERSION, "modelversions")
async def _version_changed(body: kopf.Body, memo: kopf.Memo, **_: object) -> None:
    _enqueue(memo.operator, routes.model_version, body)


@kopf.on.event(GROUP, VERSION, "modelapprovals")
async def _approval_changed(body: kopf.Body, memo: kopf.Memo, **_: object) -> None:
    _enqueue(memo.operator, routes.model_approval, body)


@kopf.on.event(GROUP, VERSION, "modelpolicies")
async def _policy_changed(body: kopf.Body, memo: kopf.Memo, **_: object) -> None:
    _enqueue(memo.operator, routes.model_policy, body)


@kopf.on.event(GROUP, VERSION, "modeldeployments")
async def _deployment_changed(
    body: kopf.Body, memo: kopf.Memo, type: str | None, **_: object
) -> None:
    operator: Operator = memo.operator
    _enqueue(operator, routes.model_deployment, body)
    # Drift reports come every second; versions are looked at only when their use changes.
    used = frozenset() if type == "DELETED" else routes.used_versions(dict(body))
    for name in used ^ memo.get("used", frozenset()):
        operator.queue.request(MODEL_VERSION, body["metadata"]["namespace"], name)
    memo.used = used


@kopf.on.event("", "v1", "namespaces")
async def _namespace_changed(
    body: kopf.Body, memo: kopf.Memo, type: str | None, **_: object
) -> None:
    label = (body["metadata"].get("labels") or {}).get(names.LABEL_POLICY, "")
    # What is listed at the start (no type) is looked at by the resync anyway.
    if type is not None and label != memo.get("policy", ""):
        _enqueue(memo.operator, routes.namespace, body)
    memo.policy = label


@kopf.on.event("batch", "v1", "jobs", labels=OURS)
@kopf.on.event("apps", "v1", "deployments", labels=OURS)
@kopf.on.event("", "v1", "pods", labels=OURS)
@kopf.on.event("", "v1", "services", labels=OURS)
async def _child_changed(body: kopf.Body, memo: kopf.Memo, **_: object) -> None:
    _enqueue(memo.operator, routes.child, body)


@kopf.on.event("", "v1", "configmaps", labels=OURS)
async def _config_map_changed(body: kopf.Body, memo: kopf.Memo, **_: object) -> None:
    operator: Operator = memo.operator
    metadata = body["metadata"]
    place = (metadata.get("namespace"), metadata["name"])
    if place == (operator.settings.namespace, names.HEARTBEAT_CONFIG_MAP):
        memo.heartbeat.seen()
    else:
        _enqueue(operator, routes.child, body)
