"""What the dashboard reads from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hallmark.api.names import OSV_FOLDER
from hallmark.errors import ConfigurationError
from hallmark.files import KEY_BYTES, read_first

_PREFIX = "HALLMARK_DASHBOARD_"
_KEY_BYTES = 32


@dataclass(frozen=True)
class Settings:
    """The dashboard's settings, each from ``HALLMARK_DASHBOARD_<NAME>``.

    Attributes:
        port: Where it listens.
        url: How browsers reach it; cookies are Secure where it begins with https.
        audit_log: The audit log's current file, which is only read.
        osv: The folder with a snapshot of OSV, by which known vulnerabilities are found.
        store_credentials: The folder with credentials that read the artifact store.
        store_endpoint: The artifact store's address for reading, where it is not the policy's.
        session_key: The file with the key of the cookies; without it sessions end with the process.
        predict_url: The URL of a ModelDeployment's Service, with {name} and {namespace}.
        oidc_issuer: The OpenID Connect provider; empty where only tokens sign in.
        oidc_client: The client's id there.
        oidc_secret: The file with the client's secret, if it has one.
    """

    port: int = 8000
    url: str = "http://localhost:8000"
    audit_log: Path = Path("/var/lib/hallmark/logs/secure_mlops.log")
    osv: Path = Path(OSV_FOLDER)
    store_credentials: Path = Path("/var/run/hallmark/store")
    store_endpoint: str = ""
    session_key: Path = Path("/var/run/hallmark/session/key")
    predict_url: str = "http://{name}.{namespace}.svc"
    oidc_issuer: str = ""
    oidc_client: str = ""
    oidc_secret: Path | None = None

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def origin(self) -> str:
        """Scheme and host of the dashboard's own pages."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings in an environment; an empty variable counts as absent.

    Raises:
        ConfigurationError: A variable is unknown or has a value that does not fit.
    """
    given = {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in environment.items()
        # A Service of the dashboard's name gives Pods variables of this prefix too.
        if name.startswith(_PREFIX) and value and not name.startswith((f"{_PREFIX}SERVICE",))
    }
    known = Settings.__dataclass_fields__
    if unknown := sorted(given.keys() - known.keys()):
        raise ConfigurationError(
            f"{_PREFIX}{unknown[0].upper()}: expected one of {', '.join(known).upper()} behind "
            f"{_PREFIX}; correct the dashboard's environment."
        )
    paths = {"audit_log", "osv", "store_credentials", "session_key", "oidc_secret"}
    values: dict[str, object] = {
        name: Path(value) if name in paths else value for name, value in given.items()
    }
    if "port" in values:
        values["port"] = _port(given["port"])
    found = Settings(**values)  # type: ignore[arg-type]  # texts, paths and a port
    parts = urlsplit(found.url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
        raise ConfigurationError(
            f"{_PREFIX}URL: expected scheme and host such as https://hallmark.example.org, found "
            f"{found.url!r}."
        )
    if bool(found.oidc_issuer) != bool(found.oidc_client):
        raise ConfigurationError(
            f"{_PREFIX}OIDC_ISSUER and {_PREFIX}OIDC_CLIENT: expected both or none of them."
        )
    return found


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise ConfigurationError(f"{_PREFIX}PORT: expected a port from 0 to 65535, found {text!r}.")
    return int(text)


def session_key(path: Path) -> bytes | None:
    """Return the key of the cookies, or None where there is no file.

    Raises:
        ConfigurationError: The file does not hold 32 bytes.
    """
    try:
        key = read_first(path, KEY_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path}: it cannot be read ({type(error).__name__}).") from error
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(
            f"{path}: expected {_KEY_BYTES} random bytes, found {len(key)}; make them with "
            f"'openssl rand {_KEY_BYTES}'."
        )
    return key
