"""A cluster by its name, whatever it is made of."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

from tests.cluster.current import CurrentContext
from tests.cluster.errors import ClusterError
from tests.cluster.kind import Kind, docker_answers
from tests.cluster.node import Node
from tests.cluster.progress import Progress


class Backend(Protocol):
    """What a cluster can be made of."""

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of its administrator."""

    @property
    def node_address(self) -> str:
        """The node's address."""

    @property
    def host_address(self) -> str:
        """The address at which Pods reach the machine that runs the cluster."""

    @property
    def pod_cidr(self) -> str:
        """The network of the Pods."""

    @property
    def service_cidr(self) -> str:
        """The network of the Services."""

    @property
    def storage_root(self) -> str:
        """The node's folder for hostPath volumes."""

    @property
    def kubectl_program(self) -> str:
        """The kubectl to use."""

    @property
    def running(self) -> bool:
        """Whether it runs and answers."""

    def prepare(self, *, control_plane_only: bool) -> None:
        """Install and build what a start needs."""

    def up(self, *, control_plane_only: bool) -> None:
        """Start it, or leave it as it runs."""

    def down(self) -> None:
        """Remove it."""

    def load_image(self, reference: str) -> None:
        """Give the node an image of this machine."""

    def make_volume_dir(self, name: str, uid: int) -> str:
        """Make a folder below `storage_root` for one user."""

    def restart_component(self, name: str) -> None:
        """End a component and start it again."""


def _backend(name: str, progress: Progress) -> Backend:
    if os.environ.get("CLUSTER") == "current":
        return CurrentContext()
    if shutil.which("kind") and docker_answers():
        return Kind(name, progress)
    return Node(name, progress)


class Cluster:
    """A cluster for demos and tests.

    It is made by kind where a Docker engine answers, else from processes of this machine; with
    `CLUSTER=current` in the environment it is the current context of your kubeconfig.

    Args:
        name: lower-case letters, digits and hyphens. Clusters of different names do not meet.
        progress: what tells the steps; by default they go to standard error.

    Attributes:
        name: its name.
        progress: what tells its steps.
    """

    def __init__(self, name: str = "test", progress: Progress | None = None) -> None:
        self.name = name
        self.progress = progress or Progress()
        self._backend = _backend(name, self.progress)

    def prepare(self) -> "Cluster":
        """Install and build what a start needs; `up` does that too, if it is still to be done.

        Returns:
            This cluster.

        Raises:
            ClusterError: with a sentence that says what is needed.
        """
        self._backend.prepare(control_plane_only=False)
        return self

    def up(self, control_plane_only: bool = False) -> "Cluster":
        """Start it, or leave it as it runs.

        Args:
            control_plane_only: only etcd and the API server, without a node.

        Returns:
            This cluster.

        Raises:
            ClusterError: with a sentence that says what is needed.
        """
        self._backend.up(control_plane_only=control_plane_only)
        return self

    def down(self) -> None:
        """Remove it and its state; the cache of programs stays."""
        self._backend.down()

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of its administrator."""
        return self._backend.kubeconfig

    @property
    def node_address(self) -> str:
        """The node's address."""
        return self._backend.node_address

    @property
    def host_address(self) -> str:
        """The address at which Pods reach the machine that runs the cluster."""
        return self._backend.host_address

    @property
    def pod_cidr(self) -> str:
        """The network of the Pods."""
        return self._backend.pod_cidr

    @property
    def service_cidr(self) -> str:
        """The network of the Services."""
        return self._backend.service_cidr

    @property
    def storage_root(self) -> str:
        """The node's folder for hostPath volumes; see `make_volume_dir`."""
        return self._backend.storage_root

    @property
    def running(self) -> bool:
        """Whether it runs and answers."""
        return self._backend.running

    def kubectl(
        self, *arguments: str, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl against this cluster.

        Args:
            *arguments: what follows `kubectl`.
            input: text for its standard input.
            check: raise if it fails.

        Returns:
            What it wrote.

        Raises:
            ClusterError: with what kubectl said, if it fails and `check` is set.
        """
        done = subprocess.run(
            self.kubectl_command(*arguments),
            input=input,
            text=True,
            capture_output=True,
            check=False,
        )
        if check and done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done

    def kubectl_command(self, *arguments: str) -> list[str]:
        """Return the command that runs kubectl against this cluster."""
        return [self._backend.kubectl_program, f"--kubeconfig={self.kubeconfig}", *arguments]

    def load_image(self, reference: str) -> None:
        """Give the node an image of this machine; one that it has is not sent again.

        Args:
            reference: the image's name and tag.

        Raises:
            ClusterError: if the machine has no such image.
        """
        self._backend.load_image(reference)

    def make_volume_dir(self, name: str, uid: int = 65532) -> str:
        """Make a folder for a hostPath volume; an existing one keeps its content.

        Args:
            name: the folder's name below `storage_root`.
            uid: the user (and group) that owns it.

        Returns:
            The path to write into the PersistentVolume.
        """
        return self._backend.make_volume_dir(name, uid)

    def restart_component(self, name: str) -> None:
        """End one component, such as `kube-apiserver`, and start it again.

        Raises:
            ClusterError: if this kind of cluster cannot do that.
        """
        self._backend.restart_component(name)
