"""The bare loop: makes the writes that the operator made for a ModelDeployment, and no more.

It is a process of its own with the operator's credentials and as many workers, so that it has
what the operator has. Run as ``python -m tests.bench.scale.bare FILE`` it prints the writes that
it made in a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.figures import Figure, figure
from tests.bench.measuring import processor_seconds
from tests.bench.scale import objects
from tests.bench.scale.api import APPLY, WHOLE, Api, Obj, connected, for_all
from tests.bench.scale.objects import Deployed, Version
from tests.bench.scale.population import AT_ONCE
from tests.bench.scale.scenes import watching_deployments
from tests.bench.scale.stage import Meter, MissedError, Stage
from tests.bench.scale.trail import Request, writes_by_resource
from tests.integration.api import path_of

WORKERS = 8
"""As many as the operator's."""
LEAST_SHARE = 0.6
MOST = 150
"""ModelDeployments that the loop writes for; with more the rate is the same."""
SPACE = "bare"
_QUERY = "fieldManager=hallmark-operator"
_READ_ONLY = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation")


@dataclass(frozen=True)
class Step:
    """A write, with the sample's names in it.

    Attributes:
        method: ``POST`` or ``PATCH``.
        path: with the query.
        content: the content type.
        body: JSON.
    """

    method: str
    path: str
    content: str
    body: str

    def renamed(self, texts: Sequence[tuple[str, str]]) -> Step:
        """Return the same write of another object: every such text is replaced."""
        path, body = self.path, self.body
        for old, new in texts:
            path, body = path.replace(old, new), body.replace(old, new)
        return Step(self.method, path, self.content, body)


@dataclass(frozen=True)
class Recording:
    """What the operator did for the ModelDeployments until they were Ready.

    Attributes:
        sample: one of them.
        uid: its object's.
        steps: the writes for it.
        writes_per_second: of the operator, for all of them.
    """

    sample: Deployed
    uid: str
    steps: tuple[Step, ...]
    writes_per_second: float


# -- recording --------------------------------------------------------------------------------


