"""What the API server accepts and refuses of each kind, and with which words."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.integration import objects
from tests.integration.api import Obj, RefusedError
from tests.integration.conftest import OPERATOR, ROOT, World

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


def allow(*each: Obj) -> Obj:
    """Return a TrainingRun's spec that lets personal data stay."""
    return {"pii": {"allow": list(each)}}


def evaluation(**how: Any) -> Obj:  # noqa: ANN401
    """Return a TrainingRun's spec with its demands on measurements."""
    return {"evaluation": how}


def limits(**most: int) -> Obj:
    """Return a ModelPolicy's spec with limits on datasets."""
    return {"sources": {"limits": most}}


def names(prefix: str, number: int) -> list[str]:
    """Return distinct names of columns, as long as a name can be."""
    return [f"{prefix}{each:03}".ljust(63, "_") for each in range(number)]


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
            {"detector": each["detector"], "column": each["column"], "action": "Drop"}
            for each in _ALLOWED
        ],
        "allow": _ALLOWED,
    },
    "gates": [gate("0.1", f"m{number}") for number in range(32)],
}
"""A spec in which every list that a rule reads has as many and as long items as it may have."""

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
            {"name": "b", "type": "Integer", "nullable": True},
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
    "a run that lets every kind of personal datum stay": (
        RUN,
        allow(*(allowance(each) for each in DETECTORS)),
    ),
    "a run that lets a kind stay in two columns": (
        RUN,
        allow(allowance(), allowance(column="city")),
    ),
    **{f"a run with {each}": (RUN, {"trainer": {"algorithm": each}}) for each in ALGORITHMS},
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
    "an approval that ends": (APPROVAL, {"notAfter": "2030-01-31T12:00:00Z", "targets": ["a"]}),
    "a denial": (APPROVAL, {"decision": "Denied"}),
    "a revocation": (APPROVAL, {"decision": "Revoked"}),
    "a deployment of a model": (DEPLOYMENT, {}),
    "a deployment of a version": (DEPLOYMENT, {"model": None, "modelVersion": "loan-v1"}),
    "a deployment that bakes and keeps nothing": (
        DEPLOYMENT,
        {"strategy": {"bake": "0s", "keepWarm": "0s"}},
    ),
    "a policy": (POLICY, {}),
    "a policy with sources": (
        POLICY,
        {"sources": {"allowed": ["https://data.example.org/", "s3://loans/2026/"]}},
    ),
    "a policy with denied packages": (POLICY, {"dependencies": {"denied": ["pickle5", "a-b"]}}),
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

