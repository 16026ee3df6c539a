"""Builders of the objects that tests apply, with small data that train in a second."""

import csv
import io
import random
from typing import Any

from tests.e2e.harness.api import Object

API_VERSION = "hallmark.dev/v1alpha1"
DATA_KEY = "data.csv"
AUTHOR, REVIEWER, VIEWER, PLATFORM, OUTSIDER = "alice", "rita", "vic", "pam", "mallory"

SEGMENTS = ("retail", "business", "public")
GROUPS = ("north", "south")


def loan_rows(count: int, seed: int = 0, scale: float = 1.0) -> list[dict[str, Any]]:
    """Return rows as a lender's applications might look; none of them is real.

    Args:
        count: how many.
        seed: the same seed gives the same rows.
        scale: factor on both numbers; 1 is the distribution that models are trained on.
    """
    source = random.Random(seed)  # noqa: S311 - not for secrets
    return [
        {
            "income": round(scale * source.lognormvariate(3.6, 0.4), 3),
            "loan_ratio": round(scale * source.gauss(0.4, 0.1), 3),
            "segment": source.choice(SEGMENTS),
        }
        for _ in range(count)
    ]


def loan_csv(count: int = 400, seed: int = 0) -> str:
    """Return training data: `loan_rows`, the attribute `group`, and the target `default`."""
    source = random.Random(seed + 1)  # noqa: S311 - not for secrets
    text = io.StringIO()
    columns = ["income", "loan_ratio", "segment", "group", "default"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in loan_rows(count, seed):
        risk = 12 * (row["loan_ratio"] - 0.4) - 0.04 * (row["income"] - 38)
        label = "yes" if risk + source.gauss(0, 0.5) > 0 else "no"
        writer.writerow({**row, "group": source.choice(GROUPS), "default": label})
    return text.getvalue()


def schema() -> Object:
    """Return the declaration of `loan_csv`'s columns."""
    return {
        "features": [
            {"name": "income", "type": "Number", "minimum": "0", "maximum": "100000"},
            {"name": "loan_ratio", "type": "Number", "minimum": "-10", "maximum": "100"},
            {"name": "segment", "type": "Category", "categories": list(SEGMENTS)},
        ],
        "target": {"name": "default", "positive": "yes"},
        "sensitive": [{"name": "group", "categories": list(GROUPS)}],
    }


def gate(metric: str, comparison: str, threshold: str) -> Object:
    """Return a gate."""
    return {"metric": metric, "comparison": comparison, "threshold": threshold}


def resource(
    kind: str, namespace: str | None, name: str, spec: Object, **metadata: object
) -> Object:
    """Return an object of one of Hallmark's kinds."""
    place = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "Deployment" if kind == "ModelDeployment" else kind,
        "metadata": {"name": name, **place, **metadata},
        "spec": spec,
    }


OFFERED = {"hallmark.dev/dataset": "true"}
"""On what a run mounts."""


def config_map(namespace: str, name: str, data: dict[str, str]) -> Object:
    """Return a ConfigMap that is offered to runs."""
    metadata = {"name": name, "namespace": namespace, "labels": OFFERED}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def training_run(
    namespace: str, name: str, *, seed: int = 0, model: str = "loan", **spec: object
) -> Object:
    """Return a run on the ConfigMap `loans`; `spec` replaces or adds fields."""
    whole = {
        "model": model,
        "dataset": {"configMap": {"name": "loans", "key": DATA_KEY}, "format": "CSV"},
        "schema": schema(),
        "trainer": {"seed": seed},
        "gates": [gate("accuracy", "AtLeast", "0.6")],
        "requestedBy": AUTHOR,
        **spec,
    }
    return resource("TrainingRun", namespace, name, whole)


def approval(
    version: Object,
    name: str,
    *,
    approver: str = REVIEWER,
    decision: str = "Approved",
    **spec: object,
) -> Object:
    """Return a decision on exactly this ModelVersion; `spec` replaces or adds fields."""
    sealed = version["spec"]
    whole = {
        "modelVersion": {
            "name": version["metadata"]["name"],
            "uid": version["metadata"]["uid"],
        },
        "manifestDigest": sealed["artifact"]["manifestDigest"],
        "sbomDigest": sealed["sbomDigest"],
        "gateReportDigest": sealed["gateReportDigest"],
        "decision": decision,
        "approver": approver,
        "reason": "Looked at the report.",
        **spec,
    }
    return resource("ModelApproval", version["metadata"]["namespace"], name, whole)


def model_deployment(
    namespace: str, name: str, version: str | None = None, **spec: object
) -> Object:
    """Return a ModelDeployment that pins a version; `spec` replaces or adds fields.

    Windows are small and the bake is short, so that a test takes seconds.
    """
    whole: Object = {
        **({"modelVersion": version} if version else {}),
        "replicas": 1,
        "strategy": {"bake": "1s", "keepWarm": "10m", "progressDeadline": "60s"},
        "drift": {"window": 200, "consecutive": 2},
        "resources": {"requests": {"cpu": "20m", "memory": "96Mi"}},
        **spec,
    }
    return resource("ModelDeployment", namespace, name, whole)
