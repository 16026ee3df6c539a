"""The components' configuration files, rendered from a layout: pure functions.

JSON is YAML, so the Kubernetes files are written as JSON.
"""

import base64
import json
from pathlib import Path
from typing import Any

from tests.cluster.layout import Layout

PAUSE_IMAGE = "localhost/pause:1"
CNI_PLUGINS = "/usr/lib/cni"
MAX_PODS = 200


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def kubeconfig(server: str, authority: bytes, certificate: bytes, key: bytes) -> str:
    """Render a kubeconfig that carries everything it needs.

    Args:
        server: the API server's URL.
        authority: the certificate authority's certificate, PEM.
        certificate: the client's certificate, PEM.
        key: the client's private key, PEM.
    """

    def encoded(content: bytes) -> str:
        return base64.b64encode(content).decode()

    user = {
        "client-certificate-data": encoded(certificate),
        "client-key-data": encoded(key),
    }
    cluster = {"server": server, "certificate-authority-data": encoded(authority)}
    return _json(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "hallmark", "cluster": cluster}],
            "users": [{"name": "hallmark", "user": user}],
            "contexts": [
                {"name": "hallmark", "context": {"cluster": "hallmark", "user": "hallmark"}}
            ],
            "current-context": "hallmark",
        }
    )


def kubelet(layout: Layout) -> str:
    """Render the kubelet's configuration."""
    pki = layout.pki
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pki / "kubelet.crt"),
            "tlsPrivateKeyFile": str(pki / "kubelet.key"),
            "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
            "cgroupDriver": "cgroupfs",
            # Two kubelets below one root would each remove the other's Pods as orphans.
            "cgroupRoot": f"/{layout.namespace}",
            # And below one folder of logs, the other's logs.
            "podLogsDir": str(layout.logs / "pods"),
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDNS": [layout.dns_address],
            "clusterDomain": "cluster.local",
            "maxPods": MAX_PODS,
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
            "localStorageCapacityIsolation": False,
            "imageMinimumGCAge": "48h",
            "imageGCHighThresholdPercent": 100,
            "registerNode": True,
        }
    )


def kube_proxy(layout: Layout) -> str:
    """Render kube-proxy's configuration."""
    return _json(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(layout.config / "proxy.kubeconfig")},
            "clusterCIDR": layout.pod_cidr,
            "mode": "iptables",
            "hostnameOverride": "local",
            # The limits are the machine's, not the network namespace's.
            "conntrack": {"maxPerCore": 0, "min": 0},
        }
    )


def containerd(layout: Layout) -> str:
    """Render containerd's configuration."""
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    folder = layout.state / "containerd"
    return f"""\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
address = "{layout.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/opt"

{cri}]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

{cri}.cni]
bin_dir = "{CNI_PLUGINS}"
conf_dir = "{layout.config}/cni"
"""


def cni(layout: Layout) -> str:
    """Render the Pod network: one bridge in the node's network namespace."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.state / "cni"),
            "ranges": [[{"subnet": layout.pod_cidr}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return _json({"cniVersion": "1.0.0", "name": layout.namespace, "plugins": [bridge, ports]})


def _kubeconfigs(layout: Layout) -> dict[Path, str]:
    authority = (layout.pki / "ca.crt").read_bytes()
    users = {
        layout.kubeconfig: "admin",
        layout.config / "controller-manager.kubeconfig": "controller-manager",
        layout.config / "scheduler.kubeconfig": "scheduler",
        layout.config / "proxy.kubeconfig": "proxy",
        layout.config / "router.kubeconfig": "router",
        layout.config / "kubelet.kubeconfig": "kubelet",
    }
    return {
        path: kubeconfig(
            layout.server,
            authority,
            (layout.pki / f"{user}.crt").read_bytes(),
            (layout.pki / f"{user}.key").read_bytes(),
        )
        for path, user in users.items()
    }


def write(layout: Layout) -> None:
    """Write every configuration file of a cluster; the keys must be there."""
    files = _kubeconfigs(layout) | {
        layout.config / "kubelet.yaml": kubelet(layout),
        layout.config / "kube-proxy.yaml": kube_proxy(layout),
        layout.config / "containerd.toml": containerd(layout),
        layout.config / "cni" / "10-hallmark.conflist": cni(layout),
    }
    for path, content in files.items():
        _write_changed(path, content)


def _write_changed(path: Path, content: str) -> None:
    """Write a file as a whole, and not at all if it is so already: kube-proxy ends on a write."""
    if path.exists() and path.read_text() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.touch(mode=0o600)
    partial.write_text(content)
    partial.replace(path)
