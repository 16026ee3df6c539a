"""The machine's pip settings, rendered for a build so that nothing of them stays in an image."""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

BUNDLE_IN_BUILD = "/run/secrets/ca.crt"
BUNDLE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
LOCAL_ONLY = frozenset(
    {"cert", "client-cert", "cache-dir", "find-links", "log", "target", "prefix"}
)


def parse(listing: str) -> dict[str, str]:
    """Return the settings in the output of `pip config list`; the environment comes last."""
    rows = [line.partition("=") for line in listing.splitlines() if "=" in line]
    pairs = [(key, str(ast.literal_eval(value))) for key, _, value in rows]
    pairs.sort(key=lambda pair: pair[0].startswith(":env:"))
    return {key.rpartition(".")[2]: value for key, value in pairs}


def bundle(settings: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    """Return the file of certificate authorities that the machine's pip trusts, if it is told."""
    named = [settings.get("cert", ""), *(environment.get(name, "") for name in BUNDLE_VARIABLES)]
    return next((Path(name) for name in named if name and Path(name).is_file()), None)


def render(settings: Mapping[str, str], certificates: Path | None) -> str:
    """Return a pip.conf for the build: what names files of this machine is left out."""
    kept = {key: value for key, value in settings.items() if key not in LOCAL_ONLY}
    if certificates:
        kept["cert"] = BUNDLE_IN_BUILD
    lines = [f"{key} = " + value.replace("\n", "\n    ") for key, value in sorted(kept.items())]
    return "\n".join(["[global]", *lines, ""])


def secrets(folder: Path) -> list[str]:
    """Write the settings into a folder.

    Returns:
        The `--secret` options for `docker build` or `buildah bud`.
    """
    command = [sys.executable, "-m", "pip", "config", "list"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    settings = parse(shown.stdout)
    certificates = bundle(settings, os.environ)
    config = folder / "pip.conf"
    config.write_text(render(settings, certificates))
    options = ["--secret", f"id=pip.conf,src={config}"]
    if certificates:
        options += ["--secret", f"id=ca.crt,src={certificates}"]
    return options
