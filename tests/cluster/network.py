"""The network namespace of a node and its cable to the machine."""

import shutil
import subprocess
from pathlib import Path

from tests.cluster.layout import Layout

NAMESPACES = Path("/run/netns")


def _run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=check, capture_output=True, text=True)


def inside(layout: Layout) -> tuple[str, ...]:
    """Return what to put before a command to run it in the node's network namespace.

    `ip netns exec` would hide the cgroups behind a new /sys.
    """
    return ("nsenter", f"--net={NAMESPACES / layout.namespace}")


def _masquerade(layout: Layout, action: str) -> tuple[str, ...]:
    comment = ("-m", "comment", "--comment", layout.namespace)
    source = ("-s", layout.node_cidr, "!", "-d", layout.node_cidr)
    rule = ("POSTROUTING", *source, *comment, "-j", "MASQUERADE")
    return ("iptables", "-w", "-t", "nat", action, *rule)


def exists(layout: Layout) -> bool:
    """Return whether the network namespace is there."""
    return (NAMESPACES / layout.namespace).exists()


def create(layout: Layout) -> None:
    """Make the network namespace, the cable and the routes, whatever part is there already."""
    namespace, device, prefix = layout.namespace, layout.device, inside(layout)
    if _run(*prefix, "true", check=False).returncode:
        _run("ip", "netns", "delete", namespace, check=False)
        _run("ip", "netns", "add", namespace)
    if _run("ip", "link", "show", device, check=False).returncode:
        _run(
            "ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", namespace
        )
    _run("ip", "address", "replace", f"{layout.host_address}/30", "dev", device)
    _run("ip", "link", "set", device, "up")
    _run(*prefix, "ip", "address", "replace", f"{layout.node_address}/30", "dev", "eth0")
    for name in ("lo", "eth0"):
        _run(*prefix, "ip", "link", "set", name, "up")
    _run(*prefix, "ip", "route", "replace", "default", "via", layout.host_address)
    forward = "echo 1 >/proc/sys/net/ipv4/ip_forward"
    _run("sh", "-c", forward)
    _run(*prefix, "sh", "-c", forward)
    for network in (layout.pod_cidr, layout.service_cidr):
        _run("ip", "route", "replace", network, "via", layout.node_address, "dev", device)
    if _run(*_masquerade(layout, "-C"), check=False).returncode:
        _run(*_masquerade(layout, "-A"))


def remove(layout: Layout) -> None:
    """Remove the network namespace with all in it, the cable, the routes and the rule."""
    if not shutil.which("ip") or not shutil.which("iptables"):
        return
    while _run(*_masquerade(layout, "-D"), check=False).returncode == 0:
        pass
    _run("ip", "link", "delete", layout.device, check=False)
    if exists(layout):
        _run("ip", "netns", "delete", layout.namespace, check=False)
