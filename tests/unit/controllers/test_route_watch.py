"""HTTPRoutes that a cluster has, lacks, gets and loses; with the real informer and cache."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hallmark.cluster.cache import Change, ObjectCache
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import HTTP_ROUTE, Obj
from hallmark.cluster.lists import Page
from hallmark.controllers.route_watch import RouteWatch
from tests.unit.cluster.cached import obj
from tests.unit.cluster.test_informer import Over, Script

NO_KIND = ApiError("the server could not find the requested resource", 404, "NotFound")
FORBIDDEN = ApiError("httproutes is forbidden", 403, "Forbidden")
TROUBLE = ApiError("etcd is away", 500)


def listed(*names: str, version: int = 5) -> Page:
    routes = [obj(HTTP_ROUTE, name, version, spec={}) for name in names]
    return Page(routes, str(version), "", 100)


class Watched:
    """What came of a script: what was said and told, and what is known at its end."""

    def __init__(
        self, pages: Sequence[Page | Exception], watches: Sequence[Sequence[Obj | Exception]] = ()
    ) -> None:
        self.cache = ObjectCache()
        self.changes: list[Change] = []
        self.said: list[str] = []
        self.routes = RouteWatch(
            Script(pages, watches), self.cache, self.changes.append, self._used, self._sleep
        )

    def _used(self) -> None:
        self.said.append(self.routes.missing())

    async def _sleep(self, seconds: float) -> None:
        assert seconds > 0

    async def run(self) -> Watched:
        """Follow to the script's end."""
        with pytest.raises(Over):
            await self.routes.run()
        return self

    @property
    def names(self) -> list[str]:
        """The routes that are known."""
        return [key.name for key in self.cache.keys(HTTP_ROUTE)]


async def test_a_cluster_with_gateway_api() -> None:
    found = await Watched([listed("credit")]).run()
    assert (found.said, found.names, found.routes.missing()) == ([""], ["credit"], "")
    assert found.routes.age is not None


@pytest.mark.parametrize(
    ("error", "what"), [(NO_KIND, "Install the CRDs"), (FORBIDDEN, "Apply the roles")]
)
async def test_a_cluster_without_it_is_asked_again_and_told_once(
    error: ApiError, what: str
) -> None:
    found = await Watched([error, error, error]).run()
    assert found.routes.known.is_set(), "the operator's start does not wait for it"
    [sentence] = found.said
    assert what in sentence
    assert sentence.startswith("Expected ")
    assert found.routes.age is None


async def test_it_may_come_go_and_come_back() -> None:
    pages = (NO_KIND, listed("credit"), listed("credit", "loans", version=9))
    found = await Watched(pages, [[NO_KIND]]).run()
    assert [bool(why) for why in found.said] == [True, False, True, False]
    told = [(change.key.name, change.after is None) for change in found.changes]
    assert told == [("credit", True)], "what was there is gone, and its owner looks again"
    assert found.names == ["credit", "loans"]


async def test_trouble_of_the_api_server_says_nothing_about_the_kind() -> None:
    found = await Watched([TROUBLE, TROUBLE]).run()
    assert found.said == []
    assert not found.routes.known.is_set()


async def test_trouble_in_between_keeps_what_is_known() -> None:
    found = await Watched([listed("credit")], [[TROUBLE], []]).run()
    assert (found.said, found.names, found.changes) == ([""], ["credit"], [])
