"""``python -m tests.bench.rollback [--trials 30] [--cluster test]``.

Each trial makes a ModelDeployment, moves it from one version to the next under load, and shifts the
rows: one client keeps its connection, the other opens one for each request. Each figure is one line
of JSON; what happened in a trial stands on stderr. The exit code is 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence

from tests.bench.figures import Figure, figure
from tests.bench.rollback.trial import SELECTOR, Trial, run
from tests.cluster import Cluster
from tests.e2e.harness import objects
from tests.e2e.harness.installation import installed
from tests.e2e.harness.versions import sealed
from tests.e2e.harness.world import World

NAMESPACE = "bench-rollback"
VERSIONS = ("loan-v1", "loan-v2")
LAST_ANSWER_SECONDS = 2.0
"""From the first shifted row to the last answer of the version that drifts."""
SWITCH_MILLISECONDS = 200.0
"""From the report that decides to the first answer of the version before."""
STATUS_SECONDS = 1.0
"""From the first answer of the version before to a status that says so."""


def main() -> int:
    """Install, try, print, and tell whether each goal is reached in every trial."""
    parser = argparse.ArgumentParser(prog="tests.bench.rollback", description=__doc__)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--cluster", default="test", help="the cluster's name; it stays up")
    asked = parser.parse_args()
    load = " ".join(f"{load:.2f}" for load in os.getloadavg())
    _say(f"{platform.machine()}, {os.cpu_count()} cores, load average {load} before")
    with installed(Cluster(asked.cluster)) as world:
        try:
            _prepare(world)
            trials = [_try(world, number) for number in range(1, asked.trials + 1)]
        finally:
            world.api.delete("Namespace", None, NAMESPACE)
    found = figures(trials)
    for line in found:
        print(line.line(), flush=True)
    return 0 if all(line.ok for line in found) else 1


def _prepare(world: World) -> None:
    if world.api.find("Namespace", None, NAMESPACE):
        world.remove_namespace(NAMESPACE)
    world.namespace(NAMESPACE)
    world.api.apply(objects.config_map(NAMESPACE, "loans", {objects.DATA_KEY: objects.loan_csv()}))
    _say("training and sealing two versions ...")
    sealed(world, NAMESPACE, dict.fromkeys(VERSIONS, True))


def _try(world: World, number: int) -> Trial:
    trial = run(world, NAMESPACE, f"trial-{number}", VERSIONS)
    _say(
        f"trial {number}: last answer of the drifted version after {trial.to_last_answer:.2f} s, "
        f"switched {1000 * trial.to_first_answer:.0f} ms after the report, status "
        f"{1000 * trial.to_status:.0f} ms later, {trial.requests} requests, {trial.failed} failed; "
        + ", ".join(f"{hop} after {1000 * seconds:.0f} ms" for hop, seconds in trial.hops.items())
    )
    return trial


def figures(trials: Sequence[Trial]) -> list[Figure]:
    """Return the figures of some trials; what is judged is the worst of them."""
    last = [trial.to_last_answer for trial in trials]
    first = [1000 * trial.to_first_answer for trial in trials]
    status = [trial.to_status for trial in trials]
    failed = sum(trial.failed for trial in trials)
    return [
        figure(
            "shifted row to last drifted answer: worst",
            last,
            "s",
            at_most=LAST_ANSWER_SECONDS,
            summary=max,
        ),
        figure("shifted row to last drifted answer: median", last, "s"),
        figure(
            "deciding report to first answer of the version before: worst",
            first,
            "ms",
            at_most=SWITCH_MILLISECONDS,
            summary=max,
        ),
        figure("deciding report to first answer of the version before: median", first, "ms"),
        *(
            figure(f"deciding report to {hop}: median", [1000 * t.hops[hop] for t in trials], "ms")
            for hop in trials[0].hops
        ),
        figure(
            "the Service's new selector to the first answer (Kubernetes' own): median",
            [1000 * (trial.to_first_answer - trial.hops[SELECTOR]) for trial in trials],
            "ms",
        ),
        figure(
            "first answer to a status that agrees: worst",
            status,
            "s",
            at_most=STATUS_SECONDS,
            summary=max,
        ),
        figure("failed requests", [failed], "requests", at_most=0),
        figure("requests", [sum(trial.requests for trial in trials)], "requests"),
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
