"""The programs of a node: which there are, what renames their folder, and what a build leaves."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import binaries, components, dns
from tests.cluster.binaries import Programs
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.progress import Progress

NODE = Layout("any", 7, Path("/state/any"))
TOOLS = Programs("tools", "tools", {"first": "./first", "second": "example.org/second/v2"})
QUIET = Progress(quiet=True)
# It writes what `go build` would: a program per package, named by the last word of its path.
GO = """\
#!/bin/sh
[ "$1" = version ] && echo "go version go1.99.0 linux/amd64" && exit
[ "$1" = list ] && echo "std" && echo "example.org/second/v2" && exit
while [ "$1" != -o ]; do shift; done
echo machine >"$2first"
echo "std" >&2
[ -e fails ] && echo "first.go:1: undefined" >&2 && exit 1
echo machine >"$2second"
"""


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a module of two programs, with a Go that makes them at once and an empty cache."""
    module = tmp_path / "modules" / "tools"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module example.org/tools\n")
    (module / "first").mkdir()
    (module / "first" / "main.go").write_text("package main\n")
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(binaries, "MODULES", module.parent)
    return module


def leftovers() -> list[str]:
    return sorted(entry.name for entry in TOOLS.folder.parent.glob("*.partial-*"))


def test_no_program_is_built_twice_and_every_component_has_one() -> None:
    built = [name for programs in binaries.ALL for name in programs.packages]
    needed = {component(NODE).program for component in components.ALL} - {"containerd"}
    assert len(built) == len(set(built))
    assert needed <= set(built)


def test_what_a_control_plane_runs_is_built_without_the_node() -> None:
    alone = {component(NODE).program for component in (components.etcd, components.api_server)}
    assert alone | {"kubectl"} == set(binaries.CONTROL_PLANE.packages)


def test_the_corefile_names_no_plugin_that_is_not_compiled_in() -> None:
    source = Path(binaries.__file__).parent / "modules" / "kubernetes" / "coredns" / "main.go"
    compiled = re.findall(r'_ "github.com/coredns/coredns/plugin/(\w+)"', source.read_text())
    ordered = re.findall(r'"(\w+)",', source.read_text())
    named = re.findall(r"^    (\w+)", dns.COREFILE, re.MULTILINE)
    assert set(named) <= set(compiled)
    assert sorted(ordered) == sorted(compiled)


def _change_the_sums(module: Path) -> Programs:
    (module / "go.sum").write_text("example.org/second v2.0.0 h1:x\n")
    return TOOLS


def _change_a_source(module: Path) -> Programs:
    (module / "first" / "main.go").write_text("package main // new\n")
    return TOOLS


def _rename_a_source(module: Path) -> Programs:
    (module / "first" / "main.go").rename(module / "first" / "other.go")
    return TOOLS


def _drop_a_program(module: Path) -> Programs:
    del module
    return Programs("tools", "tools", {"first": "./first"})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_change_the_sums, id="a dependency has another version"),
        pytest.param(_change_a_source, id="a source says something else"),
        pytest.param(_rename_a_source, id="a source has another name"),
        pytest.param(_drop_a_program, id="a program is built no more"),
    ],
)
def test_the_folder_has_another_name_when(
    modules: Path, change: Callable[[Path], Programs]
) -> None:
    before = TOOLS.folder
    assert TOOLS.folder == before
    assert change(modules).folder != before


def test_other_flags_give_the_folder_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = TOOLS.folder
    monkeypatch.setattr(binaries, "FLAGS", (*binaries.FLAGS, "-race"))
    assert TOOLS.folder != before


def test_every_program_has_its_own_name_whatever_go_called_it() -> None:
    binaries.build((TOOLS,), QUIET)
    assert {file.name for file in TOOLS.folder.iterdir()} == {"first", "second"}
    assert leftovers() == []


def test_a_build_that_fails_leaves_nothing_that_looks_built(modules: Path) -> None:
    (modules / "fails").touch()
    with pytest.raises(ClusterError, match=r"could not build tools:\nfirst.go:1: undefined"):
        binaries.build((TOOLS,), QUIET)
    assert not TOOLS.folder.exists()
    assert leftovers() == []


def test_the_next_build_removes_what_an_interrupted_one_left() -> None:
    interrupted = TOOLS.folder.parent / "tools.partial-1"
    interrupted.mkdir(parents=True)
    (interrupted / "first").touch()
    binaries.build((TOOLS,), QUIET)
    assert leftovers() == []


def test_what_is_built_is_not_built_again(modules: Path) -> None:
    binaries.build((TOOLS,), QUIET)
    (modules.parent.parent / "bin" / "go").write_text("#!/bin/sh\nexit 1\n")
    binaries.build((TOOLS,), QUIET)
