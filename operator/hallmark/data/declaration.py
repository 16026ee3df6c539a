"""What a schema asks that cannot be: checked before any data is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hallmark.api.columns import FeatureType
from hallmark.api.findings import Finding
from hallmark.api.schema import Feature, Schema, Target


def check_declaration(schema: Schema) -> list[Finding]:
    """Return what the schema asks that cannot be: checked before any data is read."""
    findings = [
        finding for feature in schema.features for finding in _check_feature_declaration(feature)
    ]
    names = [feature.name for feature in schema.features]
    sensitive = [attribute.name for attribute in schema.sensitive]
    for group in (names, sensitive, schema.identifiers):
        findings += [
            Finding(
                check="Schema", column=name, expected="each column once", found=f"{times} of it"
            )
            for name, times in Counter(group).items()
            if times > 1
        ]
    if schema.target.name in (*names, *sensitive):
        findings.append(
            Finding(
                check="Schema",
                column=schema.target.name,
                expected="a target that is neither a feature nor a sensitive attribute",
                found="both",
            )
        )
    findings += _check_target_declaration(schema.target)
    taken = {schema.target.name, *names, *sensitive}
    findings += [
        Finding(
            check="Schema",
            column=name,
            expected="an identifier that is no feature, target or sensitive attribute: what is "
            "learned of it holds for one row",
            found="both; leave the column out of one of them",
        )
        for name in schema.identifiers
        if name in taken
    ]
    return findings


def _check_feature_declaration(feature: Feature) -> Iterator[Finding]:
    category = feature.type is FeatureType.CATEGORY
    bounds = feature.minimum is not None or feature.maximum is not None
    if category and not feature.categories:
        yield _declaration(feature, "declared categories", "none")
    if feature.categories:
        if not category:
            yield _declaration(feature, "no categories", f"some for type {feature.type}")
        if len(set(feature.categories)) != len(feature.categories) or "" in feature.categories:
            yield _declaration(feature, "distinct, non-empty categories", "a repeated or empty one")
    if bounds and feature.type in (FeatureType.CATEGORY, FeatureType.BOOLEAN):
        yield _declaration(feature, "no minimum or maximum", f"one for type {feature.type}")
    if (
        feature.minimum is not None
        and feature.maximum is not None
        and float(feature.minimum) > float(feature.maximum)
    ):
        yield _declaration(feature, "a minimum up to the maximum", "a greater one")


def _check_target_declaration(target: Target) -> Iterator[Finding]:
    classes = target.categories
    if classes is None:
        return
    if len(set(classes)) != len(classes) or "" in classes:
        yield Finding(
            check="Schema",
            column=target.name,
            expected="distinct, non-empty classes in 'target.categories'",
            found="a repeated or empty one",
        )
    if target.positive is not None and target.positive not in classes:
        yield Finding(
            check="Schema",
            column=target.name,
            expected="a positive class that is one of 'target.categories'",
            found="another",
        )


def _declaration(feature: Feature, expected: str, found: str) -> Finding:
    return Finding(check="Schema", column=feature.name, expected=expected, found=found)
