"""The smallest client of an API server: it asks whether things are ready."""

import http.client
import json
import ssl
from typing import Any

from tests.cluster.layout import Layout


def get(layout: Layout, path: str, seconds: float = 2.0) -> tuple[int, bytes]:
    """Ask the API server as its administrator.

    Returns:
        The status code and the body; code 0 when nobody answers.
    """
    try:
        context = ssl.create_default_context(cafile=layout.pki / "ca.crt")
        context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
        connection = http.client.HTTPSConnection(
            layout.node_address, layout.api_port, timeout=seconds, context=context
        )
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return 0, b""


def api_is_ready(layout: Layout) -> bool:
    """Return whether the API server says it is ready."""
    return get(layout, "/readyz")[0] == http.HTTPStatus.OK


def _condition(layout: Layout, path: str, name: str) -> bool:
    status, body = get(layout, path)
    if status != http.HTTPStatus.OK:
        return False
    found: dict[str, Any] = json.loads(body)
    conditions = found.get("status", {}).get("conditions") or []
    return any(each["type"] == name and each["status"] == "True" for each in conditions)


def node_is_ready(layout: Layout) -> bool:
    """Return whether the node is Ready."""
    return _condition(layout, "/api/v1/nodes/local", "Ready")


def dns_is_ready(layout: Layout) -> bool:
    """Return whether CoreDNS answers."""
    path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    return _condition(layout, path, "Available")
