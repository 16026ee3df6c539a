from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from hallmark.api.bounds import Oddity
from hallmark.api.drift_report import DriftReport, OddBlock, OddRows
from hallmark.api.texts import timestamp
from hallmark.drift.decision import DriftVerdict, judge
from tests.unit.drift.factories import PROMOTED, inputs, report, traffic

AFTER = PROMOTED + timedelta(seconds=5)


def block(kind: Oddity, client: int = 1, **changes: object) -> OddBlock:
    values = {"kind": kind, "client": client, "start": timestamp(AFTER), "rows": 40}
    return OddBlock.model_validate(values | changes)


def told(*newest: OddBlock, **changes: object) -> DriftReport:
    values = {"rows": 640, "near": 64, "outside": 3, "blocks": 10, "borderline": 1, "beyond": 1}
    odd = OddRows.model_validate({**values, "probing": 2, "newest": list(newest), **changes})
    return report(traffic(1000, 1)).model_copy(update={"odd": odd})


def judged(*pods: Sequence[OddBlock]) -> DriftVerdict:
    reports: Mapping[str, DriftReport] = {
        f"pod-{number}": told(*blocks) for number, blocks in enumerate(pods)
    }
    return judge(inputs(reports))


PROBE = block(Oddity.PROBING)
EARLY = block(Oddity.PROBING, 2, start=timestamp(PROMOTED - timedelta(seconds=1)))


@pytest.mark.parametrize(
    ("pods", "odd", "clients"),
    [
        pytest.param([[]], [], 0, id="nothing"),
        pytest.param([[PROBE]], ["Probing"], 1, id="a client"),
        pytest.param([[PROBE], []], ["Probing"], 1, id="the word of one Pod is enough"),
        pytest.param([[PROBE], [PROBE]], ["Probing"], 1, id="a client that asks two Pods"),
        pytest.param([[PROBE, block(Oddity.PROBING, 2)], [PROBE]], ["Probing"], 2, id="two"),
        pytest.param([[EARLY]], [], 0, id="before the promotion"),
        pytest.param([[EARLY, PROBE]], ["Probing"], 1, id="one of them before it"),
        pytest.param(
            [[block(Oddity.OUTSIDE)], [block(Oddity.BORDERLINE)]],
            ["Borderline", "Outside"],
            0,
            id="each kind once",
        ),
    ],
)
def test_what_is_odd_is_shown_and_no_verdict_on_drift(
    pods: list[list[OddBlock]], odd: list[str], clients: int
) -> None:
    found = judged(*pods)
    assert (found.state.odd, found.state.probing_clients) == (odd, clients)
    assert found.state.verdict == "NoDrift"
    assert ("in small steps" in found.message) is bool(clients)
    assert ("see the addresses in the predictors' logs" in found.message) is bool(odd)


def test_more_of_the_same_is_not_written() -> None:
    state = judged([PROBE]).state
    again = {"pod-0": told(block(Oddity.PROBING, rows=64), probing=5).replace(sequence=2)}
    found = judge(inputs(again, former=state))
    assert not found.changed
    more = {"pod-0": told(PROBE, block(Oddity.PROBING, 2)).replace(sequence=2)}
    assert judge(inputs(more, former=state)).changed


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(told(near=641), id="more near than looked at"),
        pytest.param(told(outside=641), id="more outside than looked at"),
        pytest.param(told(blocks=11), id="more blocks than rows"),
        pytest.param(told(probing=11), id="more odd blocks than blocks"),
    ],
)
def test_what_cannot_be_is_not_believed(bad: DriftReport) -> None:
    found = judge(inputs({"pod": bad}))
    assert [one.reason for one in found.refused] == ["WrongCounts"]
    assert found.state.odd == []


@pytest.mark.parametrize("kind", ["Other", "", 5, None, [], {"a": 1}])
def test_a_kind_that_is_none_makes_a_report_unreadable(kind: object) -> None:
    wire = told(PROBE).to_wire()
    wire["odd"]["newest"][0]["kind"] = kind
    found = judge(inputs({"pod": wire}))
    assert [one.reason for one in found.refused] == ["Unreadable"]
