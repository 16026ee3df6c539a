"""Names that several components must agree on: labels, annotations, objects, store paths."""

from __future__ import annotations

import hashlib

SYSTEM_NAMESPACE = "hallmark-system"
"""Where the operator, the sealing Jobs and the embedded store live."""
OSV_FOLDER = "/var/run/hallmark/osv"
"""Where a snapshot of OSV is mounted."""

FIELD_MANAGER = "hallmark-operator"
PREDICTOR_FIELD_MANAGER = "hallmark-predictor"

# Labels. Children carry app.kubernetes.io/{name,instance,component,managed-by,part-of} as well.
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "hallmark"
LABEL_DEPLOYMENT = "hallmark.dev/deployment"
"""Value: the ModelDeployment's name. Admission guards every object that carries it."""
LABEL_MODEL_VERSION = "hallmark.dev/model-version"
LABEL_MANIFEST = "hallmark.dev/manifest"
"""Value: the first 12 hex digits of the manifest digest; the Service selects by it."""
LABEL_RUN = "hallmark.dev/training-run"
LABEL_RUN_UID = "hallmark.dev/training-run-uid"
LABEL_RUN_NAMESPACE = "hallmark.dev/training-run-namespace"
LABEL_JOB = "hallmark.dev/job"
"""Value: ``train`` or ``seal``."""
LABEL_POLICY = "hallmark.dev/policy"
"""On a namespace: the name of its ModelPolicy (default: ``default``)."""
LABEL_MODEL = "hallmark.dev/model"
LABEL_LATCH = "hallmark.dev/latch"
"""Value: the first 40 hex digits of a manifest digest. On what is remembered of its bytes."""
LABEL_JOB_NAME = "batch.kubernetes.io/job-name"
"""On the Pods of a Job, by its controller."""

ANNOTATION_ACTION = "hallmark.dev/action"
UNREADABLE = "unreadable/"
"""How the id in ``status.lastAction`` begins where the annotation could not be read."""
ANNOTATION_RECONCILE = "hallmark.dev/reconcile"
"""On any object of Hallmark's kinds: another value asks the operator to look at it anew."""
ANNOTATION_RELAY = "hallmark.dev/relay"
"""On a TrainingRun: the user who created it, where that is a relay that named another requester.
Admission demands it then, and keeps it off every other run, so its absence means that the name of
the requester is authenticated."""
LABEL_DATASET = "hallmark.dev/dataset"
"""On a ConfigMap, volume claim or Secret: ``true`` where every author of runs in its namespace may
train on it, or download with it."""

ANNOTATION_ACKNOWLEDGE = "hallmark.dev/acknowledge-break"
"""On the anchor of the audit log: a person's word that a break of the log was looked at."""

# Objects in the system namespace.
OPERATOR_NAME = "hallmark-operator"
OPERATOR_SERVICE_ACCOUNT = "hallmark-operator"
OPERATOR_USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{OPERATOR_SERVICE_ACCOUNT}"
SEALING_KEY_SECRET = "hallmark-sealing-key"  # noqa: S105 - an object's name
"""Keys: ``private.pem`` (PKCS#8, ECDSA P-256), ``public.pem``, ``key-id``."""
AUDIT_KEY_SECRET = "hallmark-audit-key"  # noqa: S105 - an object's name
"""Keys: as in the sealing Secret; signs the heads of the audit log."""
STORE_SECRET = "hallmark-store"  # noqa: S105 - an object's name
"""Keys: ``access-key-id``, ``secret-access-key``."""
STORE_SERVICE = "hallmark-store"
STORE_LABELS = {"app.kubernetes.io/name": "hallmark", "app.kubernetes.io/component": "store"}
"""Of the embedded store's Pods."""
HEARTBEAT_CONFIG_MAP = "hallmark-heartbeat"
AUDIT_ANCHOR = "hallmark-audit-anchor"
"""ConfigMap: the last signed head of the audit log, kept outside its volume."""
DEFAULT_POLICY = "default"
VERB_CLEAN_UP = "clean-up"
"""The virtual verb of those who run the cluster: they may delete what the operator made."""

# Admission policies (ValidatingAdmissionPolicy and binding of the same name).
APPROVAL_IDENTITY_POLICY = "hallmark-approval-identity"
REQUESTER_IDENTITY_POLICY = "hallmark-requester-identity"
AUDIT_ANCHOR_POLICY = "hallmark-audit-anchor"

PREDICTOR_PORT = 8080
MIRROR_PORT = 8081
"""Where a candidate takes copies of requests, from Pods of its own ModelDeployment alone."""


def mirror_name(deployment: str) -> str:
    """Return the name of the Service of a candidate that gets copies of requests."""
    return f"{deployment}-mirror"


def candidate_name(deployment: str) -> str:
    """Return the name of the Service of a candidate that has a share of an HTTPRoute's requests."""
    return f"{deployment}-candidate"


def short_hash(*parts: str, digits: int = 10) -> str:
    """Return the first hex digits of the SHA-256 over the parts, separated by a zero byte."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:digits]


def key_secret_name(secret: str, key_id: str) -> str:
    """Return the name of the Secret that holds a key beside the first of its purpose.

    Args:
        secret: the name of the first one's Secret.
        key_id: the key's id.
    """
    return f"{secret}-{key_id[:12]}"


def train_job_name(run_name: str, run_uid: str) -> str:
    """Return the name of a run's training Job (at most 63 characters)."""
    return f"{run_name[:45]}-train-{short_hash(run_uid)}"


def seal_job_name(namespace: str, run_name: str, run_uid: str) -> str:
    """Return the name of a run's sealing Job in the system namespace."""
    return f"{run_name[:40]}-seal-{short_hash(namespace, run_uid)}"


def manifest_label(manifest_digest: str) -> str:
    """Return the label value that stands for a manifest digest: its first 12 hex digits."""
    return manifest_digest.removeprefix("sha256:")[:12]


def latch_label(manifest_digest: str) -> str:
    """Return the label value by which the latch of a manifest digest is known."""
    return manifest_digest.removeprefix("sha256:")[:40]


def latch_name(manifest_digest: str) -> str:
    """Return the name of the ConfigMap, in the system namespace, with a digest's latch."""
    return f"hallmark-latch-{latch_label(manifest_digest)}"


def run_prefix(run_uid: str) -> str:
    """Return the store's folder of what a training Job uploads: ``runs/<run uid>/``."""
    return f"runs/{run_uid}/"


def model_prefix(namespace: str, model: str, manifest_digest: str) -> str:
    """Return the store's folder of a sealed bundle.

    Model names are scoped to a namespace, so the folder's name holds both.
    """
    return f"models/{namespace}.{model}/{manifest_digest.removeprefix('sha256:')}/"
