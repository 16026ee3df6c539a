"""What the cache keeps of an object: what decisions and comparisons read, and nothing else. Pure.

An author decides how large his objects are, never how much of them the operator holds in memory:
maps that he may fill are cut to Hallmark's own keys, and texts to a length.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from hallmark.api import names
from hallmark.api.artifacts import Manifest
from hallmark.api.files import MANIFEST
from hallmark.api.findings import Finding
from hallmark.api.latch import LATCH_KEY
from hallmark.api.texts import sha256_digest
from hallmark.api.trust import Trust
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    ENDPOINT_SLICE,
    HALLMARK_KINDS,
    HTTP_ROUTE,
    JOB,
    MODEL_DEPLOYMENT,
    NAMESPACE,
    POD,
    TRAINING_RUN,
    Kind,
    Obj,
)
from hallmark.resources.carried import carried_files
from hallmark.resources.difference import ANNOTATION_APPLIED
from hallmark.resources.predictor_version import (
    ANNOTATION_TRUST,
    ANNOTATION_URLS_UNTIL,
    TRUST_KEY,
)
from hallmark.supply_chain.carried import CARRIED_FILES, carried_manifest, carried_size

RECORDS = "(not in memory)"
"""Stands for a run's inline rows."""
TEXT_LIMIT = 4096
"""Characters that are kept of an annotation, a label or a message."""
CHILD_BYTES = 65536
"""A child of which more would be kept is none that the operator made so; it stands as nothing."""
_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
)
_LABELS = frozenset(
    {
        *(f"app.kubernetes.io/{name}" for name in ("name", "instance", "component", "part-of")),
        names.LABEL_MANAGED_BY,
        names.LABEL_DEPLOYMENT,
        names.LABEL_MODEL_VERSION,
        names.LABEL_MANIFEST,
        names.LABEL_RUN,
        names.LABEL_RUN_UID,
        names.LABEL_RUN_NAMESPACE,
        names.LABEL_JOB,
        names.LABEL_POLICY,
        names.LABEL_MODEL,
        names.LABEL_JOB_NAME,
        names.LABEL_LATCH,
    }
)
_ANNOTATIONS = frozenset(
    {
        names.ANNOTATION_ACTION,
        names.ANNOTATION_RECONCILE,
        names.ANNOTATION_RELAY,
        ANNOTATION_APPLIED,
        ANNOTATION_TRUST,
        ANNOTATION_URLS_UNTIL,
    }
)
_OWNER = ("apiVersion", "kind", "name", "uid", "controller")


def trimmed(kind: Kind, obj: Obj) -> Obj:
    """Return what is kept of an object as the API server sent it, or as it is to be applied."""
    kept: Obj = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": _metadata(obj["metadata"]),
    }
    rest = _BY_KIND.get(kind, _whole)({k: v for k, v in obj.items() if k not in kept})
    if kind not in HALLMARK_KINDS and len(to_json(rest)) > CHILD_BYTES:
        rest = _workload_facts(rest) if kind == APPS_DEPLOYMENT else {}
    return {**kept, **rest}


def _metadata(metadata: Mapping[str, Any]) -> Obj:
    kept: Obj = {name: metadata[name] for name in _METADATA if metadata.get(name) is not None}
    for name, own in (("labels", _LABELS), ("annotations", _ANNOTATIONS)):
        if found := _only(metadata.get(name), own):
            kept[name] = found
    # A child has one controller; what else an author lists there decides nothing.
    owners = [owner for owner in metadata.get("ownerReferences") or [] if owner.get("controller")]
    if owners:
        kept["ownerReferences"] = [_only(owners[0], _OWNER)]
    return kept


def _whole(parts: Obj) -> Obj:
    return parts


def _nothing(_: Obj) -> Obj:
    return {}


def _training_run(parts: Obj) -> Obj:
    """Inline rows and categories are read live, while the run has not ended."""
    spec = dict(parts.get("spec") or {})
    if "records" in (spec.get("dataset") or {}):
        spec["dataset"] = {**spec["dataset"], "records": RECORDS}
    if schema := spec.get("schema"):
        columns = {
            name: [{k: v for k, v in column.items() if k != "categories"} for column in found]
            for name in ("features", "sensitive")
            if (found := schema.get(name)) is not None
        }
        spec["schema"] = {**schema, **columns}
    return {**parts, "spec": spec}


def _model_deployment(parts: Obj) -> Obj:
    """The predictors' reports are judged as they come, and not kept."""
    status = {key: value for key, value in (parts.get("status") or {}).items() if key != "drift"}
    rest = {key: value for key, value in parts.items() if key != "status"}
    return {**rest, "status": status} if status else rest


def _config_map(parts: Obj) -> Obj:
    """What the operator's own ConfigMaps say; a Job's task is long, and nobody reads it again."""
    data = _only(parts.get("data"), _CONFIG_MAP_KEYS)
    found = parts.get("data") or {}
    if isinstance(text := found.get(TRUST_KEY), str):
        data[TRUST_KEY] = trust_facts(text)
    if MANIFEST in (parts.get("binaryData") or {}):
        data[BUNDLE_FACTS] = bundle_facts(carried_files(parts))
    if isinstance(text := found.get(LATCH_KEY), str):
        data[LATCH_KEY] = text  # Whole: half of it would be none.
    return {**_only(parts, ("immutable",)), "data": data}