REFUSED: dict[str, tuple[Any, Obj, str]] = {
    # A TrainingRun's source.
    "a run without a source": (
        RUN,
        dataset(format="CSV"),
        "Give exactly one of 'uri', 'volumeClaim', 'configMap' and 'records'. Found ( ).",
    ),
    "a run with two sources": (
        RUN,
        dataset(uri="s3://a/b", records="a"),
        "Found ( uri records ).",
    ),
    "a run with credentials for no URL": (
        RUN,
        dataset(records="a", credentialsSecret="s"),
        "'credentialsSecret' goes with 'uri' alone",
    ),
    "a run with Parquet in its text": (
        RUN,
        dataset(records="a", format="Parquet"),
        "set 'format' to CSV or JSONLines",
    ),
    "a run with a file outside the volume": (
        RUN,
        dataset(volumeClaim={"claimName": "c", "path": "a/../../etc/passwd"}),
        "must be relative to the volume's root and stay below it",
    ),
    "a run with an absolute path": (
        RUN,
        dataset(volumeClaim={"claimName": "c", "path": "/etc/passwd"}),
        "must be relative to the volume's root and stay below it",
    ),
    "a run from a local file": (RUN, dataset(uri="file:///etc/passwd"), "spec.dataset.uri"),
    "a run over plain HTTP": (RUN, dataset(uri="http://example.org/a"), "spec.dataset.uri"),
    "a run with too many records": (RUN, dataset(records="a" * 131073), "may not be more than"),
    "a run with a fingerprint of another form": (
        RUN,
        dataset(records="a", fingerprint="md5:1"),
        "spec.dataset.fingerprint",
    ),
    "a run with a dialect for Parquet": (
        RUN,
        dataset(uri="s3://a/b", format="Parquet", csv={}),
        "'csv' goes with 'format' CSV alone; leave it out.",
    ),
    "a run with a dialect for JSON lines": (
        RUN,
        dataset(records="{}", format="JSONLines", csv={"delimiter": ";"}),
        "'csv' goes with 'format' CSV alone; leave it out.",
    ),
    "a dialect with one character for two things": (
        RUN,
        csv(delimiter="'", quote="'"),
        "'delimiter' and 'quote' must not be the same character.",
    ),
    "a delimiter of two characters": (
        RUN,
        csv(delimiter=";;"),
        "spec.dataset.csv.delimiter: Too long",
    ),
    "a delimiter that is empty": (
        RUN,
        csv(delimiter=""),
        "spec.dataset.csv.delimiter in body should be at least 1 chars long",
    ),
    "a delimiter that ends a line": (
        RUN,
        csv(delimiter="\n"),
        "spec.dataset.csv.delimiter in body should match",
    ),
    "a delimiter that is part of a number": (
        RUN,
        csv(delimiter="."),
        "spec.dataset.csv.delimiter in body should match",
    ),
    "a quote of two characters": (RUN, csv(quote="''"), "spec.dataset.csv.quote: Too long"),
    "a quote that is a letter": (
        RUN,
        csv(quote="q"),
        "spec.dataset.csv.quote in body should match",
    ),
    "an unknown encoding": (
        RUN,
        csv(encoding="EBCDIC"),
        'supported values: "UTF-8", "UTF-16", "Latin1", "Windows1252"',
    ),
    "a run with a dataset and no schema": (
        RUN,
        {"schema": None},
        "Give both 'dataset' and 'schema', or 'sealed' alone.",
    ),
    "a run with a dataset and a bundle": (RUN, {"sealed": SEALED}, "or 'sealed' alone."),
    "a run with nothing": (RUN, NO_SCHEMA, "or 'sealed' alone."),
    # Its schema.
    "a Category without categories": (RUN, feature("Category"), "needs 'categories'"),
    "a Category with no categories": (
        RUN,
        feature("Category", categories=[]),
        "should have at least 1 items",
    ),
    "a Number with categories": (RUN, feature("Number", categories=["a"]), "needs 'categories'"),
    "a category that is named twice": (RUN, feature("Category", categories=["a", "a"]), UNIQUE),
    "a Boolean with a minimum": (
        RUN,
        feature("Boolean", minimum="1"),
        "Only a Number or an Integer has",
    ),
    "a minimum above the maximum": (
        RUN,
        feature("Number", minimum="10", maximum="9.5"),
        "'minimum' must not be above 'maximum'.",
    ),
    "a feature that is named twice": (
        RUN,
        schema({"name": "a", "type": "Number"}, {"name": "a", "type": "Boolean"}),
        UNIQUE,
    ),
    "a schema without features": (
        RUN,
        {"schema": {"features": [], "target": {"name": "y", "positive": "1"}}},
        "should have at least 1 items",
    ),
    "a target that is a feature": (
        RUN,
        schema({"name": "approved", "type": "Boolean"}),
        "the model would read its own answer",
    ),
    "a target that is a sensitive attribute": (
        RUN,
        schema(sensitive=[{"name": "approved"}]),
        "must not be a sensitive attribute too",
    ),
    "a sensitive attribute that is named twice": (
        RUN,
        schema(sensitive=[{"name": "sex"}, {"name": "sex"}]),
        UNIQUE,
    ),
    "an identifier that is a feature": (
        RUN,
        schema(identifiers=["income"]),
        "An identifier must be neither a feature nor the target",
    ),
    "an identifier that is the target": (
        RUN,
        schema(identifiers=["loan", "approved"]),
        "An identifier must be neither a feature nor the target",
    ),
    "an identifier that is a sensitive attribute": (
        RUN,
        schema(sensitive=[{"name": "sex"}], identifiers=["loan", "sex"]),
        "An identifier must not be a sensitive attribute too: each group would be one row.",
    ),
    "an identifier that is named twice": (
        RUN,
        schema(identifiers=["loan", "loan"]),
        f"spec.schema.identifiers[1]: {UNIQUE}",
    ),
    "an identifier with the name of no column": (
        RUN,
        schema(identifiers=["1"]),
        "spec.schema.identifiers[0] in body should match",
    ),
    "too many identifiers": (
        RUN,
        schema(identifiers=names("i", 17)),
        "spec.schema.identifiers: Too many: 17: must have at most 16 items",
    ),
    "a target without a name": (
        RUN,
        target(positive="yes"),
        "spec.schema.target.name: Required value",
    ),
    "a favourable outcome that is too long": (
        RUN,
        target(name="grade", positive="A" * 257),
        "spec.schema.target.positive: Too long",
    ),
    "a bound that is a float": (RUN, feature("Number", minimum=0.5), "must be of type string"),
    "a bound that is no number": (RUN, feature("Number", minimum="low"), "minimum"),
    # The rest of a TrainingRun.
    "two rules for a detector": (
        RUN,
        {
            "pii": {
                "rules": [
                    {"detector": "Email", "action": "Drop"},
                    {"detector": "Email", "action": "Mask"},
                ]
            }
        },
        "one rule at most for a detector and a column",
    ),
    "a rule for an unknown detector": (
        RUN,
        {"pii": {"rules": [{"detector": "Shoe", "action": "Drop"}]}},
        '"PostalAddress", "Secret"',
    ),
    "a datum that may stay in a column, twice": (
        RUN,
        allow(allowance(), allowance(reason="Another.")),
        f"spec.pii.allow[1]: {UNIQUE}",
    ),
    "an unknown datum that may stay": (
        RUN,
        allow(allowance(detector="Shoe")),
        'spec.pii.allow[0].detector: Unsupported value: "Shoe"',
    ),
    "a datum that may stay in no column": (
        RUN,
        allow({"detector": "Email", "reason": "Ours."}),
        "spec.pii.allow[0].column: Required value",
    ),
    "a datum that may stay for no reason": (
        RUN,
        allow({"detector": "Email", "column": "contact"}),
        "spec.pii.allow[0].reason: Required value",
    ),
    "a datum that may stay for a blank reason": (
        RUN,
        allow(allowance(reason="  ")),
        "Give a reason why the datum may stay, for whoever reads the report.",
    ),
    "a datum that may stay for an empty reason": (
        RUN,
        allow(allowance(reason="")),
        "spec.pii.allow[0].reason in body should be at least 1 chars long",
    ),
    "a datum that may stay for a reason that is too long": (
        RUN,
        allow(allowance(reason="r" * 257)),
        "spec.pii.allow[0].reason: Too long",
    ),
    "too many data that may stay": (
        RUN,
        allow(*(allowance(column=name) for name in names("c", 65))),
        "spec.pii.allow: Too many: 65: must have at most 64 items",
    ),
    "a parameter that is given twice": (
        RUN,
        {"trainer": {"parameters": [{"name": "C", "value": "1"}, {"name": "C", "value": "2"}]}},
        UNIQUE,
    ),
    "a test split that is too small": (
        RUN,
        {"trainer": {"testFraction": "0.049"}},
        "between 0.05 and 0.5 of the rows",
    ),
    "a test split that is too large": (
        RUN,
        {"trainer": {"testFraction": "0.51"}},
        "between 0.05 and 0.5 of the rows",
    ),
    "an unknown algorithm": (
        RUN,
        {"trainer": {"algorithm": "Magic"}},
        'supported values: "LogisticRegression", "LinearSVM", "RandomForest", '
        '"HistGradientBoosting"',
    ),
    "a seed below zero": (RUN, {"trainer": {"seed": -1}}, "spec.trainer.seed"),
    "two gates on one side of a metric": (RUN, {"gates": [gate("0.1"), gate("0.2")]}, UNIQUE),
    "a threshold that is no decimal": (RUN, {"gates": [gate("1e-3")]}, "spec.gates[0].threshold"),
    "an estimate and a bound on one side of a metric": (
        RUN,
        {"gates": [gate("0.1"), {**gate("0.1"), "statistic": "Bound"}]},
        f"spec.gates[1]: {UNIQUE}",
    ),
    "a gate on another statistic": (
        RUN,
        {"gates": [{**gate("0.1"), "statistic": "Median"}]},
        'supported values: "Estimate", "Bound"',
    ),
    "a metric with a name that is too long": (
        RUN,
        {"gates": [gate("0.1", "m" * 161)]},
        "spec.gates[0].metric: Too long: may not be more than 160 bytes",
    ),
    **{
        f"a confidence of {each}": (
            RUN,
            evaluation(confidence=each),
            "The confidence of an interval must be between 0.5 and 0.999.",
        )
        for each in ("0.499999999", "0.999000001", "1", "-0.95")
    },
    "a confidence in per cent": (
        RUN,
        evaluation(confidence="95%"),
        "spec.evaluation.confidence in body should match",
    ),
    **{
        f"a radius of {each}": (
            RUN,
            evaluation(epsilon=each),
            "The radius must be above 0 and at most 10 standard deviations.",
        )
        for each in ("0", "-0.0", "-0.1", "10.000000001")
    },
    "a radius without end": (
        RUN,
        evaluation(epsilon="inf"),
        "spec.evaluation.epsilon in body should match",
    ),
    "too few resamples": (
        RUN,
        evaluation(resamples=99),
        "spec.evaluation.resamples in body should be greater than or equal to 100",
    ),
    "too many resamples": (
        RUN,
        evaluation(resamples=10_001),
        "spec.evaluation.resamples in body should be less than or equal to 10000",
    ),
    "groups of no rows": (
        RUN,
        evaluation(minimumGroupRows=0),
        "spec.evaluation.minimumGroupRows in body should be greater than or equal to 1",
    ),
    "groups of too many rows": (
        RUN,
        evaluation(minimumGroupRows=1_000_001),
        "spec.evaluation.minimumGroupRows in body should be less than or equal to 1000000",
    ),
    "intersections that are no yes or no": (
        RUN,
        evaluation(intersections="yes"),
        "spec.evaluation.intersections in body must be of type boolean",
    ),
    "a deadline of zero": (RUN, {"activeDeadline": "0s"}, "must be longer than zero"),
    "a deadline without a unit": (RUN, {"activeDeadline": "10"}, "spec.activeDeadline"),
    "a time to live of zero": (RUN, {"jobTTL": "0h"}, "must be longer than zero"),
    "a deadline beyond all time": (RUN, {"activeDeadline": "999999h" * 4}, "spec.activeDeadline"),
    "a run without a requester": (RUN, {"requestedBy": None}, "spec.requestedBy"),
    "a run of a model with a bad name": (RUN, {"model": "Loan"}, "spec.model"),
    # Versions, approvals, deployments, policies.
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
    "a target that is named twice": (APPROVAL, {"targets": ["a", "a"]}, UNIQUE),
    "an end that is no date": (APPROVAL, {"notAfter": "2030-13-01T00:00:00Z"}, "spec.notAfter"),
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
    "an unknown strategy": (DEPLOYMENT, {"strategy": {"type": "Canary"}}, "BlueGreen"),
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
    "a policy that asks for no approval": (POLICY, {"approvals": {"minimum": 0}}, "minimum"),
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
    "a source that a longer host name begins with": (
        POLICY,
        {"sources": {"allowed": ["https://data.example.org"]}},
        "with a '/' after the host or bucket",
    ),
    "a store in a folder": (POLICY, {"store": {"uri": "file:///tmp"}}, "spec.store.uri"),
    "a policy without images": (POLICY, {"images": None}, "spec.images"),
}


