"""CoreDNS as every cluster has it: Pods behind the Service `kube-dns`.

It carries the label that NetworkPolicies commonly select, so that the same policies work here and
on other clusters.
"""

import json
from typing import Any

from tests.cluster.archive import StaticImage
from tests.cluster.binaries import program
from tests.cluster.layout import Layout

NAMESPACE = "kube-system"
LABELS = {"k8s-app": "kube-dns"}
COREFILE = """\
.:53 {
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        ttl 5
    }
    forward . /etc/resolv.conf
    cache 5
    loadbalance
}
"""


def image() -> StaticImage:
    """Return the image of CoreDNS."""
    return StaticImage("localhost/coredns", {"/coredns": program("coredns")}, ("/coredns",), tag="")


def _metadata(name: str, *, namespaced: bool = True) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": LABELS}
    return metadata | ({"namespace": NAMESPACE} if namespaced else {})


def _access() -> list[dict[str, Any]]:
    rbac = "rbac.authorization.k8s.io"
    watched = [("", ["endpoints", "services", "pods", "namespaces"])]
    watched.append(("discovery.k8s.io", ["endpointslices"]))
    rules = [
        {"apiGroups": [group], "resources": resources, "verbs": ["list", "watch"]}
        for group, resources in watched
    ]
    account = {"kind": "ServiceAccount", "name": "coredns", "namespace": NAMESPACE}
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": "system:coredns"}
    name = _metadata("system:coredns", namespaced=False)
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata("coredns")},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": name, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": name,
            "roleRef": role,
            "subjects": [account],
        },
    ]


def _pod(reference: str) -> dict[str, Any]:
    container = {
        "name": "coredns",
        "image": reference,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "170Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    return {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        # Port 53 in the Pod too, as elsewhere: NetworkPolicies see the Pod's port.
        "securityContext": {
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "53"}]
        },
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }


def manifest(layout: Layout) -> str:
    """Return everything that CoreDNS needs as one list of objects, in JSON."""
    ports = [
        {"name": name, "port": 53, "protocol": protocol}
        for name, protocol in (("dns", "UDP"), ("dns-tcp", "TCP"))
    ]
    config = {"Corefile": COREFILE}
    deployment = {
        "replicas": 1,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": _pod(image().reference)},
    }
    service = {"clusterIP": layout.dns_address, "selector": LABELS, "ports": ports}
    objects = [
        *_access(),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata("coredns"), "data": config},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": _metadata("coredns"),
            "spec": deployment,
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _metadata("kube-dns"),
            "spec": service,
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
