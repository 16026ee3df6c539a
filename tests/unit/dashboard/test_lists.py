"""Lists that are made once, in parts, and what is remembered of objects."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given, strategies as st

from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.kinds import MODEL_VERSION
from hallmark_dashboard.lists import Lists
from hallmark_dashboard.views.parts import SHOWN, Part
from hallmark_dashboard.views.remembered import remembered
from tests.integration import objects

STEPS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(["put", "bad", "gone"])
    ),
    max_size=12,
)


@given(STEPS)
def test_a_list_that_is_kept_is_the_one_that_would_be_made_anew(
    steps: list[tuple[str, str, str]],
) -> None:
    cache = ObjectCache()
    lists = Lists(cache)
    for number, (space, name, what) in enumerate(steps, start=1):
        obj = objects.model_version(space, name, version=number if what == "put" else "none")
        obj["metadata"] |= {"uid": f"{space}{name}", "resourceVersion": str(number)}
        take = cache.remove if what == "gone" else cache.observe
        change = take(MODEL_VERSION, obj)
        if change is not None:
            lists.changed(MODEL_VERSION)

        kept, anew = lists.of(MODEL_VERSION), Lists(cache).of(MODEL_VERSION)
        assert kept == anew
        places = [(one.metadata.namespace, one.metadata.name) for one in kept.everywhere]
        assert places == sorted(places)
        assert len(places) + len(kept.unreadable) == len(cache)


@pytest.mark.parametrize("total", [0, 1, SHOWN - 1, SHOWN, SHOWN + 1, 3 * SHOWN])
def test_the_parts_of_a_list_are_the_list(total: int) -> None:
    rows, found, address = list(range(total)), [], "/x?offset=0"
    while address:
        part = Part.of(rows, address.partition("=")[2], "/x")
        assert part.total == total
        assert (part.last - part.first + 1 if part.rows else 0) == len(part.rows) <= SHOWN
        found += part.rows
        address = part.after

    assert found == rows


@pytest.mark.parametrize("offset", ["", "-1", "x", "٣", "9" * 400, "1e3", "100000000"])
def test_an_odd_offset_is_none_or_beyond_the_end(offset: str) -> None:
    part = Part.of(range(10), offset, "/x")

    assert len(part.rows) in {0, 10}
    assert part.after == ""


class Thing:
    """Something that is remembered."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_what_is_remembered_is_of_that_very_object_and_goes_with_it() -> None:
    made: list[str] = []

    @remembered
    def length(thing: Thing) -> int:
        made.append(thing.name)
        return len(thing.name)

    things = [Thing("a" * number) for number in range(50)]
    assert [length(thing) for thing in things * 2] == [*range(50)] * 2
    assert len(made) == 50
    gone = weakref.ref(things[-1])
    del things
    gc.collect()
    assert gone() is None
    # Other objects, perhaps in the same places of memory.
    assert [length(Thing("b" * number)) for number in range(50)] == [*range(50)]
    assert len(made) == 100
