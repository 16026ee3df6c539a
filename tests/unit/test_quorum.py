"""Enough people, and people for each risk: whoever is in several groups stands for one."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, strategies as st

from hallmark.api.trust import ReviewerGroup
from hallmark.quorum import person, tally
from tests.examples import examples

PEOPLE = ["ada", "bob", "cyd", "dan", "eve"]


def group(name: str, *members: str, minimum: int = 1) -> ReviewerGroup:
    return ReviewerGroup(name=name, members=list(members), minimum=minimum)


RISK = group("risk", "ada", "bob")
BUILD = group("engineering", "bob", "cyd")


@pytest.mark.parametrize(
    ("approvers", "minimum", "groups", "said"),
    [
        pytest.param(["ada", "cyd"], 2, [RISK, BUILD], "2 of 2 approvals", id="one for each"),
        pytest.param(
            ["bob"],
            1,
            [RISK, BUILD],
            "1 of 1 approvals, still missing 1 from group 'engineering'",
            id="nobody stands for two groups",
        ),
        pytest.param(["bob", "cyd"], 2, [BUILD, RISK], "2 of 2 approvals", id="bob makes room"),
        pytest.param(["ada", "bob"], 2, [RISK, BUILD], "2 of 2 approvals", id="the other way"),
        pytest.param(
            ["dan", "eve"],
            2,
            [RISK],
            "2 of 2 approvals, still missing 1 from group 'risk'",
            id="others do not stand in",
        ),
        pytest.param(
            [],
            1,
            [group("risk", "ada", "bob", minimum=2), BUILD],
            "0 of 1 approvals, still missing 1 from group 'engineering' and 2 from group 'risk'",
            id="nobody yet",
        ),
        pytest.param(["ada"], 2, [RISK], "1 of 2 approvals", id="a group is not a number"),
        pytest.param(["ada", "ADA", "a d\u00ada"], 2, [], "1 of 2 approvals", id="one, spelled so"),
        pytest.param(
            ["Bob", "bob"],
            2,
            [RISK, BUILD],
            "1 of 2 approvals, still missing 1 from group 'engineering'",
            id="nobody stands for two groups under two names",
        ),
    ],
)
def test_what_is_said(
    approvers: list[str], minimum: int, groups: list[ReviewerGroup], said: str
) -> None:
    found = tally(approvers, minimum, groups)
    assert found.sentence == said
    assert found.enough is ("missing" not in said and found.people >= minimum)


GROUPS = st.lists(
    st.tuples(st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True), st.integers(1, 3)),
    max_size=3,
).map(
    lambda drawn: [
        group(f"group-{place}", *members, minimum=minimum)
        for place, (members, minimum) in enumerate(drawn)
    ]
)


@given(st.sets(st.sampled_from(PEOPLE)), st.integers(1, 4), GROUPS)
def test_no_other_choice_of_who_stands_for_what_misses_fewer(
    approvers: set[str], minimum: int, groups: list[ReviewerGroup]
) -> None:
    people, stands_for = sorted(approvers), [None, *(found.name for found in groups)]
    least = min(
        sum(
            max(
                0,
                found.minimum
                - sum(
                    name == found.name and person in found.members
                    for person, name in zip(people, chosen, strict=True)
                ),
            )
            for found in groups
        )
        for chosen in product(stands_for, repeat=len(people))
    )
    found = tally(people, minimum, groups)
    assert sum(found.missing.values()) == least
    assert found.enough is (len(people) >= minimum and least == 0)
    assert found.more >= max(minimum - len(people), least)
    assert set(found.missing) <= {made.name for made in groups}


UNSEEN = "\u00ad\u034f\u115f\u180b\u200b\u2800\u3164\ufe0f\U000e0101\x00 \u00a0"


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
@pytest.mark.parametrize("place", range(6))
def test_what_is_not_seen_makes_no_other_person(unseen: str, place: int) -> None:
    """Between a letter and its accent neither."""
    name = "jose\u0301"
    assert person(name[:place] + unseen + name[place:]) == person("Jos\u00e9")


@given(name=st.text(max_size=8))
@examples(200)
def test_the_one_form_of_a_name_is_its_own(name: str) -> None:
    assert person(person(name)) == person(name) == person(name + "\u200b")


@pytest.mark.parametrize("other", ["jose", "jos\u00e8", "j\u00f3se", ""])
def test_what_is_seen_makes_another(other: str) -> None:
    assert person("jos\u00e9") != person(other)
