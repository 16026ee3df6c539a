"""The packages of a predictor, as the release says them, are those of its lock."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.tags import sys_tags

from hallmark.supply_chain.installed import installed_libraries, installed_packages
from hallmark.supply_chain.serving import (
    FILE,
    chosen,
    describe,
    serving_libraries,
    serving_wheels,
    wheels_in,
)

REPOSITORY = Path(__file__).parents[3]
LOCK = (REPOSITORY / "requirements/predictor.txt").read_text()


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="it is made with the oldest Python")
def test_the_file_says_what_the_lock_and_the_packages_say() -> None:
    found = describe(LOCK, installed_libraries(), serving_wheels())
    assert json.loads(FILE.read_bytes()) == found, "run: make lock"


def test_each_wheel_is_one_of_the_lock() -> None:
    pinned, name = dict[str, set[str]](), ""
    for line in LOCK.splitlines():
        if pin := re.match(r"([a-z0-9-]+)==", line):
            name = pin[1]
        if digest := re.search(r"--hash=(sha256:[0-9a-f]{64})", line):
            pinned.setdefault(name, set()).add(digest[1])
    assert {package for package, _ in serving_wheels()} == pinned.keys()
    for (package, _), wheels in serving_wheels().items():
        assert set(wheels.values()) <= pinned[package]
        assert wheels


PYLOCK = """
[[packages]]
name = "A_Thing"
version = "1"
wheels = [
  {url = "https://x/a_thing-1-py3-none-any.whl", hashes = {sha256 = "00"}},
  {url = "https://x/a_thing-1-cp311-cp311-manylinux_2_17_x86_64.whl", hashes = {sha256 = "01"}},
  {url = "https://x/a_thing-1-cp311-abi3-manylinux_2_17_aarch64.whl", hashes = {sha256 = "02"}},
  {url = "https://x/a_thing-1-cp314-cp314t-manylinux_2_17_x86_64.whl", hashes = {sha256 = "03"}},
  {url = "https://x/a_thing-1-pp310-pypy310-manylinux_2_17_x86_64.whl", hashes = {sha256 = "04"}},
  {url = "https://x/a_thing-1-cp311-cp311-musllinux_1_2_x86_64.whl", hashes = {sha256 = "05"}},
  {url = "https://x/a_thing-1-cp311-cp311-win_amd64.whl", hashes = {sha256 = "06"}},
  {url = "https://x/nothing.whl", hashes = {sha256 = "07"}},
]

[[packages]]
name = "source"
version = "2"
"""


def test_only_wheels_that_a_predictors_image_may_be_made_of_are_kept() -> None:
    found = wheels_in(PYLOCK)
    assert [*found[("a-thing", "1")].values()] == ["sha256:00", "sha256:01", "sha256:02"]
    assert found[("source", "2")] == {}


def test_the_wheel_is_the_one_that_pip_would_choose() -> None:
    best, *_, last = sys_tags()
    wheels = {
        f"a_thing-1-{last}.whl": "last",
        f"a_thing-1-{best}.whl": "best",
        "a_thing-1-cp399-cp399-win32.whl": "elsewhere",
    }
    assert chosen(wheels) == "best"
    assert chosen({name: digest for name, digest in wheels.items() if digest != "best"}) == "last"
    assert chosen({"a_thing-1-cp399-cp399-win32.whl": "elsewhere"}) is None
    assert chosen({}) is None


def test_each_pin_that_holds_here_is_one_library_in_the_version_that_is_installed() -> None:
    found = serving_libraries()
    packages = installed_packages()
    assert {library.name: library.version for library in found} == {
        library.name: packages[library.name] for library in found
    }
    names = {library.name for library in found}
    assert {"fastapi", "numpy", "onnxruntime", "uvicorn", "uvloop"} <= names
    assert "scikit-learn" not in names
    assert all(library.licence for library in found if library.name != "numpy")
    assert all(set(library.requires) <= names for library in found)
    assert all(library.wheel for library in found)


REPORT = {
    "install": [
        {
            "metadata": {"name": "A.Thing", "version": "1"},
            "download_info": {"archive_info": {"hashes": {"sha256": "ab" * 32}}},
        },
        {"metadata": {"name": "local", "version": "1"}, "download_info": {"dir_info": {}}},
    ]
}


@pytest.mark.parametrize("before", [{}, {"other==2": "cd" * 32}])
def test_an_image_keeps_the_digests_that_pip_reports(
    tmp_path: Path, before: dict[str, str]
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    kept = tmp_path / "venv/wheels.json"
    if before:
        kept.write_text(json.dumps(before))
    subprocess.run(
        [
            tmp_path / "venv/bin/python3",
            REPOSITORY / "requirements/wheels.py",
            tmp_path / "report.json",
        ],
        check=True,
    )
    assert json.loads(kept.read_bytes()) == {**before, "a-thing==1": "ab" * 32}
    assert not (tmp_path / "report.json").exists()
