"""The first decision of an operator is as fast as the hundredth."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hallmark.bundles import bundles
from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions
from tests.unit.controllers.test_store_away import take_away

PROGRAM = """
import hallmark.controllers
from hallmark.api.common import ApiModel, build_models
from hallmark.drift.recount import DriftEvidence

assert not DriftEvidence.__pydantic_complete__, "no model is built before it is used"
build_models()
waiting, unbuilt = [ApiModel], []
while waiting:
    model = waiting.pop()
    waiting += model.__subclasses__()
    unbuilt += [] if model.__pydantic_complete__ else [model.__name__]
assert not unbuilt, unbuilt
"""


def test_no_model_is_left_to_be_built_by_the_first_rollback() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)


@pytest.fixture
def served(tmp_path: Path) -> World:
    """Version 2 serves, and version 1 is where a rollback would go to."""
    return with_two_versions(World(tmp_path))


def test_the_report_that_decides_waits_for_no_store(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    opened = served.operator.stores.open

    def count(spec: object) -> Any:  # noqa: ANN401 - a store
        read.append(served.state)
        return opened(spec)

    served.wait(6)
    # Between two reports the world's clock goes on by three seconds.
    monkeypatch.setattr(bundles, "RECENT", timedelta(seconds=5))
    monkeypatch.setattr(served.operator.bundles._stores, "open", count)
    served.traffic(SHIFTED, windows=1)
    served.reconcile()
    assert (served.serving, read != []) == (2, True), "one window decides nothing, and warns"
    read.clear()
    served.traffic(SHIFTED)
    served.reconcile()
    assert (served.serving, read) == (1, [])


def test_bytes_that_were_verified_for_a_rollback_are_not_believed_for_long(served: World) -> None:
    served.wait(6)
    served.traffic(SHIFTED, windows=1)
    served.reconcile()
    served.corrupt_bytes(1)
    served.wait(11)
    served.traffic(SHIFTED)
    served.settle()
    assert served.serving == 2
    assert served.condition("Ready") == "False/NoVerifiedTarget"


@pytest.mark.parametrize("away", [True, False])
def test_calm_traffic_and_a_store_that_is_away_ask_nothing_of_it(served: World, away: bool) -> None:
    served.wait(6)
    policy = served.operator.bundles
    before = dict(policy._verified)
    if away:
        take_away(served)
    served.traffic(SHIFTED if away else CALM, windows=1)
    served.reconcile()
    assert policy._verified == before
    assert served.serving == 2
