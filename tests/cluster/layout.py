"""Where everything of one cluster is: folders, addresses, ports and names, all from its name.

A cluster has a slot, a number from 0 to 255. `demo` and `test` have fixed ones; any other name is
hashed into one. Nothing here touches the machine.
"""

import hashlib
import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path

FIXED_SLOTS = {"demo": 0, "test": 1}
SLOTS = 256
SERVICES = ipaddress.ip_network("10.96.0.0/12")
NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
API_SERVER_PORT = 6443
FIRST_LOOPBACK_PORT = 21000
PORTS_PER_SLOT = 4


def slot_of(name: str) -> int:
    """Return the slot of a cluster's name.

    Args:
        name: a lower-case name of at most 30 letters, digits and hyphens.

    Returns:
        A number from 0 to 255; only `demo` and `test` have 0 and 1.

    Raises:
        ValueError: if the name has another form.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no cluster name: use a-z, 0-9 and -, at most 30 characters")
    if name in FIXED_SLOTS:
        return FIXED_SLOTS[name]
    reserved = len(FIXED_SLOTS)
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return reserved + number % (SLOTS - reserved)


def _xdg(variable: str, default: str) -> Path:
    chosen = os.environ.get(variable)
    return (Path(chosen) if chosen else Path.home() / default) / "hallmark"


def cache_folder() -> Path:
    """Return the folder of binaries and base images, shared by all clusters."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def clusters_folder() -> Path:
    """Return the folder that holds one folder of state per cluster."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "clusters"


@dataclass(frozen=True)
class Layout:
    """Folders, addresses and names of one cluster.

    A whole node lives in a network namespace of its own, so that its ports, devices and packet
    filter rules meet nobody else's. A control plane alone listens on the loopback address.

    Attributes:
        name: the cluster's name.
        slot: its number, from which addresses and ports come.
        state: its folder; removed when the cluster goes.
        control_plane_only: whether there is no node.
    """

    name: str
    slot: int
    state: Path
    control_plane_only: bool = False

    @classmethod
    def of(cls, name: str, *, control_plane_only: bool = False) -> "Layout":
        """Return the layout of the cluster with this name."""
        return cls(name, slot_of(name), clusters_folder() / name, control_plane_only)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        """The folder of keys and certificates."""
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        """The folder of the components' logs."""
        return self.state / "logs"

    @property
    def config(self) -> Path:
        """The folder of the components' configuration files."""
        return self.state / "config"

    @property
    def storage(self) -> Path:
        """The folder for hostPath volumes."""
        return self.state / "storage"

    @property
    def containerd_socket(self) -> Path:
        """Containerd's socket."""
        return self.state / "containerd.sock"

    @property
    def namespace(self) -> str:
        """The network namespace (and the cgroup) of the node."""
        return f"hallmark-{self.name}"

    @property
    def device(self) -> str:
        """The host's end of the cable into the network namespace; at most 15 characters."""
        return f"hallmark{self.slot}"

    @property
    def host_address(self) -> str:
        """The address at which Pods reach the machine that the cluster runs on."""
        return "127.0.0.1" if self.control_plane_only else f"10.199.{self.slot}.1"

    @property
    def node_address(self) -> str:
        """The node's address, also the API server's."""
        return "127.0.0.1" if self.control_plane_only else f"10.199.{self.slot}.2"

    @property
    def node_cidr(self) -> str:
        """The network of the host's and the node's address."""
        return f"10.199.{self.slot}.0/30"

    @property
    def pod_cidr(self) -> str:
        """The network of the Pods."""
        return f"10.244.{self.slot}.0/24"

    @property
    def service_cidr(self) -> str:
        """The network of the Services: one of the 256 /20 networks in 10.96.0.0/12."""
        base = int(SERVICES.network_address) + self.slot * 2 ** (32 - 20)
        return f"{ipaddress.ip_address(base)}/20"

    @property
    def api_service_address(self) -> str:
        """The address of the Service `kubernetes`."""
        return str(ipaddress.ip_network(self.service_cidr)[1])

    @property
    def dns_address(self) -> str:
        """The address of the Service `kube-dns`."""
        return str(ipaddress.ip_network(self.service_cidr)[10])

    def _port(self, number: int, alone: int) -> int:
        first = FIRST_LOOPBACK_PORT + self.slot * PORTS_PER_SLOT
        return first + alone if self.control_plane_only else number

    @property
    def api_port(self) -> int:
        """The API server's port."""
        return self._port(API_SERVER_PORT, 0)

    @property
    def etcd_port(self) -> int:
        """Etcd's port for clients, on the loopback address of the node."""
        return self._port(2379, 1)

    @property
    def etcd_peer_port(self) -> int:
        """Etcd's port for peers, on the loopback address of the node."""
        return self._port(2380, 2)

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.node_address}:{self.api_port}"
