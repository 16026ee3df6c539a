"""The command line of every component, from a layout: pure functions."""

from dataclasses import dataclass

from tests.cluster.layout import Layout


@dataclass(frozen=True)
class Component:
    """A process of the cluster.

    Attributes:
        name: also the name of its pid file and log.
        program: the binary's name.
        arguments: what follows it.
        environment: `NAME=value` for it alone.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    environment: tuple[str, ...] = ()


# A write of a custom resource took 15 ms of the API server's time, a third of it to collect
# garbage: it may keep more, up to a limit (which a thousand ModelDeployments come near), and takes
# 10 ms.
_MORE_MEMORY = ("GOGC=400", "GOMEMLIMIT=8GiB")
# Every five minutes it reads each kind from etcd and holds it against its watch cache: with the
# 28,000 objects of a thousand ModelDeployments a sixth of its time, in bursts of seconds.
_FEATURES = "--feature-gates=DetectCacheInconsistency=false"


def etcd(layout: Layout) -> Component:
    """Return the store of the API server, without waiting for the disk: it holds only tests."""
    clients = f"http://127.0.0.1:{layout.etcd_port}"
    peers = f"http://127.0.0.1:{layout.etcd_peer_port}"
    return Component(
        "etcd",
        "etcd",
        (
            f"--data-dir={layout.state}/etcd",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ),
    )


def api_server(layout: Layout) -> Component:
    """Return the API server.

    Alone, it admits Pods without a service account, because nothing would make one.
    """
    pki = layout.pki
    alone = ("--disable-admission-plugins=ServiceAccount",) if layout.control_plane_only else ()
    return Component(
        "kube-apiserver",
        "kube-apiserver",
        (
            f"--etcd-servers=http://127.0.0.1:{layout.etcd_port}",
            f"--bind-address={'127.0.0.1' if layout.control_plane_only else '0.0.0.0'}",  # noqa: S104 - in a network namespace of its own
            f"--secure-port={layout.api_port}",
            f"--advertise-address={layout.node_address}",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--client-ca-file={pki}/ca.crt",
            f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-cluster-ip-range={layout.service_cidr}",
            "--authorization-mode=Node,RBAC",
            f"--kubelet-client-certificate={pki}/kubelet-client.crt",
            f"--kubelet-client-key={pki}/kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--allow-privileged=true",
            _FEATURES,
            *alone,
        ),
        _MORE_MEMORY,
    )


def controller_manager(layout: Layout) -> Component:
    """Return the built-in controllers."""
    pki = layout.pki
    return Component(
        "kube-controller-manager",
        "kube-controller-manager",
        (
            f"--kubeconfig={layout.config}/controller-manager.kubeconfig",
            f"--service-account-private-key-file={pki}/sa.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            "--use-service-account-credentials",
            "--allocate-node-cidrs",
            f"--cluster-cidr={layout.pod_cidr}",
            "--node-cidr-mask-size=24",
            f"--service-cluster-ip-range={layout.service_cidr}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        ),
    )


def scheduler(layout: Layout) -> Component:
    """Return the scheduler."""
    kubeconfig = f"--kubeconfig={layout.config}/scheduler.kubeconfig"
    arguments = (kubeconfig, "--bind-address=127.0.0.1", "--leader-elect=false")
    return Component("kube-scheduler", "kube-scheduler", arguments)


def containerd(layout: Layout) -> Component:
    """Return the container runtime."""
    return Component("containerd", "containerd", ("-c", f"{layout.config}/containerd.toml"))


def kubelet(layout: Layout) -> Component:
    """Return the node's agent."""
    return Component(
        "kubelet",
        "kubelet",
        (
            f"--config={layout.config}/kubelet.yaml",
            f"--kubeconfig={layout.config}/kubelet.kubeconfig",
            "--hostname-override=local",
            f"--node-ip={layout.node_address}",
            f"--root-dir={layout.state}/kubelet",
            f"--cert-dir={layout.pki}",
        ),
    )


def kube_proxy(layout: Layout) -> Component:
    """Return what makes Services work."""
    return Component("kube-proxy", "kube-proxy", (f"--config={layout.config}/kube-proxy.yaml",))


def kube_router(layout: Layout) -> Component:
    """Return what enforces NetworkPolicies; it does nothing else here."""
    return Component(
        "kube-router",
        "kube-router",
        (
            f"--kubeconfig={layout.config}/router.kubeconfig",
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
            "--run-loadbalancer=false",
            "--hostname-override=local",
            f"--service-cluster-ip-range={layout.service_cidr}",
        ),
    )


STOP_ORDER = (
    "kubelet",
    "kube-router",
    "kube-proxy",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
    "containerd",
)
CONTROL_PLANE = ("kube-apiserver", "etcd")
ALL = (
    etcd,
    api_server,
    controller_manager,
    scheduler,
    containerd,
    kubelet,
    kube_proxy,
    kube_router,
)
