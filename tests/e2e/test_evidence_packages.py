"""Known vulnerabilities on a node: a snapshot of OSV that a Job fills, and all that reads it."""

import base64
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.keys import private_pem
from tests.e2e.harness import forward, objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.command_line import hallmark
from tests.e2e.harness.conditions import message
from tests.e2e.harness.dashboard import Dashboard
from tests.e2e.harness.installation import added, wait_for_rollout
from tests.e2e.harness.objects import AUTHOR, REVIEWER, VIEWER
from tests.e2e.harness.policies import approver, under_its_own_policy
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.versions import sealed
from tests.e2e.harness.world import DASHBOARD, OPERATOR, SYSTEM, World

pytestmark = pytest.mark.slow

NAMESPACE = "e2e-osv"
NAME = "lender"
FLAW = "GHSA-aaaa-bbbb-cccc"
HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H"
NORMAL = cycle(objects.loan_rows(2000, seed=7), 5)
KEY = ec.generate_private_key(ec.SECP256R1())

FILL = """
import os, pathlib
folder = pathlib.Path("/osv")
(folder / ".new").write_bytes(pathlib.Path("/mirror/all.zip").read_bytes())
os.replace(folder / ".new", folder / "all.zip")
"""


def entry(id_: str, package: str, *, age: timedelta = timedelta(0)) -> Object:
    """Return an entry of OSV: every version of a package has a severe vulnerability."""
    modified = f"{datetime.now(UTC) - age:%Y-%m-%dT%H:%M:%SZ}"
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    part = {"package": {"ecosystem": "PyPI", "name": package}, "ranges": ranges}
    severity = [{"type": "CVSS_V3", "score": HIGH}]
    return {"id": id_, "modified": modified, "affected": [part], "severity": severity}


def archive(*entries: Object) -> bytes:
    """Return `all.zip`, as osv.dev publishes it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as whole:
        for one in entries:
            whole.writestr(f"{one['id']}.json", json.dumps(one))
    return made.getvalue()


def fill(world: World, content: bytes) -> None:
    """Replace the snapshot with a Job in the operator's namespace, as docs/dependencies.md says."""
    metadata = {"name": "fill-osv", "namespace": SYSTEM}
    encoded = {"all.zip": base64.b64encode(content).decode()}
    mirror = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": encoded}
    world.api.delete("Job", SYSTEM, "fill-osv")
    world.until(lambda: not world.api.find("Job", SYSTEM, "fill-osv"), "the Job before to be gone")
    world.api.apply(mirror)
    operator = world.api.get("Deployment", SYSTEM, OPERATOR)["spec"]["template"]["spec"]
    [container] = operator["containers"]
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": operator["securityContext"],
        "containers": [
            {
                "name": "fill",
                "image": container["image"],
                "args": ["-c", FILL],
                "securityContext": container["securityContext"],
                "volumeMounts": [
                    {"name": "osv", "mountPath": "/osv"},
                    {"name": "mirror", "mountPath": "/mirror"},
                ],
            }
        ],
        "volumes": [
            {"name": "osv", "persistentVolumeClaim": {"claimName": "hallmark-osv"}},
            {"name": "mirror", "configMap": {"name": "fill-osv"}},
        ],
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
    world.api.create(job)
    world.until(
        lambda: world.api.get("Job", SYSTEM, "fill-osv").get("status", {}).get("succeeded"),
        "the snapshot to be filled",
    )


@pytest.fixture(scope="module")
def osv(world: World) -> Iterator[None]:
    """The component `osv` beside what is installed, looked at every two seconds."""
    environment = ("-n", SYSTEM, "set", "env", f"deployment/{OPERATOR}")
    world.cluster.kubectl(*environment, "HALLMARK_OSV_SECONDS=2")
    try:
        with added(world, "osv"):
            yield
    finally:
        world.cluster.kubectl(*environment, "HALLMARK_OSV_SECONDS-")
        wait_for_rollout(world, OPERATOR)


@pytest.fixture(scope="module")
def serving(world: World, osv: None) -> Iterator[dict[str, Object]]:
    """Two versions, sealed with nothing known of their packages; the second serves."""
    del osv
    fill(world, archive(entry("GHSA-0", "nobody-has-this")))
    rules = {"acceptedSeverity": "Low", "maxFeedAge": "168h", "vex": {"minimum": 1}}
    under_its_own_policy(
        world,
        NAMESPACE,
        approvers=[approver(REVIEWER, KEY)],
        dependencies={"vulnerabilities": rules},
    )
    versions = sealed(world, NAMESPACE, {"loan-v1": True, "loan-v2": True})
    for version in versions:
        world.api.apply(objects.model_deployment(NAMESPACE, NAME, version), user=AUTHOR)
        world.wait_field("ModelDeployment", NAMESPACE, NAME, "status.stableModelVersion", version)
    yield versions
    world.api.delete("Namespace", None, NAMESPACE)
    world.api.delete("ModelPolicy", None, NAMESPACE)


