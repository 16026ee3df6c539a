"""``python -m tests.bench.pages [--versions 1000] [--deployments 200]``.

A real API server, the dashboard as a process of its own with its shipped role, and two people: one
who may see all namespaces at once, and one who has a role in each. Each figure is one line of JSON.
The exit code is 1 if a goal is missed. Everything that was started is gone after.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from tests.bench.figures import Figure, figure
from tests.bench.measuring import processor_seconds, resident
from tests.cluster import Cluster
from tests.integration import objects
from tests.integration.api import Api, Obj
from tests.integration.conftest import rbac

ROOT = Path(__file__).parents[3]
SPACES = 20
GOAL = 0.2
CPU_GOAL = 0.08
"""Seconds of a core for a page: what a busy machine does not change."""
ROUNDS = 40
SYSTEM = "hallmark-system"


def main() -> int:
    """Fill a world, measure its pages, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=1000)
    parser.add_argument("--deployments", type=int, default=200)
    asked = parser.parse_args()
    cluster = Cluster("pages")
    cluster.up(control_plane_only=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = measured(cluster, Path(folder), asked.versions, asked.deployments)
    finally:
        cluster.down()
    for one in found:
        print(one.line(), flush=True)
    return 0 if all(one.ok for one in found) else 1


def measured(cluster: Cluster, folder: Path, versions: int, deployments: int) -> list[Figure]:
    """Return the figures of a world of that size."""
    for part in ("crds", "manifests/base/rbac"):
        options = ("--server-side", "--force-conflicts", "-k", str(ROOT / part))
        if part == "crds":
            cluster.kubectl("apply", *options)
            cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
            made = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {SYSTEM}}}\n"
            cluster.kubectl("apply", "--server-side", "-f", "-", input=made)
        else:
            cluster.kubectl("apply", *options)
    role = str(ROOT / "manifests/dashboard/rbac.yaml")
    cluster.kubectl("apply", "--server-side", "-f", role)
    api = Api(cluster.kubeconfig)
    started = time.monotonic()
    _fill(api, versions, deployments)
    _say(f"{versions} versions, {deployments} Deployments: {time.monotonic() - started:.0f} s")
    people = {"all at once": _person(api, "all"), "by namespace": _person(api, "each", SPACES)}
    figures = []
    with _dashboard(api, cluster, folder) as (url, process):
        for who, token in people.items():
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
            signed = httpx.post(f"{url}/sign-in", data={"token": token})
            browser = {"Accept": "text/html", "Cookie": signed.headers["set-cookie"].split(";")[0]}
            for name, path, how in (
                ("overview page", "/", browser),
                ("models page", "/models", browser),
                ("model page", "/models/space-0/loan-0", browser),
                ("review page", "/reviews/space-0/loan-0-0", browser),
                ("version page", "/versions/space-0/loan-0-0", browser),
                ("Deployment page", "/deployments/space-0/desk-0", browser),
                ("search page", "/search?q=loan-1", browser),
                ("registry.json", "/registry.json", headers),
                ("versions by API", "/api/versions?limit=100", headers),
            ):
                busy = processor_seconds(process)
                figures.append(_page(f"{name}, p95, rights {who}", url + path, how))
                spent = (processor_seconds(process) - busy) / ROUNDS
                title = f"{name}, CPU of the dashboard, rights {who}"
                figures.append(figure(title, [spent], "s", at_most=CPU_GOAL))
        figures.append(
            figure(
                "memory of the dashboard", [resident("VmRSS", process) / 2**20], "MiB", at_most=512
            )
        )
    return figures


