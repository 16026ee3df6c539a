"""The seal key and the audit key are changed while a model serves, as docs/keys.md says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.command_line import hallmark, run
from tests.e2e.harness.evidence import desk, verified_in_the_pod
from tests.e2e.harness.installation import wait_for_rollout
from tests.e2e.harness.policies import under_its_own_policy
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.versions import sealed
from tests.e2e.harness.world import OPERATOR, SYSTEM, World

pytestmark = pytest.mark.slow

NAMESPACE = "e2e-keys"
NAME = "lender"
NORMAL = cycle(objects.loan_rows(2000, seed=7), 5)
FIRST_AUDIT_KEY = "hallmark-audit-key"


class Keys:
    """`hallmark keys` on the policy of the test."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.made: list[str] = []

    def do(self, verb: str, *arguments: str) -> str:
        """Run a command; return what it told."""
        given = ("keys", verb, *arguments, f"--policy={NAMESPACE}")
        return hallmark(self.world.cluster, *given).stderr

    def create(self, purpose: str) -> tuple[str, str]:
        """Make a key; return its Secret, and how its id begins."""
        said = hallmark(self.world.cluster, "keys", "create", purpose).stderr
        found = re.search(r"Secret (\S+-([0-9a-f]+)) made", said)
        assert found, said
        self.made.append(found[1])
        return found[1], found[2]

    def current(self, purpose: str) -> str:
        """Return the id of the key that signs now."""
        listed = hallmark(
            self.world.cluster, "keys", "list", f"--policy={NAMESPACE}", "--output=json"
        )
        rows = json.loads(listed.stdout)
        [current] = [row for row in rows if row["purpose"] == purpose and row["signsNow"]]
        return str(current["keyId"])


def mounted(world: World) -> str:
    """Return the Secret with the audit key that the operator's Deployment names."""
    volumes = world.api.get("Deployment", SYSTEM, OPERATOR)["spec"]["template"]["spec"]["volumes"]
    [volume] = [one for one in volumes if one["name"] == "audit-key"]
    return str(volume["secret"]["secretName"])


def put_back(world: World) -> None:
    """Give the audit key that signs now the Secret's name that the manifests mount."""
    if mounted(world) == FIRST_AUDIT_KEY:
        return
    data = world.api.get("Secret", SYSTEM, mounted(world))["data"]
    world.api.delete("Secret", SYSTEM, FIRST_AUDIT_KEY)
    metadata = {"name": FIRST_AUDIT_KEY, "namespace": SYSTEM}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    world.api.create({**secret, "immutable": True})
    volume = {"name": "audit-key", "secret": {"secretName": FIRST_AUDIT_KEY}}
    patch = json.dumps({"spec": {"template": {"spec": {"volumes": [volume]}}}})
    world.cluster.kubectl("-n", SYSTEM, "patch", "deployment", OPERATOR, "-p", patch)
    wait_for_rollout(world, OPERATOR)


@pytest.fixture(scope="module")
def serving(world: World) -> Iterator[dict[str, Object]]:
    """A version that serves, under a policy of its own."""
    under_its_own_policy(world, NAMESPACE)
    versions = sealed(world, NAMESPACE, {"loan-v1": True})
    world.api.apply(objects.model_deployment(NAMESPACE, NAME, "loan-v1"), user=objects.AUTHOR)
    world.wait_field("ModelDeployment", NAMESPACE, NAME, "status.stableModelVersion", "loan-v1")
    yield versions
    world.api.delete("Namespace", None, NAMESPACE)
    world.api.delete("ModelPolicy", None, NAMESPACE)


@pytest.fixture
def keys(world: World, serving: dict[str, Object]) -> Iterator[Keys]:
    """The command line; the Secrets that it made go, and the operator mounts the first one."""
    del serving
    made = Keys(world)
    yield made
    put_back(world)
    for name in made.made:
        world.api.delete("Secret", SYSTEM, name)


def test_both_keys_are_changed_without_a_stop_and_all_of_it_verifies(
    world: World, keys: Keys, tmp_path: Path
) -> None:
    with world.traffic(NAMESPACE, NAME, NORMAL) as traffic:
        first = keys.current("seal")
        secret, new = keys.create("seal")
        keys.do("add", "seal", f"secret/{secret}")
        keys.do("use", "seal", new)
        versions = sealed(world, NAMESPACE, {"loan-v2": True})
        assert keys.current("seal").startswith(new)
        assert versions["loan-v2"]["status"]["keyId"].startswith(new)
        keys.do("retire", "seal", first[:12])
        world.wait_for("ModelVersion", NAMESPACE, "loan-v1", "Verified=True/SignatureValid")

        before = keys.current("audit")
        secret, new = keys.create("audit")
        keys.do("add", "audit", f"secret/{secret}")
        keys.do("use", "audit", new)
        wait_for_rollout(world, OPERATOR)
        world.until(lambda: keys.current("audit").startswith(new), "the new key to sign the log")
        keys.do("retire", "audit", before[:12])
        world.wait_for("ModelPolicy", None, NAMESPACE, "AuditBroken=False")
        world.api.patch(
            "ModelDeployment",
            NAMESPACE,
            NAME,
            {"spec": {"modelVersion": "loan-v2"}},
            user=objects.AUTHOR,
        )
        world.wait_field("ModelDeployment", NAMESPACE, NAME, "status.stableModelVersion", "loan-v2")
    assert not traffic.tally.failures, traffic.tally.summary()
    assert traffic.tally.changes() == ["loan-v1", "loan-v2"]
    assert "handed the log over" in verified_in_the_pod(world)
    assert [record["reason"] for record in world.audit()].count("KeyHandedOver") >= 1

    with desk(world, tmp_path) as auditor:
        trust = f"--trust={auditor.policy(NAMESPACE)}"
        copied = f"--audit-log={auditor.logs('logs')}"
        live = ("verify", f"--namespace={NAMESPACE}", copied, trust, *auditor.store)
        told = run(world.cluster, *live)
    assert told.returncode == 0, told.stdout + told.stderr
