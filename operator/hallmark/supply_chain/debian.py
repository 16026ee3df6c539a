"""The Debian packages of an image, as dpkg's own files tell of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packageurl import PackageURL

from hallmark.api.texts import sha256_digest
from hallmark.files import read_first

MD5SUMS_PROPERTY = "hallmark:md5sums-sha256"
"""The SHA-256 of a package's list of files with their MD5 sums, as its archive has it."""
_STATUS_BYTES = 32 << 20
_COPYRIGHT_BYTES = 256 << 10
_LIST_BYTES = 8 << 20
_MOST_LICENCES = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9+.\-]{1,127}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:\-]{0,127}")
_WORD = re.compile(r"[a-z0-9][a-z0-9._\-]{0,63}")
_LICENCE = re.compile(r"^License:[ \t]*([^\s,]{1,64})[ \t]*$", re.MULTILINE)
_MACHINE_READABLE = re.compile(
    r"Format:\s*https?://(www\.)?debian\.org/doc/packaging-manuals/copyright-format/", re.IGNORECASE
)


@dataclass(frozen=True)
class DebianPackage:
    """A package that dpkg installed.

    Attributes:
        name: its name.
        version: its version, with epoch and revision.
        architecture: such as ``amd64`` or ``all``.
        vendor: the distribution: ``debian``, ``ubuntu``, ...
        release: the distribution and its version, such as ``debian-12``; empty where not known.
        licences: the short names that its machine-readable copyright file has, sorted; they are
            Debian's words, and hold for parts of it.
        requires: the names that it needs, alternatives too, sorted.
        provides: the names that it has beside its own, sorted.
        md5sums: the digest of its list of files (``md5sums``), which dpkg keeps as it is in the
            archive; empty where there is none.
    """

    name: str
    version: str
    architecture: str
    vendor: str = "debian"
    release: str = ""
    licences: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    md5sums: str = ""

    @property
    def purl(self) -> str:
        """The package's URL (https://github.com/package-url/purl-spec)."""
        qualifiers = {"arch": self.architecture, "distro": self.release}
        stated = {key: value for key, value in qualifiers.items() if value}
        return PackageURL("deb", self.vendor, self.name, self.version, stated).to_string()


def debian_packages(root: Path) -> tuple[DebianPackage, ...]:
    """Return the packages that are installed below a root, sorted; none where there is no dpkg.

    A paragraph that is not of dpkg's form is left out: dpkg itself writes these files.
    """
    vendor, release = _release(root)
    found = set()
    for paragraph in _paragraphs(root / "var/lib/dpkg"):
        name, version = paragraph.get("Package", ""), paragraph.get("Version", "")
        architecture = paragraph.get("Architecture", "")
        installed = paragraph.get("Status", "install ok installed").endswith(" installed")
        if installed and _NAME.fullmatch(name) and _VERSION.fullmatch(version):
            known = architecture if _WORD.fullmatch(architecture) else ""
            package = DebianPackage(
                *(name, version, known, vendor, release),
                licences=_licences(root / "usr/share/doc" / name / "copyright"),
                requires=_names(paragraph.get("Pre-Depends", ""), paragraph.get("Depends", "")),
                provides=_names(paragraph.get("Provides", "")),
                md5sums=_list_digest(root / "var/lib/dpkg", name, known),
            )
            found.add(package)
    return tuple(sorted(found, key=lambda package: (package.name, package.architecture)))


def debian_links(packages: Sequence[DebianPackage]) -> list[list[int]]:
    """Return for each package the places of those that it needs, of alternatives all there are."""
    places: dict[str, set[int]] = {}
    for place, package in enumerate(packages):
        for name in (package.name, *package.provides):
            places.setdefault(name, set()).add(place)
    needed = [
        {place for name in one.requires for place in places.get(name, ())} for one in packages
    ]
    return [sorted(found - {place}) for place, found in enumerate(needed)]


def _names(*relations: str) -> tuple[str, ...]:
    """Return the names in fields such as ``libc6 (>= 2.36), awk | mawk:any``."""
    parts = (part for field in relations for part in re.split(r"[,|]", field))
    found = (re.split(r"[\s:(\[]", part.strip(), maxsplit=1)[0] for part in parts)
    return tuple(sorted({name for name in found if _NAME.fullmatch(name)}))


def _paragraphs(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the fields of each package; images without a shell have a file for each in status.d."""
    files = [folder / "status"]
    apart = folder / "status.d"
    if apart.is_dir():
        files += sorted(file for file in apart.iterdir() if file.suffix != ".md5sums")
    for file in files:
        for paragraph in _text(file, _STATUS_BYTES).split("\n\n"):
            yield _fields(paragraph.split("\n"))


def _fields(lines: Sequence[str]) -> dict[str, str]:
    """Return the fields of one line each; continuations are descriptions and lists of files."""
    pairs = (line.partition(":") for line in lines if line[:1].isalpha())
    return {name: value.strip() for name, colon, value in pairs if colon}


def _licences(file: Path) -> tuple[str, ...]:
    text = _text(file, _COPYRIGHT_BYTES)
    if not _MACHINE_READABLE.match(text):
        return ()
    named = {name for name in _LICENCE.findall(text) if name.isprintable()}
    return tuple(sorted(named)[:_MOST_LICENCES])


def _list_digest(folder: Path, name: str, architecture: str) -> str:
    """Return the digest of a package's list of files; one for each architecture comes first."""
    names = (f"info/{name}:{architecture}", f"info/{name}", f"status.d/{name}")
    for file in names:
        try:
            data = read_first(folder / f"{file}.md5sums", _LIST_BYTES + 1)
        except OSError:
            continue
        return sha256_digest(data) if len(data) <= _LIST_BYTES else ""
    return ""


def _release(root: Path) -> tuple[str, str]:
    lines = _text(root / "etc/os-release", 65536).splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    vendor, version = (fields.get(key, "").strip("\"'") for key in ("ID", "VERSION_ID"))
    if not _WORD.fullmatch(vendor):
        return "debian", ""
    return vendor, f"{vendor}-{version}" if _WORD.fullmatch(version) else vendor


def _text(file: Path, limit: int) -> str:
    try:
        return read_first(file, limit).decode(errors="replace")
    except OSError:
        return ""
