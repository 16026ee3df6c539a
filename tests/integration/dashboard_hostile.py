"""Objects with texts that are markup, wherever an author, a reviewer or a cell can put any."""

from __future__ import annotations

import secrets

from tests.integration import objects
from tests.integration.api import Obj
from tests.integration.conftest import OPERATOR, until
from tests.integration.dashboard_world import HOSTILE, Site, condition, put_deployment, put_version

LONG = "W" * 200
"""A word that is wider than a telephone."""
TIME = "2026-06-01T12:00:00Z"
BASELINE = {
    "schemaVersion": "hallmark.dev/baseline/v1",
    "rows": 300,
    "features": [
        {"name": "income", "type": "Number", "edges": [10.0, 20.0], "counts": [100, 100, 100, 0]},
        {
            "name": "purpose",
            "type": "Category",
            "categories": [HOSTILE, LONG],
            "counts": [200, 100, 0, 0],
        },
    ],
}
COUNTS = {"income": [400, 50, 50, 0], "purpose": [100, 300, 100, 0]}
REPORT = {
    "metrics": [],
    "remarks": [{"check": "x", "expected": HOSTILE, "found": LONG}],
    "inconclusive": {"rocAuc": HOSTILE},
    "parameters": {"C": HOSTILE},
    "fairness": [
        {
            "attribute": "origin",
            "demographic_parity_difference": 0.04,
            "equalized_odds_difference": None,
            "groups": [
                {"group": name, "rows": 50, "selection_rate": 0.5, "accuracy": 0.9}
                for name in (HOSTILE, LONG)
            ],
        }
    ],
}
PAGES = [
    "/",
    "/models",
    "/models/{namespace}/loan",
    "/deployments",
    "/versions/{namespace}/{version}",
    "/versions/{namespace}/{version}?component=%3Cscript%3E",
    "/versions/{namespace}/{version}/compare?with={before}",
    "/reviews/{namespace}/{version}",
    "/deployments/{namespace}/{deployment}",
    "/runs/{namespace}/{run}",
    "/audit",
    "/audit?verify=1&actor=%3Cscript%3E",
    "/policies",
    "/policies/{policy}",
    "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
    "/search?q=loan",
]


def fresh(stem: str) -> str:
    """Return a name that nobody has."""
    return f"{stem}-{secrets.token_hex(3)}"


def put_hostile(site: Site) -> dict[str, str]:
    """Make the objects; return their names, as the addresses of pages take them."""
    before = put_version(site, fresh("loan"), 1, baseline=BASELINE)
    sealed = put_version(site, fresh("loan"), 2, baseline=BASELINE, **REPORT)
    condition(
        site,
        sealed,
        {"approvals": [_record(HOSTILE), _record(LONG)]},
        Ready=("True", "Sealed"),
        Approved=("False", "AwaitingApproval"),
    )
    return {
        "namespace": site.namespace,
        "policy": site.policy,
        "before": before["metadata"]["name"],
        "version": sealed["metadata"]["name"],
        "run": _run(site),
        "deployment": _deployment(site, before),
    }


def _record(text: str) -> Obj:
    return {
        "uid": f"u-{len(text)}",
        "name": "a",
        "decision": "Approved",
        "approver": text,
        "accepted": False,
        "reason": "SelfApproval",
        "message": text,
        "time": TIME,
    }


def _run(site: Site) -> str:
    features = [
        {"name": "income", "type": "Number"},
        {"name": "purpose", "type": "Category", "categories": [HOSTILE, LONG]},
    ]
    run = objects.training_run(
        site.namespace,
        fresh("run"),
        requestedBy="admin",
        schema={
            "features": features,
            "target": {"name": "approved", "positive": HOSTILE},
            "sensitive": [{"name": "sex"}],
        },
        pii={"allow": [{"detector": "Email", "column": "income", "reason": HOSTILE}]},
    )
    made = site.api.create(run)
    progress = {"stage": HOSTILE[:32], "percent": 5, "message": HOSTILE}
    told = {"message": HOSTILE, "progress": progress}
    condition(site, made, told, Stalled=("True", "DataInvalid"), Ready=("False", "X"))
    return str(made["metadata"]["name"])


def _deployment(site: Site, active: Obj) -> str:
    digest = active["spec"]["artifact"]["manifestDigest"]
    made = put_deployment(site, fresh("desk"), active)
    window = {"number": 1, "rows": 500, "start": TIME, "end": TIME, "counts": COUNTS}
    report = objects.drift_report(
        manifestDigest=digest, counts=COUNTS, windows=[window], rows=500, bootID="<b>boot</b>"
    )
    rollback = {
        "from": "loan-v9",
        "to": active["metadata"]["name"],
        "fromDigest": digest,
        "toDigest": digest,
        "reason": "<i>x</i>",
        "message": HOSTILE + LONG,
        "time": TIME,
    }
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": HOSTILE,
        "lastTransitionTime": TIME,
    }
    told = {
        "lastAction": {
            "id": "1",
            "action": "pause",
            "by": HOSTILE,
            "outcome": HOSTILE,
            "time": TIME,
        },
        "lastRollback": rollback,
        "activeModelVersion": active["metadata"]["name"],
        "activeDigest": digest,
        "rollout": {"state": "Refused", "reason": "<u>x</u>", "message": HOSTILE},
        "drift": {"pod-1": report},
        "conditions": [ready],
    }
    site.api.patch(made, {"status": told}, OPERATOR, "status")
    name = str(made["metadata"]["name"])
    until(lambda: bool(site.services.watch.traffic.of(site.namespace, name)[1]))
    return name
