"""The Dockerfile of an image that serves one model without a download."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from packaging.utils import canonicalize_name

from hallmark.errors import ConfigurationError

_RUN_ID = re.compile(r"[a-f0-9]{12}")
_PACKAGE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_OWN_DISTRIBUTION = "hallmark-operator"  # The base image holds it.

_TEMPLATE = """\
# Serves the model of run {run_id}. BASE is Hallmark's predictor image; it is pinned by digest:
#   docker build --build-arg BASE=<registry>/hallmark-predictor --build-arg BASE_SHA256=<64 hex> .
ARG BASE
ARG BASE_SHA256
FROM ${{BASE}}@sha256:${{BASE_SHA256}}
LABEL dev.hallmark.run-id="{run_id}"
USER 0:0
{install}COPY --chown=0:0 --chmod=0444 [{copies}, "/opt/model/"]
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/opt/venv/bin/python3", "-m", "hallmark_predictor"]
"""

_INSTALL = """\
RUN ["python3", "-m", "pip", "--python", "/opt/venv/bin/python3", "install", "--no-cache-dir", \\
     "--no-deps", "--only-binary=:all:", \\
{pins}]
"""


def render_dockerfile(*, run_id: str, packages: Mapping[str, str], files: Sequence[str]) -> bytes:
    """Return the Dockerfile's bytes: the same for the same arguments.

    It starts from the predictor's image by digest, needs no shell, installs exactly the given
    versions and runs as uid 65532.

    Args:
        run_id: 12 hex digits.
        packages: Version by name of the packages that loading the model needs.
        files: Names of the files to copy; at least one.

    Raises:
        ConfigurationError: A name or version could not stand in a Dockerfile.
    """
    _require(_RUN_ID, "run id", run_id)
    if not files:
        raise ConfigurationError("A Dockerfile needs at least one file to copy; none was given.")
    for name in files:
        _require(_FILE, "file name", name)
    pins: dict[str, str] = {canonicalize_name(name): version for name, version in packages.items()}
    pins.pop(_OWN_DISTRIBUTION, None)
    for name, version in pins.items():
        _require(_PACKAGE, "package name", name)
        _require(_VERSION, f"version of '{name}'", version)
    lines = ", \\\n".join(f'     "{name}=={version}"' for name, version in sorted(pins.items()))
    return _TEMPLATE.format(
        run_id=run_id,
        install=_INSTALL.format(pins=lines) if pins else "",
        copies=", ".join(f'"{name}"' for name in sorted(files)),
    ).encode()


def _require(pattern: re.Pattern[str], what: str, text: str) -> None:
    if not pattern.fullmatch(text):
        raise ConfigurationError(
            f"The Dockerfile needs a {what} of the form {pattern.pattern}; found {text[:64]!r}."
        )
