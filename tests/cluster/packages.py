"""The parts of a node that come as Debian packages."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import commands
from tests.cluster.binaries import exclusive
from tests.cluster.errors import ClusterError
from tests.cluster.layout import cache_folder
from tests.cluster.progress import Progress

# Another apt-get may be at work.
LOCK_SECONDS = 300
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


def missing(files: Mapping[str, str] = FILES) -> list[str]:
    """Return the packages whose programs are not on this machine."""
    return sorted(package for file, package in files.items() if not _is_there(file))


def install(progress: Progress, files: Mapping[str, str] = FILES) -> None:
    """Install what is missing; what was begun ends well even where this is interrupted.

    Args:
        progress: told of it.
        files: programs, and the Debian package that has each.

    Raises:
        ClusterError: if there is no apt-get, or it fails.
    """
    if missing(files):
        with exclusive(cache_folder() / "packages.lock"):
            _install(missing(files), progress)


def _install(packages: list[str], progress: Progress) -> None:
    if not packages:
        return
    if not shutil.which("apt-get"):
        raise ClusterError(f"install these first, there is no apt-get here: {', '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    options = ["-y", "--no-install-recommends", f"--option=DPkg::Lock::Timeout={LOCK_SECONDS}"]
    with progress.step(f"installing the Debian packages {', '.join(packages)}"):
        commands.run(["apt-get", "-qq", "update"], environment=environment)
        install = ["apt-get", "-qq", "install", *options, *packages]
        commands.run(install, environment=environment, failure="apt-get failed", to_the_end=True)
