"""A namespace's whole chain: exported, checked without the cluster, lost, and brought back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.harness import objects
from tests.e2e.harness.command_line import hallmark, run
from tests.e2e.harness.evidence import Desk, desk
from tests.e2e.harness.objects import AUTHOR, REVIEWER
from tests.e2e.harness.policies import under_its_own_policy
from tests.e2e.harness.store import Store, bundle_prefix
from tests.e2e.harness.versions import sealed
from tests.e2e.harness.world import World

pytestmark = pytest.mark.slow

NAMESPACE = "e2e-export"
NAME = "lender"
VERSIONS = ("loan-v1", "loan-v2")
REFUSED = 10


@dataclass(frozen=True)
class Chain:
    """Two versions with signed approvals, of which first one served and then the other.

    Attributes:
        desk: an auditor's.
        moments: when each version was stable.
        trust: the option that names the policy's keys.
    """

    desk: Desk
    moments: dict[str, str]
    trust: str


def approve(world: World, version: str, key: Path) -> None:
    """Let rita approve a version with her own key, and wait until that counts."""
    said = ("--reason=Looked at the report.", f"--attest-with={key}")
    user = (f"--namespace={NAMESPACE}", f"--as={REVIEWER}")
    hallmark(world.cluster, "approve", version, *said, *user)
    world.wait_for("ModelVersion", NAMESPACE, version, "Approved=True")


@pytest.fixture(scope="module")
def chain(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The chain, made with the commands of docs/keys.md and docs/approve.md."""
    folder = tmp_path_factory.mktemp("auditor")
    under_its_own_policy(world, NAMESPACE)
    key, public = folder / "rita.pem", folder / "rita.pub"
    made = hallmark(world.cluster, "keys", "create", "approve", f"--output={key}")
    public.write_text(made.stdout)
    added = ("keys", "add", "approve", str(public), f"--approver={REVIEWER}")
    hallmark(world.cluster, *added, f"--policy={NAMESPACE}")
    sealed(world, NAMESPACE, dict.fromkeys(VERSIONS, False))
    moments = {}
    for version in VERSIONS:
        approve(world, version, key)
        world.api.apply(objects.model_deployment(NAMESPACE, NAME, version), user=AUTHOR)
        world.wait_field("ModelDeployment", NAMESPACE, NAME, "status.stableModelVersion", version)
        moments[version] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    with desk(world, folder) as auditor:
        yield Chain(auditor, moments, f"--trust={auditor.policy(NAMESPACE)}")
    world.api.delete("Namespace", None, NAMESPACE)
    world.api.delete("ModelPolicy", None, NAMESPACE)


@pytest.fixture(scope="module")
def exported(world: World, chain: Chain) -> Path:
    """The export."""
    folder = chain.desk.folder / "export"
    log = f"--audit-log={chain.desk.logs('logs')}"
    given = ("export", str(folder), f"--namespace={NAMESPACE}", log, *chain.desk.store)
    hallmark(world.cluster, *given)
    return folder


def test_an_export_is_verified_and_a_changed_byte_found(
    world: World, chain: Chain, exported: Path
) -> None:
    done = hallmark(world.cluster, "verify", str(exported), chain.trust)
    assert "✗" not in done.stdout, done.stdout
    for version in VERSIONS:
        assert f"ModelVersion {NAMESPACE}/{version}" in done.stdout
    [model, *_] = exported.glob("models/*/*/model.onnx")
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    found = run(world.cluster, "verify", str(exported), chain.trust)
    model.write_bytes(whole)
    assert found.returncode == REFUSED, found.stdout


def test_the_log_says_what_served_when_and_a_pack_is_written(
    world: World, chain: Chain, exported: Path
) -> None:
    log = f"--audit-log={exported / 'logs/secure_mlops.log'}"
    for version, moment in chain.moments.items():
        asked = ("asof", moment, "loan", log, chain.trust, f"--namespace={NAMESPACE}")
        said = hallmark(world.cluster, *asked, "--output=json").stdout
        assert f'"{version}"' in json.dumps(json.loads(said)), said
        assert REVIEWER in said

    pack = chain.desk.folder / "pack"
    given = ("pack", "loan", f"--export={exported}", f"--to={pack}", chain.trust)
    hallmark(world.cluster, *given, f"--namespace={NAMESPACE}")
    assert json.loads((pack / "verification.json").read_text())


def test_a_lost_namespace_comes_back_from_the_export_and_waits_for_new_words(
    world: World, chain: Chain, exported: Path
) -> None:
    store = Store(world)
    versions = [world.api.get("ModelVersion", NAMESPACE, name) for name in VERSIONS]
    policy = world.api.get("ModelPolicy", None, NAMESPACE)["spec"]
    world.remove_namespace(NAMESPACE)
    for version in versions:
        store.remove(bundle_prefix(version))
        assert not store.names(bundle_prefix(version))
    under_its_own_policy(world, NAMESPACE, **policy)

    given = ("import", str(exported), chain.trust, *chain.desk.store)
    hallmark(world.cluster, *given, f"--namespace={NAMESPACE}")
    for version in versions:
        name = version["metadata"]["name"]
        # This installation saw the approvals deleted; to another one they would come back.
        found = world.wait_for(
            "ModelVersion",
            NAMESPACE,
            name,
            "Verified=True/SignatureValid",
            "Approved=False/AwaitingApproval",
        )
        assert found["metadata"]["uid"] != version["metadata"]["uid"]
        assert found["spec"]["artifact"] == version["spec"]["artifact"]
