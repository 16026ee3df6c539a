"""Versions, approvals, deployments and policies that the API server must refuse."""

from __future__ import annotations

from typing import Any

from tests.integration.api import Obj
from tests.integration.crd_specs import (
    APPROVAL,
    DEPLOYMENT,
    LIMITS,
    POLICY,
    UNIQUE,
    VERSION,
    gate,
    key,
    limits,
)

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
    "a policy that permits a threshold of zero": (
        POLICY,
        {"drift": {"maxThreshold": "0"}},
        "The number must be above zero",
    ),
    "a policy that permits all rows to be refused": (
        POLICY,
        {"drift": {"rejections": {"maxLimit": "1"}}},
        "must be a share above 0 and below 1",
    ),
    "a policy that permits more late answers than are counted": (
        POLICY,
        {"drift": {"requests": {"maxLatency": "1s"}}},
        "at most 500ms",
    ),
    "a policy that permits four probing clients": (
        POLICY,
        {"drift": {"probing": {"maxClients": 4}}},
        "drift.probing.maxClients",
    ),
    "a policy that demands that answers may be no age": (
        POLICY,
        {"drift": {"feedback": {"minMaxAge": "0s"}}},
        "The duration must be longer than zero",
    ),
    "a policy that demands a budget of nothing": (
        POLICY,
        {"drift": {"minFalseRollbackRisk": "0"}},
        "The risk must be above 0 and at most 1",
    ),
    "a policy that demands steps that ten cannot climb": (
        POLICY,
        {"rollout": {"canary": {"maxStep": 9}}},
        "rollout.canary.maxStep",
    ),
    "a policy that demands a pause of nothing": (
        POLICY,
        {"rollout": {"canary": {"minPause": "0s"}}},
        "The duration must be longer than zero",
    ),
    "a policy that permits more disagreement than there can be": (
        POLICY,
        {"rollout": {"mirror": {"maxDisagreement": "1.1"}}},
        "The share must be between 0 and 1",
    ),
    "a policy that permits a difference that nobody counts": (
        POLICY,
        {"rollout": {"mirror": {"maxScoreDifference": "0.3"}}},
        "at most 0.2",
    ),
    "a policy that demands a group twice": (
        POLICY,
        {"drift": {"feedback": {"groups": ["a", "a"]}}},
        "drift.feedback.groups",
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
    "a policy without signers": (POLICY, {"signers": []}, "should have at least 1 items"),
    "a signer that is named twice": (POLICY, {"signers": [key(), key()]}, UNIQUE),
    "a private key in a policy": (
        POLICY,
        {"signers": [key(publicKey="-----BEGIN PRIVATE KEY-----\nx\n")]},
        "and no private key",
    ),
    "a key that is no PEM": (POLICY, {"signers": [key(publicKey="x")]}, "Give the public key"),
    "a key id of another form": (POLICY, {"signers": [key(keyId="x")]}, "keyId"),
    "a key that ends before it begins": (
        POLICY,
        {"signers": [key(validFrom="2030-01-02T00:00:00Z", validUntil="2030-01-01T00:00:00Z")]},
        "'validFrom' must be before 'validUntil'.",
    ),
    "a sealing key that is none of the signers": (
        POLICY,
        {"sealWith": "0" * 64},
        "'sealWith' must be the id of one of 'signers'",
    ),
    "a policy that asks for no approval": (POLICY, {"approvals": {"minimum": 0}}, "minimum"),
    "a group with fewer members than must approve": (
        POLICY,
        {"approvals": {"groups": [{"name": "risk", "members": ["rita"], "minimum": 2}]}},
        "at least as many members as must approve",
    ),
    "a group that is named twice": (
        POLICY,
        {"approvals": {"groups": [{"name": "risk", "members": ["rita"]}] * 2}},
        UNIQUE,
    ),
    "a group without members": (
        POLICY,
        {"approvals": {"groups": [{"name": "risk", "members": []}]}},
        "members",
    ),
    "a cooling time that nobody can read": (
        POLICY,
        {"approvals": {"coolingTime": "a day"}},
        "coolingTime",
    ),
    "a floor on one side of a metric, twice": (
        POLICY,
        {"gates": [gate("0.1"), gate("0.2")]},
        UNIQUE,
    ),
    "a policy without personal-data actions": (
        POLICY,
        {"pii": {"allowedActions": []}},
        "should have at least 1 items",
    ),
    "an unknown datum that a run may let stay": (
        POLICY,
        {"pii": {"allowable": ["Shoe"]}},
        'spec.pii.allowable[0]: Unsupported value: "Shoe"',
    ),
    "a datum that a run may let stay, twice": (
        POLICY,
        {"pii": {"allowable": ["Email", "Email"]}},
        f"spec.pii.allowable[1]: {UNIQUE}",
    ),
    "a floor under another statistic": (
        POLICY,
        {"gates": [{**gate("0.1"), "statistic": "Median"}]},
        'supported values: "Estimate", "Bound"',
    ),
    **{
        f"a {name} of zero": (
            POLICY,
            limits(**{name: 0}),
            f"spec.sources.limits.{name} in body should be greater than or equal to 1",
        )
        for name in LIMITS
    },
    **{
        f"a {name} that is too large": (
            POLICY,
            limits(**{name: most + 1}),
            f"spec.sources.limits.{name} in body should be less than or equal to {most}",
        )
        for name, most in LIMITS.items()
    },
    "a denied package in another spelling": (
        POLICY,
        {"dependencies": {"denied": ["Py_YAML"]}},
        "in their normal form",
    ),
    **{
        f"the denied versions '{rule}'": (
            POLICY,
            {"dependencies": {"denied": [rule]}},
            "each alone or with versions",
        )
        for rule in ("torch<", "torch<1.0.*", "torch<x", "torch < 1", "torch~=1", "torch<1,")
    },
    **{
        f"the {side} licence '{licence}'": (
            POLICY,
            {"dependencies": {"licences": {side: [licence]}}},
            "Give ids of SPDX's licence list",
        )
        for side in ("allowed", "denied")
        for licence in (
            "MIT OR Apache-2.0",
            "BSD License",
            "LicenseRef-Ours",
            "(MIT)",
            "MIT WITH",
            "",
        )
    },
    "a source that a longer host name begins with": (
        POLICY,
        {"sources": {"allowed": ["https://data.example.org"]}},
        "with a '/' after the host or bucket",
    ),
    "a store in a folder": (POLICY, {"store": {"uri": "file:///tmp"}}, "spec.store.uri"),
    "a policy without images": (POLICY, {"images": None}, "spec.images"),
}
"""The builder, a spec, and words of the refusal."""
