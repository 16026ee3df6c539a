"""What metadata says of a package, whoever wrote it, and in whichever order it is found."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from email.message import Message
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hallmark.api.texts import sha256_digest
from hallmark.supply_chain.installed import (
    files_digest,
    image_wheels,
    installed_libraries,
    installed_packages,
    libraries_in,
    stated_licence,
)
from hallmark.supply_chain.library import Library
from tests.examples import examples

MIT = "License :: OSI Approved :: MIT License"
BSD = "License :: OSI Approved :: BSD License"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param([("License-Expression", "MIT"), ("License", "no")], "MIT", id="of today"),
        pytest.param([("License", "Apache 2.0"), ("Classifier", MIT)], "Apache 2.0", id="words"),
        pytest.param([("License", "UNKNOWN"), ("Classifier", MIT)], "MIT License", id="unknown"),
        pytest.param([("License", "a\n b"), ("Classifier", MIT)], "MIT License", id="a text"),
        pytest.param(
            [("License", "a" * 999), ("Classifier", BSD)], "BSD License", id="a long line"
        ),
        pytest.param([("Classifier", MIT), ("Classifier", BSD)], "", id="two, and no word how"),
        pytest.param([("Classifier", "Topic :: MIT License")], "", id="no licence"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_the_licence_that_a_package_states(fields: list[tuple[str, str]], expected: str) -> None:
    metadata = Message()
    for name, value in fields:
        metadata[name] = value
    assert stated_licence(metadata) == expected


def package(root: Path, folder: str, metadata: str | bytes, record: bytes | None = None) -> None:
    """Lay out a package's metadata as an installer does."""
    place = root / folder
    place.mkdir(parents=True)
    text = metadata if isinstance(metadata, bytes) else metadata.encode()
    (place / "METADATA").write_bytes(text)
    if record is not None:
        (place / "RECORD").write_bytes(record)


def found(*roots: Path, wheels: Mapping[str, str] | None = None) -> tuple[Library, ...]:
    return libraries_in([str(root) for root in roots], wheels or {})


def test_what_is_installed_here_is_read() -> None:
    libraries = {library.name: library for library in installed_libraries()}
    assert libraries["scikit-learn"].licence == "BSD-3-Clause"
    assert "numpy" in libraries["scikit-learn"].requires
    assert "numpy" in libraries["onnxruntime"].requires
    assert libraries["numpy"].files is not None
    packages = installed_packages()
    assert packages["pydantic"].startswith("2.")
    assert list(packages) == sorted(packages)
    assert packages.keys() == libraries.keys()


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        pytest.param("Name: A.b_C\nVersion: 1\n\nText", ("a-b-c", "1"), id="a name of any form"),
        pytest.param("Version: 1\n", ("thing", "1"), id="no name: that of the folder"),
        pytest.param("Name: x\n", ("x", ""), id="no version"),
        pytest.param("", ("thing", ""), id="nothing at all"),
        pytest.param(b"\xff\xfe\x00Name: y\n", ("thing", ""), id="no text"),
        pytest.param("Name: a\x1b[31m\nVersion: 1\x07\n", ("a?[31m", "1?"), id="controls"),
        pytest.param("Name: x\nVersion: " + "1" * 9999 + "\n", ("x", "1" * 125 + "..."), id="long"),
        pytest.param("\n\nName: late\nVersion: 9\n", ("thing", ""), id="fields in the text"),
    ],
)
def test_whoever_wrote_it_a_package_is_listed(
    tmp_path: Path, metadata: str | bytes, expected: tuple[str, str]
) -> None:
    package(tmp_path, "thing-1.0.dist-info", metadata)
    (library,) = found(tmp_path)
    assert (library.name, library.version) == expected


@given(st.binary(max_size=200), st.binary(max_size=200))
@examples(50)
def test_no_bytes_end_the_reading(
    tmp_path_factory: pytest.TempPathFactory, metadata: bytes, record: bytes
) -> None:
    root = tmp_path_factory.mktemp("site")
    package(root, "thing-1.0.dist-info", b"Requires-Dist: " + metadata, record)
    (library,) = found(root)
    assert library.name.isprintable()
    assert library.version.isprintable()


def test_a_file_without_an_end_is_read_up_to_a_limit(tmp_path: Path) -> None:
    package(tmp_path, "thing-1.0.dist-info", "Name: thing\nVersion: 1\n\n")
    for name in ("METADATA", "RECORD"):
        with (tmp_path / "thing-1.0.dist-info" / name).open("ab") as file:
            file.truncate(100 << 20)  # A hundred megabytes of nothing, without a disk full of it.
    (library,) = found(tmp_path)
    assert (library.name, library.version, library.files) == ("thing", "1", None)


