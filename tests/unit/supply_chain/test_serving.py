"""The packages of a predictor, as the release says them, are those of its lock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hallmark.supply_chain.installed import installed_libraries, installed_packages
from hallmark.supply_chain.serving import FILE, describe, serving_libraries

REPOSITORY = Path(__file__).parents[3]
LOCK = (REPOSITORY / "requirements/predictor.txt").read_text()


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="it is made with the oldest Python")
def test_the_file_says_what_the_lock_and_the_packages_say() -> None:
    assert json.loads(FILE.read_bytes()) == describe(LOCK, installed_libraries()), (
        "run: python -m hallmark.supply_chain.serving requirements/predictor.txt"
    )


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