def _page(name: str, url: str, headers: dict[str, str]) -> Figure:
    times = []
    with httpx.Client(headers=headers, timeout=60) as client:
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            answer = client.get(url)
            times.append(time.perf_counter() - begun)
            assert answer.status_code == 200, (url, answer.status_code, answer.text[:500])
            time.sleep(0.06)  # below the limit of one person
    _say(f"{name}: first {times[0]:.3f} s, {len(answer.content) / 1024:.0f} KiB")
    return figure(name, times, "s", at_most=GOAL, summary=_p95)


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _fill(api: Api, versions: int, deployments: int) -> None:
    for number in range(SPACES):
        metadata = {"name": f"space-{number}"}
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    api.create(
        objects.model_policy("default", store={"uri": "s3://x", "endpoint": "http://127.0.0.1:9"})
    )
    work: list[Callable[[], object]] = []
    for number in range(versions):
        space, model = f"space-{number % SPACES}", f"loan-{number % (SPACES * 5)}"
        name = f"{model}-{number // (SPACES * 5)}"
        version = objects.model_version(
            space, name, model=model, version=number // (SPACES * 5) + 1, bundle="x" * 4000
        )
        work.append(lambda version=version, space=space: _version(api, version))  # type: ignore[misc]
        run = objects.training_run(space, name, model=model)
        work.append(lambda run=run: api.create(run))  # type: ignore[misc]
    for number in range(deployments):
        space, model = f"space-{number % SPACES}", f"loan-{number % (SPACES * 5)}"
        made = objects.model_deployment(space, f"desk-{number // SPACES}", model=model)
        work.append(lambda made=made, model=model: _deployment(api, made, model))  # type: ignore[misc]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: one(), work))


def _conditions(**told: str) -> list[Obj]:
    return [
        {
            "type": type_,
            "status": status,
            "reason": "Because",
            "message": "A sentence of the length that the operator's own sentences have.",
            "lastTransitionTime": "2026-06-01T12:00:00Z",
        }
        for type_, status in told.items()
    ]


def _version(api: Api, version: Obj) -> None:
    api.create(version)
    told = _conditions(
        Verified="True", SBOMReady="True", PolicyPassed="True", Approved="False", Ready="True"
    )
    told[3]["reason"] = "AwaitingApproval"
    api.patch(version, {"status": {"conditions": told}}, None, "status")


def _deployment(api: Api, made: Obj, model: str) -> None:
    api.create(made)
    status = {
        "conditions": _conditions(Ready="True", Available="True", DriftDetected="False"),
        "observedGeneration": 1,
        "activeModelVersion": f"{model}-0",
        "activeDigest": objects.DIGEST,
        "driftState": {
            "verdict": "NoDrift",
            "top": [{"feature": f"f{n}", "psi": "0.0123"} for n in range(5)],
        },
    }
    api.patch(made, {"status": status}, None, "status")


def _person(api: Api, name: str, spaces: int = 0) -> str:
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    api.create({**account, "metadata": {"name": name, "namespace": "default"}})
    group = "rbac.authorization.k8s.io"
    given = {
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "hallmark-viewer"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
    }
    if spaces:
        for number in range(spaces):
            api.create(rbac("RoleBinding", name, f"space-{number}", **given))
    else:
        api.create(rbac("ClusterRoleBinding", name, **given))
    return _token(api, "default", name)


def _token(api: Api, namespace: str, name: str) -> str:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    return str(api.request("POST", path, request)["status"]["token"])


@contextmanager
def _dashboard(api: Api, cluster: Cluster, folder: Path) -> Iterator[tuple[str, int]]:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": _token(api, SYSTEM, "hallmark-dashboard")}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        "KUBECONFIG": str(path),
        "HALLMARK_DASHBOARD_PORT": str(port),
        "HALLMARK_DASHBOARD_AUDIT_LOG": str(folder / "none.log"),
    }
    command = [sys.executable, "-m", "hallmark_dashboard"]
    with subprocess.Popen(command, env=environment) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            begun = time.monotonic()
            while not _ready(url):
                assert process.poll() is None
                assert time.monotonic() - begun < 60
                time.sleep(0.05)
            _say(f"ready {time.monotonic() - begun:.1f} s after its start")
            yield url, process.pid
        finally:
            process.terminate()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
