"""The story: a credit model is refused, corrected, approved, served, replaced and rolled back."""

import csv
import io
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cluster import Cluster
from tests.data.hmda import hmda_csv, hmda_spec
from tests.demo.screen import Screen
from tests.demo.terminal import Terminal
from tests.e2e.harness import conditions, forward, objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.dashboard import HTML, sign_in
from tests.e2e.harness.installation import installed
from tests.e2e.harness.objects import AUTHOR, REVIEWER
from tests.e2e.harness.traffic import Rows, Traffic
from tests.e2e.harness.world import DASHBOARD, ROLES, SYSTEM, World, field

STEPS = 15
NAMESPACE = "credit"
NAME = "credit"
REFUSED, FIRST, SECOND = "credit-v1-with-race", "credit-v1", "credit-v2"
HERE = ("--namespace", NAMESPACE)
WINDOW = 200
SECOND_STRENGTH = "0.5"
"""The regularisation `C` of the second version; the first has scikit-learn's default."""
ROWS_A_REQUEST = 20
SIGN_IN = {REVIEWER: "the reviewer", AUTHOR: "the author"}
DASHBOARD_PORT = 8000
AUDIT_LOG = "/var/lib/hallmark/logs/secure_mlops.log"


def applicants() -> Rows:
    """Return the dataset's rows as an application sends them: numbers as numbers."""
    convert = {"Number": float, "Integer": int, "Category": str}
    features = {
        each["name"]: convert[each["type"]]
        for each in hmda_spec(with_protected=False)["schema"]["features"]
    }
    table = csv.DictReader(io.StringIO(hmda_csv().decode()))
    return [{name: read(row[name]) for name, read in features.items()} for row in table]


def request_maker(rows: Rows, factor: float = 1.0) -> Callable[[int], Rows]:
    """Return a maker of requests that draws applicants, their ratios scaled by a factor."""

    def scaled(row: dict[str, Any]) -> dict[str, Any]:
        ratios = {key: row[key] * factor for key in ("pirat", "hirat", "lvrat") if key in row}
        return {**row, **ratios}

    source = random.Random(5)  # noqa: S311 - not for secrets
    return lambda _: [scaled(each) for each in source.sample(rows, ROWS_A_REQUEST)]


