"""Policies that the API server must refuse."""

from __future__ import annotations

from typing import Any

from tests.integration.api import Obj
from tests.integration.crd_specs import LIMITS, POLICY, UNIQUE, gate, key, limits

REFUSED_POLICIES: dict[str, tuple[Any, Obj, str]] = {
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
