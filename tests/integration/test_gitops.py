"""What Argo CD and Flux apply stays as they wrote it: no object differs from Git by itself."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from tests.integration.api import Obj
from tests.integration.conftest import AUTHOR, ROOT, World
from tests.integration.test_manifests import FOLDERS

MANAGER = "--field-manager=argocd-controller"
SAMPLES = {"trainingrun": AUTHOR.name, "deployment": AUTHOR.name, "modelpolicy": ""}


def differences(wanted: Any, found: Any, at: str = "") -> list[str]:  # noqa: ANN401
    """Return where what is there is not what was applied; what was added does not count."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            said
            for key, value in wanted.items()
            for said in differences(value, found.get(key), f"{at}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            said
            for place, (one, other) in enumerate(zip(wanted, found, strict=True))
            for said in differences(one, other, f"{at}[{place}]")
        ]
    # The API server leaves out what is empty.
    return [] if wanted == found or not (wanted or found) else [f"{at}: {wanted!r}, {found!r}"]


def applied(world: World, text: str, *options: str) -> list[Obj]:
    """Return objects as they are after they were applied."""
    made = world.cluster.kubectl(
        "apply", "--server-side", MANAGER, "--output=json", "-f=-", *options, input=text
    )
    found: Obj = json.loads(made.stdout)
    return list(found["items"]) if found["kind"] == "List" else [found]


@pytest.mark.parametrize("folder", FOLDERS[:3])
def test_the_manifests_are_written_as_the_api_server_keeps_them(world: World, folder: str) -> None:
    text = world.cluster.kubectl("kustomize", str(ROOT / "manifests" / folder)).stdout
    wanted = list(yaml.safe_load_all(text))
    found = applied(world, text, "--force-conflicts", "--dry-run=server")

    assert len(found) == len(wanted)
    said = {
        f"{one['kind']}/{one['metadata']['name']}": differences(one, other)
        for one, other in zip(wanted, found, strict=True)
    }
    assert {name: what for name, what in said.items() if what} == {}


def sample(world: World, name: str) -> Obj:
    """Return a sample in the world's namespace, under a name of its own."""
    found: Obj = copy.deepcopy(
        yaml.safe_load((ROOT / "manifests" / "samples" / f"{name}.yaml").read_text())
    )
    found["metadata"]["name"] = f"gitops-{name}"
    if found["kind"] != "ModelPolicy":
        found["metadata"]["namespace"] = world.namespace
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_applied_again_nothing_changes(world: World, name: str) -> None:
    wanted = sample(world, name)
    person = [f"--as={SAMPLES[name]}"] if SAMPLES[name] else []
    # The first repetition writes once more what the API server itself added, as of every kind.
    _, first, again = (applied(world, json.dumps(wanted), *person)[0] for _ in range(3))

    assert differences(wanted, first) == []
    assert first == again
    assert again["metadata"]["generation"] == 1