async def record(stage: Stage, requests: Sequence[Request], seconds: float) -> Recording:
    """Return the writes that the operator made; their bodies are the objects as they are now.

    Args:
        stage: the world.
        requests: of the operator, until the last ModelDeployment was Ready.
        seconds: that it took.
    """
    sample = stage.plan.own[len(stage.plan.own) // 2]
    path = path_of(objects.deployment(sample))
    uid = (await stage.api.get(path))["metadata"]["uid"]
    seen: Counter[str] = Counter()
    steps = []
    for request in requests:
        if request.writes and request.verb != "delete" and request.name.startswith(sample.name):
            steps.append(await _step(stage.api, request, seen))
    total = writes_by_resource(requests).total()
    return Recording(sample, uid, tuple(steps), total / seconds)


async def _step(api: Api, request: Request, seen: Counter[str]) -> Step:
    """Return a request as a step; what was written before is written with a change."""
    resource, _, part = request.resource.partition("/")
    root = f"/apis/{request.api}" if "/" in request.api else f"/api/{request.api}"
    collection = f"{root}/namespaces/{request.namespace}/{resource}"
    path = f"{collection}/{request.name}"
    body = _wanted(await api.get(path), part)
    seen[path + part] += 1
    _mark(body, f"write {seen[path + part]}")
    if request.verb == "create":
        return Step("POST", f"{collection}?{_QUERY}", WHOLE, json.dumps(body))
    target = f"{path}/{part}" if part else path
    return Step("PATCH", f"{target}?{_QUERY}&force=true", APPLY, json.dumps(body))


def _wanted(found: Obj, part: str) -> Obj:
    """Return an object as it is applied: without what the API server adds."""
    identity = {"apiVersion": found["apiVersion"], "kind": found["kind"]}
    if part:
        name = {"name": found["metadata"]["name"]}
        status = {key: value for key, value in found[part].items() if key != "drift"}
        return {**identity, "metadata": name, part: status}
    kept = {key: value for key, value in found.items() if key != "status"}
    metadata = {k: v for k, v in found["metadata"].items() if k not in _READ_ONLY}
    if found["kind"] == "Service":
        kept["spec"] = {k: v for k, v in found["spec"].items() if not k.startswith("clusterIP")}
    return {**kept, "metadata": metadata}


def _mark(body: Obj, text: str) -> None:
    """Make a repeated write of the same object one that changes it."""
    conditions = (body.get("status") or {}).get("conditions")
    if conditions:
        conditions[0]["message"] = text
    else:
        body["metadata"].setdefault("annotations", {})["step"] = text


# -- playing ----------------------------------------------------------------------------------


async def compare(stage: Stage, recording: Recording) -> list[Figure]:
    """Kill the operator, let the loop write, and compare the rates."""
    stage.operator.kill()
    made = await _prepare(stage, min(MOST, stage.world.size))
    old = (recording.sample.namespace, recording.sample.name, recording.uid)
    task = {
        "kubeconfig": stage.operator.installation.kubeconfig,
        "steps": [asdict(step) for step in recording.steps],
        "renamings": [
            list(zip(old, (SPACE, deployed.name, uid), strict=True)) for deployed, uid in made
        ],
    }
    file = stage.operator.installation.folder / "bare.json"
    file.write_text(json.dumps(task))
    meter = Meter(stage)
    async with watching_deployments(stage):
        seconds, busy = await _play(file)
        ended = time.monotonic()
        await _pods_of(stage, len(made))
        seconds += time.monotonic() - ended
    spent = {**meter.spent(), "the loop": busy}
    del spent["the operator"]
    rate = len(made) * len(recording.steps) / seconds
    title = f"{stage.world.title}: to Ready: writes in a second by a bare loop's"
    share = recording.writes_per_second / rate
    return [
        stage.one("bare loop: rate", rate, "writes/s"),
        stage.one("bare loop: writes for each Deployment", len(recording.steps), "writes"),
        *(
            stage.one(
                f"bare loop: time of {name} for each Deployment", 1000 * used / len(made), "ms"
            )
            for name, used in spent.items()
        ),
        figure(title, [share], "times", at_least=LEAST_SHARE),
    ]


async def _prepare(stage: Stage, count: int) -> list[tuple[Deployed, str]]:
    """Make ModelDeployments with a version each that nobody reconciles; return them by uid."""
    api = stage.api
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
    await api.call("POST", path_of(space, name=False), space)
    made: list[tuple[Deployed, str]] = []

    async def make(number: int) -> None:
        deployed = Deployed(SPACE, f"bare-{number:05d}", f"bare-{number:05d}")
        version = Version(SPACE, deployed.model, 1)
        sealed = stage.population.sealer.seal(version, "run").obj
        await api.call("POST", path_of(sealed, name=False), sealed)
        wanted = objects.deployment(deployed)
        found = await api.call("POST", path_of(wanted, name=False), wanted)
        made.append((deployed, found["metadata"]["uid"]))

    await for_all(range(count), make, AT_ONCE)
    return made


async def _play(file: Path) -> tuple[float, float]:
    """Run the loop; return the seconds that it took, and those that it kept a core busy."""
    command = (sys.executable, "-m", __name__, str(file))
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env={**os.environ}
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise MissedError("The bare loop failed; see above.")
    took, busy = map(float, output.split())
    return took, busy


async def _pods_of(stage: Stage, count: int) -> None:
    """Wait until the hands are done, as the operator does."""
    running = stage.kubelet.running
    while sum(place.namespace == SPACE for place in running) < count:
        stage.check()
        await asyncio.sleep(0.02)


async def _loop(task: Obj) -> tuple[float, float]:
    steps = [Step(**step) for step in task["steps"]]

    async with connected(Path(task["kubeconfig"])) as api:

        async def write(texts: Sequence[tuple[str, str]]) -> None:
            for step in steps:
                named = step.renamed(texts)
                await api.call(named.method, named.path, named.body, named.content, WHOLE)

        started, before = time.monotonic(), processor_seconds()
        await for_all(task["renamings"], write, WORKERS)
        return time.monotonic() - started, processor_seconds() - before


if __name__ == "__main__":
    print(*asyncio.run(_loop(json.loads(Path(sys.argv[1]).read_text()))))
