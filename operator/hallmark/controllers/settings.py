"""What the operator reads from its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from hallmark.api import names
from hallmark.errors import ConfigurationError

_PREFIX = "HALLMARK_"

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The operator's settings, each from ``HALLMARK_<NAME>``; see ``docs/architecture.md``."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    namespace: str = names.SYSTEM_NAMESPACE
    audit_log: Path = Path("/var/lib/hallmark/logs/secure_mlops.log")
    audit_key: Path = Path("/var/run/hallmark/audit/private.pem")
    audit_seconds: Seconds = 5
    """How often the anchor outside the audit volume is brought up to the log, at most."""
    audit_retention_days: Annotated[int, Field(ge=0, le=36500)] = 365
    """How long audit records are kept; 0: for ever."""
    audit_publish: Annotated[
        str,
        Field(max_length=150, pattern=r"^([a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*)?$"),
    ] = ""
    """The installation's name for those who read its published log; empty: it is not published."""
    audit_publish_seconds: Seconds = 60
    """How often the published log is brought up, at most."""
    audit_patience_seconds: Seconds = 60
    """How long withdrawals wait at the start for the audit log to be verified."""
    osv: Path = Path(names.OSV_FOLDER)
    """The folder with a snapshot of OSV, by which known vulnerabilities are found."""
    osv_claim: Annotated[str, Field(max_length=253)] = ""
    """The claim of that folder, which sealing Jobs mount as well; empty: none does."""
    osv_seconds: Seconds = 60
    """How often it is looked whether the snapshot was replaced."""
    store_credentials: Path = Path("/var/run/hallmark/store")
    health_port: Port = 8081
    metrics_port: Port = 9090
    resync_seconds: Seconds = 36000
    heartbeat_seconds: Seconds = 10
    longest_silence_seconds: Seconds = 60
    """Without an own heartbeat in the watch for so long the operator counts as dead."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Return the settings of this process.

        Raises:
            ConfigurationError: a variable has a value that does not fit.
        """
        try:
            return cls()
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            variable = f"{_PREFIX}{first['loc'][0]}".upper()
            raise ConfigurationError(
                f"{variable}: {first['msg']}; found {first['input']!r}. Correct the operator's "
                "environment."
            ) from error
