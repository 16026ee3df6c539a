"""Egress rules of NetworkPolicies: to the cluster's DNS, and to the host that a URL names."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from hallmark.api import names
from hallmark.api.model_policy import DNS, ModelPolicySpec

Peer = dict[str, Any]

_PORTS = {"https": 443, "http": 80}
_LINK_LOCAL = {
    "0.0.0.0/0": ["100.100.100.200/32", "168.63.129.16/32", "169.254.0.0/16"],
    "::/0": ["fd00:ec2::254/128", "fe80::/10"],
}
"""By everything: where clouds answer a node's Pods, with the node's own credentials."""
ANYWHERE = "https://any"
"""Stands for a host that is not known: Amazon's, Google's or Azure's."""


def dns_rule(dns: DNS) -> dict[str, Any]:
    """Return the rule that allows name resolution, at the cluster's own name servers alone."""
    pods = {"namespaceSelector": _named(dns.namespace), "podSelector": _labelled(dns.pod_labels)}
    ports = [{"protocol": protocol, "port": dns.port} for protocol in ("UDP", "TCP")]
    return {"ports": ports, "to": [pods, *_blocks(dns.addresses)]}


def store_rule(policy: ModelPolicySpec) -> dict[str, Any]:
    """Return the rule that allows connections to the artifact store, as Pods reach it."""
    return rule_to(policy.store.endpoint or ANYWHERE, policy.network.store)


def rule_to(url: str, addresses: Sequence[str] = ()) -> dict[str, Any]:
    """Return the rule that allows connections to a URL's host and port.

    NetworkPolicies know no host names. A Service's host (``<name>.<namespace>.svc...``) is
    narrowed to its namespace, the embedded store to its Pods, an address to itself; any other host
    to the addresses that the policy gives, or else to its port anywhere but where a cloud answers
    for the node.

    Args:
        url: where to.
        addresses: CIDRs of the hosts outside the cluster.
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    return {
        "ports": [{"protocol": "TCP", "port": port}],
        "to": _peers(parts.hostname or "", addresses),
    }


def _peers(host: str, addresses: Sequence[str]) -> list[Peer]:
    service, _, rest = host.partition(".")
    namespace, _, suffix = rest.partition(".")
    if suffix.partition(".")[0] == "svc" or rest == names.SYSTEM_NAMESPACE:
        peer: Peer = {"namespaceSelector": _named(namespace)}
        if (service, namespace) == (names.STORE_SERVICE, names.SYSTEM_NAMESPACE):
            peer["podSelector"] = _labelled(names.STORE_LABELS)
        return [peer]
    if (block := _own_block(host)) is not None:
        return _blocks([block])
    if addresses:
        return _blocks(addresses)
    everywhere = [
        {"ipBlock": {"cidr": cidr, "except": list(but)}} for cidr, but in _LINK_LOCAL.items()
    ]
    # Of Pods, some networks take no ipBlock.
    return [*everywhere, {"namespaceSelector": {}}]


def _own_block(host: str) -> str | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return f"{address}/{address.max_prefixlen}"


def _blocks(addresses: Sequence[str]) -> list[Peer]:
    return [{"ipBlock": {"cidr": cidr}} for cidr in addresses]


def _named(namespace: str) -> Peer:
    return _labelled({"kubernetes.io/metadata.name": namespace})


def _labelled(labels: dict[str, str]) -> Peer:
    return {"matchLabels": dict(labels)}
