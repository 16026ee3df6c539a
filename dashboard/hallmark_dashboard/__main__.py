"""``python -m hallmark_dashboard``: the dashboard with the Pod's credentials, or a kubeconfig's."""

from __future__ import annotations

import asyncio
import os
import sys

from hallmark.errors import HallmarkError
from hallmark_dashboard.connect import connect
from hallmark_dashboard.server import Server
from hallmark_dashboard.services import build_services
from hallmark_dashboard.settings import Settings, settings_from


async def serve(settings: Settings, kubeconfig: str | None = None) -> None:
    """Serve until the process is told to end.

    Raises:
        ConfigurationError: There are no usable credentials, or a setting does not fit.
    """
    cluster, door = await connect(kubeconfig)
    services = build_services(settings, cluster, door)
    # A Pod's own address; the NetworkPolicy says who reaches it.
    await Server(services, "0.0.0.0").serve()  # noqa: S104 - a Pod is reached from outside


def main() -> None:
    """Run the dashboard. An error is a sentence on standard error and exit code 1."""
    try:
        asyncio.run(serve(settings_from(os.environ), os.environ.get("KUBECONFIG")))
    except HallmarkError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
