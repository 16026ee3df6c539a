"""A version that was trained again, held against what was sealed: file by file. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from packageurl import PackageURL

from hallmark.api.artifacts import Manifest
from hallmark.api.files import (
    BASELINE,
    BUNDLE,
    DOCKERFILE,
    GOLDEN,
    MANIFEST,
    MODEL_ONNX,
    REPORT,
    REPORT_PAGE,
    SCHEMA,
    SLOT_JOBLIB,
    SLOT_SBOM,
    final_name,
)
from hallmark.api.report import Report
from hallmark.api.texts import canonical_json, clip, sha256_digest
from hallmark.reporting.page import page
from hallmark.supply_chain.dsse import IN_TOTO, MalformedEnvelope, open_envelope
from hallmark.supply_chain.signing import PROVENANCE_FOLDER, not_signed
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark.supply_chain.verify import signed_resources
from hallmark.verification.differences import JSON_BYTES, first_difference
from hallmark.verification.links import Link, State, broken, holds, open_, worst
from hallmark.verification.sealed import Sealed

Rest = Callable[["_Side"], bytes]
"""What is left of an artifact without what lists libraries.

Raises LookupError, TypeError or ValueError where it is not such an artifact at all.
"""


@dataclass(frozen=True)
class Library:
    """A package that is another one here: Python's, or the system's, or Python itself.

    Args:
        name: normalised; before that of a system's package stands its kind, such as ``deb/``.
        then: the version that the sealed report or bill names; empty where there was none.
        now: the version here; empty where there is none.
    """

    name: str
    then: str
    now: str


@dataclass(frozen=True)
class Reproduction:
    """What came of training a version again.

    Args:
        version: namespace and name of the ModelVersion.
        links: one for each artifact, in the order of ``RULES``, then what is signed.
        libraries: those that differ, by name.
        here: the machine, in words: what no bundle records.
    """

    version: str
    links: tuple[Link, ...]
    libraries: tuple[Library, ...]
    here: Mapping[str, str]

    @property
    def state(self) -> State:
        """The worst of all artifacts."""
        return worst(link.state for link in self.links)

    def to_wire(self) -> dict[str, Any]:
        """Return it as JSON for programs."""
        return {
            "version": self.version,
            "verdict": self.state.value,
            "artifacts": [
                {"name": link.name, "verdict": link.state.value, "said": link.said}
                for link in self.links
            ],
            "libraries": [
                {"name": library.name, "then": library.then, "now": library.now}
                for library in self.libraries
            ],
            "here": dict(self.here),
        }


@dataclass(frozen=True)
class _Side:
    """One of the two bundles: a file by its slot, and the slots in which libraries alone differ."""

    slot: str
    files: Mapping[str, bytes]
    excused: frozenset[str]
    run_id: str

    @property
    def data(self) -> bytes:
        """The artifact in question."""
        return self.files[self.slot]

    @cached_property
    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return parse_object(self.data, JSON_BYTES)

    @property
    def excused_names(self) -> set[str]:
        """The names in the bundle of what differs by libraries alone."""
        return {final_name(slot, self.run_id) for slot in self.excused}


def _report(side: _Side) -> bytes:
    return canonical_json({key: part for key, part in side.document.items() if key != "packages"})


def _page(side: _Side) -> bytes:
    """A page says nothing of its own: where it shows its report, the reports were compared."""
    shown = page(Report.model_validate_json(side.files[REPORT]))
    return b"" if shown == side.data and REPORT in side.excused else side.data


def _bill(side: _Side) -> bytes:
    """The bill without packages, what needs which, and digests of files that list packages.

    Its number follows from the rest, and the interpreter is no package.
    """
    kept = [
        part
        for part in side.document["components"]
        if part["type"] in {"data", "file"} and part["name"] not in side.excused_names
    ]
    root = {**side.document["metadata"]["component"], "properties": None}
    metadata = {**side.document["metadata"], "component": root}
    rest = {"components": kept, "dependencies": None, "serialNumber": None, "metadata": metadata}
    return canonical_json({**side.document, **rest})


def _dockerfile(side: _Side) -> bytes:
    return _SBOM_LABEL.sub(b"", side.data) if SLOT_SBOM in side.excused else side.data


_SBOM_LABEL = re.compile(rb'(?<=dev\.hallmark\.sbom=")sha256:[a-f0-9]{64}(?=" \\\n)')
"""The digest of the SBOM, which lists libraries, in the Dockerfile's label."""


def _manifest(side: _Side) -> bytes:
    names = side.excused_names
    kept = [entry for entry in side.document["files"] if entry["name"] not in names]
    return canonical_json({**side.document, "files": kept})


RULES: Mapping[str, Rest | None] = {
    SLOT_JOBLIB: None,
    MODEL_ONNX: None,
    SCHEMA: None,
    BASELINE: None,
    GOLDEN: None,
    REPORT: _report,
    REPORT_PAGE: _page,
    SLOT_SBOM: _bill,
    DOCKERFILE: _dockerfile,
    MANIFEST: _manifest,
}
"""Every artifact must have the same bytes. Where other libraries trained, those that list libraries
may differ in that list alone; an artifact without such a rule may not. The signature and the
provenance, which are random, are compared by what they sign."""