class Story:
    """Tells the story on a cluster, and leaves it up.

    Args:
        cluster: the cluster; it is started where it does not run.
        screen: where the story is told.
    """

    def __init__(self, cluster: Cluster, screen: Screen) -> None:
        self._cluster, self._screen = cluster, screen
        self._terminal = Terminal(cluster, screen)
        self._files = cluster.kubeconfig.parent / "demo"
        self._rows = applicants()
        self._started = time.monotonic()
        self._seconds_to_rollback = 0.0

    def last_line(self) -> str:
        """Return the sentence that ends a demo in which everything happened as told."""
        return (
            f"demo: ok, {self._screen.steps_done} steps, rolled back {SECOND} -> {FIRST} "
            f"{self._seconds_to_rollback:.1f} s after the first shifted request"
        )

    def tell(self) -> None:
        """Tell all of it.

        Raises:
            AssertionError: if something does not happen.
            CommandError: if a command does not do what it should.
            ClusterError: if the cluster does not start.
        """
        step = self._screen.step
        with step(
            "Install Hallmark",
            "A real Kubernetes, the five kinds, admission policies, the operator and its store.",
        ):
            context = installed(self._cluster)
            world = context.__enter__()
        try:
            self.tell_in(world)
        finally:
            context.__exit__(None, None, None)

    def tell_in(self, world: World) -> None:
        """Tell all but the installation; see `tell`."""
        self._world = world
        self._people()
        self._open_dashboard()
        self._data()
        self._refused_run()
        self._first_run()
        self._deploy_unapproved()
        self._self_approval()
        self._approve()
        self._predict()
        self._second_version()
        self._normal_traffic()
        self._drift()
        self._audit()
        self._summary()

    # The chapters

    def _people(self) -> None:
        with self._screen.step(
            "A namespace and its people",
            f"{AUTHOR} trains and deploys; {REVIEWER} approves. The API server knows who is who, "
            f"and --as stands for logging in.",
        ):
            if self._world.api.find("Namespace", None, NAMESPACE):
                self._screen.say("An earlier demo's namespace is removed first.")
                self._terminal.kubectl("delete", "namespace", NAMESPACE, "--wait=true")
            self._world.namespace(NAMESPACE)
            for person in SIGN_IN:
                self._world.account(NAMESPACE, person, ROLES[person])
            self._terminal.kubectl("get", "rolebindings", *HERE)

    def _open_dashboard(self) -> None:
        with self._screen.step(
            "The dashboard",
            "Watch the story in a browser. A token of a ServiceAccount signs in, and what its role "
            "does not allow cannot be done there either.",
        ):
            self._dashboard = forward.begin(
                self._cluster, self._files / "dashboard.pid", DASHBOARD, SYSTEM, port=DASHBOARD_PORT
            )
            self._how_to_sign_in()
            for person in SIGN_IN:
                token = self._terminal.kubectl("create", "token", person, *HERE, show=False)
                with httpx.Client(base_url=self._dashboard, headers=HTML, timeout=30) as browser:
                    sign_in(browser, token.strip())
                    assert f":{NAMESPACE}:{person}" in browser.get("/").text, (
                        f"The dashboard does not know {person}."
                    )
            self._screen.say("Both tokens signed in.")

    def _how_to_sign_in(self) -> None:
        self._screen.say(f"Open {self._dashboard} and sign in as {' or '.join(SIGN_IN.values())}:")
        for text in (
            *self._terminal.settings(),
            *(f"kubectl create token {name} --namespace {NAMESPACE}" for name in SIGN_IN),
        ):
            self._screen.output(text, width=None)

    def _data(self) -> None:
        with self._screen.step(
            "The data",
            f"{len(self._rows)} real mortgage applications (Home Mortgage Disclosure Act, Boston "
            "1990; from the R package AER), with the applicant's race.",
        ):
            path = self._file("hmda.csv", hmda_csv().decode())
            self._terminal.kubectl(
                "create", "configmap", "hmda", f"--from-file=hmda.csv={path}", *HERE
            )
            # Its owner offers it to the authors of runs, who need not be able to read it.
            self._terminal.kubectl("label", "configmap", "hmda", "hallmark.dev/dataset=true", *HERE)

    def _refused_run(self) -> None:
        with self._screen.step(
            "A model that uses race is refused",
            "The run's own fairness gate: approval rates of the groups may differ by so much.",
        ):
            self._apply(self._run(REFUSED, with_protected=True))
            self._terminal.kubectl(
                "wait", f"trun/{REFUSED}", "--for=condition=Stalled", "--timeout=120s", *HERE
            )
            self._terminal.kubectl("get", "trun", REFUSED, *HERE)
            self._terminal.kubectl(
                "get",
                "events",
                "--field-selector",
                f"involvedObject.name={REFUSED}",
                "--output=custom-columns=REASON:.reason,MESSAGE:.message",
                *HERE,
            )
            run = self._world.wait_for(
                "TrainingRun", NAMESPACE, REFUSED, "Ready=False/GateFailed", seconds=5
            )
            self._screen.say(f"Refused: {conditions.message(run, 'GatesPassed')}")

    def _first_run(self) -> None:
        with self._screen.step(
            "The same data without race",
            "Checked, trained, gated; then sealed by another Job, which alone has the key.",
        ):
            self._train(FIRST)
            self._terminal.kubectl("get", "trun,mver", *HERE)

    def _train(self, name: str, **parameters: str) -> Object:
        self._apply(self._run(name, with_protected=False, **parameters))
        started = time.monotonic()
        self._terminal.kubectl(
            "wait", f"trun/{name}", "--for=condition=Ready", "--timeout=120s", *HERE
        )
        version = self._world.wait_for("ModelVersion", NAMESPACE, name, "Verified=True", seconds=20)
        self._screen.measure(f"from apply to ModelVersion {name}", time.monotonic() - started)
        return version

    def _deploy_unapproved(self) -> None:
        with self._screen.step(
            "A Deployment waits for approval",
            "Nothing runs before somebody has looked at the evidence: no Pod is made.",
        ):
            spec = {
                "model": NAME,
                "replicas": 1,
                "strategy": {"bake": "2s", "keepWarm": "10m", "progressDeadline": "2m"},
                "drift": {"threshold": "0.2", "window": WINDOW, "consecutive": 2},
                "rollback": "Automatic",
            }
            self._apply(objects.resource("ModelDeployment", NAMESPACE, NAME, spec))
            self._world.wait_for(
                "ModelDeployment", NAMESPACE, NAME, "Ready=False/AwaitingApproval", seconds=20
            )
            self._terminal.kubectl("get", "mdep", NAME, *HERE)
            pods = self._terminal.kubectl(
                "get", "pods", f"--selector=hallmark.dev/deployment={NAME}", *HERE
            )
            assert "No resources found" in pods, "There is a Pod before the approval."

    def _self_approval(self) -> None:
        with self._screen.step(
            f"{AUTHOR} cannot approve her own model",
            "The API server asks whether she holds the verb `approve` on this version.",
        ):
            self._approval_by(AUTHOR, fails=True)

    def _approve(self) -> None:
        with self._screen.step(
            f"{REVIEWER} approves exactly these bytes",
            "The approval names the digests of manifest, SBOM and gate report. Operator and "
            "predictor verify signature and bytes, then the model serves.",
        ):
            self._approval_by(REVIEWER)
            started = time.monotonic()
            self._terminal.kubectl(
                "wait", f"mdep/{NAME}", "--for=condition=Ready", "--timeout=90s", *HERE
            )
            self._screen.measure(f"from approval to serving {FIRST}", time.monotonic() - started)
            self._terminal.kubectl("get", "mdep", NAME, *HERE)
            self._terminal.kubectl(
                "get", "pods", f"--selector=hallmark.dev/deployment={NAME}", *HERE
            )

    def _approval_by(self, user: str, *, version: str = FIRST, fails: bool = False) -> None:
        self._terminal.hallmark(
            "approve", version, *HERE, "--reason", "Report read.", "--as", user, fails=fails
        )

    def _predict(self) -> None:
        with self._screen.step(
            "Predict",
            "Any client sends rows as JSON; the answer names the version and its digest.",
        ):
            path = self._file("request.json", json.dumps({"instances": self._rows[:2]}))
            proxy = f"/api/v1/namespaces/{NAMESPACE}/services/{NAME}:80/proxy/predict"
            answer = self._terminal.kubectl("create", "--raw", proxy, "--filename", path)
            assert FIRST in answer, f"The answer does not name {FIRST}."

    def _second_version(self) -> None:
        with (
            self._screen.step(
                "A newer version takes over",
                "More regularisation; sealed, approved. Traffic moves when it is Ready, and "
                "no request is lost.",
            ),
            self._traffic(request_maker(self._rows)) as traffic,
        ):
            self._train(SECOND, C=SECOND_STRENGTH)
            self._approval_by(REVIEWER, version=SECOND)
            started = time.monotonic()
            self._wait_field("status.activeModelVersion", SECOND)
            self._world.until(lambda: traffic.tally.first(SECOND), f"an answer of {SECOND}", 20)
            self._screen.measure(f"from approval to serving {SECOND}", time.monotonic() - started)
            self._wait_field("status.stableModelVersion", SECOND)
            self._terminal.kubectl("get", "mdep", NAME, *HERE)
            self._check(traffic, [FIRST, SECOND])

    def _normal_traffic(self) -> None:
        with (
            self._screen.step(
                "Normal traffic",
                "Applicants like those it was trained on. The predictor counts them in the signed "
                "baseline's bins; the operator computes the population stability index.",
            ),
            self._traffic(request_maker(self._rows)) as traffic,
        ):
            needed = 4 * WINDOW // ROWS_A_REQUEST
            self._world.until(lambda: len(traffic.tally.answers) > needed, "four windows")
            self._world.until(lambda: self._verdict() == "NoDrift", "the verdict NoDrift", 30)
            self._terminal.kubectl("get", "mdep", NAME, *HERE)
            self._check(traffic, [SECOND])

    def _drift(self) -> None:
        with (
            self._screen.step(
                "Shifted traffic rolls back by itself",
                "Applicants whose debt and loan ratios are half as high again. The operator rolls "
                "back to the version that verifies today; your spec is not touched.",
            ),
            self._traffic(request_maker(self._rows, 1.5)) as traffic,
        ):
            world, tally = self._world, traffic.tally
            world.until(lambda: tally.answers, "the first shifted request")
            first = tally.answers[0].at
            answer = world.until(
                lambda: tally.first(FIRST),
                f"an answer of {FIRST}",
                60,
                lambda: world.describe("ModelDeployment", NAMESPACE, NAME),
            )
            assert answer
            self._seconds_to_rollback = answer.at - first
            self._screen.measure(
                f"from the first shifted request to the first answer of {FIRST}",
                self._seconds_to_rollback,
            )
            self._terminal.kubectl(
                "wait", f"mdep/{NAME}", "--for=condition=RolledBack", "--timeout=30s", *HERE
            )
            self._screen.measure(
                "from the first shifted request to RolledBack", time.monotonic() - first
            )
            self._terminal.kubectl("get", "mdep", NAME, *HERE)
            before = self._last_rollback()
            seen = len(tally.answers)
            self._screen.say("The shifted traffic goes on for five windows:")
            world.until(
                lambda: (len(tally.answers) - seen) * ROWS_A_REQUEST > 5 * WINDOW, "five windows"
            )
            assert self._last_rollback() == before, "It rolled back more than once."
            self._check(traffic, [SECOND, FIRST])

    def _audit(self) -> None:
        with self._screen.step(
            "The record",
            "Every decision is one line of a hash chain, written before it took effect.",
        ):
            run = ("exec", "deployment/hallmark-operator", "--namespace", "hallmark-system", "--")
            self._terminal.kubectl(*run, "python3", "-m", "hallmark.audit", "verify", AUDIT_LOG)

    def _summary(self) -> None:
        with self._screen.step("Summary", "What was measured, one JSON object a line."):
            self._screen.measure("the whole demo", time.monotonic() - self._started)
            self._screen.summary()
            self._screen.say("The cluster stays up, and so does the dashboard.")
            self._how_to_sign_in()
            self._screen.say("Look around:")
            for text in (
                f"kubectl get hallmark --namespace {NAMESPACE}",
                f"kubectl describe mdep {NAME} --namespace {NAMESPACE}",
                f"kubectl port-forward service/{NAME} 8080:80 --namespace {NAMESPACE} &",
                f"curl --header 'content-type: application/json' "
                f"--data @{self._files / 'request.json'} http://localhost:8080/predict",
            ):
                self._screen.output(text)
            self._screen.say("Remove everything:")
            self._screen.output(f"make cluster-down CLUSTER_NAME={self._cluster.name}")

    # What the chapters share

    def _file(self, name: str, text: str) -> str:
        self._files.mkdir(parents=True, exist_ok=True)
        path: Path = self._files / name
        path.write_text(text)
        return str(path)

    def _run(self, name: str, *, with_protected: bool, **parameters: str) -> Object:
        spec = hmda_spec(with_protected, requested_by=AUTHOR) | {"model": NAME}
        listed = [{"name": each, "value": value} for each, value in parameters.items()]
        spec["trainer"] = {**spec["trainer"], "parameters": listed}
        return objects.resource("TrainingRun", NAMESPACE, name, spec)

    def _apply(self, manifest: Object) -> None:
        name = f"{manifest['metadata']['name']}-{manifest['kind'].lower()}.yaml"
        path = self._file(name, yaml.safe_dump(manifest, sort_keys=False))
        self._terminal.kubectl("apply", "--filename", path, "--as", AUTHOR)

    def _traffic(self, rows: Callable[[int], Rows]) -> Traffic:
        return self._world.traffic(NAMESPACE, NAME, rows, rate=40)

    def _check(self, traffic: Traffic, versions: list[str]) -> None:
        self._screen.say(f"Traffic: {traffic.tally.summary()}.")
        assert not traffic.tally.failures, "A request was lost."
        assert traffic.tally.changes() == versions, (
            f"Expected answers by {versions}, in this order."
        )

    def _wait_field(self, path: str, value: str) -> None:
        self._world.wait_field("ModelDeployment", NAMESPACE, NAME, path, value)

    def _deployment(self) -> Object:
        return self._world.api.get("ModelDeployment", NAMESPACE, NAME)

    def _verdict(self) -> object:
        return field(self._deployment(), "status.driftState.verdict")

    def _last_rollback(self) -> object:
        return field(self._deployment(), "status.lastRollback")

    _world: World
    _dashboard: str
