"""The real CRDs of Gateway API, from its Go module, on an API server; and a Gateway's hands."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import HTTP_ROUTE, Obj
from tests.cluster import Cluster
from tests.foreign import HERE, needs
from tests.integration.operator_world import CRD, until

ROUTE_CRD = "httproutes.gateway.networking.k8s.io"


@cache
def crd_file() -> Path:
    """Return the HTTPRoute's CRD of the standard channel; its module is pinned by ``go.sum``."""
    done = subprocess.run(
        [needs("go"), "mod", "download", "-json", "sigs.k8s.io/gateway-api"],
        cwd=HERE / "gateway_api",
        capture_output=True,
        text=True,
        check=True,
    )
    folder = Path(json.loads(done.stdout)["Dir"]) / "config/crd/standard"
    return folder / "gateway.networking.k8s.io_httproutes.yaml"


def install(cluster: Cluster) -> None:
    """Install HTTPRoutes, and wait until they are served."""
    cluster.kubectl("apply", "--server-side", "-f", str(crd_file()))
    cluster.kubectl("wait", "--for=condition=Established", "crd", ROUTE_CRD, "--timeout=30s")


async def uninstall(api: ApiCluster) -> None:
    """Remove HTTPRoutes, if they are there, and every route with them."""
    found = await api.get(CRD, None, ROUTE_CRD)
    if found is None:
        return
    await api.delete(CRD, None, ROUTE_CRD, found["metadata"]["uid"])

    async def gone() -> bool:
        return await api.get(CRD, None, ROUTE_CRD) is None

    await until(gone, 30)


async def say(api: ApiCluster, namespace: str, name: str, **words: str) -> Obj:
    """Say of an HTTPRoute, as it is now, what a Gateway's controller would; return it as it was."""
    found = await api.get(HTTP_ROUTE, namespace, name)
    assert found is not None
    said = {"Accepted": "True", "ResolvedRefs": "True", **words}
    await api.merge_status(
        HTTP_ROUTE, namespace, name, {"parents": [_words(found, ref, said) for ref in _refs(found)]}
    )
    return found


def _refs(route: Obj) -> Sequence[Obj]:
    return list(route["spec"]["parentRefs"])


def _words(route: Obj, parent: Obj, said: dict[str, str]) -> Obj:
    conditions = [
        {
            "type": type_,
            "status": status,
            "reason": "AsTheTestSays",
            "message": "",
            "observedGeneration": route["metadata"]["generation"],
            "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for type_, status in said.items()
    ]
    return {"parentRef": parent, "controllerName": "tests.example/gw", "conditions": conditions}
