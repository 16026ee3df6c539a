"""The dashboard on the node, as its people use it: with their own tokens, and nothing more."""

import json
from collections.abc import Iterator

import httpx
import pytest

from hallmark.api.texts import LABEL, SCORE
from tests.e2e.harness import forward, objects
from tests.e2e.harness.api import MERGE, Object
from tests.e2e.harness.dashboard import Dashboard, submit
from tests.e2e.harness.objects import AUTHOR, REVIEWER, VIEWER
from tests.e2e.harness.processes import kill_container
from tests.e2e.harness.store import bundle_prefix
from tests.e2e.harness.world import DASHBOARD, SYSTEM, World
from tests.e2e.test_network_policy import Namespace, pod

BANK = "e2e-bank"
DESK = "desk"
ENGINEER = "otto"
FIRST, SECOND = "loan-v1", "loan-v2"
DASHBOARD_PODS = "app.kubernetes.io/name=hallmark,app.kubernetes.io/component=dashboard"
PEOPLE = {
    AUTHOR: "hallmark-author",
    REVIEWER: "hallmark-reviewer",
    VIEWER: "hallmark-viewer",
    ENGINEER: "hallmark-engineer",
}
WINDOW = 200
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def dashboard(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard through a port-forward, and a namespace whose people have accounts."""
    world.namespace(BANK)
    for person, role in PEOPLE.items():
        world.account(BANK, person, role)
    data = {objects.DATA_KEY: objects.loan_csv()}
    world.api.apply(objects.config_map(BANK, "loans", data))
    file = tmp_path_factory.mktemp("forward") / "pid"
    yield Dashboard(world, forward.begin(world.cluster, file, DASHBOARD, SYSTEM), BANK)
    forward.end(file)


@pytest.fixture(scope="module")
def sealed(world: World, dashboard: Dashboard) -> dict[str, Object]:
    """Two versions that alice trained through the dashboard."""
    for seed, name in enumerate((FIRST, SECOND)):
        spec = objects.training_run(BANK, name, seed=seed)["spec"]
        wanted = {key: value for key, value in spec.items() if key != "requestedBy"}
        answer = dashboard.call(
            AUTHOR, "POST", "/train", {"namespace": BANK, "name": name, **wanted}
        )
        assert answer.status_code == 201, answer.text
    for name in (FIRST, SECOND):
        world.wait_for("TrainingRun", BANK, name, "Ready=True", seconds=180)
    return {
        name: world.wait_for("ModelVersion", BANK, name, "Verified=True")
        for name in (FIRST, SECOND)
    }


@pytest.fixture(scope="module")
def approved(world: World, dashboard: Dashboard, sealed: dict[str, Object]) -> dict[str, Object]:
    """Both versions, approved by rita: one on the review page, the other by her program."""
    with dashboard.browser(REVIEWER) as browser:
        path = f"/reviews/{BANK}/{FIRST}"
        page = submit(browser, path, decision="Approved", reason="Read the report.")
        assert page.status_code == 200, page.text
        assert f"Approved by {dashboard.name(REVIEWER)}" in page.text
    answer = dashboard.call(REVIEWER, "POST", "/approve_model", _decision(sealed[SECOND]))
    assert answer.status_code == 201, answer.text
    return {
        name: world.wait_for("ModelVersion", BANK, name, "Approved=True")
        for name in (FIRST, SECOND)
    }


def _decision(version: Object, decision: str = "Approved") -> Object:
    return {
        "namespace": BANK,
        "modelVersion": version["metadata"]["name"],
        "decision": decision,
        "reason": "Read the report.",
        "manifestDigest": version["spec"]["artifact"]["manifestDigest"],
    }


@pytest.fixture(scope="module")
def serving(world: World, dashboard: Dashboard, approved: dict[str, Object]) -> Object:
    """A ModelDeployment that alice made, with the first version."""
    spec = objects.model_deployment(BANK, DESK, FIRST)["spec"]
    answer = dashboard.call(AUTHOR, "POST", "/deploy", {"namespace": BANK, "name": DESK, **spec})
    assert answer.status_code == 201, answer.text
    return world.wait_for("ModelDeployment", BANK, DESK, "Ready=True")


def _predict(dashboard: Dashboard, person: str, rows: object) -> httpx.Response:
    body = {"namespace": BANK, "deployment": DESK, "instances": rows}
    return dashboard.call(person, "POST", "/predict", body)


def test_who_signed_in_sees_the_registry(dashboard: Dashboard, sealed: dict[str, Object]) -> None:
    with dashboard.browser(VIEWER) as browser:
        assert dashboard.name(VIEWER) in browser.get("/").text
        assert FIRST in browser.get(f"/models/{BANK}/loan").text
    registry = dashboard.call(VIEWER, "GET", "/registry.json").text

    for version in sealed.values():
        assert version["spec"]["artifact"]["manifestDigest"] in registry


def test_a_token_that_the_api_server_does_not_know_signs_nobody_in(dashboard: Dashboard) -> None:
    forged = dashboard.token(VIEWER)[:-8] + "AAAAAAAA"
    answer = httpx.post(f"{dashboard.url}/sign-in", data={"token": forged})

    assert "set-cookie" not in answer.headers
    assert "does not know this token" in answer.text


def test_admission_sees_the_reviewer(
    world: World, dashboard: Dashboard, approved: dict[str, Object]
) -> None:
    approvals = world.api.list("ModelApproval", BANK)
    assert {found["spec"]["approver"] for found in approvals} == {dashboard.name(REVIEWER)}

    answer = dashboard.call(AUTHOR, "POST", "/approve_model", _decision(approved[SECOND], "Denied"))
    assert answer.status_code == 403
    missing = {(right["verb"], right["resource"]) for right in answer.json()["missing"]}
    assert missing == {("create", "modelapprovals"), ("approve", "modelversions")}
    assert f"You ({dashboard.name(AUTHOR)}) lack" in answer.json()["detail"]


def test_the_sealed_evidence_is_read_from_the_store(
    dashboard: Dashboard, sealed: dict[str, Object]
) -> None:
    asked = {"namespace": BANK, "modelVersion": FIRST}
    scan = dashboard.call(VIEWER, "POST", "/scan_sbom", asked).json()

    assert scan["passed"], scan["problems"] + scan["violations"]
    assert scan["digest"] == sealed[FIRST]["spec"]["sbomDigest"]
    assert "FROM" in scan["dockerfile"]
    packages = {part["name"] for part in scan["bill"]["components"]}
    assert {"scikit-learn", "numpy"} <= packages


def test_its_key_of_the_store_only_reads(
    world: World, dashboard: Dashboard, sealed: dict[str, Object]
) -> None:
    program = """
import os, pathlib, sys
import obstore
from obstore.exceptions import PermissionDeniedError
from obstore.store import S3Store
folder = pathlib.Path("/var/run/hallmark/store")
store = S3Store(
    "hallmark",
    endpoint=os.environ["HALLMARK_DASHBOARD_STORE_ENDPOINT"],
    region="us-east-1",
    access_key_id=(folder / "access-key-id").read_text(),
    secret_access_key=(folder / "secret-access-key").read_text(),
    client_options={"allow_http": True},
)
path = sys.argv[1] + "manifest.json"
sealed = bytes(obstore.get(store, path).bytes())
for write in (
    lambda: obstore.put(store, path, b"{}"),
    lambda: obstore.put(store, "models/new", b"{}"),
    lambda: obstore.delete(store, path),
    lambda: obstore.copy(store, path, "models/copy"),
):
    try:
        write()
        print("written")
    except PermissionDeniedError:
        pass
assert bytes(obstore.get(store, path).bytes()) == sealed
"""
    assert _in_dashboard(world, program, bundle_prefix(sealed[FIRST])) == ""


def test_predictions_reach_the_models_own_service(dashboard: Dashboard, serving: Object) -> None:
    answer = _predict(dashboard, AUTHOR, objects.loan_rows(3))

    assert answer.status_code == 200, answer.text
    assert answer.headers["hallmark-model-version"] == FIRST
    assert len(answer.json()["predictions"]) == 3

    refused = _predict(dashboard, AUTHOR, [{"income": "much"}])
    assert refused.status_code == 422, refused.text

    lacking = _predict(dashboard, VIEWER, objects.loan_rows(1))
    assert lacking.json()["missing"][0]["verb"] == "predict"


def test_drift_is_shown_over_time(world: World, dashboard: Dashboard, serving: Object) -> None:
    rows = objects.loan_rows(3 * WINDOW, seed=7)
    for start in range(0, len(rows), WINDOW):
        assert _predict(dashboard, AUTHOR, rows[start : start + WINDOW]).status_code == 200

    def course() -> Object | None:
        found = dashboard.call(VIEWER, "GET", f"/api/drift/{BANK}/{DESK}").json()
        return found if found["windows"] >= 2 else None

    found = world.until(course, "two windows in the dashboard", 90)
    assert found
    assert {feature["feature"] for feature in found["features"]} == {
        "income",
        "loan_ratio",
        "segment",
        SCORE,
        LABEL,
    }
    assert all(len(feature["course"]) >= 2 for feature in found["features"])


def test_a_rollback_is_asked_for_and_done(
    world: World, dashboard: Dashboard, serving: Object
) -> None:
    change = {"namespace": BANK, "name": DESK, "modelVersion": SECOND}
    assert dashboard.call(AUTHOR, "POST", "/deploy", change).status_code == 201
    world.wait_field("ModelDeployment", BANK, DESK, "status.stableModelVersion", SECOND)

    asked = {"namespace": BANK, "deployment": DESK, "reason": "Complaints since noon."}
    lacking = dashboard.call(AUTHOR, "POST", "/rollback", asked)
    assert lacking.status_code == 403
    assert lacking.json()["missing"][0]["verb"] == "rollback"
    with dashboard.browser(ENGINEER) as browser:
        path = f"/deployments/{BANK}/{DESK}"
        page = submit(browser, path, action="rollback", target=FIRST, reason=asked["reason"])
    assert page.status_code == 200, page.text

    world.wait_field("ModelDeployment", BANK, DESK, "status.activeModelVersion", FIRST)
    assert _predict(dashboard, AUTHOR, objects.loan_rows(1)).headers["hallmark-model-version"] == (
        FIRST
    )


def test_the_audit_log_is_read_and_verified(
    dashboard: Dashboard, approved: dict[str, Object]
) -> None:
    records = dashboard.call(VIEWER, "GET", "/api/audit", namespace=BANK, limit="500").json()
    approvals = [record for record in records["items"] if record["event"] == "approve"]
    assert dashboard.name(REVIEWER) in str(approvals)

    verdict = dashboard.call(VIEWER, "GET", "/api/audit/verify").json()
    assert verdict["ok"], verdict["problems"]
    assert verdict["records"] >= len(records["items"])
    assert "was held against the head" in verdict["anchor"]
    assert "The head is signed with the key" in verdict["signature"]


def test_it_writes_nowhere_but_into_its_temporary_folder(world: World) -> None:
    folders = ["/", "/opt/hallmark", "/var/lib/hallmark/logs", "/var/run/hallmark/store", "/tmp"]  # noqa: S108
    program = (
        "import os, sys\n"
        "for folder in sys.argv[1:]:\n"
        "    try:\n"
        "        open(os.path.join(folder, 'x'), 'w').close()\n"
        "        print(folder)\n"
        "    except OSError:\n"
        "        pass\n"
    )
    assert _in_dashboard(world, program, *folders).split() == ["/tmp"]  # noqa: S108
    assert _in_dashboard(world, "import os; print(os.getuid())").strip() == "65532"


def _in_dashboard(world: World, program: str, *arguments: str) -> str:
    run = ["exec", f"--namespace={SYSTEM}", f"deployment/{DASHBOARD}", "--", "python3", "-c"]
    return world.cluster.kubectl(*run, program, *arguments).stdout


REACHES = """
import json, socket, sys
found = {}
for name, (host, port) in json.loads(sys.argv[1]).items():
    try:
        socket.create_connection((host, port), timeout=3).close()
        found[name] = True
    except OSError:
        found[name] = False
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def outside(world: World) -> Iterator[Namespace]:
    """A namespace without NetworkPolicies, with a Pod in it."""
    made = Namespace(world.cluster, "e2e-outside")
    world.namespace(made.name)
    image = world.api.get("ModelPolicy", None, "default")["spec"]["images"]["predictor"]
    made.apply(pod("client", image, ["-c", "import time; time.sleep(3600)"]))
    made.kubectl("wait", "pod", "client", "--for=condition=Ready", "--timeout=60s")
    yield made
    world.api.delete("Namespace", None, made.name)


def _from_outside(world: World, outside: Namespace, program: str, *arguments: str) -> str:
    run = ["exec", f"--namespace={outside.name}", "client", "--", "python3", "-c"]
    return world.cluster.kubectl(*run, program, *arguments).stdout


def test_it_reaches_what_it_must_and_nothing_else(
    world: World, serving: Object, outside: Namespace
) -> None:
    operator = world.operator_pods()[0]["status"]["podIP"]
    dns = world.api.list("Pod", "kube-system", "k8s-app=kube-dns")[0]["status"]["podIP"]
    must = {
        "the API server": ("kubernetes.default.svc", 443),
        "a predictor": (world.pods_of(BANK, DESK)[0]["status"]["podIP"], 8080),
        "a predictor's Service": (f"{DESK}.{BANK}.svc", 80),
    }
    must_not = {
        "the operator's metrics": (operator, 9090),
        "the operator's health": (operator, 8081),
        "the kubelet": (world.cluster.node_address, 10250),
        "a Pod that is no predictor": (dns, 8080),
    }
    doors = {"the store": "hallmark-store", "the store's reader": "hallmark-store-reader"}
    stores = {name: (f"{service}.{SYSTEM}", 7070) for name, service in doors.items()}
    wanted = json.dumps({**must, **must_not, **stores})
    reached = json.loads(_in_dashboard(world, REACHES, wanted))
    by_others = json.loads(_from_outside(world, outside, REACHES, wanted))

    assert {name for name in reached if reached[name]} == {*must, "the store's reader"}
    # All of it answers somebody else, but the store, to whom only those who work with it come.
    assert {name for name in by_others if by_others[name]} == {*must, *must_not}


def test_it_is_reached_from_labelled_namespaces_alone(world: World, outside: Namespace) -> None:
    door = json.dumps({"the dashboard": (f"{DASHBOARD}.{SYSTEM}", 80)})

    def is_reached() -> bool:
        return bool(json.loads(_from_outside(world, outside, REACHES, door))["the dashboard"])

    assert not is_reached()
    label = {"metadata": {"labels": {"hallmark.dev/reaches-dashboard": "true"}}}
    world.api.patch("Namespace", None, outside.name, label)
    world.until(is_reached, "the labelled namespace to reach the dashboard", 30)
    label["metadata"]["labels"]["hallmark.dev/reaches-dashboard"] = None  # type: ignore[assignment]
    world.api.patch("Namespace", None, outside.name, label)
    world.until(lambda: not is_reached(), "the dashboard to be closed again", 30)


def test_killed_it_comes_back_and_everybody_stays_signed_in(
    world: World, dashboard: Dashboard, sealed: dict[str, Object]
) -> None:
    with dashboard.browser(VIEWER) as browser:
        before = _dashboard_pod(world)
        kill_container(world.cluster, before)
        world.until(
            lambda: _restarts(_dashboard_pod(world)) > _restarts(before) and dashboard.is_ready(),
            "the dashboard to be back",
        )
        page = browser.get(f"/models/{BANK}/loan")
    assert page.status_code == 200, page.text
    assert FIRST in page.text


def _dashboard_pod(world: World) -> Object:
    return world.api.list("Pod", SYSTEM, DASHBOARD_PODS)[0]


def _restarts(found: Object) -> int:
    return int(found["status"]["containerStatuses"][0]["restartCount"])


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_a_lost_watch_shows_its_age_and_recovers(
    world: World, dashboard: Dashboard, sealed: dict[str, Object]
) -> None:
    """The right to watch is taken away and given back; a restart ends the watches that are open."""
    path = f"{RBAC}/clusterroles/{DASHBOARD}"
    rules = world.api.request("GET", path)["rules"]
    reviews = [rule for rule in rules if rule["resources"] == ["tokenreviews"]]
    with dashboard.browser(VIEWER) as browser:

        def is_old() -> bool:
            page = browser.get(f"/models/{BANK}/loan")
            assert FIRST in page.text, page.text
            return "Old: the cluster was last heard of" in page.text

        assert not is_old()
        world.api.request("PATCH", path, {"rules": reviews}, content_type=MERGE)
        try:
            world.cluster.restart_component("kube-apiserver")
            world.until(is_old, "the pages to say that they are old", 180)
            assert dashboard.is_ready(), "it would be restarted, and know nothing"
        finally:
            world.api.request("PATCH", path, {"rules": rules}, content_type=MERGE)
        world.until(lambda: not is_old(), "the pages to be fresh again", 120)
