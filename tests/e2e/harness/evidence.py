"""What an auditor has on his own machine: a copy of the log, a way to the store, public keys."""

import base64
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness import forward
from tests.e2e.harness.world import OPERATOR, SYSTEM, World

LOGS = "/var/lib/hallmark/logs"
ANCHOR = "hallmark-audit-anchor"


@dataclass(frozen=True)
class Desk:
    """A folder, and options of the command line that name the store.

    Attributes:
        world: the installation.
        folder: where files go.
        store: the options.
    """

    world: World
    folder: Path
    store: list[str]

    def logs(self, name: str) -> Path:
        """Copy the operator's logs, as docs/verify.md says; return the current file."""
        copied = self.folder / name
        copied.mkdir()
        tar = ("exec", f"deploy/{OPERATOR}", "--", "tar", "-C", LOGS, "-c", ".")
        taken = shlex.join(self.world.cluster.kubectl_command("-n", SYSTEM, *tar))
        line = f"set -o pipefail; {taken} | tar -x -C {shlex.quote(str(copied))}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return copied / "secure_mlops.log"

    def policy(self, name: str) -> Path:
        """Write a ModelPolicy into a file, as whoever owns it would hand it on."""
        file = self.folder / f"{name}.yaml"
        file.write_text(self.world.cluster.kubectl("get", "modelpolicy", name, "-oyaml").stdout)
        return file


@contextmanager
def desk(world: World, folder: Path) -> Iterator[Desk]:
    """Yield an auditor's desk, with a port-forward to the store while it lasts."""
    credentials = folder / "credentials"
    credentials.mkdir()
    for key, value in world.api.get("Secret", SYSTEM, "hallmark-store")["data"].items():
        (credentials / key).write_bytes(base64.b64decode(value))
    file = folder / "store.pid"
    address = forward.begin(world.cluster, file, "hallmark-store", SYSTEM, of=7070)
    try:
        options = [f"--store-endpoint={address}", f"--store-credentials={credentials}"]
        yield Desk(world, folder, options)
    finally:
        forward.end(file)


def verified_in_the_pod(world: World) -> str:
    """Verify the log with its anchor, with the very line of docs/audit.md; return what it says."""
    kubectl = shlex.join(world.cluster.kubectl_command())
    line = (
        f"{kubectl} -n {SYSTEM} get cm {ANCHOR} -o jsonpath='{{.data.head\\.json}}' | "
        f"{kubectl} -n {SYSTEM} exec -i deploy/{OPERATOR} -- python -m hallmark.audit "
        f"verify {LOGS}/secure_mlops.log --anchor /dev/stdin"
    )
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
