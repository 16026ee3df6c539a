"""A real API server with Hallmark's kinds, and a namespace for each test."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml

from hallmark.api.names import OPERATOR_SERVICE_ACCOUNT, SYSTEM_NAMESPACE
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import (
    HALLMARK_KINDS,
    JOB,
    NAMESPACE,
    POD,
    SERVICE_ACCOUNT,
    Kind,
    Obj,
)
from tests.integration.clusters import api_server, own_cluster

CRDS = Path(__file__).parents[2] / "crds"
RBAC = Path(__file__).parents[2] / "manifests/base/rbac"
CRD = Kind(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[str]:
    """Yield the administrator's kubeconfig of an API server that serves the five kinds."""
    with api_server("integration") as made:
        asyncio.run(_install_crds(str(made.kubeconfig)))
        yield str(made.kubeconfig)


def operator_kubeconfig(kubeconfig: str, folder: Path) -> str:
    """Write a kubeconfig of the operator's ServiceAccount, with the shipped role and no more."""
    cluster = own_cluster("integration")
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump(system))
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(RBAC))
    config = yaml.safe_load(Path(kubeconfig).read_text())
    config["users"][0]["user"] = {"token": asyncio.run(_operator_token(kubeconfig))}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


async def _operator_token(kubeconfig: str) -> str:
    async with connected(kubeconfig) as client:
        path = SERVICE_ACCOUNT.path(SYSTEM_NAMESPACE, OPERATOR_SERVICE_ACCOUNT, "token")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = await client._transport.call("POST", path, None, request)
        return str(answer["status"]["token"])


@asynccontextmanager
async def connected(kubeconfig: str) -> AsyncIterator[ApiCluster]:
    """Yield a client until the block ends."""
    client = await ApiCluster.connect(kubeconfig)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def api(kubeconfig: str) -> AsyncIterator[ApiCluster]:
    """Yield a client with an administrator's rights."""
    async with connected(kubeconfig) as client:
        yield client


@pytest.fixture
async def namespace(api: ApiCluster) -> AsyncIterator[str]:
    """Yield the name of a fresh namespace."""
    name = f"operator-{secrets.token_hex(4)}"
    made = await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    # A control plane alone has no controller that would empty the namespace.
    for kind in (*HALLMARK_KINDS, JOB, POD):
        if kind.namespaced:
            for each in await api.list(kind, name):
                await api.delete(kind, name, each["metadata"]["name"], each["metadata"]["uid"])
    await api.delete(NAMESPACE, None, name, made["metadata"]["uid"])


async def _install_crds(kubeconfig: str) -> None:
    async with connected(kubeconfig) as client:
        await install_crds(client)


async def install_crds(client: ApiCluster) -> None:
    """Apply ``crds/*.yaml`` and wait until each is served."""
    wanted = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    for each in wanted:
        if each["kind"] != CRD.kind:
            continue
        path = CRD.path(None, each["metadata"]["name"])
        query = {"fieldManager": "tests", "force": "true"}
        await client._transport.call("PATCH", path, query, each, "application/apply-patch+yaml")
        await until(partial(_established, client, path))


async def _established(client: ApiCluster, path: str) -> bool:
    found = await client._transport.call("GET", path)
    # The API server writes null here at first.
    conditions = found.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


async def until(probe: Callable[[], Awaitable[object]], seconds: float = 30.0) -> object:
    """Return the first true answer of an async probe; fail after some seconds."""
    async with asyncio.timeout(seconds):
        while not (answer := await probe()):
            await asyncio.sleep(0.05)
    return answer


def digest(character: str) -> str:
    """Return a well-formed digest made of one hex character."""
    return "sha256:" + character * 64


def model_deployment(namespace: str, name: str = "loans") -> Obj:
    """Return a ModelDeployment."""
    return {
        "apiVersion": "hallmark.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"model": "loans"},
    }
