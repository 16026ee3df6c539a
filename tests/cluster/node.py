"""A whole single-node Kubernetes, or its control plane alone, from processes of this machine."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster import (
    binaries,
    cgroups,
    client,
    components,
    configs,
    dns,
    images,
    mounts,
    network,
    packages,
    pki,
)
from tests.cluster.components import Component
from tests.cluster.containerd import Containerd
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout, clusters_folder
from tests.cluster.processes import Processes, wait_until
from tests.cluster.progress import Progress

API_SECONDS = 60.0
NODE_SECONDS = 90.0
# The API server waits long for open watches, and what it holds is thrown away next.
LAST_PATIENCE_SECONDS = 1.0
MODE_FILE = "mode"
CONTROL_PLANE_MODE = "control-plane"
NODE_MODE = "node"


def _recorded_mode(name: str) -> str | None:
    try:
        return (clusters_folder() / name / MODE_FILE).read_text()
    except OSError:
        return None


class Node:
    """A cluster from processes.

    Args:
        name: the cluster's name.
        progress: what tells the steps.
    """

    def __init__(self, name: str, progress: Progress) -> None:
        self._progress = progress
        alone = _recorded_mode(name) == CONTROL_PLANE_MODE
        self.layout = Layout.of(name, control_plane_only=alone)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.layout.kubeconfig

    @property
    def node_address(self) -> str:
        """The address of the node and of the API server."""
        return self.layout.node_address

    @property
    def host_address(self) -> str:
        """The address at which Pods reach this machine."""
        return self.layout.host_address

    @property
    def pod_cidr(self) -> str:
        """The network of the Pods."""
        return self.layout.pod_cidr

    @property
    def service_cidr(self) -> str:
        """The network of the Services."""
        return self.layout.service_cidr

    @property
    def storage_root(self) -> str:
        """The folder for hostPath volumes."""
        return str(self.layout.storage)

    @property
    def kubectl_program(self) -> str:
        """The path of kubectl."""
        return str(binaries.program("kubectl"))

    @property
    def running(self) -> bool:
        """Whether all components run and answer."""
        wanted = self._names()
        processes = self._processes()
        if not all(processes.pid(name) for name in wanted):
            return False
        if not client.api_is_ready(self.layout):
            return False
        return self.layout.control_plane_only or (
            client.node_is_ready(self.layout) and client.dns_is_ready(self.layout)
        )

    def _names(self) -> tuple[str, ...]:
        alone = self.layout.control_plane_only
        return components.CONTROL_PLANE if alone else components.STOP_ORDER

    @property
    def _containerd(self) -> Containerd:
        return Containerd(self.layout.containerd_socket)

    def _processes(self, cgroup: Path | None = None) -> Processes:
        alone = self.layout.control_plane_only
        prefix = () if alone else network.inside(self.layout)
        return Processes(self.layout.state, prefix, cgroup)

    def prepare(self, *, control_plane_only: bool) -> None:
        """Install and build what a start needs.

        Raises:
            ClusterError: if a part is missing or cannot be built.
        """
        if not control_plane_only:
            if os.geteuid():
                raise ClusterError("a local cluster needs root, or a Docker engine and kind")
            packages.install(self._progress)
        node = () if control_plane_only else (binaries.NODE,)
        binaries.build((binaries.CONTROL_PLANE, *node), self._progress)

    def up(self, *, control_plane_only: bool) -> None:
        """Start what does not run yet; a running cluster is left as it is.

        Raises:
            ClusterError: if a part is missing, or does not become ready in time.
        """
        with binaries.exclusive(clusters_folder() / f".{self.layout.name}.lock"):
            self._choose_mode(control_plane_only=control_plane_only)
            if self.running:
                return
            self.prepare(control_plane_only=control_plane_only)
            pki.create(self.layout)
            configs.write(self.layout)
            started = time.monotonic()
            self._start()
            self._progress.say(
                f"cluster {self.layout.name} is up, {time.monotonic() - started:.1f} s "
                f"after its start; kubeconfig: {self.kubeconfig}"
            )

    def _choose_mode(self, *, control_plane_only: bool) -> None:
        """Write which kind of cluster this is; one of the other kind goes first."""
        name, mode = self.layout.name, CONTROL_PLANE_MODE if control_plane_only else NODE_MODE
        recorded = _recorded_mode(name)
        if recorded not in (None, mode):
            self._remove()
        self.layout = Layout.of(name, control_plane_only=control_plane_only)
        self._check_slot()
        self.layout.state.mkdir(parents=True, exist_ok=True)
        (self.layout.state / MODE_FILE).write_text(mode)

    def _check_slot(self) -> None:
        names = [entry.name for entry in self.layout.state.parent.glob("[a-z]*") if entry.is_dir()]
        for other in names:
            if other != self.layout.name and Layout.of(other).slot == self.layout.slot:
                raise ClusterError(
                    f"{self.layout.name} and {other} share a slot; take another name"
                )

    def _start(self) -> None:
        cgroup = None
        if not self.layout.control_plane_only:
            cgroup = cgroups.create(self.layout.namespace)
            network.create(self.layout)
            self.layout.storage.mkdir(mode=0o755, exist_ok=True)
        processes = self._processes(cgroup)
        with self._progress.step("starting etcd and the API server"):
            self._run(processes, components.etcd(self.layout))
            self._run(processes, components.api_server(self.layout))
            if not self.layout.control_plane_only:
                self._start_containerd(processes)
            self._wait(processes, "kube-apiserver", client.api_is_ready, API_SECONDS)
        if not self.layout.control_plane_only:
            self._start_node(processes)

    def _start_containerd(self, processes: Processes) -> None:
        # A Unix socket outlives its process, and the kubelet ends at once when nobody answers.
        if not processes.pid("containerd"):
            self.layout.containerd_socket.unlink(missing_ok=True)
        self._run(processes, components.containerd(self.layout))
        if not wait_until(self._containerd.answers, API_SECONDS):
            raise ClusterError(f"containerd does not answer; {processes.tail('containerd')}")
        for image in (images.pause(), dns.image()):
            self._containerd.load_static(image)

    def _start_node(self, processes: Processes) -> None:
        layout = self.layout
        with self._progress.step("starting the node"):
            for component in (
                components.controller_manager(layout),
                components.scheduler(layout),
                components.kubelet(layout),
                components.kube_proxy(layout),
            ):
                self._run(processes, component)
            self._wait(processes, "kubelet", client.node_is_ready, NODE_SECONDS)
            self._progress.say("node Ready")
            # It looks for its node once, and ends when there is none.
            self._run(processes, components.kube_router(layout))
        with self._progress.step("starting CoreDNS"):
            self._apply(dns.manifest(layout))
            self._wait(processes, "kubelet", client.dns_is_ready, NODE_SECONDS)

    def _run(self, processes: Processes, component: Component) -> None:
        found = shutil.which(component.program) if component.program == "containerd" else None
        program = found or str(binaries.program(component.program))
        command = ["env", *component.environment, program, *component.arguments]
        processes.start(component.name, command)

    def _wait(
        self,
        processes: Processes,
        component: str,
        ready: Callable[[Layout], bool],
        seconds: float,
    ) -> None:
        def ended_or_ready() -> bool:
            return ready(self.layout) or not all(map(processes.pid, started))

        started = [name for name in self._names() if processes.pid(name)]
        done = wait_until(ended_or_ready, seconds)
        for name in started:
            if not processes.pid(name):
                raise ClusterError(f"{name} ended; {processes.tail(name)}")
        if not done:
            raise ClusterError(f"not ready after {seconds:.0f} s; {processes.tail(component)}")

    def _apply(self, manifest: str) -> None:
        command = [self.kubectl_program, f"--kubeconfig={self.kubeconfig}", "apply"]
        options = ["--server-side", "--force-conflicts", "-f", "-"]
        done = subprocess.run(
            [*command, *options], input=manifest, text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise ClusterError(f"kubectl apply failed: {done.stderr.strip()}")

    def make_volume_dir(self, name: str, uid: int) -> str:
        """Make a folder below `storage_root` that a user owns."""
        folder = self.layout.storage / name
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        os.chown(folder, uid, uid)
        return str(folder)

    def load_image(self, reference: str) -> None:
        """Give the node an image that was built here; one that it has is not sent again.

        Raises:
            ClusterError: if there is no such image.
        """
        static = images.STATIC.get(reference.rpartition(":")[0])
        if static and static().reference == reference:
            self._containerd.load_static(static())
            return
        if not self._containerd.has(reference):
            with self._progress.step(f"loading {reference}"):
                self._containerd.load(reference)

    def restart_component(self, name: str) -> None:
        """End one component and start it again.

        Raises:
            ClusterError: if there is no such component.
        """
        known = {each(self.layout).name: each(self.layout) for each in components.ALL}
        if name not in known:
            raise ClusterError(f"no component {name}; there are {', '.join(sorted(known))}")
        cgroup = None
        if not self.layout.control_plane_only:
            cgroup = cgroups.create(self.layout.namespace)
        processes = self._processes(cgroup)
        processes.stop(name)
        self._run(processes, known[name])
        if not wait_until(lambda: self.running, NODE_SECONDS):
            raise ClusterError(f"not ready after the restart of {name}; {processes.tail(name)}")

    def down(self) -> None:
        """Stop and remove everything but the cache; nothing happens if nothing is there."""
        with binaries.exclusive(clusters_folder() / f".{self.layout.name}.lock"):
            self._remove()

    def _remove(self) -> None:
        processes = self._processes()
        for name in self._names():
            processes.stop(name, LAST_PATIENCE_SECONDS)
        if not os.geteuid():
            if not cgroups.empty(self.layout.namespace):
                raise ClusterError(f"some processes in cgroup {self.layout.namespace} do not end")
            mounts.unmount_below(self.layout.state)
            cgroups.remove(self.layout.namespace)
            network.remove(self.layout)
        # Renamed first: what is removed half is never taken for a cluster.
        removed = self.layout.state.with_name(f".{self.layout.name}.removed")
        shutil.rmtree(removed, ignore_errors=True)
        if self.layout.state.exists():
            self.layout.state.rename(removed)
            shutil.rmtree(removed)
