"""While a version takes over or a rollback goes back, each request finds a predictor."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from hallmark.api.drift import Drift
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import ActionName, RollbackMode
from hallmark.api.trust import Trust
from hallmark.local.begin import begin
from hallmark.local.folder import Folder
from hallmark.local.pods import LocalPods
from hallmark.local.reviews import decide_here
from hallmark.local.rollouts import Rollouts, ask_here, deploy_here
from hallmark.local.runs import image_here, run_here
from tests.chains import MODEL, run

pytestmark = pytest.mark.slow
FIRST, SECOND = "loan-v1", "loan-v2"


class SeenPods(LocalPods):
    """Notes, at each step, which predictor a request would have found."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder.store(), image_here())
        self.found: list[str | None] = []

    def start(self, trust: Trust, now: datetime) -> None:
        """Start, and look."""
        super().start(trust, now)
        self._look()

    def switch(self, manifest_digest: str | None) -> None:
        """Switch, and look."""
        super().switch(manifest_digest)
        self._look()

    def end(self, label: str) -> None:
        """End, and look."""
        super().end(label)
        self._look()

    def _look(self) -> None:
        found = self.serving()
        self.found.append(found.trust.model_version if found and found.app else None)


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> SeenPods:
    """Predictors of two versions, of which the second took over and was rolled back."""
    path: Path = tmp_path_factory.mktemp("chain")
    folder = begin(path, run(FIRST), None)
    for number, name in enumerate((FIRST, SECOND), 1):
        assert run_here(folder, run(name, c=f"{number}.0"), path, lambda *_: None).version
    decide_here(folder, FIRST, ReviewDecision.APPROVED, "Read.")
    deploy_here(folder, MODEL, Drift(), RollbackMode.AUTOMATIC)
    seen = SeenPods(folder)
    rollouts = Rollouts(folder, MODEL, seen)
    rollouts.reconcile()
    decide_here(folder, SECOND, ReviewDecision.APPROVED, "Read.")
    rollouts.reconcile()
    ask_here(folder, MODEL, ActionName.ROLLBACK, "Too many refusals.", None)
    rollouts.reconcile()
    decide_here(folder, FIRST, ReviewDecision.REVOKED, "Leak.")
    decide_here(folder, SECOND, ReviewDecision.REVOKED, "Leak.")
    seen.found.append("revoked")
    rollouts.reconcile()
    return seen


def test_what_answers_is_switched_before_anything_ends(pods: SeenPods) -> None:
    before = pods.found[: pods.found.index("revoked")]
    served = before[before.index(FIRST) :]

    assert None not in served
    assert [one for n, one in enumerate(served) if n == 0 or one != served[n - 1]] == [
        FIRST,
        SECOND,
        FIRST,
    ]


def test_nothing_answers_once_all_is_revoked(pods: SeenPods) -> None:
    assert pods.serving() is None
