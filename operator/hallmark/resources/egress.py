"""Egress rules of NetworkPolicies: to DNS, and to the host that a URL names."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}


def dns_rule() -> dict[str, Any]:
    """Return the rule that allows name resolution."""
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return {"ports": ports}


def rule_to(url: str) -> dict[str, Any]:
    """Return the rule that allows connections to a URL's host and port.

    NetworkPolicies know no host names. A Service's host (``<name>.<namespace>.svc...``) is
    narrowed to its namespace; any other to its port.
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    rule: dict[str, Any] = {"ports": [{"protocol": "TCP", "port": port}]}
    labels = (parts.hostname or "").split(".")
    if labels[2:3] == ["svc"]:
        selector = {"matchLabels": {"kubernetes.io/metadata.name": labels[1]}}
        rule["to"] = [{"namespaceSelector": selector}]
    return rule
