"""Installs Hallmark on a cluster as a user would: images, keys, manifests, policy."""

import base64
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.cluster import Cluster, ClusterError, build_images
from tests.cluster.commands import together
from tests.cluster.progress import Progress
from tests.e2e.harness import command_line
from tests.e2e.harness.api import Api, Object, RefusedError, path_of
from tests.e2e.harness.world import DASHBOARD, DEPLOYMENT_LABEL, OPERATOR, SYSTEM, World

MANIFESTS = Path(__file__).parents[3] / "manifests"
INSTALLED = "tests.hallmark.dev/installed"
"""Annotation of the system namespace: what was applied last."""
API_SERVER_PORT = 6443
DEPLOYMENTS = ("hallmark-store", "hallmark-store-reader", OPERATOR, DASHBOARD)


@contextmanager
def installed(cluster: Cluster) -> Iterator[World]:
    """Start the cluster and install Hallmark; what is there already stays.

    Images mostly wait for the network and the disk, so they are built while the node is compiled;
    those that only a run needs are loaded while the operator starts.

    Args:
        cluster: the cluster.

    Yields:
        The installation, with all that runs in it Ready and admission in force.
    """
    _, images = together(cluster.prepare, lambda: build_images(cluster.progress))
    cluster.up()
    _load(cluster, images, "operator", "dashboard", "versitygw")
    with Api(cluster) as api:
        world = World(cluster, api)
        together(
            lambda: _install(world, images, cluster.progress),
            lambda: _load(cluster, images, "trainer", "predictor"),
        )
        yield world


@contextmanager
def added(world: World, *components: str) -> Iterator[None]:
    """Add components to what is installed, as long as the context lasts.

    Args:
        world: the installation.
        components: their folders below `manifests`.
    """
    images = build_images(world.cluster.progress)
    _install(world, images, world.cluster.progress, components)
    try:
        yield
    finally:
        _install(world, images, world.cluster.progress)


def _load(cluster: Cluster, images: dict[str, str], *names: str) -> None:
    for name in names:
        cluster.load_image(images[name])


def _install(
    world: World, images: dict[str, str], progress: Progress, components: Sequence[str] = ()
) -> None:
    manifests = _render(world.cluster, images, components)
    wanted = hashlib.sha256((manifests + repr(sorted(images.items()))).encode()).hexdigest()
    namespace = world.api.find("Namespace", None, SYSTEM)
    recorded = (namespace or {"metadata": {}})["metadata"].get("annotations", {}).get(INSTALLED)
    if recorded != wanted:
        with progress.step("installing Hallmark"):
            # Secrets first: Pods that must wait for one are tried again later and later.
            _apply(world.cluster, (MANIFESTS / "base" / "namespace.yaml").read_text())
            policy = _policy(world.cluster, images)
            _dashboard_secrets(world)
            _apply(world.cluster, manifests)
            _apply(world.cluster, policy)
            annotation = {"metadata": {"annotations": {INSTALLED: wanted}}}
            world.api.patch("Namespace", None, SYSTEM, annotation)
    with progress.step("waiting for the operator, the store, the dashboard and admission"):
        for deployment in DEPLOYMENTS:
            wait_for_rollout(world, deployment)
        world.until(lambda: _admission_is_in_force(world), "admission to refuse a bad object", 30)


def wait_for_rollout(world: World, name: str) -> None:
    """Wait until a Deployment of the installation runs as it is asked for now."""

    def is_current() -> bool:
        deployment = world.api.get("Deployment", SYSTEM, name)
        status, replicas = deployment.get("status", {}), deployment["spec"]["replicas"]
        seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")}
        return bool(seen and counts == {replicas})

    def describe() -> str:
        pods = world.api.list("Pod", SYSTEM)
        return yaml.safe_dump([pod["status"].get("containerStatuses") for pod in pods])

    world.until(is_current, f"{name} to run", 120, describe)