_CONFIG_MAP_KEYS = ("manifestDigest", "shared", "mirror", "highest")


BUNDLE_FACTS = "bundle"
"""Stands for the served files in a ConfigMap: JSON, see ``bundle_facts``."""


def trust_facts(text: str) -> str:
    """Return what decisions read of a ``trust.json``, as JSON.

    Its hash, how drift is watched, and how many bytes its version would carry. The facts of a
    document that is no trust have no ``drift``.
    """
    facts: Obj = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    with suppress(ValidationError):
        trust = Trust.model_validate_json(text)
        facts["drift"] = trust.drift.to_wire()
        facts["carries"] = carried_size(Manifest.model_validate_json(trust.manifest))
    return json.dumps(facts, sort_keys=True)


def bundle_facts(files: Mapping[str, bytes]) -> str:
    """Return what decisions read of carried files, as JSON: a hash, and whose they are.

    Where one of them is not what the manifest says, there is no ``manifestDigest``.
    """
    every = hashlib.sha256()
    for name, data in sorted(files.items()):
        every.update(f"{name}\0{len(data)}\0".encode() + data)
    facts: Obj = {"sha256": every.hexdigest()}
    digest = sha256_digest(files.get(MANIFEST, b""))
    if set(files) == set(CARRIED_FILES) and not isinstance(
        carried_manifest(files, digest), Finding
    ):
        facts["manifestDigest"] = digest
    return json.dumps(facts, sort_keys=True)


def _apps_deployment(parts: Obj) -> Obj:
    return {**parts, "status": _only(parts.get("status"), _REPLICAS)}


def _workload_facts(parts: Obj) -> Obj:
    """Return what is read of an apps/v1 Deployment that is to be applied anew."""
    spec = parts.get("spec") or {}
    template = spec.get("template") or {}
    annotations = (template.get("metadata") or {}).get("annotations")
    containers = (template.get("spec") or {}).get("containers") or []
    return {
        "spec": {
            **_only(spec, ("replicas",)),
            "template": {
                "metadata": {"annotations": _only(annotations, _ANNOTATIONS)},
                "spec": {"containers": [_only(found, ("image",)) for found in containers[:1]]},
            },
        },
        "status": parts["status"],
    }


_REPLICAS = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas")


def _job(parts: Obj) -> Obj:
    spec = parts.get("spec") or {}
    containers = (((spec.get("template") or {}).get("spec") or {}).get("containers")) or []
    return {
        "spec": {
            **_only(spec, ("suspend",)),
            "template": {"spec": {"containers": [_only(c, ("image",)) for c in containers[:1]]}},
        },
        "status": {"conditions": _conditions((parts.get("status") or {}).get("conditions"))},
    }


def _pod(parts: Obj) -> Obj:
    status = parts.get("status") or {}
    conditions = _conditions(status.get("conditions"))
    return {
        "status": {
            "conditions": [c for c in conditions if c.get("type") in {"Ready", "PodScheduled"}],
            "containerStatuses": [
                _container(container) for container in (status.get("containerStatuses") or [])[:4]
            ],
        }
    }


def _container(status: Mapping[str, Any]) -> Obj:
    return {
        **_only(status, ("image", "restartCount")),
        "state": _container_state(status.get("state")),
        "lastState": _container_state(status.get("lastState")),
    }


def _container_state(state: Mapping[str, Any] | None) -> Obj:
    kept = {}
    for name in ("waiting", "terminated"):
        if found := (state or {}).get(name):
            kept[name] = _only(found, ("exitCode", "reason", "message", "finishedAt"))
    return kept


def _http_route(parts: Obj) -> Obj:
    """What its parents say of it, as far as somebody has written it."""
    said = (parts.get("status") or {}).get("parents")
    parents = [
        {
            **_only(parent, ("controllerName",)),
            "parentRef": _only(parent.get("parentRef"), _PARENT_REF),
            "conditions": [
                _only(condition, (*_CONDITION, "observedGeneration"))
                for condition in list(parent.get("conditions") or [])[:16]
                if condition.get("type") in {"Accepted", "ResolvedRefs"}
            ],
        }
        for parent in list(said or [])[:32]
    ]
    return {**_only(parts, ("spec",)), **({"status": {"parents": parents}} if parents else {})}


_PARENT_REF = ("group", "kind", "namespace", "name", "sectionName", "port")
_CONDITION = ("type", "status", "reason", "message")


def _conditions(conditions: Iterable[Mapping[str, Any]] | None) -> list[Obj]:
    return [_only(condition, _CONDITION) for condition in list(conditions or [])[:16]]


def _endpoint_slice(parts: Obj) -> Obj:
    return _only(parts, ("ports", "endpoints"))


def _only(found: Mapping[str, Any] | None, names: Container[str]) -> Obj:
    return {
        name: value[:TEXT_LIMIT] if isinstance(value, str) else value
        for name, value in (found or {}).items()
        if name in names
    }


_BY_KIND: dict[Kind, Callable[[Obj], Obj]] = {
    TRAINING_RUN: _training_run,
    MODEL_DEPLOYMENT: _model_deployment,
    CONFIG_MAP: _config_map,
    APPS_DEPLOYMENT: _apps_deployment,
    JOB: _job,
    POD: _pod,
    NAMESPACE: _nothing,
    ENDPOINT_SLICE: _endpoint_slice,
    HTTP_ROUTE: _http_route,
}
