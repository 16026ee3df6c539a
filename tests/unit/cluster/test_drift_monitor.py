"""The predictors' reports in memory: what is judged as it comes, and what asks for a look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, Obj
from hallmark.drift.decision import DriftVerdict, Memory
from tests.unit.cluster.cached import SPACE, obj

REPORTS: Obj = {"pod-1": {"sequence": 1, "counts": {"income": [1, 2]}}}
NEWER: Obj = {"pod-1": {"sequence": 2, "counts": {"income": [3, 4]}}}
ANY_MEMORY: Any = object()
LATER_MEMORY: Any = object()


@dataclass(frozen=True)
class Verdict:
    """The part of a verdict that the monitor reads."""

    memory: Any = ANY_MEMORY
    changed: bool = False
    gone: tuple[str, ...] = ()
    room: tuple[str, ...] = ()


@dataclass
class Judge:
    """Gives one verdict, and writes down what it was asked."""

    verdict: Any = field(default_factory=Verdict)
    asked: list[tuple[Mapping[str, Any], Memory | None]] = field(default_factory=list)

    def __call__(
        self, namespace: str, name: str, reports: Mapping[str, Any], memory: Memory | None
    ) -> DriftVerdict | None:
        """Judge."""
        assert (namespace, name) == (SPACE, "credit")
        self.asked.append((reports, memory))
        verdict: DriftVerdict | None = self.verdict
        return verdict


def deployment(version: int, reports: Obj | None, *, serves: bool = True) -> Obj:
    status: Obj = {"activeDigest": "sha256:a"} if serves else {}
    return obj(MODEL_DEPLOYMENT, version=version, status={**status, "drift": reports})


@pytest.mark.parametrize(
    ("verdict", "looks"),
    [
        pytest.param(Verdict(), False, id="a verdict that changes nothing asks for no look"),
        pytest.param(Verdict(changed=True), True, id="what is shown changes"),
        pytest.param(Verdict(gone=("pod-1",)), True, id="the entry of a Pod that is gone"),
        pytest.param(Verdict(room=("pod-1",)), True, id="an entry that makes room"),
        pytest.param(None, True, id="what cannot be judged from memory"),
    ],
)
def test_whether_a_report_asks_for_a_look(verdict: Verdict | None, *, looks: bool) -> None:
    monitor, judge = DriftMonitor(), Judge(verdict)
    assert monitor.hear(deployment(5, REPORTS), judge) == looks
    assert judge.asked == [(REPORTS, None)]
    known = monitor.known(SPACE, "credit")
    assert (known.version, known.reports) == ("5", REPORTS)
    assert known.memory is (verdict.memory if verdict else None)


def test_the_same_reports_are_judged_once_and_move_the_version() -> None:
    monitor, judge = DriftMonitor(), Judge(Verdict(changed=True))
    assert monitor.hear(deployment(5, REPORTS), judge)
    assert not monitor.hear(deployment(6, REPORTS), judge)
    assert len(judge.asked) == 1
    assert monitor.known(SPACE, "credit").version == "6"


def test_newer_reports_are_judged_with_what_was_judged_before() -> None:
    monitor, judge = DriftMonitor(), Judge(Verdict())
    monitor.hear(deployment(5, REPORTS), judge)
    monitor.hear(deployment(6, NEWER), judge)
    monitor.remember(SPACE, "credit", "6", LATER_MEMORY)
    monitor.hear(deployment(7, REPORTS), judge)
    assert [memory for _, memory in judge.asked] == [None, ANY_MEMORY, LATER_MEMORY]
    assert monitor.known(SPACE, "credit").reports == REPORTS


def test_what_was_judged_of_older_reports_does_not_replace_what_newer_ones_said() -> None:
    monitor = DriftMonitor()
    monitor.hear(deployment(5, REPORTS), Judge())
    monitor.hear(deployment(6, NEWER), Judge())
    monitor.remember(SPACE, "credit", "5", LATER_MEMORY)
    assert monitor.known(SPACE, "credit").memory is ANY_MEMORY


@pytest.mark.parametrize("reports", [None, {}], ids=["null", "none"])
def test_an_object_without_reports_is_not_judged(reports: Obj | None) -> None:
    monitor, judge = DriftMonitor(), Judge()
    assert not monitor.hear(deployment(5, reports), judge)
    assert judge.asked == []
    assert monitor.known(SPACE, "credit").version == "5"


def test_reports_are_kept_but_not_judged_while_nothing_serves() -> None:
    monitor, judge = DriftMonitor(), Judge()
    assert not monitor.hear(deployment(5, REPORTS, serves=False), judge)
    assert judge.asked == []
    assert monitor.known(SPACE, "credit").reports == REPORTS


def test_reports_that_all_went_are_judged_as_none() -> None:
    monitor, judge = DriftMonitor(), Judge()
    monitor.hear(deployment(5, REPORTS), judge)
    monitor.hear(deployment(6, None), judge)
    assert judge.asked[-1] == ({}, ANY_MEMORY)
    assert monitor.known(SPACE, "credit").reports == {}


def test_what_is_gone_is_forgotten() -> None:
    monitor = DriftMonitor()
    monitor.hear(deployment(5, REPORTS), Judge())
    monitor.forget(SPACE, "credit")
    monitor.forget(SPACE, "credit")
    known = monitor.known(SPACE, "credit")
    assert (known.version, known.reports, known.memory) == ("", {}, None)
    monitor.remember(SPACE, "credit", "5", ANY_MEMORY)
    assert monitor.known(SPACE, "credit").memory is None, "nobody's memory is not kept"
