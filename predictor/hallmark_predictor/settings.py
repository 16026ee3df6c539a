"""What the command line, the environment and the mounted files say."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from hallmark.api.names import MIRROR_PORT, PREDICTOR_PORT
from hallmark.errors import ConfigurationError
from hallmark.files import DOCUMENT_BYTES, read_whole

DEFAULT_FEEDBACK = Path("/var/run/hallmark/feedback")
"""Where a Pod has the Secret of feedback."""


class ApiServer(Struct, frozen=True):
    """Where the Kubernetes API is, and the files that open it."""

    host: str
    port: int
    credentials: Path
    """Folder with ``token`` (read anew for each request: it rotates) and ``ca.crt``."""


class Settings(Struct, frozen=True):
    """All that a predictor is told."""

    trust_sha256: str
    trust_file: Path
    urls_file: Path
    bundle: Path
    """Folder with the served files of a small bundle; empty where they come from the store."""
    kept: Path
    """Folder of the Pod's own in which downloaded files outlive the container."""
    host: str
    port: int
    drain_seconds: float
    """How long it goes on serving after SIGTERM, not ready, before it ends."""
    load_seconds: float
    """How long it tries to reach the store before it gives up."""
    termination_log: Path
    pod: str
    namespace: str
    deployment: str
    memory: int | None
    """Bytes that it may take, where the kernel does not say so."""
    workers: int | None
    """How many processes answer; None: as many as the container's limits allow."""
    feedback: Path
    """Folder of the Secret that says who may tell the truth; empty where there is none."""
    feed: tuple[int, int] | None
    """In a further process of a Pod: the sockets that lead to the first one and come from it."""
    mirror_port: int
    """Where a candidate takes copies of requests."""
    mirror_host: str
    """Where it is reached; empty: at the Service that the operator makes for it."""
    api_server: ApiServer | None
    """None outside of a cluster: then nothing is reported or watched."""


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Return the settings.

    Raises:
        ConfigurationError: an environment variable is missing or no number.
        SystemExit: an argument is missing or wrong; argparse has said which.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    api_server = _api_server(environment, given.credentials)
    if given.trust_sha256 is None:
        if api_server is not None or given.trust is None or given.bundle is None:
            parser.error(
                "--trust-sha256 is required: in a cluster it says which trust file this Pod was "
                "started for. Without a cluster give --trust and --bundle instead."
            )
        digest, environment = _by_trust_file(given.trust)
        given.trust_sha256 = digest
    return Settings(
        trust_sha256=given.trust_sha256,
        trust_file=given.trust or Path("/etc/hallmark/trust/trust.json"),
        urls_file=given.urls,
        bundle=given.bundle or Path("/etc/hallmark/bundle"),
        kept=given.kept,
        host=given.host,
        port=given.port,
        drain_seconds=given.drain_seconds,
        load_seconds=given.load_seconds,
        termination_log=Path(environment.get("TERMINATION_LOG", "/dev/termination-log")),
        pod=_required(environment, "POD_NAME"),
        namespace=_required(environment, "POD_NAMESPACE"),
        deployment=_required(environment, "HALLMARK_DEPLOYMENT"),
        memory=given.memory,
        workers=given.workers,
        feedback=given.feedback,
        feed=given.feed,
        mirror_port=given.mirror_port,
        mirror_host=given.mirror_host,
        api_server=api_server,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hallmark_predictor", description="Verify a sealed model, then serve it."
    )
    add = parser.add_argument
    add("--trust-sha256", type=_sha256, help="SHA-256 (hex) of the trust file")
    add("--trust", type=Path, metavar="FILE", help="/etc/hallmark/trust/trust.json by default")
    add("--urls", type=Path, default=Path("/var/run/hallmark/urls/urls.json"))
    add("--bundle", type=Path, metavar="DIR", help="/etc/hallmark/bundle by default")
    add("--kept", type=Path, default=Path("/var/cache/hallmark"))
    add(
        "--credentials",
        type=Path,
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        help="folder with the API token and CA",
    )
    add(
        "--feedback",
        type=Path,
        metavar="DIR",
        default=DEFAULT_FEEDBACK,
        help="folder with 'token' and 'receipts', where feedback is declared",
    )
    add("--host", default="0.0.0.0")  # noqa: S104 - a Pod serves its own address
    add("--port", type=int, default=PREDICTOR_PORT)
    add("--drain-seconds", type=float, default=3.0)
    add("--load-seconds", type=float, default=120.0)
    add("--memory", type=_whole, metavar="BYTES", help="that it may take; the container's if less")
    add("--workers", type=_whole, help="processes; as many as the container's limits allow")
    add("--feed", type=_sockets, help=argparse.SUPPRESS)
    add("--mirror-port", type=int, default=MIRROR_PORT, help=argparse.SUPPRESS)
    add("--mirror-host", default="", help=argparse.SUPPRESS)
    return parser


def _by_trust_file(path: Path) -> tuple[str, Mapping[str, str]]:
    """Return a trust file's hash, and the place that it was made for as a Pod's variables.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        data = read_whole(path, DOCUMENT_BYTES)
        trust = json.loads(data)
        place = {"POD_NAMESPACE": trust["namespace"], "HALLMARK_DEPLOYMENT": trust["deployment"]}
    except OSError as error:
        raise ConfigurationError(f"The file {path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigurationError(
            f"The file {path} is no trust file: expected a JSON object with 'namespace' and "
            "'deployment', as the ConfigMap '<deployment>-trust-...' has it."
        ) from error
    known = {name: str(value) for name, value in place.items()}
    return hashlib.sha256(data).hexdigest(), {"POD_NAME": "alone", **known}


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[a-f0-9]{64}", text):
        raise argparse.ArgumentTypeError("expected 64 hexadecimal digits")
    return text


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("expected a whole number above 0")
    return int(text)


def _sockets(text: str) -> tuple[int, int]:
    up, down = map(int, text.split(","))
    return up, down


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise ConfigurationError(f"The environment variable {name} must be set.")
    return value


def _api_server(environment: Mapping[str, str], credentials: Path) -> ApiServer | None:
    host = environment.get("KUBERNETES_SERVICE_HOST")
    if not host:
        return None
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not port.isdecimal():
        raise ConfigurationError("KUBERNETES_SERVICE_PORT must be a port number.")
    return ApiServer(host, int(port), credentials)
