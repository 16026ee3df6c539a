"""A world with everything that runs in it, and the meters that the scenes read."""

from __future__ import annotations

import asyncio
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api.names import SYSTEM_NAMESPACE
from tests.bench.figures import Figure, figure
from tests.bench.measuring import processor_seconds
from tests.bench.scale import objects
from tests.bench.scale.api import Api, connected
from tests.bench.scale.control_plane import ControlPlane, control_plane
from tests.bench.scale.facts import Fact, Facts
from tests.bench.scale.kubelet import Kubelet
from tests.bench.scale.measured_operator import MeasuredOperator
from tests.bench.scale.objects import Plan, Sealer
from tests.bench.scale.population import Population
from tests.bench.scale.trail import Trail
from tests.integration.api import path_of
from tests.integration.operator_process import Installation, write_key
from tests.unit.store import versitygw
from tests.unit.store.versitygw import Gateway


class MissedError(Exception):
    """What a scene waits for did not come; no later scene would mean anything."""


@dataclass(frozen=True)
class World:
    """Which world is made.

    Attributes:
        size: how many ModelDeployments.
        spaces: in how many namespaces.
        patience: times as long as the goals allow, and more, a scene may wait.
        pause: seconds at rest, and seconds of reports.
        period: seconds in which a Pod closes a window and reports it.
        quiet: seconds after which an operator that does nothing has settled.
    """

    size: int
    spaces: int
    patience: float
    pause: float
    period: float = 60.0
    quiet: float = 3.0

    @property
    def title(self) -> str:
        """How figures and messages name it."""
        spaces = "1 namespace" if self.spaces == 1 else f"{self.spaces} namespaces"
        return f"{self.size} in {spaces}"

    def limit(self, base: float, each: float = 0.0) -> float:
        """Return the seconds that a scene may wait: some, and some for each ModelDeployment."""
        return (base + each * self.size) * self.patience


@dataclass
class Stage:
    """A running world."""

    world: World
    plane: ControlPlane
    api: Api
    population: Population
    operator: MeasuredOperator
    facts: Facts
    kubelet: Kubelet
    watches: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def plan(self) -> Plan:
        """The plan of its objects."""
        return self.population.plan

    def one(self, name: str, value: float, unit: str, at_most: float | None = None) -> Figure:
        """Return the figure of one measurement."""
        return self.several(name, [value], unit, at_most)

    def several(
        self,
        name: str,
        values: Sequence[float],
        unit: str,
        at_most: float | None = None,
        summary: Callable[[Sequence[float]], float] = statistics.median,
    ) -> Figure:
        """Return the figure of measurements, judged by a summary of them."""
        title = f"{self.world.title}: {name}"
        return figure(title, values, unit, at_most=at_most, summary=summary)

    def say(self, text: str) -> None:
        """Tell how far it is."""
        seconds = time.monotonic() - self.began
        print(f"[{seconds:6.1f} s] {self.world.title}: {text}", file=sys.stderr, flush=True)

    def check(self) -> None:
        """See that the hands are at work.

        Raises:
            MissedError: one of them, or the operator, has ended.
        """
        for name, task in self.watches.items():
            if task.done():
                raise MissedError(f"The hands of {name} ended: {task.exception()!r}")
        process = self.operator.installation.process
        if process is not None and process.poll() is not None:
            raise MissedError(f"The operator ended: {self.operator.installation.log()[-2000:]}")

    async def until(self, wanted: Collection[Fact], seconds: float) -> list[float]:
        """Wait until facts are seen; return the moments of those that were, in order.

        Raises:
            MissedError: a hand or the operator ended meanwhile.
        """
        waiting = asyncio.create_task(self.facts.until(wanted, seconds))
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=1.0)
            self.check()
        return await waiting


class Meter:
    """Processor seconds and writes of a span of time."""

    def __init__(self, stage: Stage) -> None:
        """Begin the span."""
        self._stage = stage
        self._mark = stage.operator.trail.mark()
        self._writes = stage.api.writes
        self._before = self._now()
        self.started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self.started

    def spent(self) -> dict[str, float]:
        """Return the processor seconds of each process since the begin."""
        return {name: now - self._before[name] for name, now in self._now().items()}

    def writes_of_hands(self) -> int:
        """Return how many writes the hands made since the begin."""
        return self._stage.api.writes - self._writes

    @property
    def mark(self) -> int:
        """The begin in the operator's trail."""
        return self._mark

    def _now(self) -> dict[str, float]:
        plane = self._stage.plane
        return {
            "the operator": self._stage.operator.processor_seconds(),
            "the hands": processor_seconds(),
            "API server and etcd": sum(
                processor_seconds(plane.process(name)) for name in ("kube-apiserver", "etcd")
            ),
        }


@asynccontextmanager
async def staged(world: World, name: str) -> AsyncIterator[Stage]:
    """Yield a world whose operator has not been started yet; all of it is gone after.

    Args:
        world: which.
        name: of its control plane.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hallmark-scale-")))
        store = stack.enter_context(versitygw.running(folder / "store"))
        plane = stack.enter_context(control_plane(name))
        installation = _installation(folder, plane, store)
        stack.callback(installation.end, signal.SIGKILL)
        async with connected(plane.kubeconfig) as api:
            policy = installation.policy_object(**objects.policy_changes())
            await api.call("POST", path_of(policy, name=False), policy)
            operator = MeasuredOperator(installation, Trail(plane.trail), world.quiet)
            stage = _stage(world, plane, api, operator)
            try:
                _watch(stage)
                await stage.population.settle_in()
                yield stage
            finally:
                for task in stage.watches.values():
                    task.cancel()
                await asyncio.gather(*stage.watches.values(), return_exceptions=True)


def _installation(folder: Path, plane: ControlPlane, store: Gateway) -> Installation:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    write_key(folder / "audit/private.pem", ec.generate_private_key(ec.SECP256R1()))
    return Installation(
        kubeconfig=str(plane.install(folder)),
        folder=folder,
        system=SYSTEM_NAMESPACE,
        policy="default",
        store=store,
        signer=ec.generate_private_key(ec.SECP256R1()),
        port=port,
    )


def _stage(world: World, plane: ControlPlane, api: Api, operator: MeasuredOperator) -> Stage:
    installation = operator.installation
    uri = installation.policy_object()["spec"]["store"]["uri"]
    population = Population(
        api=api,
        plan=objects.plan(world.size, world.spaces),
        sealer=Sealer(installation.signer, uri),
        store=installation.store.file(installation.system, ""),
    )
    return Stage(world, plane, api, population, operator, Facts(), Kubelet(api))


def _watch(stage: Stage) -> None:
    stage.watches = {
        "the kubelet": asyncio.create_task(stage.kubelet.run()),
        "the Services": asyncio.create_task(stage.facts.watch_services(stage.api)),
    }
