"""Which library needs which, and where each is used: circles, strangers and two versions too."""

from __future__ import annotations

from hypothesis import given, strategies as st

from hallmark.supply_chain.library import (
    SERVING,
    TRAINING,
    Library,
    links,
    needed,
    requirements,
    tops,
    used_by,
)
from tests.examples import examples

GRAPHS = st.integers(0, 8).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, max(size - 1, 0)), max_size=4), min_size=size, max_size=size
    )
)


@given(GRAPHS)
@examples(200)
def test_from_the_tops_everything_is_reached_and_no_top_is_too_much(edges: list[list[int]]) -> None:
    def reached(start: list[int]) -> set[int]:
        seen, waiting = set(start), list(start)
        while waiting:
            new = set(edges[waiting.pop()]) - seen
            seen |= new
            waiting.extend(new)
        return seen

    found = tops(edges)
    assert reached(found) == set(range(len(edges)))
    unneeded = set(range(len(edges))) - {target for targets in edges for target in targets}
    assert unneeded <= set(found)
    for place in unneeded:
        assert reached([top for top in found if top != place]) != set(range(len(edges)))


def test_a_library_needs_the_version_that_is_used_where_it_is() -> None:
    libraries = [
        Library("a", "1", requires=("b", "absent"), used_in=(TRAINING,)),
        Library("b", "1", used_in=(TRAINING,)),
        Library("b", "2", used_in=(SERVING,)),
        Library("c", "1", requires=("b",), used_in=(TRAINING, SERVING)),
    ]
    assert links(libraries) == [[1], [], [], [1, 2]]


INSTALLED = [Library("a", "1", "MIT"), Library("b", "1"), Library("c", "1")]
PREDICTOR = [
    Library("a", "1", used_in=(SERVING,)),
    Library("b", "2", used_in=(SERVING,)),
    Library("d", "1", used_in=(SERVING,)),
]


def test_in_an_image_the_predictor_has_the_versions_of_its_own() -> None:
    found = used_by(INSTALLED, PREDICTOR, same_interpreter=False)
    assert [(one.name, one.version, one.licence, one.used_in) for one in found] == [
        ("a", "1", "MIT", (TRAINING, SERVING)),
        ("b", "1", "", (TRAINING,)),
        ("b", "2", "", (SERVING,)),
        ("c", "1", "", (TRAINING,)),
        ("d", "1", "", (SERVING,)),
    ]


def test_on_one_machine_what_is_installed_serves() -> None:
    found = used_by(INSTALLED, PREDICTOR, same_interpreter=True)
    assert [(one.name, one.version, one.used_in) for one in found] == [
        ("a", "1", (TRAINING, SERVING)),
        ("b", "1", (TRAINING, SERVING)),
        ("c", "1", (TRAINING,)),
    ]


def test_a_requirement_that_cannot_be_read_is_none_and_one_that_cannot_be_judged_holds() -> None:
    read = requirements(["b; python_version ~= 'x'", "(", "", "b" * 9 + "; extra ==", "c @ file:"])
    stated = {"a": read, "b": (), "c": ()}
    assert needed(stated) == {"a": ("b", "c"), "b": (), "c": ()}
