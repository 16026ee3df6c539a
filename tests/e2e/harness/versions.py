"""Sealed versions, trained side by side because training is the slow part."""

from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.world import World

SHARED = "e2e"
"""The namespace whose versions many tests use."""


def sealed(world: World, namespace: str, names: dict[str, bool]) -> Object:
    """Train and seal versions side by side, and approve those that are to be.

    Args:
        world: the installation.
        namespace: one that has the ConfigMap `loans`.
        names: names of the runs, each with whether rita approves it.

    Returns:
        The ModelVersions by name.
    """
    for seed, name in enumerate(names):
        run = objects.training_run(namespace, name, seed=seed)
        world.api.create(run, user=objects.AUTHOR)
    versions = {}
    for name, approved in names.items():
        world.wait_for("TrainingRun", namespace, name, "Ready=True", seconds=180)
        versions[name] = world.wait_for("ModelVersion", namespace, name, "Verified=True")
        if approved:
            world.api.create(objects.approval(versions[name], name), user=objects.REVIEWER)
    for name in (name for name, approved in names.items() if approved):
        versions[name] = world.wait_for("ModelVersion", namespace, name, "Approved=True")
    return versions
