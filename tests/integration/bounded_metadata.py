"""Objects of each kind, metadata that they may have, and what is refused with which words."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hallmark.api.admission.bounds import LAST_APPLIED
from tests.integration import objects
from tests.integration.api import Obj, RefusedError, User, path_of
from tests.integration.conftest import OPERATOR, World

ADMIN = None
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Kind:
    """One of the five kinds: how an object is made, and by whom."""

    make: Callable[[str, str], Obj]
    writer: User | None = ADMIN


KINDS = {
    "trainingruns": Kind(objects.training_run),
    "modelversions": Kind(objects.model_version, OPERATOR),
    "modelapprovals": Kind(objects.model_approval),
    "modeldeployments": Kind(objects.model_deployment),
    "modelpolicies": Kind(lambda _, name: objects.model_policy(name)),
}


def unique(stem: str) -> str:
    return f"{stem}-{secrets.token_hex(3)}"


def made(world: World, kind: str, **metadata: Any) -> Obj:  # noqa: ANN401
    """Return an object of a kind, with more in its metadata."""
    obj = KINDS[kind].make(world.namespace, unique("bound"))
    obj["metadata"] |= metadata
    return obj


def tried(world: World, obj: Obj, user: User | None) -> str:
    """Ask whether an object could be created; return what the refusal says, or nothing."""
    return said(lambda: world.api.create(obj, user, dry_run=True))


def tried_patch(world: World, obj: Obj, change: Obj, user: User | None, part: str = "") -> str:
    """Ask whether an object could be changed; return what the refusal says, or nothing."""
    path = path_of(obj, subresource=part) + "?dryRun=All"
    return said(lambda: world.api.request("PATCH", path, change, user, content=MERGE))


def said(act: Callable[[], object]) -> str:
    try:
        act()
    except RefusedError as refusal:
        return str(refusal) or "refused without a word"
    return ""


def labels(number: int) -> dict[str, str]:
    """Return labels as long as the API server takes them: 380 bytes each."""
    domain = ".".join(["d" * 63] * 3 + ["d" * 61])
    return {f"{domain}/{index:063}": "v" * 63 for index in range(number)}


def owner(**changes: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "1-2-3", **changes}


def annotation(text: str, key: str = "example.com/note") -> Obj:
    return {"annotations": {key: text}}


def entry(manager: str, fields: Obj, **more: str) -> Obj:
    """Return an entry of managedFields that nobody but its writer vouches for."""
    return {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": objects.API_VERSION,
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **more,
    }


TAKEN: dict[str, Obj] = {
    "as many labels as are allowed, each as long as can be": {"labels": labels(64)},
    "as many annotations as are allowed": {
        "annotations": {f"example.com/{index}": "x" for index in range(64)}
    },
    "one annotation of nearly all bytes": annotation("x" * 16_300),
    "an annotation with the longest key": annotation("x", next(iter(labels(1)))),
    "4,000 characters of four bytes": annotation("\U0001f512" * 4_000),
    "a text with quotes, lines and a NUL": annotation('{"a":\n\t"\x00"}'),
    "an annotation of Argo CD and of Flux": {
        "annotations": {
            "argocd.argoproj.io/tracking-id": "credit:hallmark.dev/Deployment:credit/loan",
            "argocd.argoproj.io/sync-options": "ServerSideApply=true",
            "kustomize.toolkit.fluxcd.io/ssa": "Merge",
        },
        "labels": {"kustomize.toolkit.fluxcd.io/name": "credit"},
    },
    "as many owners as are allowed": {
        "ownerReferences": [owner(uid=f"1-2-{index}") for index in range(16)]
    },
    "the finalizer of a foreground deletion": {"finalizers": ["foregroundDeletion"]},
    "the finalizer of a deletion that orphans": {"finalizers": ["orphan"]},
    "what kubectl applied last": annotation(
        json.dumps({"spec": "<" * 8_000}).replace("<", "\\u003c") + "\n", LAST_APPLIED
    ),
    "what a tool applied last that escapes no signs": annotation(
        json.dumps({"spec": "<" * 10_000}), LAST_APPLIED
    ),
    "64 annotations beside what kubectl applied last": {
        "annotations": {
            LAST_APPLIED: json.dumps({"spec": "x" * 60_000}),
            **{f"example.com/{index}": "x" for index in range(64)},
        }
    },
    "a managed field": {"managedFields": [entry("a", {"f:spec": {"f:model": {}}})]},
}

LABELS = "labels, and may have 64"
ANNOTATIONS = "annotations, and may have 64"
BYTES = "bytes of annotations (keys and values), and may have 16384"
FINALIZERS = "takes no finalizers but those with which Kubernetes deletes"
REFUSED: dict[str, tuple[Obj, str]] = {
    "one label more than is allowed": ({"labels": labels(65)}, f"would have 65 {LABELS}"),
    "4,170 short labels": (
        {"labels": {f"l{index}": "" for index in range(4_170)}},
        f"would have 4170 {LABELS}",
    ),
    "1,000 labels as long as can be": ({"labels": labels(1_000)}, f"would have 1000 {LABELS}"),
    "one annotation more than is allowed": (
        {"annotations": {f"example.com/{index}": "" for index in range(65)}},
        f"would have 65 {ANNOTATIONS}",
    ),
    "10,000 annotations of five bytes": (
        {"annotations": {f"{index:05}": "" for index in range(10_000)}},
        f"would have 10000 {ANNOTATIONS}",
    ),
    "one annotation of too many bytes": (annotation("x" * 16_385), BYTES),
    "one annotation as large as the API server takes": (annotation("x" * 262_000), BYTES),
    "64 annotations that are too large together": (
        {"annotations": {f"example.com/{index}": "x" * 250 for index in range(64)}},
        BYTES,
    ),
    "4,200 characters of four bytes": (annotation("\U0001f512" * 4_200), BYTES),
    "as many characters of three bytes as could be bytes": (annotation("語" * 8_000), BYTES),
    "characters that are written as six bytes each": (annotation("\x01" * 8_000), BYTES),
    "signs that are stored as six bytes each": (annotation("<" * 3_000), BYTES),
    "bytes that are no text": (annotation(bytes(range(256)).decode("latin-1") * 64), BYTES),
    "one owner more than is allowed": (
        {"ownerReferences": [owner(uid=f"1-2-{index}") for index in range(17)]},
        "would have 17 ownerReferences, and may have 16",
    ),
    "an owner with an endless name": (
        {"ownerReferences": [owner(name="x" * 100_000)]},
        "bytes of ownerReferences, and may have 8192",
    ),
    "an owner with an endless uid": (
        {"ownerReferences": [owner(uid="é" * 5_000)]},
        "bytes of ownerReferences, and may have 8192",
    ),
    "a foreign finalizer": (
        {"finalizers": ["example.com/keep"]},
        f"{FINALIZERS} (foregroundDeletion, orphan), found example.com/keep",
    ),
    "a finalizer of kopf": ({"finalizers": ["kopf.hallmark.dev/finalizer"]}, FINALIZERS),
    "a foreign finalizer behind one of Kubernetes": (
        {"finalizers": ["orphan", "example.com/keep"]},
        f"{FINALIZERS} (foregroundDeletion, orphan), found example.com/keep",
    ),
    "5,000 foreign finalizers": (
        {"finalizers": [f"example.com/{index}" for index in range(5_000)]},
        FINALIZERS,
    ),
    "a finalizer of Kubernetes many times": ({"finalizers": ["orphan"] * 5_000}, FINALIZERS),
    "what was applied last, larger than the API server takes once it is stored": (
        annotation("<" * 44_000, LAST_APPLIED),
        f"would have 264000 bytes of the annotation {LAST_APPLIED}, as it is stored",
    ),
    "managed fields with an endless name": (
        {"managedFields": [entry("a", {"f:spec": {f"f:{'x' * 600_000}": {}}})]},
        "bytes of managedFields, and may have",
    ),
    "managed fields of an endless number of managers": (
        {"managedFields": [entry(f"a{index}", {"f:spec": {"f:a": {}}}) for index in range(2_000)]},
        "bytes of managedFields, and may have",
    ),
    "managed fields that are said to be of the status": (
        {"managedFields": [entry("a", {f"f:{'x' * 100_000}": {}}, subresource="status")]},
        "bytes of managedFields of subresources, and may have 65536",
    ),
}
