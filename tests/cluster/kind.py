"""A cluster made by kind, where a Docker engine answers."""

import functools
import shutil
import subprocess
from pathlib import Path

import yaml

from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.progress import Progress

CONFIG = Path(__file__).parents[2] / "kind-config.yaml"
STORAGE = "/var/local/hallmark"


@functools.cache
def docker_answers() -> bool:
    """Return whether there is a Docker engine."""
    if not shutil.which("docker"):
        return False
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"{' '.join(command[:3])} failed: {done.stderr.strip()}")
    return done.stdout.strip()


class Kind:
    """A kind cluster named `hallmark-<name>`.

    Args:
        name: the cluster's name.
        progress: what tells the steps.
    """

    def __init__(self, name: str, progress: Progress) -> None:
        self._layout = Layout.of(name)
        self._progress = progress
        self._container = f"{self._name}-control-plane"

    @property
    def _name(self) -> str:
        return f"hallmark-{self._layout.name}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self._layout.kubeconfig

    @property
    def kubectl_program(self) -> str:
        """The kubectl of the machine."""
        found = shutil.which("kubectl")
        if not found:
            raise ClusterError("kubectl is not on the PATH; install it beside kind")
        return found

    def _inspect(self, template: str) -> str:
        return _run("docker", "inspect", "--format", template, self._container)

    @property
    def node_address(self) -> str:
        """The address of the node's container."""
        return self._inspect("{{.NetworkSettings.Networks.kind.IPAddress}}")

    @property
    def host_address(self) -> str:
        """The address of the machine in kind's Docker network."""
        return self._inspect("{{.NetworkSettings.Networks.kind.Gateway}}")

    def _networking(self, key: str) -> str:
        return str(yaml.safe_load(CONFIG.read_text())["networking"][key])

    @property
    def pod_cidr(self) -> str:
        """The network of the Pods."""
        return self._networking("podSubnet")

    @property
    def service_cidr(self) -> str:
        """The network of the Services."""
        return self._networking("serviceSubnet")

    @property
    def storage_root(self) -> str:
        """A folder inside the node's container."""
        return STORAGE

    @property
    def running(self) -> bool:
        """Whether kind knows the cluster and its node is Ready."""
        if self._name not in _run("kind", "get", "clusters").split():
            return False
        command = [self.kubectl_program, f"--kubeconfig={self.kubeconfig}"]
        wait = ["wait", "node", "--all", "--for=condition=Ready", "--timeout=2s"]
        return subprocess.run([*command, *wait], capture_output=True, check=False).returncode == 0

    def prepare(self, *, control_plane_only: bool) -> None:
        """Do nothing: kind brings what it needs."""
        del control_plane_only

    def up(self, *, control_plane_only: bool) -> None:
        """Create it; kind has no control plane without a node."""
        del control_plane_only
        if self.running:
            return
        if self._name in _run("kind", "get", "clusters").split():
            self.down()
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        with self._progress.step(f"creating the kind cluster {self._name}"):
            names = ["--name", self._name, "--kubeconfig", str(self.kubeconfig)]
            _run("kind", "create", "cluster", *names, "--config", str(CONFIG), "--wait", "120s")
        self._progress.say(f"cluster {self._layout.name} is up; kubeconfig: {self.kubeconfig}")

    def down(self) -> None:
        """Delete it."""
        _run("kind", "delete", "cluster", "--name", self._name)
        shutil.rmtree(self._layout.state, ignore_errors=True)

    def load_image(self, reference: str) -> None:
        """Copy an image of the Docker engine to the node; kind skips one that is there."""
        _run("kind", "load", "docker-image", reference, "--name", self._name)

    def make_volume_dir(self, name: str, uid: int) -> str:
        """Make a folder inside the node's container."""
        path = f"{STORAGE}/{name}"
        _run("docker", "exec", self._container, "mkdir", "-p", path)
        _run("docker", "exec", self._container, "chown", f"{uid}:{uid}", path)
        return path

    def restart_component(self, name: str) -> None:
        """End a component's container; the kubelet starts it again."""
        find = ["docker", "exec", self._container, "crictl", "ps", "--quiet", "--name", name]
        for container in _run(*find).split():
            _run("docker", "exec", self._container, "crictl", "stop", container)
