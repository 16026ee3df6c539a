import json
from collections.abc import Sequence

import numpy as np
import pytest

from hallmark.api.bounds import MAX_REFUSED_FEATURES, MAX_WINDOWS, PROBERS, Oddity
from hallmark.api.columns import FeatureType
from hallmark.api.drift import Drift, Rejections
from hallmark.api.drift_report import (
    DriftReport,
    DriftWindow,
    FairCounts,
    OddBlock,
    OddRows,
    RefusedFeature,
    RequestCounts,
)
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.api.served import BaselineFeature
from hallmark.api.texts import timestamp
from hallmark.drift.room import (
    CHEAP_BYTES,
    FEW_PODS,
    MAX_BYTES,
    MAX_ENTRIES,
    make_room,
    places_for,
    report_bytes,
    take_turns,
)
from hallmark.drift.votes import Vote
from tests.unit.drift.factories import ACTIVE, PROMOTED, former

ETCD_LIMIT = 1536 * 1024
LARGEST_ENTRY = 16_384 * 20 + 1_536 * (63 * 6 + 5) + 5 * 256 + 256 + 1024
"""What admission lets one Pod write: counts of 19 digits, names that JSON escapes, and five
features at fault in four ways, requests, and odd rows."""
REST_OF_THE_OBJECT = 128 * 1024
"""Spec, conditions, history, refused intents, accepted sequences and managed fields."""


def features(count: int, bins: int = 11, name: int = 11) -> list[BaselineFeature]:
    """Features as training makes them: ten bins and one for nulls."""
    return [
        BaselineFeature(
            name=f"f{index}".ljust(name, "x"),
            type=FeatureType.NUMBER,
            edges=[float(edge) for edge in range(bins - 2)],
            counts=[400] * bins,
        )
        for index in range(count)
    ]


