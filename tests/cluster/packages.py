"""The parts of a node that come as Debian packages."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.progress import Progress

FILES = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "ipset": "ipset",
    "nsenter": "util-linux",
    "/usr/bin/catatonit": "catatonit",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}


def _is_there(file: str) -> bool:
    return Path(file).exists() if file.startswith("/") else shutil.which(file) is not None


def missing() -> list[str]:
    """Return the packages whose programs are not on this machine."""
    return sorted(package for file, package in FILES.items() if not _is_there(file))


def install(progress: Progress) -> None:
    """Install what is missing.

    Raises:
        ClusterError: if there is no apt-get, or it fails.
    """
    packages = missing()
    if not packages:
        return
    if not shutil.which("apt-get"):
        raise ClusterError(f"install these first, there is no apt-get here: {', '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with progress.step(f"installing the Debian packages {', '.join(packages)}"):
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", "-qq", *command],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise ClusterError(f"apt-get {command[0]} failed: {done.stderr.strip()}")
