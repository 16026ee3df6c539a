"""Where Jobs and predictors may connect to: the cluster's name servers, and the hosts they need."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api.model_policy import DNS
from hallmark.resources.egress import dns_rule, rule_to, store_rule
from tests.unit.policies.training_run.runs import policy

LINK_LOCAL = "169.254.169.254"


def named(namespace: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}


def test_names_are_resolved_by_the_clusters_own_servers_alone() -> None:
    rule = dns_rule(DNS())
    pods = {**named("kube-system"), "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    assert rule["to"] == [pods]
    assert rule["ports"] == [{"protocol": name, "port": 53} for name in ("UDP", "TCP")]


def test_the_policy_may_name_other_name_servers() -> None:
    dns = DNS(
        namespace="openshift-dns",
        pod_labels={"dns.operator.openshift.io/daemonset-dns": "default"},
        port=5353,
        addresses=["169.254.20.10/32"],
    )
    rule = dns_rule(dns)
    assert rule["ports"][0]["port"] == 5353
    assert rule["to"][0]["namespaceSelector"] == named("openshift-dns")["namespaceSelector"]
    assert rule["to"][1] == {"ipBlock": {"cidr": "169.254.20.10/32"}}


STORE_PODS = {
    "app.kubernetes.io/name": "hallmark",
    "app.kubernetes.io/component": "store",
}
EMBEDDED = {**named("hallmark-system"), "podSelector": {"matchLabels": STORE_PODS}}


@pytest.mark.parametrize(
    ("url", "port", "peers"),
    [
        ("http://hallmark-store.hallmark-system:7070", 7070, [EMBEDDED]),
        ("http://hallmark-store.hallmark-system.svc:7070", 7070, [EMBEDDED]),
        ("http://hallmark-store.hallmark-system.svc.cluster.local:7070", 7070, [EMBEDDED]),
        ("https://minio.storage.svc:9000", 9000, [named("storage")]),
        ("https://minio.storage.svc.cluster.local", 443, [named("storage")]),
        ("http://10.1.2.3:9000", 9000, [{"ipBlock": {"cidr": "10.1.2.3/32"}}]),
        ("https://[2001:db8::1]", 443, [{"ipBlock": {"cidr": "2001:db8::1/128"}}]),
    ],
)
def test_a_host_inside_the_cluster_is_narrowed(
    url: str, port: int, peers: list[dict[str, Any]]
) -> None:
    assert rule_to(url) == {"ports": [{"protocol": "TCP", "port": port}], "to": peers}


@pytest.mark.parametrize(
    "url", ["https://any", "https://data.example.org/x", "https://svc.example.org", "https://a.svc"]
)
def test_a_host_outside_is_any_but_the_clouds_own(url: str) -> None:
    peers = rule_to(url)["to"]
    blocks = [peer["ipBlock"] for peer in peers if "ipBlock" in peer]
    assert {block["cidr"] for block in blocks} == {"0.0.0.0/0", "::/0"}
    assert "169.254.0.0/16" in next(b for b in blocks if b["cidr"] == "0.0.0.0/0")["except"]
    given = rule_to(url, ["203.0.113.0/24"])["to"]
    assert given == [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "unless the policy knows better"


def test_the_store_is_where_the_policy_says() -> None:
    outside = policy(store={"uri": "s3://b"}, network={"store": ["198.51.100.0/24"]})
    assert store_rule(outside.spec)["to"] == [{"ipBlock": {"cidr": "198.51.100.0/24"}}]
    inside = policy(network={"store": ["198.51.100.0/24"]})
    assert store_rule(inside.spec)["to"] == [EMBEDDED]
