"""An installed Hallmark: its users, waiting with a readable failure, and what to look at."""

import json
import socket
import subprocess
import textwrap
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from tests.cluster import Cluster
from tests.e2e.harness import conditions
from tests.e2e.harness.api import Api, Object, RefusedError, path_of
from tests.e2e.harness.conditions import Expected
from tests.e2e.harness.objects import AUTHOR, REVIEWER, VIEWER
from tests.e2e.harness.processes import kill_container
from tests.e2e.harness.traffic import Answer, Rows, Traffic, ask

SYSTEM = "hallmark-system"
OPERATOR = "hallmark-operator"
DASHBOARD = "hallmark-dashboard"
OPERATOR_PODS = "app.kubernetes.io/name=hallmark,app.kubernetes.io/component=operator"
OPERATOR_USER = f"system:serviceaccount:{SYSTEM}:{OPERATOR}"
AUDIT_LOG = "/var/lib/hallmark/logs/secure_mlops.log"
DEPLOYMENT_LABEL = "hallmark.dev/deployment"
MANIFEST_LABEL = "hallmark.dev/manifest"
ROLES = {
    AUTHOR: "hallmark-author",
    REVIEWER: "hallmark-reviewer",
    VIEWER: "hallmark-viewer",
}
POLL_SECONDS = 0.1
T = TypeVar("T")


