"""What a run measured, for somebody who does not know the names of metrics."""

from __future__ import annotations

import pytest

from hallmark.api.training_run import TrainingRun
from hallmark.cli.local_show import show_outcome
from hallmark.reporting.meanings import MEANINGS
from tests.chains import run


def measured(*gates: tuple[str, bool]) -> TrainingRun:
    """Return a run with gates, each with whether it passed."""
    told = [
        {
            "metric": metric,
            "comparison": "AtLeast",
            "threshold": "0.6",
            "value": "0.5",
            "passed": passed,
            "source": source,
        }
        for metric, passed in gates
        for source in ("Run", "Policy")
    ]
    asked = run("loan-v1")
    return asked.replace(status=type(asked.status).model_validate({"gates": told}))


@pytest.mark.parametrize(("name", "said"), MEANINGS.items(), ids=MEANINGS)
def test_a_gate_that_failed_says_once_what_its_metric_is(
    capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    other = "brier" if name == "accuracy" else "accuracy"
    show_outcome(measured((name, False), (other, True)))
    told = " ".join("".join(capsys.readouterr()).split())

    assert told.count(f"{name} is {said}.") == 1
    assert MEANINGS[other] not in told


def test_a_metric_that_nobody_knows_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_outcome(measured(("nothing", False)))
    assert "nothing is" not in "".join(capsys.readouterr())
