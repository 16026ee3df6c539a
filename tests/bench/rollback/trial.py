"""One rollback under load: what the clients saw, beside what the API server told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpx

from tests.e2e.harness import objects
from tests.e2e.harness.api import Api, Object
from tests.e2e.harness.objects import AUTHOR
from tests.e2e.harness.traffic import Rows, Tally, cycle
from tests.e2e.harness.world import World

ROWS, RATE = 20, 40.0
"""Rows in a request, and requests a second of each client at most."""
SHIFT = 2.5
CALM_SECONDS, AFTER_SECONDS = 2.0, 2.0
WATCH_SECONDS, FOLLOW_SECONDS = 120.0, 30.0
SELECTOR = "the Service's new selector"
"""The hop after which all is Kubernetes' own, and the clients'."""


@dataclass(frozen=True)
class Trial:
    """What was measured in one trial.

    Attributes:
        to_last_answer: Seconds from the first shifted row to the last answer of the version that
            drifted.
        to_first_answer: Seconds from the report that decided, as a watch of the ModelDeployment
            saw it, to the first answer of the version before.
        to_status: Seconds from that answer to a status that names the version before as active.
        hops: Seconds from the same report to what led there, as watches told it.
        requests: How many the clients sent.
        failed: How many of them were not answered well.
    """

    to_last_answer: float
    to_first_answer: float
    to_status: float
    hops: Mapping[str, float]
    requests: int
    failed: int


class Shift:
    """Rows as they were trained on, until they are shifted."""

    def __init__(self) -> None:
        self.on = threading.Event()
        self.at: float | None = None
        """When the first shifted request was made, in seconds of the monotonic clock."""
        self._normal = cycle(objects.loan_rows(2000, seed=7), ROWS)
        self._shifted = cycle(objects.loan_rows(2000, seed=8, scale=SHIFT), ROWS)

    def __call__(self, number: int) -> Rows:
        """Return the rows of a request."""
        if not self.on.is_set():
            return self._normal(number)
        if self.at is None:
            self.at = time.monotonic()
        return self._shifted(number)


class Followed:
    """Every state of one object that the API server tells, with the moment at which it came.

    Args:
        world: the installation.
        kind: of the object.
        namespace: of the object.
        name: of the object.
    """

    def __init__(self, world: World, kind: str, namespace: str, name: str) -> None:
        self.states: list[tuple[float, Object]] = []
        """Moments of the monotonic clock, and the object then."""
        self._api = Api(world.cluster)
        self._place = (kind, namespace, name)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Followed:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        # Its thread is not waited for: where nothing changes, the watch ends by its own time.
        self._api.close()

    def _run(self) -> None:
        with suppress(httpx.HTTPError, httpx.StreamError, OSError):
            for obj in self._api.watch(*self._place, FOLLOW_SECONDS):
                self.states.append((time.monotonic(), obj))

    def changed(self, of: Callable[[Object], object]) -> float:
        """Return when something of it first was another than at the beginning."""
        first = of(self.states[0][1])
        return next(at for at, obj in self.states if of(obj) != first)


class Observer:
    """Notes when the API server told each state of a ModelDeployment's status.

    Args:
        world: the installation.
        namespace: of the ModelDeployment.
        name: its name.
    """

    def __init__(self, world: World, namespace: str, name: str) -> None:
        self.states: list[tuple[float, Object]] = []
        """Moments of the monotonic clock, and the status then."""
        self._api = Api(world.cluster)
        self._place = (namespace, name)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()
        self._api.close()

    def _run(self) -> None:
        for obj in self._api.watch("ModelDeployment", *self._place, WATCH_SECONDS):
            self.states.append((time.monotonic(), obj.get("status", {})))
            if self._stop.is_set():
                return

    def decided(self) -> float:
        """Return when the last report came that the operator rolled back on.

        The status that says so names the sequence of each Pod's report.
        """
        judged = next(status for _, status in self.states if status.get("lastRollback"))
        seen = judged["driftState"]["pods"]
        return max(
            next(
                at
                for at, status in self.states
                if status.get("drift", {}).get(pod, {}).get("sequence") == state["sequence"]
            )
            for pod, state in seen.items()
        )

    def rolls_back(self) -> float:
        """Return when the status first said that the version gives way."""
        return next(
            at
            for at, status in self.states
            if status.get("rollout", {}).get("state") == "RollingBack"
        )

    def agreed(self, version: str) -> float:
        """Return when the status first named a version as active after the rollback."""
        return next(
            at
            for at, status in self.states
            if status.get("lastRollback") and status.get("activeModelVersion") == version
        )


def run(world: World, namespace: str, name: str, versions: tuple[str, str]) -> Trial:
    """Move a new ModelDeployment from one version to the next, shift its rows, and delete it.

    Args:
        world: the installation.
        namespace: one in which both versions are approved.
        name: of the ModelDeployment.
        versions: the first, which is rolled back to, and the second, which drifts.

    Raises:
        AssertionError: a state that the trial waits for did not come.
    """
    before, after = versions
    _moved_on(world, namespace, name, before, after)
    shift = Shift()
    keeping = world.traffic(namespace, name, shift, RATE)
    opening = world.traffic(namespace, name, shift, RATE, keeps=False)
    tallies = (keeping.tally, opening.tally)
    service = Followed(world, "Service", namespace, name)
    slices = world.api.list("EndpointSlice", namespace, f"kubernetes.io/service-name={name}")
    endpoints = Followed(world, "EndpointSlice", namespace, slices[0]["metadata"]["name"])
    with Observer(world, namespace, name) as observer, service, endpoints, keeping, opening:
        time.sleep(CALM_SECONDS)
        shift.on.set()
        world.wait_for("ModelDeployment", namespace, name, "RolledBack=True/DriftRollback")
        world.until(
            lambda: all(tally.first(before) for tally in tallies),
            f"answers of {before} to both clients",
        )
        time.sleep(AFTER_SECONDS)
    world.api.delete("ModelDeployment", namespace, name)
    moments = {
        "a status that it rolls back": observer.rolls_back(),
        "a status that names the version before": observer.agreed(before),
        SELECTOR: service.changed(lambda obj: obj["spec"]["selector"]),
        "the EndpointSlice's other Pod": endpoints.changed(pods_of),
    }
    return _measured(shift, observer, moments, tallies, versions)


def pods_of(endpoints: Object) -> list[str]:
    """Return the Pods of an EndpointSlice."""
    found = endpoints.get("endpoints") or []
    return sorted(one.get("targetRef", {}).get("name", "") for one in found)


def _moved_on(world: World, namespace: str, name: str, before: str, after: str) -> None:
    world.api.apply(objects.model_deployment(namespace, name, before), user=AUTHOR)
    world.wait_field("ModelDeployment", namespace, name, "status.stableModelVersion", before)
    change = {"spec": {"modelVersion": after}}
    world.api.patch("ModelDeployment", namespace, name, change, user=AUTHOR)
    world.wait_field("ModelDeployment", namespace, name, "status.stableModelVersion", after)


def _measured(
    shift: Shift,
    observer: Observer,
    moments: Mapping[str, float],
    tallies: tuple[Tally, ...],
    versions: tuple[str, str],
) -> Trial:
    before, after = versions
    assert shift.at is not None, "no shifted request was made"
    answers = [answer for tally in tallies for answer in tally.answers]
    last = max(answer.at for answer in answers if answer.version == after)
    first = min(answer.at for answer in answers if answer.version == before)
    decided = observer.decided()
    return Trial(
        to_last_answer=last - shift.at,
        to_first_answer=first - decided,
        to_status=observer.agreed(before) - first,
        hops={what: at - decided for what, at in moments.items()},
        requests=len(answers),
        failed=sum(len(tally.failures) for tally in tallies),
    )