def compare(sealed: Sealed, made: Mapping[str, bytes], now: Mapping[str, str]) -> Reproduction:
    """Return how the artifacts that were made again stand to the sealed ones.

    Args:
        sealed: the version.
        made: what training made here, by slot.
        now: the Python packages here, as ``installed_packages``.
    """
    then = {**sealed.report.packages, **_system(sealed.file(SLOT_SBOM))}
    libraries = tuple(_libraries(then, {**now, **_system(made.get(SLOT_SBOM))}))
    links = list(_artifact_links(sealed, made, others=bool(libraries)))
    links += _signed_links(sealed, made[MANIFEST], links[-1].state)
    metadata = sealed.version.metadata
    return Reproduction(f"{metadata.namespace}/{metadata.name}", tuple(links), libraries, {})


def _system(bill: bytes | None) -> dict[str, str]:
    """Return what a bill lists beside Python packages, by name: the system's, and Python itself."""
    try:
        document = parse_object(bill or b"", JSON_BYTES)
        purls = [PackageURL.from_string(p["purl"]) for p in document["components"] if "purl" in p]
        told = document["metadata"]["component"].get("properties", [])
        python = {entry["name"]: entry["value"] for entry in told if entry["name"] == _PYTHON}
    except (LookupError, TypeError, ValueError, AttributeError):
        return {}
    packages = {f"{p.type}/{p.name}": p.version or "" for p in purls if p.type != "pypi"}
    return {**packages, **python}


_PYTHON = "hallmark:python"


def _libraries(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Library]:
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            yield Library(name, then.get(name, ""), now.get(name, ""))


def _artifact_links(sealed: Sealed, made: Mapping[str, bytes], *, others: bool) -> Iterator[Link]:
    manifest, excused = sealed.manifest, set[str]()
    digests = {file.name: file.digest for file in manifest.files}
    digests[MANIFEST] = sealed.version.spec.artifact.manifest_digest
    for slot, rest in RULES.items():
        name = final_name(slot, manifest.run_id)
        wanted, data = digests.pop(name, None), made.get(slot)
        if wanted is None or data is None:
            if wanted is not None or data is not None:
                yield broken(name, _missing(name, in_seal=wanted is not None))
            continue
        found = sha256_digest(data)
        if found == wanted:
            yield holds(name, f"{found}, {len(data)} bytes")
            continue
        then = sealed.file(slot)
        may = others or slot in _BY_PLACE
        if then is not None and may and rest and _same_rest(sealed, made, slot, rest, excused):
            excused.add(slot)
            yield open_(name, "the same but for its list of libraries")
            continue
        where = first_difference(then, data) if then is not None else _UNREAD
        yield broken(name, f"Expected {wanted}, found {found}: {where}.")
    for name in sorted(digests):
        yield broken(name, _missing(name, in_seal=True))


_BY_PLACE = frozenset({SLOT_SBOM, DOCKERFILE, MANIFEST})
"""What may differ though each library has its version: an image of ours knows the digests of wheels
and the system's packages, another place does not."""
_UNREAD = "the sealed bytes are not where they were, so that nothing says in what they differ"


def _missing(name: str, *, in_seal: bool) -> str:
    if in_seal:
        return f"Expected '{name}' as it was sealed; this release of Hallmark makes none."
    return f"Expected no '{name}', for none was sealed; this release of Hallmark makes it."


def _same_rest(
    sealed: Sealed, made: Mapping[str, bytes], slot: str, rest: Rest, excused: set[str]
) -> bool:
    """Tell whether an artifact differs in its list of libraries alone."""
    then = {name: data for name in {REPORT, slot} if (data := sealed.file(name)) is not None}
    known, run_id = frozenset(excused), sealed.manifest.run_id
    try:
        former, present = (rest(_Side(slot, files, known, run_id)) for files in (then, made))
    except (LookupError, TypeError, ValueError):  # what was sealed has another form
        return False
    return former == present


def _signed_links(sealed: Sealed, manifest: bytes, state: State) -> Iterator[Link]:
    """Yield how the two signed documents stand: they sign what follows from the manifest."""
    if state is not State.HOLDS:
        for name in (BUNDLE, PROVENANCE_FOLDER):
            yield open_(name, "signs the sealed manifest, and this one is another")
        return
    read = Manifest.model_validate_json(manifest)
    resources = signed_resources(read, sha256_digest(manifest))
    wrong = not_signed(sealed.version.spec.bundle, read.model, resources)
    said = "signs exactly these bytes; the signature itself is random"
    yield broken(BUNDLE, wrong) if wrong else holds(BUNDLE, said)
    yield _provenance_link(sealed.provenance(), resources)


def _provenance_link(envelope: bytes | None, resources: Mapping[str, str]) -> Link:
    """Who made it and how is in the statement too: that is for ``hallmark verify``."""
    if envelope is None:
        return open_(PROVENANCE_FOLDER, "There is none beside the bundle.")
    try:
        payload, _ = open_envelope(parse_object(envelope, JSON_BYTES), IN_TOTO)
        subjects = parse_object(payload, JSON_BYTES)["subject"]
        named = [
            (str(subject["name"]), f"sha256:{subject['digest']['sha256']}") for subject in subjects
        ]
    except (MalformedEnvelope, UnreadableJSON) as error:
        return broken(PROVENANCE_FOLDER, f"Expected a signed statement, found {error}.")
    except (LookupError, TypeError):
        return broken(PROVENANCE_FOLDER, "Expected a statement with subjects, found another form.")
    if named != sorted(resources.items()):
        wrong = sorted({name for name, _ in set(named) ^ set(resources.items())})
        return broken(
            PROVENANCE_FOLDER,
            f"Expected a statement about exactly these files, found one that differs in "
            f"{clip(', '.join(wrong) or 'their order')}.",
        )
    return holds(PROVENANCE_FOLDER, "its statement is about exactly these bytes")
