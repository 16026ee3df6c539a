"""A clock that is wrong, the operator's or an API server's, vouches for nobody's name."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from hallmark.api.admission.people import requester_identity
from hallmark.cluster.guards import Guards
from hallmark.cluster.identity import Identity
from hallmark.cluster.kinds import Obj
from hallmark.cluster.server_time import HEARD, ServerTime
from hallmark.policies.model_version.approvals import SETTLING
from tests.unit.controllers.memory_cluster import MemoryCluster

TRUE = datetime(2026, 11, 25, 12, tzinfo=UTC)
SKEWS = [timedelta(minutes=-5), timedelta(seconds=-1), timedelta(0), timedelta(minutes=5)]
SECOND = timedelta(seconds=1)


def date(moment: datetime) -> str:
    """Return a moment as the header ``Date`` says it, in whole seconds."""
    return format_datetime(moment.replace(microsecond=0), usegmt=True)


@pytest.mark.parametrize("answered_in", [timedelta(0), timedelta(seconds=14)])
@pytest.mark.parametrize(("operator", "server"), [*itertools.product(SKEWS, SKEWS)])
async def test_what_was_created_before_its_guard_was_seen_is_vouched_for_by_no_clock(
    operator: timedelta, server: timedelta, answered_in: timedelta
) -> None:
    """Who may change the guard empties what the API server stores of that; see ``test_guards``."""
    time, cluster = ServerTime(), MemoryCluster()
    time.hear(date(TRUE + server), TRUE + operator + answered_in)
    time.hear(date(TRUE + server + answered_in), TRUE + operator + answered_in)
    for obj in requester_identity():
        obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
        cluster.put(obj)
    identity = Identity(cluster, Guards(), lambda: time.latest(TRUE + operator))

    async def vouches_for(created: datetime) -> bool:
        stamp = (created + server).strftime("%Y-%m-%dT%H:%M:%SZ")
        run: Obj = {"metadata": {"creationTimestamp": stamp}, "spec": {"requestedBy": "alice"}}
        return (await identity.requester_of(run)).authenticated

    for before in (SECOND, 60 * SECOND, 299 * SECOND, 86400 * SECOND):
        assert not await vouches_for(TRUE - before)
    slow = max(timedelta(0), operator - server)
    assert await vouches_for(TRUE + slow + SETTLING + 2 * SECOND), "nor is it refused for ever"


@pytest.mark.parametrize(
    "nonsense",
    [
        *(None, "", "now", "0" * 5000, "\0", "Wed, 99 Foo 2026 99:99:99 GMT"),
        f"Wed, 25 Nov {'9' * 40} 12:00:00 GMT",
    ],
)
def test_a_date_that_cannot_be_read_says_nothing(nonsense: str | None) -> None:
    time = ServerTime()
    time.hear(nonsense, TRUE)
    assert time.latest(TRUE) == TRUE


def test_of_several_servers_the_one_that_is_ahead_counts_until_it_was_not_heard_for_long() -> None:
    time = ServerTime()
    time.hear(date(TRUE + 60 * SECOND), TRUE)
    for _ in range(HEARD - 1):
        time.hear(date(TRUE), TRUE)
        assert time.latest(TRUE) == TRUE + 60 * SECOND
    time.hear(date(TRUE), TRUE)
    assert time.latest(TRUE) == TRUE
