"""Objects that the tests of the dashboard's backend read; nobody changes them."""

from __future__ import annotations

import pytest

from tests.integration.api import Obj
from tests.integration.dashboard_hostile import fresh
from tests.integration.dashboard_world import Site, put_deployment, put_version


@pytest.fixture(scope="module")
def sealed(site: Site) -> Obj:
    """A version with its evidence in the store."""
    return put_version(site, fresh("loan"))


@pytest.fixture(scope="module")
def serving(site: Site, sealed: Obj) -> Obj:
    """A ModelDeployment that serves it."""
    return put_deployment(site, fresh("desk"), sealed)


@pytest.fixture(scope="module")
def hidden(site: Site) -> Obj:
    """A version that none of the people may see."""
    return put_version(site, fresh("secret"), namespace=site.hidden)