def _admission_is_in_force(world: World) -> bool:
    """Whether the API server refuses a ConfigMap that says it is a predictor's."""
    metadata = {"name": "bad", "namespace": SYSTEM, "labels": {DEPLOYMENT_LABEL: "bad"}}
    bad = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    try:
        world.api.request("POST", path_of("ConfigMap", SYSTEM), bad, params={"dryRun": "All"})
    except RefusedError as error:
        return "only the operator" in error.message
    return False


def _apply(cluster: Cluster, manifests: str) -> None:
    options = ["--server-side", "--force-conflicts", "--filename=-"]
    cluster.kubectl("apply", *options, input=manifests)


def _render(cluster: Cluster, images: dict[str, str], components: Sequence[str]) -> str:
    """Return the manifests with this cluster's images, folders and API server."""
    folder = cluster.kubeconfig.parent / "installation"
    folder.mkdir(parents=True, exist_ok=True)
    overlay, patches = _overlay(cluster)
    kustomization: Object = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(MANIFESTS / "overlays" / overlay, folder.resolve())],
        "components": [
            os.path.relpath(MANIFESTS / part, folder.resolve())
            for part in ("dashboard", "store-reader", *components)
        ],
        "images": [
            _image("hallmark-operator", images["operator"]),
            _image("hallmark-dashboard", images["dashboard"]),
            _image("versitygw", images["versitygw"]),
        ],
        "patches": patches,
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return cluster.kubectl("kustomize", str(folder)).stdout


def _image(name: str, reference: str) -> Object:
    repository, _, tag = reference.rpartition(":")
    return {"name": name, "newName": repository, "newTag": tag}


def _overlay(cluster: Cluster) -> tuple[str, list[Object]]:
    """Return the overlay's name, and what it has to be told about this cluster."""
    try:
        folders = {
            name: cluster.make_volume_dir(name)
            for name in ("hallmark-audit", "hallmark-store", "hallmark-osv")
        }
    except ClusterError:
        return "kind", []  # a cluster that has a StorageClass
    patches: list[Object] = [
        {
            "target": {"kind": "PersistentVolume", "name": name},
            "patch": yaml.safe_dump(
                [{"op": "replace", "path": "/spec/hostPath/path", "value": path}]
            ),
        }
        for name, path in folders.items()
    ]
    address = {
        "to": [{"ipBlock": {"cidr": f"{cluster.node_address}/32"}}],
        "ports": [{"port": API_SERVER_PORT, "protocol": "TCP"}],
    }
    narrowed = {
        "target": {"kind": "NetworkPolicy", "name": "(operator|dashboard)-to-api-server"},
        "patch": yaml.safe_dump([{"op": "replace", "path": "/spec/egress", "value": [address]}]),
    }
    return "local", [*patches, narrowed]


def _policy(cluster: Cluster, images: dict[str, str]) -> str:
    """Make the Secrets that are missing, and return the policy `default` for them."""
    done = command_line.run(
        cluster,
        "keys",
        "init",
        "--apply",
        f"--trainer-image={images['trainer']}",
        f"--sealer-image={images['operator']}",
        f"--predictor-image={images['predictor']}",
    )
    if done.returncode:
        raise ClusterError(f"hallmark keys init failed: {done.stderr.strip()}")
    return done.stdout


def _dashboard_secrets(world: World) -> None:
    """Make the Secrets that docs/dashboard.md names."""
    reader = {"access-key-id": f"reader-{secrets.token_hex(8)}".encode()}
    reader["secret-access-key"] = secrets.token_urlsafe(32).encode()
    for name, data in (("store", reader), ("session", {"key": secrets.token_bytes(32)})):
        if not world.api.find("Secret", SYSTEM, f"{DASHBOARD}-{name}"):
            metadata = {"name": f"{DASHBOARD}-{name}", "namespace": SYSTEM}
            encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
            world.api.create(
                {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}
            )