class World:
    """Hallmark on a cluster.

    Args:
        cluster: the cluster, with Hallmark installed.
        api: its API server.
    """

    def __init__(self, cluster: Cluster, api: Api) -> None:
        self.cluster, self.api = cluster, api

    # Users and namespaces

    def grant(self, namespace: str, user: str, cluster_role: str) -> None:
        """Give a user a ClusterRole in a namespace."""
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        self._bind(namespace, f"{cluster_role}-{user}", cluster_role, subject)

    def account(self, namespace: str, name: str, cluster_role: str) -> None:
        """Make a ServiceAccount that has a ClusterRole: whoever signs in needs a token."""
        metadata = {"name": name, "namespace": namespace}
        self.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        subject = {"kind": "ServiceAccount", **metadata}
        self._bind(namespace, f"{cluster_role}-{name}-account", cluster_role, subject)

    def _bind(self, namespace: str, name: str, cluster_role: str, subject: Object) -> None:
        self.api.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": name, "namespace": namespace},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": cluster_role,
                },
                "subjects": [subject],
            }
        )

    def may(self, user: str, verb: str, resource: str, namespace: str, group: str = "") -> bool:
        """Ask the API server whether a user may do something."""
        attributes = {"verb": verb, "resource": resource, "namespace": namespace, "group": group}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return bool(self.api.request("POST", path, review)["status"]["allowed"])

    def namespace(self, name: str) -> str:
        """Make a namespace in which alice is an author, rita a reviewer and vic a viewer."""
        self.api.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": name,
                    "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
                },
            }
        )
        for user, role in ROLES.items():
            self.grant(name, user, role)
        return name

    def remove_namespace(self, name: str, seconds: float = 90) -> None:
        """Delete a namespace and wait until it is gone."""
        self.api.delete("Namespace", None, name)
        self.until(
            lambda: self.api.find("Namespace", None, name) is None,
            f"namespace {name} to be gone",
            seconds,
        )

    # Waiting

    def until(
        self,
        holds: Callable[[], T],
        what: str,
        seconds: float = 60,
        describe: Callable[[], str] = str,
    ) -> T:
        """Wait until `holds` returns something true, and return that.

        Raises:
            AssertionError: with `describe()` and the operator's last lines.
        """
        deadline = time.monotonic() + seconds
        while True:
            result = holds()
            if result:
                return result
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"waited {seconds:.0f} s for {what}\n{describe()}\n{self.operator_tail()}"
                )
            time.sleep(POLL_SECONDS)

    def wait_for(
        self, kind: str, namespace: str | None, name: str, *expected: str, seconds: float = 60
    ) -> Object:
        """Wait until an object has all conditions, each as `Type=Status` or `Type=Status/Reason`.

        Returns:
            The object.

        Raises:
            AssertionError: with its conditions, its Events and the operator's last lines.
        """
        wanted = [Expected.parse(text) for text in expected]
        hopeless = Expected.parse("Stalled=True") if "Ready=True" in " ".join(expected) else None

        def holds() -> Object | None:
            obj = self.api.find(kind, namespace, name)
            if obj and all(condition.holds(obj) for condition in wanted):
                return obj
            # What has given up will not come right by waiting.
            assert not (obj and hopeless and hopeless.holds(obj)), (
                f"expected {', '.join(expected)}\n{self.describe(kind, namespace, name)}"
            )
            return None

        obj = self.until(
            holds,
            f"{kind} {namespace}/{name} to have {', '.join(expected)}",
            seconds,
            lambda: self.describe(kind, namespace, name),
        )
        assert obj
        return obj

    def wait_field(
        self, kind: str, namespace: str, name: str, path: str, value: object, seconds: float = 60
    ) -> Object:
        """Wait until a field, such as `status.activeModelVersion`, has a value."""

        def holds() -> Object | None:
            obj = self.api.find(kind, namespace, name)
            return obj if obj and field(obj, path) == value else None

        obj = self.until(
            holds,
            f"{path} of {kind} {namespace}/{name} to be {value!r}",
            seconds,
            lambda: self.describe(kind, namespace, name),
        )
        assert obj
        return obj

    def stays(self, holds: Callable[[], object], what: str, seconds: float) -> None:
        """Check again and again that something holds, for so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert holds(), f"{what} no longer holds\n{self.operator_tail()}"
            time.sleep(POLL_SECONDS)

    def describe(self, kind: str, namespace: str | None, name: str) -> str:
        """Return an object's conditions, rollout and Events as text."""
        obj = self.api.find(kind, namespace, name)
        if not obj:
            return f"There is no {kind} {namespace}/{name}."
        status = obj.get("status", {})
        rest = {
            key: value
            for key, value in status.items()
            if key not in {"conditions", "drift", "metrics", "driftState", "approvals"}
        }
        events = "\n".join(self.events(namespace, name)) if namespace else ""
        return (
            f"{kind} {namespace}/{name}, generation {obj['metadata'].get('generation')}:\n"
            f"{conditions.table(obj)}\n  {json.dumps(rest)[:2000]}\nEvents:\n"
            f"{textwrap.indent(events, '  ')}"
        )

    def events(self, namespace: str | None, name: str) -> list[str]:
        """Return the Events about the objects of a name, oldest first, one line each."""
        events = [
            event
            for event in self.api.list("Event", namespace)
            if event["involvedObject"].get("name") == name
        ]
        events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")))
        return [
            f"{event['type']} {event['reason']}: {event.get('message', '')}" for event in events
        ]

    # The operator

    def operator_pods(self) -> list[Object]:
        """Return the operator's Pods that are not terminating."""
        pods = self.api.list("Pod", SYSTEM, OPERATOR_PODS)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def operator_tail(self, lines: int = 30) -> str:
        """Return the last lines of the operator's log."""
        try:
            logs = [
                self.api.log(SYSTEM, pod["metadata"]["name"], lines=lines)
                for pod in self.operator_pods()
            ]
        except RefusedError as error:
            return f"(no operator log: {error})"
        return "Operator log:\n" + textwrap.indent("\n".join(logs) or "(no operator)", "  ")

    def operator_is_ready(self) -> bool:
        """Whether exactly one operator runs and is Ready."""
        pods = self.operator_pods()
        return len(pods) == 1 and is_ready(pods[0])

    def wait_for_operator(self, seconds: float = 60) -> None:
        """Wait until the operator is Ready."""
        self.until(self.operator_is_ready, "the operator to be Ready", seconds)

    def scale_operator(self, replicas: int) -> None:
        """Take the operator away (0), or bring it back (1), and wait for it."""
        change = {"spec": {"replicas": replicas}}
        self.api.patch("Deployment", SYSTEM, OPERATOR, change)
        if replicas:
            self.wait_for_operator()
        else:
            self.until(
                lambda: not self.api.list("Pod", SYSTEM, OPERATOR_PODS),
                "the operator to be gone",
            )

    def in_operator(self, program: str, *arguments: str) -> str:
        """Run a Python program in the operator's container and return what it printed.

        Raises:
            AssertionError: with what it wrote to standard error, if it failed.
        """
        done = self.run_in_operator("-c", program, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_in_operator(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the operator's container."""
        command = ["exec", f"--namespace={SYSTEM}", f"deployment/{OPERATOR}", "--", "python3"]
        return self.cluster.kubectl(*command, *arguments, check=False)

    def audit(self) -> list[Object]:
        """Return the records of the audit log."""
        program = "import sys; sys.stdout.write(open(sys.argv[1]).read())"
        text = self.in_operator(program, AUDIT_LOG)
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def verify_audit(self) -> subprocess.CompletedProcess[str]:
        """Run the audit log's verifier."""
        return self.run_in_operator("-m", "hallmark.audit", "verify", AUDIT_LOG)

    def kill_operator(self) -> None:
        """End the operator with SIGKILL; its ReplicaSet starts another at once.

        The Pod goes too, else the kubelet waits longer after each crash.
        """
        pod = self.operator_pods()[0]
        kill_container(self.cluster, pod)
        self.api.delete("Pod", SYSTEM, pod["metadata"]["name"], grace_seconds=0)

    # Predictors

    def connect(
        self, namespace: str, deployment: str, *, keeps: bool = True
    ) -> tuple[httpx.Client, str]:
        """Return a new client and the URL at which it reaches a ModelDeployment's Service.

        Its connections are kept open, or each request has one of its own. Where this machine has
        no route to the cluster's Services, the API server relays.
        """
        service = self.api.get("Service", namespace, deployment)
        address = service["spec"]["clusterIP"]
        try:
            socket.create_connection((address, 80), timeout=1).close()
        except OSError:
            path = path_of("Service", namespace, f"{deployment}:80")
            return self.api.connect(), f"{path}/proxy"
        limits = httpx.Limits(max_keepalive_connections=None if keeps else 0)
        return httpx.Client(timeout=5.0, limits=limits), f"http://{address}"

    def traffic(
        self,
        namespace: str,
        deployment: str,
        rows: Callable[[int], Rows],
        rate: float = 20.0,
        *,
        keeps: bool = True,
    ) -> Traffic:
        """Return a stream of requests to a ModelDeployment; it runs inside `with`."""
        client, url = self.connect(namespace, deployment, keeps=keeps)
        return Traffic(client, url, rows, rate=rate)

    def predict(self, namespace: str, deployment: str, rows: Rows) -> Answer:
        """Send one request."""
        client, url = self.connect(namespace, deployment)
        with client:
            return ask(client, url, rows)

    def pods_of(self, namespace: str, deployment: str) -> list[Object]:
        """Return the predictor Pods of a ModelDeployment that are not terminating."""
        pods = self.api.list("Pod", namespace, f"{DEPLOYMENT_LABEL}={deployment}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def field(obj: Object, path: str) -> object:
    """Return the value at a dotted path, or None."""
    value: object = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def is_ready(pod: Object) -> bool:
    """Whether a Pod is Ready."""
    ready = conditions.condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"
