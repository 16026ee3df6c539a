"""``python -m hallmark_predictor.health``: exit code 0 while this container's predictor serves."""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException

from hallmark.api.names import PREDICTOR_PORT

SECONDS = 5.0


def main(port: int = PREDICTOR_PORT) -> int:
    """Ask for readiness; return 0 where it is there, else 1."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