def test_older_forms_of_metadata_count(tmp_path: Path) -> None:
    (tmp_path / "old-1.egg-info").mkdir()
    (tmp_path / "old-1.egg-info/PKG-INFO").write_text("Name: old\nVersion: 1\n")
    (tmp_path / "older-2.egg-info").write_text("Name: older\nVersion: 2\n")
    assert [(one.name, one.version) for one in found(tmp_path)] == [("old", "1"), ("older", "2")]


def test_the_first_folder_counts_and_no_version_hides_another(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    package(first, "thing-2.dist-info", "Name: thing\nVersion: 2\nLicense: MIT\n")
    package(second, "thing-2.dist-info", "Name: thing\nVersion: 2\nLicense: ISC\n")
    package(second, "thing-1.dist-info", "Name: thing\nVersion: 1\n")
    libraries = found(first, second, tmp_path / "absent")
    assert [(one.version, one.licence) for one in libraries] == [("2", "MIT"), ("1", "")]


def test_extras_count_where_an_installed_package_asks_for_them(tmp_path: Path) -> None:
    package(
        tmp_path,
        "a-1.dist-info",
        "Name: a\nVersion: 1\nRequires-Dist: b[Fast_Er]\nRequires-Dist: e; extra == 'no'\n"
        "Requires-Dist: e; python_version < '3'\nRequires-Dist: not installed\n"
        "Requires-Dist: a[x]\n",
    )
    package(
        tmp_path,
        "b-1.dist-info",
        "Name: b\nVersion: 1\nRequires-Dist: c; extra == 'fast-er'\n"
        "Requires-Dist: d; extra == 'x'\nRequires-Dist: a\n",
    )
    for name in "cde":
        package(tmp_path, f"{name}-1.dist-info", f"Name: {name}\nVersion: 1\n")
    assert {one.name: one.requires for one in found(tmp_path)} == {
        "a": ("b",),
        "b": ("a", "c"),
        "c": (),
        "d": (),
        "e": (),
    }


WHEEL = {
    "thing/__init__.py": b"",
    "thing/part,two.py": b"x = 1",
    "thing-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
    "thing-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "thing-1.0.dist-info/entry_points.txt": b"[console_scripts]\nthing = thing:main\n",
    "thing-1.0.data/scripts/run": b"#!python\nprint(1)\n",
}


def record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    quoted = f'"{name}"' if "," in name else name
    return f"{quoted},sha256={digest},{len(data)}\n"


RECORD = "".join(record_line(*item) for item in WHEEL.items()) + "thing-1.0.dist-info/RECORD,,\n"


@pytest.mark.parametrize(
    "installer",
    [
        pytest.param("{here}/pip -q --python {there} install --no-index {wheel}", id="pip"),
        pytest.param("{here}/uv pip install -q --python {there} --offline {wheel}", id="uv"),
    ],
)
def test_whichever_installer_wrote_the_list_of_files_it_has_the_digest_of_the_wheels_own(
    tmp_path: Path, installer: str
) -> None:
    wheel, venv = tmp_path / "thing-1.0-py3-none-any.whl", tmp_path / "venv"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in (WHEEL | {"thing-1.0.dist-info/RECORD": RECORD.encode()}).items():
            archive.writestr(name, data)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    places = {"here": f"{sys.prefix}/bin", "there": venv / "bin/python3", "wheel": wheel}
    command = [part.format(**places) for part in installer.split()]
    subprocess.run(command, check=True, capture_output=True)
    (library,) = found(next(venv.glob("lib/*/site-packages")))
    assert library.files == files_digest(RECORD.encode()) is not None
    changed = RECORD.replace(record_line("thing/__init__.py", b"").strip(), "thing/__init__.py,a,0")
    assert files_digest(changed.encode()) != library.files


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(None, id="no list"),
        pytest.param(b"", id="an empty one"),
        pytest.param(b"\xff,sha256=a,1", id="no text"),
        pytest.param(b"a,b\nc\n", id="other columns"),
        pytest.param(b"thing.py,,\n", id="no hashes"),
        pytest.param(b'"' + b"a" * 200_000 + b'",sha256=a,1', id="a field without an end"),
    ],
)
def test_what_is_no_list_of_files_has_no_digest(record: bytes | None) -> None:
    assert files_digest(record) is None


def test_an_images_list_of_wheels_gives_their_digests(tmp_path: Path) -> None:
    digest = sha256_digest(b"wheel").removeprefix("sha256:")
    assert image_wheels(tmp_path) is None
    (tmp_path / "wheels.json").write_text(f'{{"thing==1": "{digest}", "other==1": "0"}}')
    package(tmp_path / "site", "thing-1.dist-info", "Name: thing\nVersion: 1\n")
    wheels = image_wheels(tmp_path)
    assert wheels == {"thing==1": f"sha256:{digest}"}
    (library,) = found(tmp_path / "site", wheels=wheels)
    assert library.wheel == f"sha256:{digest}"
    (tmp_path / "wheels.json").write_text("[")
    assert image_wheels(tmp_path) == {}
