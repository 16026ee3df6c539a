"""Talks to the containerd of a node."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import archive, images
from tests.cluster.archive import StaticImage
from tests.cluster.errors import ClusterError


@dataclass(frozen=True)
class Containerd:
    """A container runtime behind a socket.

    Attributes:
        socket: the socket.
    """

    socket: Path

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run its client in the namespace of Kubernetes.

        Raises:
            ClusterError: if it fails and `check` is set.
        """
        done = subprocess.run(
            ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", *arguments],
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode and check:
            raise ClusterError(f"ctr {arguments[0]} failed: {done.stderr.strip()}")
        return done

    def answers(self) -> bool:
        """Return whether it can be talked to."""
        return self.socket.exists() and self.run("version", check=False).returncode == 0

    def has(self, reference: str) -> bool:
        """Return whether it has an image."""
        return reference in self.run("images", "list", "--quiet").stdout.split()

    def load_static(self, image: StaticImage) -> None:
        """Import an image of files, unless it is there."""
        if self.has(image.reference):
            return
        with tempfile.NamedTemporaryFile(prefix="hallmark-image-", suffix=".tar") as file:
            archive.write(image, Path(file.name))
            self.run("images", "import", file.name)

    def load(self, reference: str) -> None:
        """Import what it lacks of an image that buildah built, unless it is there.

        Raises:
            ClusterError: if there is no such image.
        """
        if self.has(reference):
            return
        present = self.run("content", "list", "--quiet").stdout.split()
        with images.packed(reference, present) as file:
            self.run("images", "import", str(file))
