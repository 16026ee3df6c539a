"""A canary by an HTTPRoute on a real API server with Gateway API's own CRDs, or without them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hallmark.api import names
from hallmark.cluster.kinds import HTTP_ROUTE, SERVICE, Obj
from tests.integration import gateway_api
from tests.integration.clusters import own_cluster
from tests.integration.operator_process import deployed, installation, message, store
from tests.integration.operator_stage import NAME, Stage, label, stage
from tests.integration.operator_world import api, kubeconfig, namespace, until
from tests.integration.test_operator_canary import in_step, report

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]

PARENTS = [
    {"name": "public", "namespace": "gateways", "sectionName": "https"},
    {"name": "public", "namespace": "gateways", "sectionName": "http", "port": 80},
    {"group": "", "kind": "Service", "name": NAME},
]
STRATEGY: dict[str, Any] = {
    "bake": "1s",
    "keepWarm": "10m",
    "progressDeadline": "20s",
    "type": "Canary",
    "canary": {
        "steps": [{"weight": 1, "pause": "1s"}, {"weight": 40, "pause": "1s"}],
        "analysis": {"minimumRows": 100},
        "route": {"parentRefs": PARENTS, "hostnames": ["*.example.com"]},
    },
}


async def weights(stage: Stage) -> dict[str, int]:
    """Return per cent of the requests by the manifest label of the version that answers them."""
    route, found = await stage.get(HTTP_ROUTE, NAME), dict[str, int]()
    for backend in route["spec"]["rules"][0]["backendRefs"] if route else []:
        service = await stage.get(SERVICE, backend["name"])
        if service is not None and backend["weight"]:
            version = service["spec"]["selector"][names.LABEL_MANIFEST]
            found[version] = found.get(version, 0) + backend["weight"]
    return found


async def wait_weights(stage: Stage, expected: dict[str, int], seconds: float = 30) -> None:
    async def there() -> bool:
        return await weights(stage) == expected

    await until(there, seconds)


async def accept(stage: Stage, **words: str) -> Obj:
    return await gateway_api.say(stage.installation.api, stage.namespace, NAME, **words)


@pytest.fixture
async def gateway(stage: Stage) -> AsyncIterator[Stage]:
    """Yield a stage whose API server has HTTPRoutes; it has them again for who comes after."""
    gateway_api.install(own_cluster("integration"))
    yield stage
    gateway_api.install(own_cluster("integration"))


async def served(stage: Stage) -> Obj:
    """Serve v1 with two Pods, and attach the route."""
    first = await stage.approved("v1", 1)
    await stage.deploy(replicas=2, strategy=STRATEGY)
    await stage.wait_field("stableModelVersion", "v1")
    await wait_weights(stage, {label(first): 100})
    await stage.wait_for("Ready=False/RoutePending", "Available=True")
    await accept(stage)
    await stage.wait_for("Ready=True", "Routed=True")
    return first


async def test_a_canary_takes_over_by_weights(gateway: Stage) -> None:
    stage, first = gateway, await served(gateway)
    second = await stage.approved("v2", 2)
    await in_step(stage, 0)
    await wait_weights(stage, {label(first): 99, label(second): 1})
    assert await stage.serving() == label(first)
    await report(stage, second, sequence=1)
    await asyncio.sleep(1.5)
    await stage.wait_for("Ready=False/RoutePending", "Routed=Unknown")
    assert (await stage.status())["rollout"]["canary"]["step"] == 0, "nobody has taken the weight"

    await accept(stage, Accepted="False")
    found = await stage.wait_for("Routed=False/RouteNotAccepted", "Stalled=True")
    assert "Expected Gateway 'gateways/public' (listener 'https')" in message(found, "Ready")
    await accept(stage)
    await stage.wait_for("Routed=True", "Ready=False/Canary")
    await report(stage, second, sequence=2)
    await in_step(stage, 1)
    await wait_weights(stage, {label(first): 60, label(second): 40})

    rule = {"backendRefs": [{"name": "evil", "port": 80}]}
    evil: Obj = {"spec": {"hostnames": ["evil.example.com"], "rules": [rule]}}
    await stage.patch(HTTP_ROUTE, NAME, evil)
    await wait_weights(stage, {label(first): 60, label(second): 40}, 5)
    lost = await stage.get(HTTP_ROUTE, NAME)
    assert lost is not None
    assert lost["spec"]["hostnames"] == ["*.example.com"]
    uid = lost["metadata"]["uid"]
    await stage.installation.api.delete(HTTP_ROUTE, stage.namespace, NAME, uid)
    await wait_weights(stage, {label(first): 60, label(second): 40}, 5)

    await accept(stage)
    await stage.wait_for("Routed=True")
    await report(stage, second, sequence=3)
    await stage.wait_field("stableModelVersion", "v2")
    await wait_weights(stage, {label(second): 100})
    settled = await accept(stage)
    await stage.wait_for("Ready=True", "Routed=True")
    await asyncio.sleep(1)
    found = await stage.get(HTTP_ROUTE, NAME) or {}
    assert found["metadata"]["generation"] == settled["metadata"]["generation"]

    await stage.ask(strategy={"type": "BlueGreen", "canary": None})

    async def gone() -> bool:
        aside = await stage.get(SERVICE, names.candidate_name(NAME))
        return await stage.get(HTTP_ROUTE, NAME) is None and aside is None

    await until(gone, 15)


async def test_without_gateway_api_nothing_moves_until_it_comes(gateway: Stage) -> None:
    stage = gateway
    await gateway_api.uninstall(stage.installation.api)
    first = await stage.approved("v1", 1)
    await stage.deploy(replicas=1, strategy=STRATEGY)
    await stage.wait_field("stableModelVersion", "v1")
    found = await stage.wait_for("Ready=False/GatewayAPIMissing", "Stalled=True", "Available=True")
    assert "Install the CRDs of Gateway API" in message(found, "Ready")
    second = await stage.approved("v2", 2)
    await stage.wait_for("Progressing=True/Starting", "Ready=False/GatewayAPIMissing")
    assert await stage.serving() == label(first)

    gateway_api.install(own_cluster("integration"))
    await wait_weights(stage, {label(first): 100})
    await accept(stage)
    await in_step(stage, 0)
    await wait_weights(stage, {label(first): 99, label(second): 1})

    await gateway_api.uninstall(stage.installation.api)
    await stage.wait_for("Ready=False/GatewayAPIMissing")
    assert await stage.serving() == label(first)
    assert stage.installation.process is not None
    assert stage.installation.process.poll() is None, "the operator goes on"
