"""What builds images: a Docker engine, or buildah with a base image of its own making."""

import hashlib
import json
import shutil
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from tests.cluster import commands
from tests.cluster.binaries import exclusive, fresh_folder
from tests.cluster.layout import cache_folder
from tests.cluster.progress import Progress
from tests.cluster.storage import Storage

RELEASE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = "python3,python3-venv,ca-certificates"
# Tags of one image that are kept: others may still run what was built a moment ago.
KEPT_TAGS = 5
# Nothing reads these in a container.
DOCUMENTS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
SUPERFLUOUS = (*DOCUMENTS, "var/cache/apt")
LISTS = "var/lib/apt/lists"
# While the base is made dpkg does not wait for the disk: after a power cut it is made anew.
HASTY = "etc/dpkg/dpkg.cfg.d/hasty"


def run(*command: str) -> str:
    """Run a command and return its output; see `commands.run`."""
    return commands.run(command)


def superseded(listing: str, count: int = KEPT_TAGS) -> list[str]:
    """Return the images that are not among the newest of their repository.

    Args:
        listing: the output of `buildah images --json`.
        count: how many of each repository are kept.
    """
    images = json.loads(listing)
    named = [(each["created"], name) for each in images for name in each["names"] or ()]
    newest: dict[str, list[str]] = {}
    for _, reference in sorted(named, reverse=True):
        newest.setdefault(reference.rpartition(":")[0], []).append(reference)
    return [reference for tags in newest.values() for reference in tags[count:]]


class Engine(Protocol):
    """What builds images."""

    def base(self, progress: Progress) -> str:
        """Return the base image's name, made first if there is none; empty for the default."""

    def has(self, reference: str) -> bool:
        """Return whether the image is there."""

    def build(self, reference: str, dockerfile: Path, context: Path, options: list[str]) -> None:
        """Build an image."""


class Docker:
    """A Docker engine; the base is the default of the Dockerfiles."""

    def base(self, progress: Progress) -> str:
        """Return nothing: the Dockerfiles know their base."""
        del progress
        return ""

    def has(self, reference: str) -> bool:
        """Return whether the engine has the image."""
        asked = ["docker", "image", "inspect", reference]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def build(self, reference: str, dockerfile: Path, context: Path, options: list[str]) -> None:
        """Run `docker build`."""
        named = ["--tag", reference, "--file", str(dockerfile), "--network", "host"]
        run("docker", "build", *named, *options, str(context))


def _mirror() -> str:
    """Return the mirror that this machine's apt uses for Debian's main archive."""
    wanted = ["Created-By: Packages", "Origin: Debian", "Component: main"]
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted]
    found = subprocess.run(listing, capture_output=True, text=True, check=False)
    addresses = [line for line in found.stdout.split() if "security" not in line]
    return addresses[0] if addresses else MIRROR


class Buildah:
    """Buildah with its own storage in the cache folder."""

    def __init__(self) -> None:
        folder = cache_folder() / "containers"
        self._folder = folder
        storage = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
        self._command = ["buildah", *storage, "--storage-driver", "overlay"]

    @property
    def storage(self) -> Storage:
        """The images as they lie on the disk."""
        return Storage(self._folder / "root")

    def pruning(self) -> AbstractContextManager[None]:
        """Hold the lock under which images are removed, or read so that none goes meanwhile."""
        return exclusive(cache_folder() / "prune.lock")

    def command(self, *arguments: str) -> str:
        """Run buildah and return its output."""
        return run(*self._command, *arguments)

    def has(self, reference: str) -> bool:
        """Return whether the image is in the storage."""
        asked = [*self._command, "inspect", "--type", "image", reference]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def base(self, progress: Progress) -> str:
        """Return Debian with Python, made with debootstrap the first time."""
        recipe = hashlib.sha256(f"{RELEASE} {PACKAGES} {SUPERFLUOUS}".encode()).hexdigest()[:12]
        reference = f"localhost/hallmark-base:{RELEASE}-{recipe}"
        if not self.has(reference):
            with progress.step(f"making the base image from Debian {RELEASE} (once)"):
                self._make_base(reference)
        return reference

    def _make_base(self, reference: str) -> None:
        root = fresh_folder(self._folder, "base-")
        hasty = root / HASTY
        hasty.parent.mkdir(parents=True)
        hasty.write_text("force-unsafe-io\n")
        variant = ["--variant=minbase", f"--include={PACKAGES}"]
        run("debootstrap", *variant, RELEASE, str(root), _mirror())
        hasty.unlink()
        for path in SUPERFLUOUS:
            shutil.rmtree(root / path, ignore_errors=True)
        for entry in (root / LISTS).iterdir():
            entry.unlink() if entry.is_file() else shutil.rmtree(entry)
        (root / "etc" / "apt" / "sources.list").write_text(f"deb {MIRROR} {RELEASE} main\n")
        root.chmod(0o755)
        self.command("rm", "--all")
        container = self.command("from", "scratch")
        self.command("add", "--quiet", container, str(root), "/")
        self.command("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
        self.command("commit", "--quiet", "--rm", container, reference)
        shutil.rmtree(root)

    def build(self, reference: str, dockerfile: Path, context: Path, options: list[str]) -> None:
        """Run `buildah bud` without a daemon or namespaces."""
        isolation = ["--isolation", "chroot", "--network", "host", "--layers"]
        named = ["--tag", reference, "--file", str(dockerfile)]
        self.command("bud", *isolation, *named, *options, str(context))
        with self.pruning():
            for old in superseded(self.command("images", "--json")):
                self.command("rmi", old)
