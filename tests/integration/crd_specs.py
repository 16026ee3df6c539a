"""Specs, whole or in part, for the tests of the CRDs."""

from __future__ import annotations

import itertools
import secrets
from typing import Any

from tests.integration import objects
from tests.integration.api import Obj
from tests.integration.conftest import OPERATOR, World

RUN, VERSION, APPROVAL, DEPLOYMENT, POLICY = (
    objects.training_run,
    objects.model_version,
    objects.model_approval,
    objects.model_deployment,
    lambda _, name, **spec: objects.model_policy(name, **spec),
)


def dataset(**source: Any) -> Obj:  # noqa: ANN401
    """Return a TrainingRun's spec with a dataset."""
    return {"dataset": source}


def schema(*features: Obj, **more: Any) -> Obj:  # noqa: ANN401
    """Return a TrainingRun's spec with a schema."""
    target = {"name": "approved", "positive": "yes"}
    number = {"name": "income", "type": "Number"}
    return {"schema": {"features": list(features or [number]), "target": target, **more}}


def feature(type_: str, **more: Any) -> Obj:  # noqa: ANN401
    """Return a TrainingRun's spec with one feature."""
    return schema({"name": "it", "type": type_, **more})


def gate(threshold: str, metric: str = "accuracy") -> Obj:
    """Return a gate."""
    return {"metric": metric, "comparison": "AtLeast", "threshold": threshold}


def csv(**dialect: Any) -> Obj:  # noqa: ANN401
    """Return a TrainingRun's spec with a CSV file that is written in its own way."""
    return dataset(uri="s3://loans/all.csv", csv=dialect)


def target(**fields: Any) -> Obj:  # noqa: ANN401
    """Return a TrainingRun's spec with a target."""
    return schema(target=fields)


def allowance(detector: str = "PersonName", column: str = "street", reason: str = "A road.") -> Obj:
    """Return what a run lets stay."""
    return {"detector": detector, "column": column, "reason": reason}


def allow(*allowances: Obj) -> Obj:
    """Return a TrainingRun's spec that lets personal data stay."""
    return {"pii": {"allow": list(allowances)}}


def evaluation(**how: Any) -> Obj:  # noqa: ANN401
    """Return a TrainingRun's spec with its demands on measurements."""
    return {"evaluation": how}


def limits(**most: int) -> Obj:
    """Return a ModelPolicy's spec with limits on datasets."""
    return {"sources": {"limits": most}}


def names(prefix: str, number: int) -> list[str]:
    """Return distinct names of columns, as long as a name can be."""
    return [f"{prefix}{position:03}".ljust(63, "_") for position in range(number)]


def key(**more: Any) -> Obj:  # noqa: ANN401
    """Return a trusted key."""
    return {"keyId": "b" * 64, "publicKey": objects.PUBLIC_KEY, **more}


SEALED = {"uri": "s3://bundles/loan/", "manifestDigest": objects.DIGEST}
NO_SCHEMA = {"dataset": None, "schema": None}
UNIQUE = "Duplicate value"
DETECTORS = [
    "Email",
    "Phone",
    "PaymentCard",
    "IBAN",
    "IPAddress",
    "MACAddress",
    "NationalID",
    "PersonName",
    "DateOfBirth",
    "PostalAddress",
    "Secret",
]
ALGORITHMS = ("LogisticRegression", "LinearSVM", "RandomForest", "HistGradientBoosting")
LIMITS = {
    "maxBytes": 1 << 40,
    "maxDecompressedBytes": 1 << 42,
    "maxCompressionRatio": 100_000,
    "maxRows": 1_000_000_000,
    "maxColumns": 16_384,
    "maxCellBytes": 1 << 20,
}
"""The most that a ModelPolicy may permit of each."""
_ALLOWED = [
    allowance(detector, name, "r" * 256)
    for detector, name in itertools.product(DETECTORS[:4], names("c", 16))
]
LARGEST = {
    **schema(
        *({"name": name, "type": "Number"} for name in names("f", 256)),
        target={"name": "t" * 63},
        sensitive=[{"name": name} for name in names("s", 16)],
        identifiers=names("i", 16),
    ),
    "pii": {
        "rules": [
            {"detector": allowed["detector"], "column": allowed["column"], "action": "Drop"}
            for allowed in _ALLOWED
        ],
        "allow": _ALLOWED,
    },
    "gates": [gate("0.1", f"m{number}") for number in range(32)],
}
"""A spec in which every list that a rule reads has as many and as long items as it may have."""


def create(world: World, make: Any, spec: Obj, name: str = "") -> Obj:  # noqa: ANN401
    """Create an object as somebody who may."""
    obj = make(world.namespace, name or f"it-{secrets.token_hex(4)}", **spec)
    return world.api.create(obj, OPERATOR if make is VERSION else None)
