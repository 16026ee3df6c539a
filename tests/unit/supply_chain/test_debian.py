"""The packages of an image's Debian, as dpkg's files tell of them, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hallmark.api.texts import sha256_digest
from hallmark.supply_chain.debian import DebianPackage, debian_links, debian_packages
from tests.examples import examples

STATUS = """\
Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13.dfsg-1
Pre-Depends: libc6 (>= 2.14), adduser:any
Depends: awk | mawk [amd64], base-files(= 1)
Provides: libz1 (= 1.2)
Description: compression
 Package: innocent
 Version: 9

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: adduser
Status: install ok installed
Architecture: all
Version: 3.134

Package: ../../etc/passwd
Status: install ok installed
Version: 1

Package: odd
Status: install ok installed
Version: 1 or so
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: Zlib

Files: debian/*
License: GPL-2+

License: GPL-2+
 On Debian systems
License: a licence of several words
"""


def image(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_installed_packages_have_version_architecture_release_and_licences(tmp_path: Path) -> None:
    root = image(
        tmp_path,
        {
            "var/lib/dpkg/status": STATUS,
            "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
            "usr/share/doc/zlib1g/copyright": COPYRIGHT,
            "usr/share/doc/adduser/copyright": "License: GPL-2, in a text for people.",
        },
    )
    adduser, zlib = debian_packages(root)
    assert adduser == DebianPackage("adduser", "3.134", "all", "debian", "debian-12")
    assert zlib.requires == ("adduser", "awk", "base-files", "libc6", "mawk")
    assert zlib.provides == ("libz1",)
    assert zlib.licences == ("GPL-2+", "Zlib")
    assert zlib.purl == "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64&distro=debian-12"


def test_images_without_a_shell_have_a_file_for_each_package(tmp_path: Path) -> None:
    one = "Package: libc6\nArchitecture: amd64\nVersion: 2.36-9\n"
    root = image(
        tmp_path,
        {"var/lib/dpkg/status.d/libc6": one, "var/lib/dpkg/status.d/libc6.md5sums": one},
    )
    found = DebianPackage("libc6", "2.36-9", "amd64", md5sums=sha256_digest(one.encode()))
    assert debian_packages(root) == (found,)


INFO = "var/lib/dpkg/info"


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({f"{INFO}/libc6.md5sums": "one"}, "one"),
        ({f"{INFO}/libc6:amd64.md5sums": "one"}, "one"),
        ({f"{INFO}/libc6:amd64.md5sums": "one", f"{INFO}/libc6:i386.md5sums": "other"}, "one"),
        ({f"{INFO}/libc6:amd64.md5sums": "one", f"{INFO}/libc6.md5sums": "other"}, "one"),
        ({f"{INFO}/libc6:i386.md5sums": "other"}, None),
        ({f"{INFO}/libc6-dev.md5sums": "other"}, None),
        ({f"{INFO}/libc6.md5sums": "x" * ((8 << 20) + 1)}, None),
        ({f"{INFO}/libc6.md5sums/a": "a folder"}, None),
        ({}, None),
    ],
    ids=[
        "its list",
        "that of its architecture",
        "not of another architecture beside",
        "the more exact name first",
        "another architecture's alone",
        "another package's alone",
        "one that is too long",
        "a folder",
        "none",
    ],
)
def test_the_list_of_files_is_told_by_its_digest(
    tmp_path: Path, lists: dict[str, str], expected: str | None
) -> None:
    one = "Package: libc6\nArchitecture: amd64\nVersion: 2.36-9\n"
    (found,) = debian_packages(image(tmp_path, {"var/lib/dpkg/status": one, **lists}))
    assert found.md5sums == (sha256_digest(expected.encode()) if expected else "")


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        pytest.param('ID=ubuntu\nVERSION_ID="24.04"', ("ubuntu", "ubuntu-24.04"), id="another"),
        pytest.param("ID=debian", ("debian", "debian"), id="one without a number"),
        pytest.param("ID='A B'\nVERSION_ID=12", ("debian", ""), id="no name"),
        pytest.param("", ("debian", ""), id="nothing"),
    ],
)
def test_the_release_is_told_where_it_is_known(
    tmp_path: Path, release: str, expected: tuple[str, str]
) -> None:
    files = {"var/lib/dpkg/status": "Package: libc6\nVersion: 1", "etc/os-release": release}
    (found,) = debian_packages(image(tmp_path, files))
    assert (found.vendor, found.release) == expected


def test_a_package_needs_what_has_or_provides_the_name_and_not_itself() -> None:
    packages = [
        DebianPackage("a", "1", "all", requires=("a", "awk", "absent", "c")),
        DebianPackage("mawk", "1", "all", provides=("awk",)),
        DebianPackage("gawk", "1", "all", provides=("awk",), requires=("a",)),
        DebianPackage("c", "1", "all"),
    ]
    assert debian_links(packages) == [[1, 2, 3], [], [0], []]


def test_where_there_is_no_dpkg_there_is_no_package(tmp_path: Path) -> None:
    assert debian_packages(tmp_path) == ()


@given(st.binary(max_size=300))
@examples(50)
def test_no_bytes_end_the_reading(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    root = image(tmp_path_factory.mktemp("image"), {"var/lib/dpkg/status": STATUS})
    with (root / "var/lib/dpkg/status").open("ab") as file:
        file.write(b"\n\nPackage: " + noise)
    (root / "etc").mkdir()
    (root / "etc/os-release").write_bytes(noise)
    for found in debian_packages(root):
        assert found.purl.isprintable()
