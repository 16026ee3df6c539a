"""A verdict about realised quality follows from its record, and from no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hallmark.audit.record import AuditRecord, build_record
from hallmark.drift.recount import DriftEvidence, pack, unpack
from hallmark.verification.deployments import Watched, deployment_links
from hallmark.verification.links import Link
from hallmark.verification.recorded import Recorded
from hallmark.verification.registry import DeploymentEntry
from tests.unit.controllers.deployment_seen import BASELINE, CALM
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> AuditRecord:
    world = World(tmp_path_factory.mktemp("world"))
    floor = {"minimumAccuracy": "0.8"}
    return recorded(world, {"groupFloor": floor} | floor, right=[85, 40, 40], women=[42, 20, 18])


def recorded(world: World, floors: dict[str, Any], **told: Sequence[int]) -> AuditRecord:
    feedback = {"window": 100, "groups": ["men", "women"], **floors}
    world.ask(drift={"window": 100, "feedback": feedback})
    with_two_versions(world)
    world.report(2, CALM, **told)  # type: ignore[arg-type]
    world.settle()
    (found,) = (r for r in world.ledger.records.values() if r.reason == "QualityBelowFloor")
    return build_record(found, 7, "2026-06-01T12:00:00Z", "sha256:" + "0" * 64)


def link(record: AuditRecord, *, with_baseline: bool = True) -> Link:
    digest = record.details["manifestDigest"]
    entry = DeploymentEntry(
        namespace=record.namespace, name=record.name, uid=record.uid, active_digest=digest
    )
    baselines = {digest: BASELINE} if with_baseline else {}
    watched = Watched(entry, Recorded([record]), baselines, {})
    return next(one for one in deployment_links(watched) if one.name.startswith("quality"))


def changed(record: AuditRecord, **told: str) -> AuditRecord:
    return record.model_copy(update={"details": record.details | told})


def with_counts(record: AuditRecord, right: int) -> AuditRecord:
    evidence = unpack(record.evidence or "")
    assert evidence is not None
    return record.model_copy(update={"evidence": _packed(evidence, right)})


def _packed(evidence: DriftEvidence, right: int) -> str:
    reports = {}
    for pod, report in evidence.reports.items():
        assert report.outcomes is not None
        windows = [
            window.model_copy(
                update={"correct": right, "happened": [0] * 12 + [right, 0, 0], "groups": []}
            )
            for window in report.outcomes.windows
        ]
        outcomes = report.outcomes.model_copy(update={"windows": windows, "correct": 3 * right})
        reports[pod] = report.model_copy(update={"outcomes": outcomes})
    return pack(evidence.manifest_digest, evidence.drift, evidence.since, reports, {})


def test_it_is_made_again_from_the_outcomes(record: AuditRecord) -> None:
    found = link(record)
    assert (found.state, found.said) == (
        "holds",
        "made again from the outcomes: accuracy 0.4000",
    )


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"accuracy": "0.3900"}, "give another accuracy"),
        ({"calibrationError": "0.0000"}, "give another accuracy or calibration error"),
        ({"failing": "0"}, "are below a floor"),
        ({"group.women": "0.3900"}, "of other groups"),
        ({"group.men": "0.3000"}, "of other groups"),
    ],
)
def test_what_the_outcomes_do_not_say_is_broken(
    record: AuditRecord, told: dict[str, str], said: str
) -> None:
    found = link(changed(record, **told))
    assert found.state == "broken"
    assert said in found.said


def test_a_group_that_was_below_cannot_be_left_out(record: AuditRecord) -> None:
    assert record.details["group.women"] == "0.3800"
    without = {key: value for key, value in record.details.items() if key != "group.women"}
    assert link(record.model_copy(update={"details": without})).state == "broken"


def test_a_gap_between_groups_is_made_again_and_cannot_be_denied(tmp_path: Path) -> None:
    world, gap = World(tmp_path), {"groupGap": {"maximum": "0.1"}}
    found = recorded(world, gap, right=[79, 79], women=[30, 30], men=[49, 49])
    assert found.details["group.women"] == "0.6000"
    assert "group.men" not in found.details
    assert link(found).state == "holds"
    assert link(changed(found, **{"group.women": "0.9000"})).state == "broken"


def test_outcomes_that_were_good_give_no_verdict(record: AuditRecord) -> None:
    found = link(with_counts(record, 90))
    assert found.state == "broken"
    assert "The outcomes say that 0 of" in found.said


def test_what_is_not_kept_is_open(record: AuditRecord) -> None:
    assert link(record.model_copy(update={"evidence": None})).state == "open"
    assert link(record, with_baseline=False).state == "open"
    assert link(changed(record, voters="9")).state == "open"
