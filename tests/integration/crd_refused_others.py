"""Versions, approvals and deployments that the API server must refuse."""

from __future__ import annotations

from typing import Any

from tests.integration.api import Obj
from tests.integration.crd_specs import APPROVAL, DEPLOYMENT, POLICY, UNIQUE, VERSION

ANY: dict[str, Any] = {"parentRefs": [{"name": "g"}]}
BAD_ROUTES: dict[str, tuple[dict[str, Any], str]] = {
    "without a parent": ({"parentRefs": []}, "parentRefs"),
    "with nine parents": ({"parentRefs": [{"name": f"g{n}"} for n in range(9)]}, "parentRefs"),
    "with a parent twice": ({"parentRefs": [{"name": "g"}, {"name": "g"}]}, "must be named once"),
    "with a parent twice, once by its listener": (
        {"parentRefs": [{"name": "g"}, {"name": "g", "sectionName": "http"}]},
        "with a 'sectionName' each time",
    ),
    "with a port that is none": ({"parentRefs": [{"name": "g", "port": 65536}]}, "port"),
    "for what is no host": ({**ANY, "hostnames": ["Credit.example.com"]}, "hostnames"),
    "for a host twice": ({**ANY, "hostnames": ["a.example.com"] * 2}, "Duplicate value"),
    "for a wildcard within": ({**ANY, "hostnames": ["a.*.example.com"]}, "hostnames"),
}
"""Gateway API would refuse them later."""