def longest_report(watched: Sequence[BaselineFeature], drift: Drift, rows: int) -> DriftReport:
    """A report with as many digits as ``rows`` rows in all can have, of even shares."""

    def counts(total: int) -> dict[str, list[int]]:
        shares = {
            feature.name: np.full(len(feature.counts), total // len(feature.counts))
            for feature in watched
        }
        return {name: share.tolist() for name, share in shares.items()}

    now = timestamp(PROMOTED)
    number = rows // drift.window
    window = DriftWindow(
        number=number, rows=drift.window, start=now, end=now, counts=counts(drift.window)
    )
    return DriftReport(
        manifest_digest=ACTIVE,
        boot_id="b" * 36,
        sequence=10**9,
        rows=rows,
        counts=counts(rows),
        windows=[window] * drift.consecutive,
        refused_rows=rows,
        refused=[
            RefusedFeature(feature=feature.name[:11], out_of_range=rows // 9)
            for feature in watched[:MAX_REFUSED_FEATURES]
        ],
        requests=RequestCounts(
            uptime=10**11,
            count=rows,
            refused=rows // 10,
            failed=rows // 100,
            shed=rows // 100,
            latency=[rows // 6] * 6,
            work=[rows // 6] * 6,
            fair=FairCounts(
                rows=rows,
                refused=rows // 10,
                requests=rows,
                failed=rows // 100,
                timed=[rows] * 5,
                late=[rows // 6] * 5,
            ),
        ),
        odd=OddRows(
            rows=rows,
            near=rows // 10,
            outside=rows // 10,
            blocks=rows // 64,
            borderline=rows // 100,
            beyond=rows // 100,
            probing=rows // 100,
            newest=[OddBlock(kind=Oddity.BORDERLINE, client=1000, start=now, rows=64)]
            * (PROBERS + 2),
        ),
    )


def entry_bytes(report: DriftReport) -> int:
    """The entry's size as the API server stores it, under the longest name of a Pod."""
    return len(json.dumps({"p" * 63: report.to_wire()}, separators=(",", ":")))


SIZES = [
    pytest.param(features(1), Drift(), id="one feature"),
    pytest.param(features(10), Drift(), id="ten features"),
    pytest.param(features(200), Drift(), id="two hundred features"),
    pytest.param(features(200), Drift(consecutive=5), id="two hundred, five windows"),
    pytest.param(features(200), Drift(window=1_000_000), id="two hundred, a million rows"),
    pytest.param(features(64, bins=256), Drift(consecutive=1), id="many categories"),
    pytest.param(features(256, name=63), Drift(consecutive=1), id="the longest names"),
]


@pytest.mark.parametrize(("watched", "drift"), SIZES)
def test_no_report_is_larger_than_its_bound_and_the_bound_is_near(
    watched: list[BaselineFeature], drift: Drift
) -> None:
    after_years = entry_bytes(longest_report(watched, drift, 10**11))
    after_a_day = entry_bytes(longest_report(watched, drift, 10**7))
    assert after_years <= report_bytes(watched, drift) <= 2 * after_a_day


@pytest.mark.parametrize(("watched", "drift"), SIZES)
def test_the_reports_that_stand_at_once_fit_into_the_object_beside_a_hostile_one(
    watched: list[BaselineFeature], drift: Drift
) -> None:
    places = places_for(watched, drift)
    reports = places * report_bytes(watched, drift)
    assert reports <= (CHEAP_BYTES if places > FEW_PODS else MAX_BYTES) or places == 2
    assert reports + LARGEST_ENTRY + REST_OF_THE_OBJECT < ETCD_LIMIT


def test_sixty_four_pods_of_two_hundred_features_would_not_fit() -> None:
    """So they take turns: docs/architecture.md states these figures."""
    size = entry_bytes(longest_report(features(200), Drift(), 10**6))
    assert 34_000 < size < 40_000
    assert size * MAX_ENTRIES > ETCD_LIMIT
    assert places_for(features(200), Drift()) == 8
    assert places_for(features(200), Drift(consecutive=5)) == 5
    assert places_for(features(10), Drift()) == 33
    assert places_for(features(1), Drift()) == MAX_ENTRIES
    assert places_for(features(1500, name=60), Drift(consecutive=5)) == 2, "never fewer"


def test_the_schema_allows_as_many_entries_as_there_are_places() -> None:
    schema = ModelDeploymentStatus.model_json_schema(by_alias=True)
    assert schema["properties"]["drift"]["maxProperties"] == MAX_ENTRIES


# -- whose entry goes -------------------------------------------------------------------------


def vote(turn: int, drifted: int = 0) -> Vote:
    state = former(drifted_windows=drifted)
    drifts, zero = drifted > 1, np.zeros(1)
    return Vote(state, True, moved=drifts, proof=drifts - 1.0, psi=zero, evidence=zero, turn=turn)


def votes(count: int) -> dict[str, Vote]:
    """Votes by Pod, the oldest first."""
    return {f"p{index:02}": vote(index) for index in range(count)}


@pytest.mark.parametrize(
    ("live", "places", "turns"),
    [
        pytest.param(56, 64, False, id="all fit while eight places are free"),
        pytest.param(57, 64, True, id="one more"),
        pytest.param(7, 8, False, id="all fit while one place is free"),
        pytest.param(8, 8, True, id="none would be free"),
        pytest.param(31, 35, False, id="a part of a place is none"),
        pytest.param(1, 2, False, id="a single Pod never takes turns"),
    ],
)
def test_pods_take_turns_where_they_leave_no_place_free(
    live: int, places: int, turns: bool
) -> None:
    assert take_turns(live, places) is turns


@pytest.mark.parametrize(
    ("entries", "live", "removed"),
    [
        pytest.param(56, 56, 0, id="with few Pods nothing is removed"),
        pytest.param(64, 56, 0, id="nor while those that went still stand there"),
        pytest.param(56, 200, 0, id="eight free places are enough"),
        pytest.param(57, 200, 25, id="of seven free places a half is made"),
        pytest.param(64, 65, 32, id="of none a half too"),
    ],
)
def test_room_is_made_only_where_it_is_needed(entries: int, live: int, removed: int) -> None:
    known = votes(entries)
    found = make_room(known, (), known, live=live, places=64)
    assert found == tuple(sorted(known)[:removed]), "the oldest votes"


def test_what_was_refused_goes_first_and_what_drifts_last() -> None:
    known = {"old-drift": vote(1, drifted=1), "old": vote(2), "new": vote(9), "old-too": vote(2)}
    refused = {"worse", "bad"}
    order = ("bad", "worse", "old", "old-too", "new", "old-drift")
    found = [make_room([*known, *refused], refused, known, live=99, places=n) for n in (7, 6, 2)]
    assert found == [(), order[:3], order[:5]]
    assert make_room(known, ["new"], known, live=99, places=4)[0] == "new", "though it has a vote"
    drifting = {pod: vote(turn, drifted=2) for turn, pod in enumerate("abcd")}
    assert make_room(drifting, (), drifting, live=99, places=4) == ("a", "b")


def test_what_was_not_judged_never_goes() -> None:
    known = {"a": vote(1), "b": vote(2)}
    assert make_room(["a", "b", "unseen"], (), known, live=9, places=2) == ("a", "b")
    assert make_room(["c", "d", "unseen"], (), known, live=9, places=2) == ()


def test_blocks_of_refusals_take_place_where_they_are_asked_for() -> None:
    plain, asked = Drift(), Drift(rejections=Rejections(limit="0.1"))
    watched = features(10)
    assert report_bytes(watched, asked) - report_bytes(watched, plain) == MAX_WINDOWS * 128
