"""A whole chain and its export, which nobody changes, and a copy that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hallmark.keys import public_pem
from hallmark.verification.links import Link, State, Verdict
from tests.chains import Whole, whole_chain
from tests.unit.supply_chain.factories import OTHER_KEY

STRANGER = public_pem(OTHER_KEY.public_key())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A chain with every kind of link; never changed."""
    return whole_chain(tmp_path_factory.mktemp("whole") / "chain")


@pytest.fixture(scope="module")
def exported(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export; never changed."""
    target = tmp_path_factory.mktemp("exported") / "export"
    whole.export(target)
    return target


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    """A copy of its export."""
    shutil.copytree(exported, tmp_path / "copy")
    return tmp_path / "copy"


def links(verdict: Verdict, state: State) -> list[Link]:
    return [link for subject in verdict.subjects for link in subject.links if link.state is state]
