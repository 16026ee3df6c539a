"""TrainingRuns that the API server must refuse, and with which words."""

from __future__ import annotations

from typing import Any

from tests.integration.api import Obj
from tests.integration.crd_specs import (
    NO_SCHEMA,
    RUN,
    SEALED,
    UNIQUE,
    allow,
    allowance,
    csv,
    dataset,
    evaluation,
    feature,
    gate,
    names,
    schema,
    target,
)

NO_NAMES = (
    "../../kube-system/secrets/token",
    "..",
    "a/../b",
    "a?watch=true",
    "a%2f..%2fb",
    "a..b",
    "A_b",
    "a\n",
)
"""What no object is called; in a path some of them lead to another namespace's."""


def naming(name: str) -> dict[str, Obj]:
    """Return specs that name an object in each place where a TrainingRun names one, by place."""
    return {
        "configMap.name": dataset(configMap={"name": name, "key": "a.csv"}),
        "volumeClaim.claimName": dataset(volumeClaim={"claimName": name, "path": "a.csv"}),
        "credentialsSecret": dataset(uri="s3://a/b", credentialsSecret=name),
    }


REFUSED_RUNS: dict[str, tuple[Any, Obj, str]] = {
    # A TrainingRun's source.
    **{
        f"a run whose {place} is {name!r}": (
            RUN,
            spec,
            f"spec.dataset.{place} in body should match",
        )
        for name in NO_NAMES
        for place, spec in naming(name).items()
    },
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
    "a range that is enforced by half": (
        RUN,
        feature("Number", minimum="0", outOfRange="Warn"),
        "outOfRange: Unsupported value",
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
    "a favourable outcome that is no declared class": (
        RUN,
        target(name="grade", positive="D", categories=["A", "B"]),
        "'positive' must be one of 'categories'.",
    ),
    "one declared class": (
        RUN,
        target(name="grade", categories=["A"]),
        "spec.schema.target.categories in body should have at least 2 items",
    ),
    "a declared class twice": (
        RUN,
        target(name="grade", categories=["A", "A"]),
        "spec.schema.target.categories[1]: Duplicate value",
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
        f"a confidence of {confidence}": (
            RUN,
            evaluation(confidence=confidence),
            "The confidence of an interval must be between 0.5 and 0.999.",
        )
        for confidence in ("0.499999999", "0.999000001", "1", "-0.95")
    },
    **{
        f"a model card with {what}": (RUN, {"modelCard": card}, sentence)
        for what, card, sentence in (
            ("an empty word", {"users": [" \t"]}, "Say something, for whoever reads"),
            ("no word", {"useCases": [""]}, "should be at least 1 chars long"),
            ("a word too long", {"technicalLimitations": ["a" * 513]}, "Too long: may not be"),
            ("too many words", {"performanceTradeoffs": ["a"] * 17}, "must have at most 16 items"),
            ("a risk of no name", {"ethicalConsiderations": [{}]}, "name: Required value"),
        )
    },
    "a confidence in per cent": (
        RUN,
        evaluation(confidence="95%"),
        "spec.evaluation.confidence in body should match",
    ),
    **{
        f"a radius of {epsilon}": (
            RUN,
            evaluation(epsilon=epsilon),
            "The radius must be above 0 and at most 10 standard deviations.",
        )
        for epsilon in ("0", "-0.0", "-0.1", "10.000000001")
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
}
"""The builder, a spec, and words of the refusal."""
