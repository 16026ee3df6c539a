"""Ending a container's process from outside, as a crash would."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.cluster import Cluster
from tests.e2e.harness.api import Object


def container_id(pod: Object, container: str = "") -> str:
    """Return the id of a Pod's container (the first, unless one is named)."""
    statuses = pod["status"].get("containerStatuses", [])
    chosen = next(status for status in statuses if container in {"", status["name"]})
    return str(chosen["containerID"]).removeprefix("containerd://")


def _pids(identity: str) -> list[int]:
    """Return the processes of this machine whose control group names the container."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if identity in entry.read_text():
                pids.append(int(entry.parent.name))
        except OSError:
            continue
    return pids


def kill_container(cluster: Cluster, pod: Object) -> None:
    """Send SIGKILL to every process of a Pod's first container.

    On a local cluster the node's processes are this machine's; a kind node is asked by Docker.

    Raises:
        AssertionError: if there was no such process.
    """
    identity = container_id(pod)
    pids = _pids(identity)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    if not pids:
        assert shutil.which("docker"), f"no process of container {identity} on this machine"
        node = f"hallmark-{cluster.name}-control-plane"
        inspect = "crictl inspect --output go-template --template '{{.info.pid}}'"
        script = f"kill -9 $({inspect} {identity})"
        subprocess.run(["docker", "exec", node, "sh", "-c", script], check=True)
