"""The scenes, each of which returns its figures; they follow each other in one world."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.bench.figures import Figure, percentile
from tests.bench.scale.facts import Fact, fact
from tests.bench.scale.objects import REPLICAS, Deployed
from tests.bench.scale.predictors import DRIFTED, Fleet, Predictor
from tests.bench.scale.stage import Meter, MissedError, Stage
from tests.bench.scale.trail import Request, lists_by_resource, writes_by_resource

MOST_REQUESTS = 40
REST_SHARE = 0.5
REPORT_SHARE = 15.0
"""Per cent of a core."""
REPORT_WRITES = 50.0
"""In a second, of hands and operator together."""
SWITCH_MILLISECONDS = 300.0
REVOCATION_SECONDS = 20.0
RESTART_SECONDS = 20.0
MOST_MEGABYTES = 300.0
DRIFTING = 60
"""ModelDeployments that drift, or all that have a model of their own, if fewer."""
DRIFT_PAUSE = 2.0
"""Seconds from one drifting ModelDeployment to the next: a rollback itself costs the API server a
third of a second, and what is asked for is how fast it is beside the reports."""


async def first_start(stage: Stage) -> list[Figure]:
    """Let the operator see all runs, versions and approvals for the first time."""
    meter = Meter(stage)
    await stage.operator.start()
    settled = await stage.operator.settled(stage.world.limit(60, 1.5))
    if settled is None:
        raise MissedError("The operator did not come to rest with the versions alone.")
    requests, count = stage.operator.trail.since(meter.mark), len(stage.population.versions)
    return [
        stage.one("first start: until settled", settled - meter.started, "s"),
        *_costs(stage, "first start", meter, requests, count, "version"),
    ]


async def to_ready(stage: Stage) -> tuple[list[Figure], list[Request], float]:
    """Create all ModelDeployments at once.

    Returns:
        The figures, the operator's requests until the last was Ready, and the seconds.
    """
    meter, count = Meter(stage), stage.world.size
    deploying = asyncio.create_task(stage.population.deploy(stage.plan.deployments))
    async with watching_deployments(stage):
        took = await _all(stage, meter, _facts(stage.plan.deployments, "ready", 1), "Ready")
        await deploying
        requests = stage.operator.trail.since(meter.mark)
        await _all(stage, meter, _facts(stage.plan.deployments, "stable", 1), "stable")
    await _settle(stage)
    whole = stage.operator.trail.since(meter.mark)
    figures = [
        stage.one("to Ready: until the last", took, "s"),
        stage.one("to Ready: rate", count / took, "Deployments/s"),
        *_costs(stage, "to Ready", meter, whole, count, "Deployment", most=MOST_REQUESTS),
    ]
    return figures, requests, took


async def to_next_version(stage: Stage) -> list[Figure]:
    """Approve every next version at once; the first ones stay warm."""
    stage.facts.forget()
    meter, count = Meter(stage), stage.world.size
    async with watching_deployments(stage):
        await stage.population.approve(stage.plan.served(2))
        took = await _all(stage, meter, _facts(stage.plan.deployments, "stable", 2), "stable")
    await _settle(stage)
    whole = stage.operator.trail.since(meter.mark)
    return [
        stage.one("to the next version: until the last is stable", took, "s"),
        *_costs(stage, "to the next version", meter, whole, count, "Deployment"),
    ]


async def rest(stage: Stage) -> list[Figure]:
    """Do nothing."""
    meter = Meter(stage)
    await asyncio.sleep(stage.world.pause)
    share = 100 * meter.spent()["the operator"] / meter.elapsed
    requests = stage.operator.trail.since(meter.mark)
    writes = writes_by_resource(requests)
    if writes:
        stage.say(f"at rest it wrote {dict(writes)}")
    name = "at rest: operator's share of a core"
    return [
        stage.one(name, share, "%", at_most=REST_SHARE),
        stage.one("at rest: writes but the heartbeat", writes.total(), "writes", at_most=0),
        stage.one("at rest: requests", len(requests) / meter.elapsed, "requests/s"),
        stage.one("memory at rest", stage.operator.megabytes(), "MB", at_most=MOST_MEGABYTES),
    ]


async def reports_and_drift(stage: Stage) -> list[Figure]:
    """Let all Pods that have traffic report, as usual; then let some ModelDeployments drift."""
    pods = _predictors(stage)
    drifting = stage.plan.own[:DRIFTING]
    healthy = [pod for place, found in pods.items() if place not in drifting for pod in found]
    everybody = [pod for found in pods.values() for pod in found]
    fleet = Fleet(stage.api)
    await fleet.report_first(everybody)
    await _settle(stage)
    figures = await _report(stage, fleet, everybody)
    reporting = asyncio.create_task(fleet.report(healthy, stage.world.period))
    try:
        figures += await _drift(stage, {place: pods[place] for place in drifting})
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
    return figures


async def revocation(stage: Stage) -> list[Figure]:
    """Revoke the version that many ModelDeployments serve."""
    shared = stage.plan.shared
    await _settle(stage)
    stage.facts.forget()
    meter = Meter(stage)
    await stage.population.decide(shared[0].version(2), "Revoked")
    wanted = _selections(stage, shared, 1)
    moments = await stage.until(wanted, stage.world.limit(60, 0.5))
    late = [meter.elapsed] * (len(wanted) - len(moments))
    took = [moment - meter.started for moment in moments] + late
    requests = stage.operator.trail.since(meter.mark)
    name = "revocation: until the last has switched"
    return [
        stage.several(name, took, "s", at_most=REVOCATION_SECONDS, summary=max),
        stage.one("revocation: of how many", len(shared), "Deployments"),
        *_costs(stage, "revocation", meter, requests, len(shared), "Deployment"),
    ]


async def restart(stage: Stage) -> list[Figure]:
    """Kill the operator, and start it again."""
    await _settle(stage)
    peak = stage.operator.megabytes("VmHWM")
    stage.operator.kill()
    mark = stage.operator.trail.mark()
    started = time.monotonic()
    await stage.operator.start()
    settled = await stage.operator.settled(stage.world.limit(60, 1.0))
    took = (settled or time.monotonic()) - started
    requests = stage.operator.trail.since(mark)
    lists = lists_by_resource(requests)
    most = max(lists.values(), default=0)
    stage.say(f"after the restart it listed {dict(lists)}")
    writes = writes_by_resource(requests)
    if writes:
        stage.say(f"after the restart it wrote {dict(writes)}")
    return [
        stage.one("peak of memory", peak, "MB", at_most=MOST_MEGABYTES),
        stage.one("restart: until settled", took, "s", at_most=RESTART_SECONDS),
        stage.one("restart: lists of a kind, at most", most, "lists", at_most=1),
        stage.one("restart: requests", len(requests), "requests"),
        stage.one("restart: memory", stage.operator.megabytes(), "MB"),
    ]


# -- details ----------------------------------------------------------------------------------


async def _report(stage: Stage, fleet: Fleet, pods: Sequence[Predictor]) -> list[Figure]:
    reporting = asyncio.create_task(fleet.report(pods, stage.world.period))
    meter = Meter(stage)
    try:
        await asyncio.wait({reporting}, timeout=stage.world.pause)
        stage.check()
        if reporting.done():
            raise MissedError(f"The reports ended: {reporting.exception()!r}")
        spent, elapsed, hands = meter.spent(), meter.elapsed, meter.writes_of_hands()
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
    requests = stage.operator.trail.since(meter.mark)
    operators = writes_by_resource(requests).total()
    share = 100 * spent["the operator"] / elapsed
    name, name_of_share = "reports: writes altogether", "reports: operator's share of a core"
    rate = (hands + operators) / elapsed
    return [
        stage.one(name, rate, "writes/s", at_most=REPORT_WRITES),
        stage.one(name_of_share, share, "%", at_most=REPORT_SHARE),
        stage.one("reports: operator's requests", len(requests) / elapsed, "requests/s"),
        *(
            stage.one(f"reports: share of a core of {process}", 100 * used / elapsed, "%")
            for process, used in spent.items()
            if process != "the operator"
        ),
    ]


async def _drift(stage: Stage, pods: dict[Deployed, list[Predictor]]) -> list[Figure]:
    """Let one after the other drift; return how long it took until the Service had switched."""
    stage.facts.forget()
    meter, decided = Meter(stage), dict[Deployed, float]()

    async def drift(deployed: Deployed) -> None:
        for pod in pods[deployed]:
            for _ in range(2):
                pod.close(DRIFTED)
            # The last one decides: more than half of the Pods must drift.
            decided[deployed] = time.monotonic()
            await pod.report(stage.api)
            await asyncio.sleep(DRIFT_PAUSE / 2)

    async with asyncio.TaskGroup() as group:
        for deployed in pods:
            group.create_task(drift(deployed))
            await asyncio.sleep(DRIFT_PAUSE)
    wanted = _selections(stage, tuple(pods), 1)
    await stage.until(wanted, stage.world.limit(15, 0.2))
    now = time.monotonic()
    took = [
        1000 * (stage.facts.seen.get(switched, now) - decided[deployed])
        for deployed, switched in zip(pods, wanted, strict=True)
    ]
    requests = stage.operator.trail.since(meter.mark)
    name = "drift: 99th percentile from the report to the Service"
    return [
        stage.several(
            name,
            took,
            "ms",
            at_most=SWITCH_MILLISECONDS,
            summary=lambda values: percentile(values, 99),
        ),
        stage.several("drift: median from the report to the Service", took, "ms"),
        stage.one("drift: of how many", len(took), "Deployments"),
        *_costs(stage, "drift, with the reports", meter, requests, len(took), "Deployment"),
    ]


def _predictors(stage: Stage) -> dict[Deployed, list[Predictor]]:
    """Return the Pods that have traffic: those of each ModelDeployment's second version."""
    by_place = {
        (deployed.namespace, deployed.name): deployed for deployed in stage.plan.deployments
    }
    found: dict[Deployed, list[Predictor]] = {}
    for place, label, pod in stage.kubelet.pods():
        deployed = by_place[place]
        made = stage.population.versions[deployed.version(2)]
        if made.label == label:
            predictor = Predictor(deployed.namespace, deployed.name, pod, made.digest)
            found.setdefault(deployed, []).append(predictor)
    counts = {len(predictors) for predictors in found.values()}
    if counts != {REPLICAS} or len(found) != stage.world.size:
        raise MissedError(f"Expected {REPLICAS} Pods of every second version, found {counts}.")
    return found