def create(world: World, make: Any, spec: Obj, name: str = "") -> Obj:  # noqa: ANN401
    """Create an object as somebody who may."""
    obj = make(world.namespace, name or f"it-{secrets.token_hex(4)}", **spec)
    return world.api.create(obj, OPERATOR if make is VERSION else None)


def kept(given: object, stored: object) -> bool:
    """Tell whether everything that was given is stored, beside what defaults added."""
    if isinstance(given, dict):
        there = stored if isinstance(stored, dict) else {}
        return all(kept(value, there.get(name)) for name, value in given.items())
    if isinstance(given, list) and isinstance(stored, list):
        return len(given) == len(stored) and all(map(kept, given, stored))
    return given == stored


@pytest.mark.parametrize(("make", "spec"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_the_api_server_takes(world: World, make: Any, spec: Obj) -> None:  # noqa: ANN401
    assert kept(spec, create(world, make, spec)["spec"])


@pytest.mark.parametrize(("make", "spec", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_the_api_server_refuses(
    world: World,
    make: Any,  # noqa: ANN401
    spec: Obj,
    words: str,
) -> None:
    with pytest.raises(RefusedError) as refusal:
        create(world, make, spec)
    assert words in str(refusal.value)
    assert refusal.value.code == 422


# Names.

LONG = "a" * 52


NAMES: dict[str, tuple[Any, str, str]] = {
    "a run's is too long": (RUN, LONG + "a", "at most 52 lower-case letters"),
    "a run's has a dot": (RUN, "a.b", "at most 52 lower-case letters"),
    "a version's has a dot": (VERSION, "a.b", "at most 52 lower-case letters"),
    "a policy's has a dot": (POLICY, "a.b", "at most 52 lower-case letters"),
    "a deployment's begins with a digit, as no Service may": (
        DEPLOYMENT,
        "1a",
        "begin with a letter",
    ),
    "a deployment's is too long": (DEPLOYMENT, LONG + "a", "at most 52 lower-case letters"),
}


@pytest.mark.parametrize(("make", "name", "words"), NAMES.values(), ids=NAMES.keys())
def test_a_name_is_refused_from_which_no_other_can_be_made(
    world: World,
    make: Any,  # noqa: ANN401
    name: str,
    words: str,
) -> None:
    spec = {"trainingRun": objects.model_version("")["spec"]["trainingRun"]}

    with pytest.raises(RefusedError, match=words):
        create(world, make, spec if make is VERSION else {}, name)


@pytest.mark.parametrize("make", [RUN, DEPLOYMENT], ids=["a run's", "a deployment's"])
def test_a_name_may_have_52_characters(world: World, make: Any) -> None:  # noqa: ANN401
    create(world, make, {}, LONG[: 52 - 9] + "-" + secrets.token_hex(4))


# What may change.

FROZEN: dict[str, tuple[Any, Obj, Obj, str]] = {
    "a run's model": (RUN, {}, {"model": "other"}, "'model' cannot change"),
    "a run's dataset": (
        RUN,
        {},
        {"dataset": {"configMap": {"key": "other.csv"}}},
        "'dataset' cannot change",
    ),
    "a run's schema": (RUN, {}, {"schema": {"sensitive": []}}, "'schema' cannot change"),
    "a run's default": (
        RUN,
        {},
        {"trainer": {"testFraction": "0.3"}},
        "'trainer' cannot change",
    ),
    "a run's personal-data rule": (
        RUN,
        {},
        allow(allowance()),
        "'pii' cannot change",
    ),
    "a run's evaluation": (RUN, {}, evaluation(resamples=999), "'evaluation' cannot change"),
    "a run's bundle": (
        RUN,
        {**NO_SCHEMA, "sealed": SEALED},
        {"sealed": {"uri": "s3://bundles/other/"}},
        "'sealed' cannot change",
    ),
    "a run's deadline": (RUN, {}, {"activeDeadline": "2h"}, "'activeDeadline' cannot change"),
    "a run's gates, removed": (RUN, {}, {"gates": None}, "'gates' cannot change"),
    "a run's time to live, added": (RUN, {}, {"jobTTL": "1h"}, "'jobTTL' cannot change"),
    "a run's time to live, removed": (
        RUN,
        {"jobTTL": "1h"},
        {"jobTTL": None},
        "'jobTTL' cannot change",
    ),
    "a run's resources, added": (
        RUN,
        {},
        {"resources": {"limits": {"memory": "1Gi"}}},
        "'resources' cannot change",
    ),
    "a run's requester": (RUN, {}, {"requestedBy": "x"}, "'requestedBy' cannot change"),
    "a version's number": (VERSION, {}, {"version": 2}, "The spec cannot change"),
    "a version's digest": (
        VERSION,
        {},
        {"artifact": {"manifestDigest": "sha256:" + "b" * 64}},
        "The spec cannot change",
    ),
    "an approval's decision": (APPROVAL, {}, {"decision": "Denied"}, "The spec cannot change"),
    "an approval's end, added": (
        APPROVAL,
        {},
        {"notAfter": "2030-01-01T00:00:00Z"},
        "The spec cannot change",
    ),
    "an approval's end, removed": (
        APPROVAL,
        {"notAfter": "2030-01-01T00:00:00Z"},
        {"notAfter": None},
        "The spec cannot change",
    ),
    "an approval's targets, removed": (
        APPROVAL,
        {"targets": ["a"]},
        {"targets": None},
        "The spec cannot change",
    ),
}


@pytest.mark.parametrize(("make", "spec", "change", "words"), FROZEN.values(), ids=FROZEN.keys())
def test_what_cannot_change(
    world: World,
    make: Any,  # noqa: ANN401
    spec: Obj,
    change: Obj,
    words: str,
) -> None:
    made = create(world, make, spec)

    with pytest.raises(RefusedError) as refusal:
        world.api.patch(made, {"spec": change}, OPERATOR if make is VERSION else None)
    assert words in str(refusal.value)


def rules(node: object) -> Iterator[str]:
    """Yield the message of every CEL rule at and below a node of a CRD."""
    if isinstance(node, dict):
        yield from (each["message"] for each in node.get("x-kubernetes-validations", ()))
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for each in children:
        yield from rules(each)


def test_every_rule_refuses_something_above() -> None:
    refused = [words for *_, words in (*REFUSED.values(), *FROZEN.values(), *NAMES.values())]
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        for message in rules(yaml.safe_load(path.read_text())):
            assert any(words in message or message in words for words in refused), message


def test_a_run_can_be_suspended_and_resumed(world: World) -> None:
    made = create(world, RUN, {})

    assert world.api.patch(made, {"spec": {"suspend": True}})["spec"]["suspend"]
    assert not world.api.patch(made, {"spec": {"suspend": False}})["spec"]["suspend"]


def test_a_deployment_and_a_policy_can_change(world: World) -> None:
    deployment, policy = create(world, DEPLOYMENT, {}), create(world, POLICY, {})

    world.api.patch(deployment, {"spec": {"model": None, "modelVersion": "loan-v2"}})
    world.api.patch(policy, {"spec": {"approvals": {"minimum": 2}}})


# Defaults, subresources, columns.


def test_defaults_stand_in_the_stored_object(world: World) -> None:
    run, deployment = create(world, RUN, {}), create(world, DEPLOYMENT, {})

    assert run["spec"]["trainer"] == {
        "algorithm": "LogisticRegression",
        "testFraction": "0.25",
        "seed": 0,
    }
    assert run["spec"]["pii"] == {"defaultAction": "Refuse"}
    assert run["spec"]["evaluation"] == {
        "confidence": "0.95",
        "resamples": 1000,
        "epsilon": "0.1",
        "minimumGroupRows": 30,
        "intersections": True,
    }
    assert run["spec"]["gates"][0]["statistic"] == "Estimate"
    assert deployment["spec"]["drift"] == {"threshold": "0.2", "window": 500, "consecutive": 2}
    assert deployment["spec"]["strategy"]["keepWarm"] == "1h"
    assert "status" not in run


def test_defaults_of_a_dialect_and_of_a_policy(world: World) -> None:
    run, policy = create(world, RUN, csv()), create(world, POLICY, {})

    assert run["spec"]["dataset"]["csv"] == {"delimiter": ",", "quote": '"', "encoding": "UTF-8"}
    assert policy["spec"]["pii"]["allowable"] == DETECTORS
    assert policy["spec"]["sources"]["limits"] == {
        "maxBytes": 4 << 30,
        "maxDecompressedBytes": 16 << 30,
        "maxCompressionRatio": 200,
        "maxRows": 10_000_000,
        "maxColumns": 1024,
        "maxCellBytes": 1 << 16,
    }


def test_an_unknown_field_is_not_stored(world: World) -> None:
    assert "magic" not in create(world, DEPLOYMENT, {"magic": True})["spec"]


def test_a_status_comes_through_its_subresource_alone(world: World) -> None:
    made = create(world, DEPLOYMENT, {})
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }

    world.api.patch(made, {"status": {"conditions": [ready]}})
    assert "status" not in world.api.get(made)
    world.api.patch(made, {"status": {"conditions": [ready]}}, OPERATOR, "status")
    assert world.api.get(made)["status"]["conditions"] == [ready]
    with pytest.raises(RefusedError, match=UNIQUE):
        world.api.patch(made, {"status": {"conditions": [ready, ready]}}, OPERATOR, "status")


METRIC = {"name": "m" * 160, "value": "0.9", "lower": "0.8", "upper": "1.0"}
RESULT = {
    "metric": "m" * 160,
    "comparison": "AtLeast",
    "threshold": "0.8",
    "statistic": "Bound",
    "inconclusive": "w" * 256,
    "passed": False,
    "source": "Run",
}
TOO_MUCH: dict[str, tuple[Obj, str]] = {
    "the lower end of an interval": (
        {"metrics": [{**METRIC, "lower": "0" * 33}]},
        "status.metrics[0].lower: Too long",
    ),
    "the upper end of an interval": (
        {"metrics": [{**METRIC, "upper": "0" * 33}]},
        "status.metrics[0].upper: Too long",
    ),
    "a metric's name": (
        {"metrics": [{**METRIC, "name": "m" * 161}]},
        "status.metrics[0].name: Too long",
    ),
    "a gate's metric": (
        {"gates": [{**RESULT, "metric": "m" * 161}]},
        "status.gates[0].metric: Too long",
    ),
    "another statistic": (
        {"gates": [{**RESULT, "statistic": "Median"}]},
        'supported values: "Estimate", "Bound"',
    ),
    "why a gate is inconclusive": (
        {"gates": [{**RESULT, "inconclusive": "w" * 257}]},
        "status.gates[0].inconclusive: Too long",
    ),
}


def test_a_runs_status_holds_intervals_and_inconclusive_gates(world: World) -> None:
    made, status = create(world, RUN, {}), {"metrics": [METRIC], "gates": [RESULT]}

    assert world.api.patch(made, {"status": status}, OPERATOR, "status")["status"] == status


@pytest.mark.parametrize(("status", "words"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_a_runs_status_is_bounded(world: World, status: Obj, words: str) -> None:
    made = create(world, RUN, {})

    with pytest.raises(RefusedError) as refusal:
        world.api.patch(made, {"status": status}, OPERATOR, "status")
    assert words in str(refusal.value)


def test_a_deployment_scales(world: World) -> None:
    made = create(world, DEPLOYMENT, {})
    status = {"replicas": 1, "selector": "hallmark.dev/deployment=loan"}
    world.api.patch(made, {"status": status}, OPERATOR, "status")

    found = world.api.patch(made, {"spec": {"replicas": 3}}, None, "scale")
    assert found["spec"] == {"replicas": 3}
    assert found["status"] == status
    assert world.api.get(made)["spec"]["replicas"] == 3


COLUMNS = {
    "trun": "NAME MODEL READY REASON QUALITY ACCURACY STAGE PERCENT AGE",
    "mver": "NAME MODEL VERSION VERIFIED APPROVED READY REASON AGE",
    "mapr": "NAME VERSION DECISION APPROVER READY REASON AGE",
    "mdep": "NAME READY REASON ACTIVE CANDIDATE DRIFT PODS AGE",
    "mpol": "NAME READY REASON APPROVALS AGE",
}


@pytest.mark.parametrize(("short", "columns"), COLUMNS.items(), ids=COLUMNS.keys())
def test_kubectl_get_prints(world: World, short: str, columns: str) -> None:
    makers = {"trun": RUN, "mver": VERSION, "mapr": APPROVAL, "mdep": DEPLOYMENT, "mpol": POLICY}
    create(world, makers[short], {})

    printed = world.cluster.kubectl("get", short, f"--namespace={world.namespace}").stdout
    assert printed.splitlines()[0].split() == columns.split()


def test_a_column_shows_the_condition_of_its_type(world: World) -> None:
    made = create(world, RUN, {})
    conditions = [
        {
            "type": type_,
            "status": "False",
            "reason": reason,
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for type_, reason in (("DataValidated", "DataInvalid"), ("Ready", "Training"))
    ]
    world.api.patch(made, {"status": {"conditions": conditions}}, OPERATOR, "status")

    name, space = made["metadata"]["name"], f"--namespace={world.namespace}"
    row = world.cluster.kubectl("get", "trun", name, space, "--no-headers").stdout.split()
    assert row[:4] == [name, "loan", "False", "Training"]


def test_kubectl_tells_our_deployments_from_the_others(world: World) -> None:
    create(world, DEPLOYMENT, {})
    space = f"--namespace={world.namespace}"

    theirs = world.cluster.kubectl("get", "deployments", space, "--output=name").stdout
    ours = world.cluster.kubectl("get", "mdep", space, "--output=name").stdout
    assert "hallmark.dev" not in theirs
    assert ours.startswith("deployment.hallmark.dev/")


def test_approvals_are_selected_by_their_version(world: World) -> None:
    create(world, APPROVAL, {"modelVersion": {"name": "chosen", "uid": "1"}}, "chosen-one")

    printed = world.cluster.kubectl(
        "get",
        "mapr",
        f"--namespace={world.namespace}",
        "--field-selector=spec.modelVersion.name=chosen",
        "--output=name",
    ).stdout
    assert printed.split() == ["modelapproval.hallmark.dev/chosen-one"]


def test_kubectl_explains_a_field(world: World) -> None:
    printed = world.cluster.kubectl("explain", "mdep.spec.strategy.keepWarm").stdout

    assert "kept for an instant rollback" in " ".join(printed.split())
