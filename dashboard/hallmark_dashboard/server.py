"""The HTTP server: the application on a port, ending pages' streams before it waits for them."""

from __future__ import annotations

import socket

import uvicorn

from hallmark_dashboard.app import create_app
from hallmark_dashboard.services import Services

GRACE_SECONDS = 5
MOST_CONNECTIONS = 2048


class Server(uvicorn.Server):
    """Serves the dashboard.

    Args:
        services: what routes work with.
        host: the address to listen on.
    """

    def __init__(self, services: Services, host: str) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(services),
                host=host,
                port=services.settings.port,
                access_log=False,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                limit_concurrency=MOST_CONNECTIONS,
            )
        )
        self._services = services

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        self._services.watch.end_listening()
        await super().shutdown(sockets)
