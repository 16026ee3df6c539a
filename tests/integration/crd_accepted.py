"""Specs that the API server must take."""

from __future__ import annotations

from typing import Any

from tests.integration.api import Obj
from tests.integration.crd_specs import (
    ALGORITHMS,
    APPROVAL,
    DEPLOYMENT,
    DETECTORS,
    LARGEST,
    LIMITS,
    NO_SCHEMA,
    POLICY,
    RUN,
    SEALED,
    allow,
    allowance,
    csv,
    dataset,
    evaluation,
    gate,
    limits,
    schema,
    target,
)

ACCEPTED: dict[str, tuple[Any, Obj]] = {
    "a run with a ConfigMap": (RUN, {}),
    "a run with a URL and credentials": (
        RUN,
        dataset(uri="s3://loans/all.parquet", credentialsSecret="loans", format="Parquet"),
    ),
    "a run with a volume": (RUN, dataset(volumeClaim={"claimName": "loans", "path": "a/b.csv"})),
    "a run with inline records": (RUN, dataset(records="a,b\n1,2\n")),
    "a run that adopts a bundle": (RUN, {**NO_SCHEMA, "sealed": SEALED}),
    "a run with every type of feature": (
        RUN,
        schema(
            {"name": "a", "type": "Number", "minimum": "-1.5", "maximum": "2"},
            {"name": "b", "type": "Integer", "nullable": True, "outOfRange": "Allow"},
            {"name": "c", "type": "Boolean"},
            {"name": "d", "type": "Category", "categories": ["x", "y"]},
        ),
    ),
    "a run with rules for a detector and for its columns": (
        RUN,
        {
            "pii": {
                "rules": [
                    {"detector": "Email", "action": "Drop"},
                    {"detector": "Email", "action": "Mask", "column": "contact"},
                ]
            }
        },
    ),
    "a run with both sides of a metric": (
        RUN,
        {"gates": [gate("0.1"), {**gate("0.9"), "comparison": "AtMost"}]},
    ),
    "a run with the smallest test split": (RUN, {"trainer": {"testFraction": "0.05"}}),
    "a run whose lists are as long as they may be": (RUN, LARGEST),
    "a run with CSV and nothing said of its dialect": (RUN, csv()),
    "a run with tabs, apostrophes and UTF-16": (
        RUN,
        csv(delimiter="\t", quote="'", encoding="UTF-16"),
    ),
    "a run with semicolons, no quotes and Latin-1": (
        RUN,
        csv(delimiter=";", quote="", encoding="Latin1"),
    ),
    "a run with bars, backticks and Windows-1252": (
        RUN,
        csv(delimiter="|", quote="`", encoding="Windows1252"),
    ),
    "a run whose records have a dialect": (
        RUN,
        dataset(records="a;b\n1;2\n", csv={"delimiter": ";"}),
    ),
    "a run whose rows are named by two columns": (
        RUN,
        schema(sensitive=[{"name": "sex"}], identifiers=["branch", "loan number"]),
    ),
    "a run whose classes are peers": (RUN, target(name="grade")),
    "a run with a favourable outcome": (RUN, target(name="grade", positive="A")),
    "a run with declared classes": (
        RUN,
        target(name="grade", positive="A", categories=["A", "B", "C"]),
    ),
    "a run with declared peers": (RUN, target(name="grade", categories=["a", "A"])),
    "a run that lets every kind of personal datum stay": (
        RUN,
        allow(*(allowance(detector) for detector in DETECTORS)),
    ),
    "a run that lets a kind stay in two columns": (
        RUN,
        allow(allowance(), allowance(column="city")),
    ),
    **{
        f"a run with {algorithm}": (RUN, {"trainer": {"algorithm": algorithm}})
        for algorithm in ALGORITHMS
    },
    "a run with gates on an estimate and on a bound": (
        RUN,
        {
            "gates": [
                {**gate("0.1"), "statistic": "Bound"},
                {**gate("0.9"), "comparison": "AtMost", "statistic": "Estimate"},
            ]
        },
    ),
    "a run with a metric of the longest name": (RUN, {"gates": [gate("0.1", "m" * 160)]}),
    "a run with the least that an evaluation may ask for": (
        RUN,
        evaluation(
            confidence="0.5",
            resamples=100,
            epsilon="0.000000001",
            minimumGroupRows=1,
            intersections=False,
        ),
    ),
    "a run with the most that an evaluation may ask for": (
        RUN,
        evaluation(
            confidence="0.999",
            resamples=10_000,
            epsilon="10.0",
            minimumGroupRows=1_000_000,
            intersections=True,
        ),
    ),
    "a run with the longest model card": (
        RUN,
        {
            "modelCard": {
                **dict.fromkeys(
                    ("users", "useCases", "technicalLimitations", "performanceTradeoffs"),
                    ["é" * 512] * 16,
                ),
                "ethicalConsiderations": [{"name": "a", "mitigationStrategy": "b" * 512}] * 16,
            }
        },
    ),
    "a run with a model card that says nothing": (RUN, {"modelCard": {}}),
    "an assessment that ends": (
        APPROVAL,
        {
            "decision": "Assessed",
            "assessment": {
                "vulnerability": "CVE-2026-1",
                "package": "numpy",
                "version": "1.26.4",
                "analysis": "not_affected",
                "justification": "code_not_reachable",
            },
            "attestation": "{}",
            "notAfter": "2030-01-31T12:00:00Z",
        },
    ),
    "a policy that listens to two reviewers": (
        POLICY,
        {"dependencies": {"vulnerabilities": {"vex": {"minimum": 2}}}},
    ),
    "a policy that listens to groups": (
        POLICY,
        {
            "dependencies": {
                "vulnerabilities": {
                    "vex": {"groups": [{"name": "security", "members": ["a", "b"], "minimum": 2}]}
                }
            }
        },
    ),
    "an approval that ends": (APPROVAL, {"notAfter": "2030-01-31T12:00:00Z", "targets": ["a"]}),
    "a denial": (APPROVAL, {"decision": "Denied"}),
    "a revocation": (APPROVAL, {"decision": "Revoked"}),
    "a deployment of a model": (DEPLOYMENT, {}),
    "a deployment of a version": (DEPLOYMENT, {"model": None, "modelVersion": "loan-v1"}),
    "a deployment that bakes and keeps nothing": (
        DEPLOYMENT,
        {"strategy": {"bake": "0s", "keepWarm": "0s"}},
    ),
    "a deployment that watches as closely as can be": (
        DEPLOYMENT,
        {
            "drift": {
                "falseRollbackRisk": "1",
                "window": 100,
                "consecutive": 1,
                "rejections": {"limit": "0.01", "minimum": 100, "then": "Rollback"},
                "requests": {"minimum": 100, "maxErrors": "0.01", "maxLatency": "100ms"},
            }
        },
    ),
    "a deployment that takes the truth": (DEPLOYMENT, {"drift": {"feedback": {}}}),
    "a deployment with floors for the truth": (
        DEPLOYMENT,
        {
            "drift": {
                "feedback": {
                    "minimumAccuracy": "0.8",
                    "maximumCalibrationError": "0.05",
                    "window": 100,
                    "groups": ["women", "men", "18 to 25"],
                    "groupFloor": {"minimumAccuracy": "0.75", "minimumOutcomes": 500},
                    "groupGap": {"maximum": "0.1", "minimumOutcomes": 500},
                    "maxAge": "24h",
                    "falseRollbackRisk": "1",
                    "then": "Rollback",
                }
            }
        },
    ),
    "a deployment with spread, rank and limits": (
        DEPLOYMENT,
        {
            "scheduling": {
                "priorityClassName": "models",
                "topologySpread": [{}, {"topologyKey": "kubernetes.io/hostname", "maxSkew": 2}],
            },
            "strategy": {"coolDown": "10m", "maxSwitchesPerDay": 9},
        },
    ),
    "a canary without steps": (DEPLOYMENT, {"strategy": {"type": "Canary"}}),
    "a canary of the most steps": (
        DEPLOYMENT,
        {
            "strategy": {
                "type": "Canary",
                "canary": {
                    "steps": [{"weight": 9 * n, "pause": "0s"} for n in range(1, 11)],
                    "analysis": {
                        "minimumRows": 1,
                        "maxRejections": "0",
                        "drift": False,
                        "maxLatency": "500ms",
                    },
                },
            }
        },
    ),
    "a canary by a route with all that may be said of it": (
        DEPLOYMENT,
        {
            "strategy": {
                "type": "Canary",
                "canary": {
                    "route": {
                        "parentRefs": [
                            {"name": "g", "sectionName": "https", "port": 443},
                            {"name": "g", "sectionName": "http"},
                            {"name": "g", "namespace": "gateways"},
                            {"name": "loan", "group": "", "kind": "Service"},
                        ],
                        "hostnames": ["*.example.com", "credit"],
                    }
                },
            }
        },
    ),
    "a mirror before a canary, with all that may be said of it": (
        DEPLOYMENT,
        {
            "strategy": {
                "type": "Canary",
                "mirror": {
                    "percent": 1,
                    "pause": "0s",
                    "analysis": {
                        "minimumRows": 1,
                        "maxDisagreement": "0",
                        "maxScoreDifference": "0.2",
                        "minimumRequests": 1,
                        "maxRejections": "1",
                        "maxErrors": "0.5",
                        "maxLatency": "500ms",
                    },
                },
            }
        },
    ),
    **{
        f"a deployment with resources {number}": (DEPLOYMENT, {"resources": asked})
        for number, asked in enumerate(
            (
                {},
                {"requests": {}, "limits": {}},
                {"requests": {"cpu": "2"}},
                {"limits": {"memory": "1Gi"}},
                {"requests": {"memory": "1024Mi"}, "limits": {"memory": "1Gi"}},
                {"requests": {"cpu": "1000m"}, "limits": {"memory": "1Gi", "cpu": "1"}},
            )
        )
    },
    "a policy": (POLICY, {}),
    "a policy that demands drift watching": (
        POLICY,
        {
            "drift": {
                "maxThreshold": "0.25",
                "maxWindow": 100,
                "maxConsecutive": 1,
                "minFalseRollbackRisk": "0.001",
                "features": ["income"],
                "rejections": {"maxLimit": "0.2", "maxMinimum": 1000, "rollback": True},
                "probing": {"maxClients": 1, "rollback": False},
                "requests": {"maxErrors": "0", "maxLatency": "500ms", "maxMinimum": 100},
                "feedback": {
                    "minAccuracy": "0.8",
                    "maxCalibrationError": "0.1",
                    "maxWindow": 1000,
                    "minMaxAge": "24h",
                    "minFalseRollbackRisk": "0.01",
                    "groups": ["women", "men"],
                    "groupFloor": {"minAccuracy": "0.75", "maxMinimumOutcomes": 200},
                    "groupGap": {"max": "0.1", "maxMinimumOutcomes": 200},
                },
                "automaticRollback": True,
            }
        },
    ),
    "a policy that demands blocks, whatever is in them": (
        POLICY,
        {"drift": {"rejections": {}, "probing": {}, "requests": {}, "feedback": {}}},
    ),
    "a policy that demands how versions take over": (
        POLICY,
        {
            "rollout": {
                "canary": {
                    "maxFirstStep": 10,
                    "maxStep": 50,
                    "minPause": "5m",
                    "minMinimumRows": 1000,
                    "maxRejections": "0.05",
                    "minMinimumRequests": 100,
                    "maxErrors": "0",
                    "maxLatency": "500ms",
                    "drift": True,
                },
                "mirror": {
                    "minPercent": 100,
                    "minPause": "10m",
                    "minMinimumRows": 1,
                    "maxDisagreement": "1",
                    "maxScoreDifference": "0.2",
                    "minMinimumRequests": 1,
                    "maxRejections": "0",
                    "maxErrors": "0.01",
                    "maxLatency": "100ms",
                },
                "minBake": "10m",
                "minKeepWarm": "1h",
                "minCoolDown": "1h",
                "maxSwitchesPerDay": 9,
                "manual": True,
            }
        },
    ),
    "a policy that demands a canary and a mirror, whatever they are": (
        POLICY,
        {"rollout": {"canary": {}, "mirror": {}}},
    ),
    "a policy with addresses": (
        POLICY,
        {
            "network": {
                "dns": {"addresses": ["169.254.20.10/32"], "podLabels": {"dns": "default"}},
                "store": ["203.0.113.0/24", "2001:db8::/32"],
                "sources": ["198.51.100.7/32"],
            },
            "pii": {"quoteNumbers": True},
        },
    ),
    "a policy with sources": (
        POLICY,
        {"sources": {"allowed": ["https://data.example.org/", "s3://loans/2026/"]}},
    ),
    "a policy with denied packages": (POLICY, {"dependencies": {"denied": ["pickle5", "a-b"]}}),
    "a policy with denied versions": (
        POLICY,
        {"dependencies": {"denied": ["pillow>=9,<10.3", "torch==1.*", "a-b<1!2.0rc1.post3.dev4"]}},
    ),
    "a policy with licences": (
        POLICY,
        {
            "dependencies": {
                "licences": {
                    "allowed": ["MIT", "GPL-2.0-only WITH Classpath-exception-2.0"],
                    "denied": ["AGPL-3.0-or-later"],
                }
            }
        },
    ),
    "a policy that permits the least of a dataset": (POLICY, limits(**dict.fromkeys(LIMITS, 1))),
    "a policy that permits the most of a dataset": (POLICY, limits(**LIMITS)),
    "a policy under which two kinds of personal data may stay": (
        POLICY,
        {"pii": {"allowable": ["PersonName", "PostalAddress"]}},
    ),
    "a policy under which nothing may stay": (POLICY, {"pii": {"allowable": []}}),
    "a policy with a floor under a bound": (
        POLICY,
        {"gates": [{**gate("0.1"), "statistic": "Bound"}]},
    ),
}
"""Each kind's builder and a spec."""
