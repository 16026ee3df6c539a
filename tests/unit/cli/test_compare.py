"""What differs between two versions, and what of a namespace is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hallmark.api.metrics import MetricValue
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import timestamp
from hallmark.cli.compare import Side, differences
from hallmark.cli.objects import Objects
from hallmark.cli.prune import over_by
from hallmark.supply_chain.model_card import card_words
from tests.unit.cli.test_approvals import digest, version
from tests.unit.reporting.test_page import whole

NOW = datetime(2026, 6, 1, tzinfo=UTC)
REPORT = whole()


def changed(**spec: object) -> ModelVersion:
    return version().replace(spec=version().spec.replace(**spec))


def test_versions_that_are_equal_do_not_differ() -> None:
    side = Side(version(), report=REPORT)

    assert differences(side, side) == []


def test_what_cannot_be_read_is_not_compared() -> None:
    found = differences(Side(version()), Side(changed(dataset_fingerprint=digest("9"))))

    assert [(one.part, one.what) for one in found] == [("data", "fingerprint")]


def test_the_metric_that_moved_most_stands_first() -> None:
    before, *others = REPORT.metrics
    moved = MetricValue(name=before.name, value=str(float(before.value) / 2))
    nearly = [one.replace(value=str(float(one.value) * 1.01)) for one in others[:1]]
    after = REPORT.model_copy(update={"metrics": [moved, *nearly, *others[1:]]})
    found = differences(Side(version(), report=REPORT), Side(version(), report=after))

    assert [one.what for one in found][:1] == [before.name]
    assert len(found) == 1 + len(nearly)


def test_gates_and_the_positive_class_are_told_first() -> None:
    other = "another than before"
    asked = [gate.replace(threshold="0.011") for gate in REPORT.gates]
    after = REPORT.replace(gates=asked, positive=other)
    found = differences(Side(version(), report=REPORT), Side(version(), report=after))

    assert [one.part for one in found] == [*["gates"] * len(asked), "data"]
    assert all("0.011" in one.after for one in found[:-1])
    assert (found[-1].what, found[-1].after) == ("positive class", other)


def test_packages_that_came_went_and_changed_are_told() -> None:
    def sbom(**packages: str) -> dict[str, object]:
        parts = [{"type": "library", "name": key, "version": of} for key, of in packages.items()]
        return {"components": [*parts, {"type": "data", "name": "rows"}]}

    before = Side(version(), sbom=sbom(numpy="1", old="1"))
    found = differences(before, replace(before, sbom=sbom(numpy="2", new="1")))

    assert {(one.what, one.before, one.after) for one in found} == {
        ("numpy", "1", "2"),
        ("old", "1", ""),
        ("new", "", "1"),
    }


def sealed(number: int, age: timedelta, **status: object) -> ModelVersion:
    one = changed(version=number)
    metadata = one.metadata.replace(name=f"loan-v{number}", creation_timestamp=timestamp(NOW - age))
    return one.replace(metadata=metadata, status=one.status.replace(**status))


def test_only_old_versions_that_nothing_needs_are_over() -> None:
    old = timedelta(days=90)
    versions = (
        sealed(1, old),
        sealed(2, old, used_by=["loan"]),
        sealed(3, timedelta(days=1)),
        sealed(4, old),
        sealed(5, old),
    )
    found = over_by(Objects(versions=versions), NOW - timedelta(days=30), keep=2)

    assert [one.metadata.name for one, _ in found] == ["loan-v1"]


def card(**considered: object) -> dict[str, object]:
    return {"metadata": {"component": {"modelCard": {"considerations": considered}}}}


def test_an_authors_words_on_a_model_are_told_by_topic() -> None:
    found = card_words(
        card(
            useCases=["loans"],
            users=["clerks", "auditors"],
            fairnessAssessments=[{"groupAtRisk": "all"}],
            ethicalConsiderations=[
                {"name": "refusals", "mitigationStrategy": "read again"},
                {"name": "haste"},
            ],
        )
    )

    assert found == [
        ("Users", "clerks"),
        ("Users", "auditors"),
        ("Use cases", "loans"),
        ("Risks to people", "refusals (read again)"),
        ("Risks to people", "haste"),
    ]


@pytest.mark.parametrize(
    "document",
    [{}, {"metadata": []}, {"metadata": {"component": None}}, card(users=7), card(other=[])],
)
def test_a_card_of_another_form_has_no_words(document: dict[str, object]) -> None:
    assert card_words(document) == []
