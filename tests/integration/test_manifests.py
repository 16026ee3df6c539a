"""The kustomizations build, and the API server takes what they hold."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from hallmark.api.names import OSV_FOLDER
from tests.cluster import Cluster
from tests.integration.api import RefusedError
from tests.integration.conftest import AUTHOR, REVIEWER, ROOT, World

WITH_DASHBOARD = " + dashboard"
WITH_READER = f"{WITH_DASHBOARD} + store-reader"
WITH_OSV = " + osv"
FOLDERS = [
    "base",
    "overlays/local",
    "overlays/kind",
    f"overlays/local{WITH_READER}",
    f"base{WITH_OSV}",
    f"overlays/kind{WITH_DASHBOARD}{WITH_OSV}",
]


def built(world: World, folder: str) -> list[dict[str, Any]]:
    """Return the objects of a kustomization, but for the CRDs, which test_crd_rules.py looks at."""
    return _built(world.cluster, folder)


@functools.cache
def _built(cluster: Cluster, folder: str) -> list[dict[str, Any]]:
    folder, *components = folder.split(" + ")
    if components:
        with tempfile.TemporaryDirectory() as made:
            manifests = os.path.relpath(ROOT / "manifests", os.path.realpath(made))
            parts = {
                "resources": [f"{manifests}/{folder}"],
                "components": [f"{manifests}/{component}" for component in components],
            }
            Path(made, "kustomization.yaml").write_text(yaml.safe_dump(parts))
            text = cluster.kubectl("kustomize", made).stdout
    else:
        text = cluster.kubectl("kustomize", str(ROOT / "manifests" / folder)).stdout
    parts = [part for part in text.split("\n---\n") if "CustomResourceDefinition" not in part]
    return [yaml.safe_load(part) for part in parts]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_api_server_takes_it_without_a_warning(world: World, folder: str) -> None:
    objects = "---\n".join(json.dumps(manifest) + "\n" for manifest in built(world, folder))

    options = ("--server-side", "--force-conflicts", "--dry-run=server", "-f=-")
    assert world.cluster.kubectl("apply", *options, input=objects).stderr == ""


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_workload_is_restricted(world: World, folder: str) -> None:
    workloads = [manifest for manifest in built(world, folder) if manifest["kind"] == "Deployment"]

    assert workloads
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"]
            assert not own["allowPrivilegeEscalation"]
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("dashboard", ["", WITH_DASHBOARD, WITH_READER])
@pytest.mark.parametrize("folder", ["overlays/local", "overlays/kind"])
def test_the_overlays_let_nothing_reach_more_than_private_addresses(
    world: World, folder: str, dashboard: str
) -> None:
    policies = network_policies(world, folder + dashboard)

    assert "0.0.0.0/0" not in str(policies)
    assert {"default-deny", "store-ingress"} <= policies.keys()


@pytest.mark.parametrize("folder", ["base", "overlays/local", "overlays/kind"])
@pytest.mark.parametrize("where", ["api-server", "store"])
def test_the_dashboard_reaches_what_the_installation_says_of_the_operator(
    world: World, folder: str, where: str
) -> None:
    policies = network_policies(world, folder + WITH_DASHBOARD)

    egress = policies[f"dashboard-to-{where}"]["egress"]
    assert egress
    assert egress == policies[f"operator-to-{where}"]["egress"]


def test_beside_the_reader_the_dashboard_reaches_no_store_that_writes(world: World) -> None:
    folder = f"overlays/kind{WITH_READER}"
    policies = network_policies(world, folder)
    (rule,) = policies["dashboard-to-store"]["egress"]
    (deployment,) = (
        found
        for found in built(world, folder)
        if found["metadata"]["name"] == "hallmark-store-reader" and found["kind"] == "Deployment"
    )

    reached = rule["to"][0]["podSelector"]["matchLabels"]
    assert reached == deployment["spec"]["selector"]["matchLabels"]
    assert policies["dashboard-from-store"]["podSelector"]["matchLabels"] == reached
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert "--readonly" in container["args"]
    assert {"name": "bucket", "mountPath": "/data/hallmark", "readOnly": True} in container[
        "volumeMounts"
    ]


@pytest.mark.parametrize("dashboard", ["", WITH_DASHBOARD])
def test_the_snapshot_of_osv_is_mounted_to_read_where_it_is_looked_for(
    world: World, dashboard: str
) -> None:
    found = built(world, f"overlays/kind{dashboard}{WITH_OSV}")
    mounts = {
        workload["metadata"]["name"]: mount
        for workload in found
        if workload["kind"] == "Deployment"
        for container in workload["spec"]["template"]["spec"]["containers"]
        for mount in container["volumeMounts"]
        if mount["name"] == "osv"
    }

    names = ["hallmark-operator", *(["hallmark-dashboard"] if dashboard else [])]
    expected = {"name": "osv", "mountPath": OSV_FOLDER, "readOnly": True}
    assert mounts == dict.fromkeys(names, expected)


def network_policies(world: World, folder: str) -> dict[str, Any]:
    """Return the specs of a kustomization's NetworkPolicies by name."""
    return {
        found["metadata"]["name"]: found["spec"]
        for found in built(world, folder)
        if found["kind"] == "NetworkPolicy"
    }


@pytest.mark.parametrize("name", ["trainingrun", "deployment", "modelpolicy"])
def test_a_sample_is_taken(world: World, name: str) -> None:
    text = (ROOT / "manifests" / "samples" / f"{name}.yaml").read_text()
    sample = yaml.safe_load(text)
    if name != "modelpolicy":
        sample["metadata"]["namespace"] = world.namespace

    world.api.create(sample, None if name == "modelpolicy" else AUTHOR, dry_run=True)


def test_the_sample_of_an_approval_is_taken_from_its_approver_alone(world: World) -> None:
    sample = yaml.safe_load((ROOT / "manifests/samples/modelapproval.yaml").read_text())
    sample["metadata"]["namespace"] = world.namespace

    world.api.create(sample, REVIEWER, dry_run=True)
    with pytest.raises(RefusedError):
        world.api.create(sample, dry_run=True)
