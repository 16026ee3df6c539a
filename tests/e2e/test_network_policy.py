"""NetworkPolicies are enforced: a denied connection fails, and works again without the policy."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import Cluster, build_images

PORT = 8080
ENFORCED_WITHIN_SECONDS = 30.0
PROBE = "import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=2)"
USER = 65532


def pod(name: str, image: str, arguments: list[str]) -> dict[str, Any]:
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "args": arguments,
        "securityContext": security,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }


def service(name: str) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def denial(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny"},
        "spec": {"podSelector": {"matchLabels": {"app": name}}, "policyTypes": ["Ingress"]},
    }


class Namespace:
    """A namespace of its own with a server behind a Service, and a client."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self.name = name

    def kubectl(self, *arguments: str, check: bool = True) -> bool:
        """Run kubectl in the namespace; return whether it worked."""
        done = self._cluster.kubectl("--namespace", self.name, *arguments, check=check)
        return done.returncode == 0

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects in the namespace."""
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self._cluster.kubectl("--namespace", self.name, "apply", "-f", "-", input=items)

    def client_reaches_server(self) -> bool:
        """Return whether a new connection from the client to the Service is answered."""
        probe = ["exec", "client", "--", "python3", "-c", PROBE, f"http://server.{self.name}"]
        return self.kubectl(*probe, check=False)

    def becomes(self, reachable: bool) -> bool:
        """Return whether the server becomes reachable, or unreachable, in time."""
        end = time.monotonic() + ENFORCED_WITHIN_SECONDS
        while time.monotonic() < end:
            if self.client_reaches_server() is reachable:
                return True
            time.sleep(0.2)
        return False


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster("test").up()


@pytest.fixture(scope="module")
def image(cluster: Cluster) -> str:
    reference = build_images()["predictor"]
    cluster.load_image(reference)
    return reference


@pytest.fixture
def namespace(cluster: Cluster, image: str) -> Iterator[Namespace]:
    name = f"network-policy-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    made = Namespace(cluster, name)
    serve = ["-m", "http.server", "--directory", "/tmp", str(PORT)]  # noqa: S108 - in the Pod
    sleep = ["-c", "import time; time.sleep(3600)"]
    made.apply(service("server"), pod("server", image, serve), pod("client", image, sleep))
    made.kubectl("wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s")
    yield made
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_a_denied_connection_fails_until_the_policy_is_removed(namespace: Namespace) -> None:
    assert namespace.becomes(reachable=True), "the Service does not answer without a policy"

    namespace.apply(denial("server"))
    assert namespace.becomes(reachable=False), "the policy denies nothing"
    assert not namespace.client_reaches_server()

    namespace.kubectl("delete", "networkpolicy", "deny")
    assert namespace.becomes(reachable=True), "the connection does not come back"
