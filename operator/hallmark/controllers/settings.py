"""What the operator reads from its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hallmark.api import names
from hallmark.errors import ConfigurationError


@dataclass(frozen=True)
class Settings:
    """The operator's settings; see ``docs/architecture.md``."""

    namespace: str
    audit_log: Path
    audit_key: Path
    store_credentials: Path
    health_port: int
    metrics_port: int
    resync_seconds: float
    heartbeat_seconds: float
    longest_silence_seconds: float = 60
    """Without an own heartbeat in the watch for so long the operator counts as dead."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings that ``HALLMARK_*`` variables give.

        Raises:
            ConfigurationError: a number is not one.
        """
        text = environment.get
        return cls(
            namespace=text("HALLMARK_NAMESPACE", names.SYSTEM_NAMESPACE),
            audit_log=Path(text("HALLMARK_AUDIT_LOG", "/var/lib/hallmark/logs/secure_mlops.log")),
            audit_key=Path(text("HALLMARK_AUDIT_KEY", "/var/run/hallmark/audit/private.pem")),
            store_credentials=Path(text("HALLMARK_STORE_CREDENTIALS", "/var/run/hallmark/store")),
            health_port=int(_number(environment, "HALLMARK_HEALTH_PORT", 8081)),
            metrics_port=int(_number(environment, "HALLMARK_METRICS_PORT", 9090)),
            resync_seconds=_number(environment, "HALLMARK_RESYNC_SECONDS", 36000),
            heartbeat_seconds=_number(environment, "HALLMARK_HEARTBEAT_SECONDS", 10),
            longest_silence_seconds=_number(
                environment, "HALLMARK_LONGEST_SILENCE_SECONDS", cls.longest_silence_seconds
            ),
        )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, str(default))
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"Expected a number in {name}, found {text!r}.") from None