ASSESSMENT = {"vulnerability": "CVE-1", "package": "numpy", "analysis": "resolved"}
REFUSED_OTHERS: dict[str, tuple[Any, Obj, str]] = {
    "a version number of zero": (VERSION, {"version": 0}, "spec.version"),
    "a version with a digest of another form": (VERSION, {"sbomDigest": "x"}, "spec.sbomDigest"),
    "a version with a bundle that is too large": (
        VERSION,
        {"bundle": "a" * 16385},
        "may not be more than",
    ),
    "an unknown decision": (APPROVAL, {"decision": "Maybe"}, "Approved"),
    "an approval without a reason": (APPROVAL, {"reason": None}, "spec.reason"),
    "an approval with a blank reason": (
        APPROVAL,
        {"reason": "  "},
        "Give a reason that a reader can understand.",
    ),
    "a denial that ends": (
        APPROVAL,
        {"decision": "Denied", "notAfter": "2030-01-01T00:00:00Z"},
        "leave 'notAfter' out of a denial or revocation",
    ),
    "a revocation for some targets": (
        APPROVAL,
        {"decision": "Revoked", "targets": ["a"]},
        "leave 'targets' out",
    ),
    "an assessment of nothing": (
        APPROVAL,
        {"decision": "Assessed", "attestation": "{}"},
        "What is Assessed has an 'assessment'",
    ),
    "an approval with an assessment": (
        APPROVAL,
        {"assessment": ASSESSMENT},
        "What is Assessed has an 'assessment'",
    ),
    "an assessment that nobody signed": (
        APPROVAL,
        {"decision": "Assessed", "assessment": ASSESSMENT},
        "make it with 'hallmark vex'",
    ),
    "an assessment for some targets": (
        APPROVAL,
        {
            "decision": "Assessed",
            "assessment": ASSESSMENT,
            "attestation": "{}",
            "targets": ["a"],
        },
        "leave 'targets' out",
    ),
    "an assessment that gives no reason": (
        APPROVAL,
        {
            "decision": "Assessed",
            "assessment": {**ASSESSMENT, "analysis": "not_affected"},
            "attestation": "{}",
        },
        "Say in 'justification' why nothing is affected",
    ),
    "an assessment of a package in another spelling": (
        APPROVAL,
        {
            "decision": "Assessed",
            "assessment": {**ASSESSMENT, "package": "NumPy"},
            "attestation": "{}",
        },
        "spec.assessment.package",
    ),
    "a policy that listens to more of a group than there are": (
        POLICY,
        {
            "dependencies": {
                "vulnerabilities": {
                    "vex": {"groups": [{"name": "security", "members": ["a"], "minimum": 2}]}
                }
            }
        },
        "at least as many members as must approve",
    ),
    "a policy that listens to nobody": (
        POLICY,
        {"dependencies": {"vulnerabilities": {"vex": {"minimum": 0}}}},
        "minimum",
    ),
    "a target that is named twice": (APPROVAL, {"targets": ["a", "a"]}, UNIQUE),
    "an end that is no date": (APPROVAL, {"notAfter": "2030-13-01T00:00:00Z"}, "spec.notAfter"),
    "an end that no calendar has": (
        APPROVAL,
        {"notAfter": "0000-01-01T00:00:00Z"},
        "spec.notAfter",
    ),
    "an end in another zone": (APPROVAL, {"notAfter": "2030-01-01T00:00:00+01:00"}, "notAfter"),
    "a deployment of nothing": (DEPLOYMENT, {"model": None}, "Give either 'model'"),
    "a deployment of a model and a version": (
        DEPLOYMENT,
        {"modelVersion": "loan-v1"},
        "Give either 'model'",
    ),
    "a deadline for progress of zero": (
        DEPLOYMENT,
        {"strategy": {"progressDeadline": "0s"}},
        "must be longer than zero",
    ),
    "a duration that is longer than ten years": (
        DEPLOYMENT,
        {"strategy": {"keepWarm": "999999h"}},
        "must be at most 87600h",
    ),
    "an unknown strategy": (DEPLOYMENT, {"strategy": {"type": "Violet"}}, "BlueGreen"),
    "canary steps of another strategy": (
        DEPLOYMENT,
        {"strategy": {"canary": {"steps": [{"weight": 10}]}}},
        "'canary' is for the type 'Canary'",
    ),
    **{
        f"a canary with weights {weights}": (
            DEPLOYMENT,
            {"strategy": {"type": "Canary", "canary": {"steps": [{"weight": w} for w in weights]}}},
            refusal,
        )
        for weights, refusal in (
            ((), "spec.strategy.canary.steps"),
            ((0,), "weight"),
            ((100,), "weight"),
            ((50, 10), "must increase from step to step"),
            ((10, 10), "must increase from step to step"),
            (tuple(range(1, 12)), "spec.strategy.canary.steps"),
        )
    },
    "a canary that may reject more than all rows": (
        DEPLOYMENT,
        {"strategy": {"type": "Canary", "canary": {"analysis": {"maxRejections": "1.01"}}}},
        "must be between 0 and 1",
    ),
    "a canary that may fail more than all requests": (
        DEPLOYMENT,
        {"strategy": {"type": "Canary", "canary": {"analysis": {"maxErrors": "2"}}}},
        "share of failed requests must be between 0 and 1",
    ),
    "a canary with a latency that nobody counts": (
        DEPLOYMENT,
        {"strategy": {"type": "Canary", "canary": {"analysis": {"maxLatency": "501ms"}}}},
        "at most 500ms",
    ),
    **{
        f"a canary by a route {title}": (
            DEPLOYMENT,
            {"strategy": {"type": "Canary", "canary": {"route": route}}},
            refusal,
        )
        for title, (route, refusal) in BAD_ROUTES.items()
    },
    **{
        f"a mirror of {percent} per cent": (
            DEPLOYMENT,
            {"strategy": {"mirror": {"percent": percent}}},
            "spec.strategy.mirror.percent",
        )
        for percent in (0, 101)
    },
    **{
        f"a mirror whose {name} is {value}": (
            DEPLOYMENT,
            {"strategy": {"mirror": {"analysis": {name: value}}}},
            refusal,
        )
        for name, value, refusal in (
            ("maxDisagreement", "1.01", "share of rows with another label must be between 0 and 1"),
            ("maxRejections", "2", "share of refused copies must be between 0 and 1"),
            ("maxErrors", "2", "share of failed requests must be between 0 and 1"),
            ("maxLatency", "501ms", "at most 500ms"),
            ("maxScoreDifference", "0", "above 0 and at most 0.2"),
            ("maxScoreDifference", "0.21", "above 0 and at most 0.2"),
            ("minimumRows", 0, "minimumRows"),
        )
    },
    "a cap of no switch": (DEPLOYMENT, {"strategy": {"maxSwitchesPerDay": 0}}, "maxSwitchesPerDay"),
    "a spread that is named twice": (
        DEPLOYMENT,
        {"scheduling": {"topologySpread": [{"topologyKey": "zone"}, {"topologyKey": "zone"}]}},
        UNIQUE,
    ),
    "a spread by nothing": (
        DEPLOYMENT,
        {"scheduling": {"topologySpread": [{"topologyKey": ""}]}},
        "topologyKey",
    ),
    "a drift threshold of zero": (
        DEPLOYMENT,
        {"drift": {"threshold": "0.0"}},
        "must be above zero",
    ),
    "a drift threshold below zero": (
        DEPLOYMENT,
        {"drift": {"threshold": "-1"}},
        "must be above zero",
    ),
    "no risk of a false rollback at all": (
        DEPLOYMENT,
        {"drift": {"falseRollbackRisk": "0"}},
        "The risk must be above 0 and at most 1",
    ),
    "a risk of a false rollback above one": (
        DEPLOYMENT,
        {"drift": {"falseRollbackRisk": "1.01"}},
        "The risk must be above 0 and at most 1",
    ),
    "a limit of refused rows that is all of them": (
        DEPLOYMENT,
        {"drift": {"rejections": {"limit": "1"}}},
        "The limit must be a share above 0 and below 1",
    ),
    "a floor that every answer must come true": (
        DEPLOYMENT,
        {"drift": {"feedback": {"minimumAccuracy": "1"}}},
        "The accuracy must be above 0 and below 1",
    ),
    "a calibration error of nothing at all": (
        DEPLOYMENT,
        {"drift": {"feedback": {"maximumCalibrationError": "0.0"}}},
        "The calibration error must be above 0 and below 1",
    ),
    "a risk of a false verdict above one": (
        DEPLOYMENT,
        {"drift": {"feedback": {"falseRollbackRisk": "2"}}},
        "The risk must be above 0 and at most 1",
    ),
    "outcomes in too small a window": (
        DEPLOYMENT,
        {"drift": {"feedback": {"window": 99}}},
        "drift.feedback.window",
    ),
    "answers of no age": (
        DEPLOYMENT,
        {"drift": {"feedback": {"maxAge": "0s"}}},
        "The duration must be longer than zero",
    ),
    "a group twice": (
        DEPLOYMENT,
        {"drift": {"feedback": {"groups": ["a", "a"]}}},
        "drift.feedback.groups",
    ),
    "a group whose name is no label": (
        DEPLOYMENT,
        {"drift": {"feedback": {"groups": ["a\nb"]}}},
        "drift.feedback.groups",
    ),
    "a floor for groups without a group": (
        DEPLOYMENT,
        {"drift": {"feedback": {"groupFloor": {"minimumAccuracy": "0.8"}}}},
        "'groupFloor' is for the groups in 'groups'",
    ),
    "more outcomes of a group than are kept": (
        DEPLOYMENT,
        {
            "drift": {
                "feedback": {
                    "groups": ["a"],
                    "window": 100,
                    "groupFloor": {"minimumAccuracy": "0.8", "minimumOutcomes": 501},
                }
            }
        },
        "must be at most 5 times 'window'",
    ),
    "a gap between groups with a single group": (
        DEPLOYMENT,
        {"drift": {"feedback": {"groups": ["a"], "groupGap": {"maximum": "0.1"}}}},
        "'groupGap' is for the groups in 'groups'; name two or more",
    ),
    "a gap that asks for more outcomes than are kept": (
        DEPLOYMENT,
        {
            "drift": {
                "feedback": {
                    "groups": ["a", "b"],
                    "window": 100,
                    "groupGap": {"maximum": "0.1", "minimumOutcomes": 501},
                }
            }
        },
        "must be at most 5 times 'window'",
    ),
    "a gap as wide as can be": (
        DEPLOYMENT,
        {"drift": {"feedback": {"groups": ["a", "b"], "groupGap": {"maximum": "1"}}}},
        "The gap must be above 0 and below 1",
    ),
    "a floor for groups without a number": (
        DEPLOYMENT,
        {"drift": {"feedback": {"groups": ["a"], "groupFloor": {}}}},
        "minimumAccuracy",
    ),
    "another answer to the truth": (
        DEPLOYMENT,
        {"drift": {"feedback": {"then": "Retrain"}}},
        "drift.feedback.then",
    ),
    "another answer to refused rows": (
        DEPLOYMENT,
        {"drift": {"rejections": {"then": "Ignore"}}},
        "drift.rejections.then",
    ),
    "limits of requests without a limit": (
        DEPLOYMENT,
        {"drift": {"requests": {"minimum": 200}}},
        "Give 'maxErrors', 'maxLatency' or both",
    ),
    "limits of requests above what is counted": (
        DEPLOYMENT,
        {"drift": {"requests": {"maxLatency": "501ms"}}},
        "at most 500ms",
    ),
    "a drift window that is too small": (DEPLOYMENT, {"drift": {"window": 99}}, "drift.window"),
    "a watched feature that is named twice": (
        DEPLOYMENT,
        {"drift": {"features": ["a", "a"]}},
        UNIQUE,
    ),
    "fewer than no replicas": (DEPLOYMENT, {"replicas": -1}, "spec.replicas"),
    "a quantity of another form": (
        DEPLOYMENT,
        {"resources": {"limits": {"memory": "lots"}}},
        "spec.resources.limits.memory",
    ),
    "more memory than its limit": (
        DEPLOYMENT,
        {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2047Mi"}}},
        "'requests.memory' must be at most 'limits.memory'.",
    ),
    "more CPU than its limit": (
        DEPLOYMENT,
        {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1999m"}}},
        "'requests.cpu' must be at most 'limits.cpu'.",
    ),
    **{
        f"a limit of {amount} bytes, which would be none": (
            DEPLOYMENT,
            {"resources": {"limits": {"memory": amount}}},
            "spec.resources.limits.memory",
        )
        for amount in ("0", "0Gi", "00")
    },
    "an address without a prefix": (
        POLICY,
        {"network": {"store": ["203.0.113.7"]}},
        "Give addresses with the length of their prefix",
    ),
    "an address that is none": (
        POLICY,
        {"network": {"dns": {"addresses": ["kube-dns/32"]}}},
        "Give addresses with the length of their prefix",
    ),
    "name servers without a label": (
        POLICY,
        {"network": {"dns": {"podLabels": {}}}},
        "spec.network.dns.podLabels",
    ),
}
"""The builder, a spec, and words of the refusal."""
