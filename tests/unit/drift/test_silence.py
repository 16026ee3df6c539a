"""A verdict has an age: Pods that serve and do not report as they said are silent."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import DriftState
from hallmark.api.texts import timestamp
from hallmark.drift.decision import DriftVerdict, judge
from hallmark.drift.silence import LONGEST, NAMED, SLACK, sentence
from tests.unit.drift import factories
from tests.unit.drift.factories import PROMOTED, inputs, traffic

BUSY, IDLE = 72, 360


def at(seconds: float) -> datetime:
    return PROMOTED + timedelta(hours=1, seconds=seconds)


def report(sequence: int, within: int | None = BUSY, rows: int = 100) -> DriftReport:
    made = factories.report(traffic(rows, seed=1), sequence=sequence)
    return made.model_copy(update={"next_within": within})


def listening(
    reports: dict[str, DriftReport],
    seconds: float,
    *,
    pods: tuple[str, ...] = ("a",),
    before: DriftVerdict | None = None,
    **changes: object,
) -> DriftVerdict:
    """Return the verdict at a moment; what was shown and remembered goes on from the former."""
    found = frozenset(pods)
    shown = {"former": before.state, "memory": before.memory} if before else {}
    return judge(
        inputs(
            reports,
            **{
                "live_pods": found,
                "active_pods": found,
                "serving_pods": found,
                "now": at(seconds),
                **shown,
                **changes,
            },
        )
    )


@pytest.mark.parametrize(("within", "patience"), [(BUSY, BUSY + 180), (IDLE, IDLE + 180)])
def test_a_pod_is_silent_when_its_word_and_some_time_have_passed(
    within: int, patience: int
) -> None:
    heard = listening({"a": report(1, within)}, 0)
    assert heard.again == at(patience)
    still = listening({"a": report(1, within)}, patience - 1, before=heard)
    assert (still.state.silent_pods, still.changed) == (0, False)
    quiet = listening({"a": report(1, within)}, patience, before=still)
    assert (quiet.state.silent_pods, quiet.state.silent, quiet.changed) == (1, ["a"], True)
    assert quiet.state.silent_since == timestamp(at(0)), "when it was heard, not when it was missed"
    assert quiet.again is None
    assert quiet.message.startswith("'a' has not reported since 2026-01-01T13:00:00Z, ")


def test_a_report_ends_the_silence() -> None:
    quiet = listening({"a": report(1)}, 1000, before=listening({"a": report(1)}, 0))
    heard = listening({"a": report(2)}, 1001, before=quiet)
    assert heard.changed
    assert (heard.state.silent_pods, heard.state.silent, heard.state.silent_since) == (0, [], None)
    assert "not reported" not in heard.message


def test_what_is_not_believed_is_not_heard() -> None:
    heard = listening({"a": report(5)}, 0)
    forged = report(6).model_copy(update={"counts": {}})
    old, other = report(4), report(6).model_copy(update={"manifest_digest": factories.OTHER})
    for said in (forged, old, other):
        assert listening({"a": said}, 1000, before=heard).state.silent_pods == 1


def test_a_pod_that_was_never_heard_has_the_longest_time() -> None:
    started = listening({}, 0)
    assert started.state.silent_pods == 0
    longest = (LONGEST + SLACK).total_seconds()
    assert listening({}, longest - 1, before=started).state.silent_pods == 0
    assert listening({}, longest, before=started).state.silent == ["a"]


@pytest.mark.parametrize("within", [None, 86400])
def test_no_report_can_promise_less(within: int | None) -> None:
    heard = listening({"a": report(1, within)}, 0)
    assert heard.again == at(0) + LONGEST + SLACK


def test_pods_that_do_not_serve_owe_nothing() -> None:
    heard = listening({"a": report(1)}, 0)
    gone = listening({}, 1000, before=heard, pods=())
    unready = listening({"a": report(1)}, 1000, before=heard, serving_pods=frozenset())
    for found in (gone, unready):
        assert (found.state.silent_pods, found.again) == (0, None)


def test_a_pod_that_comes_and_goes_does_not_start_anew() -> None:
    verdict = listening({"a": report(1)}, 0)
    for seconds in range(10, 400, 10):
        serving = frozenset({"a"} if seconds % 20 else ())
        verdict = listening({"a": report(1)}, seconds, before=verdict, serving_pods=serving)
    assert listening({"a": report(1)}, 400, before=verdict).state.silent == ["a"]


def test_a_restarted_operator_does_not_take_silence_for_health() -> None:
    quiet = listening({"a": report(1)}, 1000, before=listening({"a": report(1)}, 0))
    # In the object stands the last report, and what was shown; the memory is lost.
    again = listening({}, 1010, pods=("a", "b"), former=quiet.state)
    assert again.state.silent == ["a"], "and b, of which nothing is known, has its time"
    assert again.state.silent_since == quiet.state.silent_since


def test_another_question_forgets_nobody() -> None:
    heard = listening({"a": report(1)}, 0)
    acknowledged = listening({"a": report(1)}, 1000, before=heard, since=at(500))
    assert acknowledged.state.silent == ["a"]


def test_many_silent_pods_fit_into_the_status() -> None:
    pods = tuple(f"pod-{number:04}-{'x' * 240}" for number in range(500))
    started = listening({}, 0, pods=pods)
    quiet = listening({}, 10_000, pods=pods, before=started)
    assert (quiet.state.silent_pods, len(quiet.state.silent)) == (500, NAMED)
    assert "and 497 more have not reported since" in sentence(quiet.state)
    DriftState.model_validate(quiet.state.to_wire())


@given(st.lists(st.tuples(st.booleans(), st.floats(1, 2000)), max_size=12))
def test_it_is_silent_exactly_where_a_word_was_broken(steps: list[tuple[bool, float]]) -> None:
    now, sequence, deadline = 0.0, 1, float(BUSY + 180)
    verdict = listening({"a": report(1, rows=20)}, 0)
    for reports, pause in steps:
        now += pause
        if reports:
            sequence += 1
            deadline = now + BUSY + 180
        verdict = listening({"a": report(sequence, rows=20)}, now, before=verdict)
        assert verdict.state.silent_pods == int(now >= deadline)
        if verdict.again is not None:
            assert verdict.again == at(deadline)


def test_what_drifts_still_drifts_and_says_who_is_silent() -> None:
    shifted = factories.report(traffic(1000, seed=2, shift=3.0), sequence=1)
    told = {"a": shifted.model_copy(update={"next_within": BUSY})}
    heard = listening(told, 0, pods=("a",))
    quiet = listening(told, 1000, pods=("a",), before=heard)
    assert (quiet.state.verdict, quiet.state.silent) == ("Drift", ["a"])
    assert "'a' has not reported" in quiet.message
    assert "'income' moved most" in quiet.message


def test_nothing_is_written_while_the_same_pods_are_silent() -> None:
    quiet = listening({}, 10_000, before=listening({}, 0))
    assert listening({}, 20_000, before=quiet).changed is False
