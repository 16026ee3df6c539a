"""etcd and an API server that writes down every request of the operator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from hallmark.api.names import OPERATOR_SERVICE_ACCOUNT, OPERATOR_USER, SYSTEM_NAMESPACE
from tests.cluster.components import Component
from tests.cluster.node import Node
from tests.cluster.processes import Processes
from tests.cluster.progress import Progress

ROOT = Path(__file__).parents[3]
TOKEN_LIFE = "6h"
"""Longer than any benchmark."""
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [OPERATOR_USER]}, {"level": "None"}],
}


class ControlPlane(Node):
    """A control plane alone, with the operator's requests in a file."""

    @property
    def trail(self) -> Path:
        """The file with a line for each request of the operator."""
        return self.layout.logs / "operator-requests.jsonl"

    def process(self, name: str) -> int:
        """Return the pid of a component."""
        pid = self._processes().pid(name)
        assert pid is not None, f"{name} does not run"
        return pid

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as the administrator and return what it printed."""
        command = [self.kubectl_program, f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def install(self, folder: Path) -> Path:
        """Install the kinds and the operator's role; return the operator's kubeconfig."""
        namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {SYSTEM_NAMESPACE}}}\n"
        self.kubectl("apply", "--server-side", "-k", str(ROOT / "crds"))
        self.kubectl("apply", "--server-side", "-f", "-", text=namespace)
        self.kubectl("apply", "--server-side", "-k", str(ROOT / "manifests/base/rbac"))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        token = self.kubectl(
            *("create", "token", OPERATOR_SERVICE_ACCOUNT),
            *("--namespace", SYSTEM_NAMESPACE, "--duration", TOKEN_LIFE),
        )
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token.strip()}
        path = folder / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path

    def _run(self, processes: Processes, component: Component) -> None:
        if component.name == "kube-apiserver":
            policy = self.layout.config / "audit-policy.json"
            policy.write_text(json.dumps(_AUDIT_POLICY))
            flags = (
                f"--audit-policy-file={policy}",
                f"--audit-log-path={self.trail}",
                "--audit-log-maxsize=100000",
            )
            component = replace(component, arguments=(*component.arguments, *flags))
        super()._run(processes, component)


@contextmanager
def control_plane(name: str) -> Iterator[ControlPlane]:
    """Yield a fresh control plane, which is gone after; so is what an earlier one left."""
    made = ControlPlane(name, Progress())
    made.down()
    try:
        made.up(control_plane_only=True)
        yield made
    finally:
        made.down()
