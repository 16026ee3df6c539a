"""What a browser needs beside Python: Debian's Chromium and axe-core, fetched when missing."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import tarfile
import urllib.request
from pathlib import Path

from tests.cluster import packages
from tests.cluster.binaries import exclusive
from tests.cluster.errors import ClusterError
from tests.cluster.layout import cache_folder
from tests.cluster.progress import Progress

FILES = {"chromium": "chromium", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf": "fonts-dejavu"}
"""Programs and fonts by the Debian package that has them; DejaVu has the shapes of the states."""
AXE_VERSION = "4.14.1"
AXE_SHA512 = (
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)
"""As npm states it for the package's archive."""
_REGISTRY = "https://registry.npmjs.org"


def chromium() -> str:
    """Return the path of Chromium; install Debian's where there is none.

    Raises:
        ClusterError: it cannot be installed.
    """
    packages.install(Progress(), FILES)
    return str(shutil.which("chromium"))


def axe_core() -> str:
    """Return axe-core's script; fetch the archive once, and hold it against its digest each time.

    Raises:
        ClusterError: what came is not what is pinned.
    """
    kept = cache_folder() / f"axe-core-{AXE_VERSION}.tgz"
    with exclusive(cache_folder() / "axe-core.lock"):
        data = kept.read_bytes() if kept.exists() else _fetched()
        found = base64.b64encode(hashlib.sha512(data).digest()).decode()
        if found != AXE_SHA512:
            kept.unlink(missing_ok=True)
            raise ClusterError(f"expected axe-core with SHA-512 {AXE_SHA512}, found {found}")
        _keep(kept, data)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        script = archive.extractfile("package/axe.min.js")
        if script is None:
            raise ClusterError("axe-core's archive has no package/axe.min.js")
        return script.read().decode()


def _fetched() -> bytes:
    registry = os.environ.get("NPM_CONFIG_REGISTRY", _REGISTRY).rstrip("/")
    address = f"{registry}/axe-core/-/axe-core-{AXE_VERSION}.tgz"
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
        return bytes(answer.read())


def _keep(path: Path, data: bytes) -> None:
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_bytes(data)
        partial.rename(path)