@pytest.fixture
def judged(world: World, serving: dict[str, Object]) -> Callable[[str, str], str]:
    """Return what waits for a version's PolicyPassed, and returns its sentence."""
    del serving

    def wait(version: str, expected: str) -> str:
        found = world.wait_for("ModelVersion", NAMESPACE, version, f"PolicyPassed={expected}")
        return message(found, "PolicyPassed")

    return wait


@pytest.fixture
def dashboard(world: World, serving: dict[str, Object], tmp_path: Path) -> Iterator[Dashboard]:
    """The dashboard, with an account that looks."""
    del serving
    world.account(NAMESPACE, VIEWER, "hallmark-viewer")
    file = tmp_path / "dashboard.pid"
    yield Dashboard(world, forward.begin(world.cluster, file, DASHBOARD, SYSTEM), NAMESPACE)
    forward.end(file)


def active(world: World) -> str:
    """Return the version that the Service selects, after asking it."""
    assert world.predict(NAMESPACE, NAME, NORMAL(0)).code == 200
    status = world.api.get("ModelDeployment", NAMESPACE, NAME)["status"]
    return str(status["activeModelVersion"])


def test_a_later_known_vulnerability_stops_rollouts_until_a_reviewer_or_a_rollback(
    world: World, judged: Callable[[str, str], str], dashboard: Dashboard, tmp_path: Path
) -> None:
    for version in ("loan-v1", "loan-v2"):
        judged(version, "True")
        found = world.api.get("ModelVersion", NAMESPACE, version)
        assert found["status"]["feedDigest"], "judged by a snapshot"

    fill(world, archive(entry(FLAW, "numpy")))
    for version in ("loan-v1", "loan-v2"):
        assert f"{FLAW} in 'numpy'" in judged(version, "False/PackagesRefused")
    asked = {"namespace": NAMESPACE, "modelVersion": "loan-v2"}
    world.until(
        lambda: FLAW in json.dumps(dashboard.call(VIEWER, "POST", "/scan_sbom", asked).json()),
        "the dashboard to say the same",
    )
    assert active(world) == "loan-v2", "what serves is reported, and serves on"
    world.api.apply(objects.model_deployment(NAMESPACE, "later", "loan-v2"), user=AUTHOR)
    later = world.wait_for("ModelDeployment", NAMESPACE, "later", "Ready=False")
    world.until(lambda: FLAW in json.dumps(_conditions(world, "later")), "the reason to be said")
    assert not later["status"].get("activeModelVersion")
    assert not world.pods_of(NAMESPACE, "later"), "nothing new is rolled out"
    world.api.delete("ModelDeployment", NAMESPACE, "later")

    key = tmp_path / "rita.pem"
    key.write_bytes(private_pem(KEY))
    said = ("--vulnerability", FLAW, "--package", "numpy", "--analysis", "not_affected")
    why = ("--justification", "code_not_reachable", "--detail", "numpy.f2py is not imported.")
    user = ("-n", NAMESPACE, "--as", REVIEWER, "--sign-with", str(key))
    hallmark(world.cluster, "vex", "loan-v1", *said, *why, *user)
    assert "says rita" in judged("loan-v1", "True")
    judged("loan-v2", "False/PackagesRefused")
    assert active(world) == "loan-v2"

    rules = {"spec": {"dependencies": {"onViolation": "Rollback"}}}
    world.api.patch("ModelPolicy", None, NAMESPACE, rules)
    world.wait_for("ModelDeployment", NAMESPACE, NAME, "RolledBack=True/PackageRollback")
    world.wait_field("ModelDeployment", NAMESPACE, NAME, "status.activeModelVersion", "loan-v1")
    assert active(world) == "loan-v1"


def test_a_snapshot_that_is_broken_or_old_passes_nothing_and_rolls_nothing_back(
    world: World, judged: Callable[[str, str], str]
) -> None:
    serves = active(world)
    for content, said in (
        (b"no archive", "all.zip"),
        (archive(entry("GHSA-0", "nobody-has-this", age=timedelta(days=30))), "168h"),
    ):
        fill(world, content)
        assert said in judged("loan-v1", "False/PolicyFailed")
        assert active(world) == serves
    name = "loan-v3"
    world.api.create(objects.training_run(NAMESPACE, name, seed=3), user=AUTHOR)
    run = world.wait_for("TrainingRun", NAMESPACE, name, "Stalled=True", seconds=180)
    assert "168h" in message(run, "Sealed"), json.dumps(run["status"]["conditions"])
    assert not world.api.find("ModelVersion", NAMESPACE, name)

    fill(world, archive(entry("GHSA-0", "nobody-has-this")))
    judged("loan-v1", "True")
    judged("loan-v2", "True")
    assert active(world) == serves


def _conditions(world: World, name: str) -> list[Object]:
    found = world.api.get("ModelDeployment", NAMESPACE, name)
    return list(found.get("status", {}).get("conditions") or [])