@asynccontextmanager
async def watching_deployments(stage: Stage) -> AsyncIterator[None]:
    """Watch the ModelDeployments too; reports would make that dear."""
    name = "the ModelDeployments"
    task = asyncio.create_task(stage.facts.watch_deployments(stage.api))
    stage.watches[name] = task
    try:
        yield
        stage.check()
    finally:
        del stage.watches[name]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _all(stage: Stage, meter: Meter, wanted: list[Fact], what: str) -> float:
    """Wait for facts; return the seconds from the meter's begin to the last.

    Raises:
        MissedError: some did not come.
    """
    moments = await stage.until(wanted, stage.world.limit(30, 0.5))
    if len(moments) < len(wanted):
        raise MissedError(
            f"Expected {len(wanted)} ModelDeployments to be {what} within {meter.elapsed:.0f} s, "
            f"found {len(moments)}."
        )
    return moments[-1] - meter.started


async def _settle(stage: Stage) -> None:
    stage.check()
    if await stage.operator.settled(stage.world.limit(20, 0.3)) is None:
        stage.say("the operator did not come to rest; what follows counts the rest of its work")


def _facts(deployments: Sequence[Deployed], what: str, number: int) -> list[Fact]:
    return [fact(deployed, what, deployed.version(number).name) for deployed in deployments]


def _selections(stage: Stage, deployments: Sequence[Deployed], number: int) -> list[Fact]:
    made = stage.population.versions
    return [
        fact(deployed, "selects", made[deployed.version(number)].label) for deployed in deployments
    ]


def _costs(
    stage: Stage,
    scene: str,
    meter: Meter,
    requests: Sequence[Request],
    count: int,
    of: str,
    most: float | None = None,
) -> list[Figure]:
    """Return requests, writes and processor time, divided by the number of objects."""
    written = writes_by_resource(requests)
    writes = written.total()
    shares = (f"{verb} {what} {times / count:.1f}" for (verb, what), times in written.most_common())
    stage.say(f"{scene}, writes for each {of}: {', '.join(shares)}")
    spent = meter.spent()
    return [
        stage.one(f"{scene}: requests for each {of}", len(requests) / count, "requests", most),
        stage.one(f"{scene}: writes for each {of}", writes / count, "writes"),
        *(
            stage.one(f"{scene}: time of {name} for each {of}", 1000 * used / count, "ms")
            for name, used in spent.items()
        ),
    ]
