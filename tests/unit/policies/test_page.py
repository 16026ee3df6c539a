"""The page in ``hallmark.policies`` lists the checks that are made, in their order."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import hallmark.policies
from hallmark.policies.model_deployment import checks as deployment_checks
from hallmark.policies.model_version import approvals, checks as version_checks
from hallmark.policies.training_run import adoption, checks as run_checks, seal

PAGE = hallmark.policies.__doc__ or ""
CHAINS: dict[str, tuple[Callable[..., Any], ...]] = {
    "training_run.checks.BEFORE_TRAINING": run_checks.BEFORE_TRAINING,
    "training_run.adoption.BEFORE_ADOPTION": (
        *adoption.BEFORE_ADOPTION,
        *adoption.AFTER_READING,
    ),
    "training_run.seal.BEFORE_READING": seal.BEFORE_READING,
    "training_run.seal.AFTER_READING": seal.AFTER_READING,
    "model_version.checks.TODAY": version_checks.TODAY,
    "model_version.approvals.CHAIN": approvals.CHAIN,
    "model_deployment.checks.REJECTIONS": deployment_checks.REJECTIONS,
    "model_deployment.checks.APPROVAL": (
        *deployment_checks.APPROVAL,
        *deployment_checks.VERIFICATION,
    ),
}


@pytest.mark.parametrize(("name", "chain"), CHAINS.items(), ids=CHAINS.keys())
def test_the_page_tells_each_chain(name: str, chain: tuple[Callable[..., Any], ...]) -> None:
    _, _, rest = PAGE.partition(f"``{name}``")
    listed, _, _ = rest.partition("\n\n")
    told = [line.removeprefix("  - ") for line in listed.splitlines()[1:]]
    assert told == [(check.__doc__ or "").strip().splitlines()[0] for check in chain]


def test_the_page_tells_no_other_chain() -> None:
    assert set(re.findall(r"\(``([\w.]+\.[A-Z_]+)``", PAGE)) == set(CHAINS)


def test_each_check_is_told_once() -> None:
    told = re.findall(r"^  - (.*)$", PAGE, re.MULTILINE)
    assert len(told) == sum(map(len, CHAINS.values())) == len(set(told))
