"""VEX that other tools made, read strictly: OpenVEX 0.2.0, and CycloneDX 1.4 to 1.6.

What a file says of a package is held against a version's bill of materials: of another package or
version it says nothing here. What is not understood refuses the file as a whole, for nobody knows
what it was about. A signature of the file's is not looked at: the reviewer who takes it over signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from packageurl import PackageURL
from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.api.assessment import Analysis, Assessment, Justification
from hallmark.api.texts import clip
from hallmark.errors import ConfigurationError
from hallmark.supply_chain.components import every_component
from hallmark.supply_chain.cyclonedx_schema import schema_problem
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

MAX_BYTES = 1 << 20
"""A longer file is refused unread."""
MOST = 1024
"""A file that says more is refused."""
OPEN_VEX = "https://openvex.dev/ns/v0.2.0"
_CYCLONEDX = ("1.4", "1.5", "1.6")
_STATUS = {
    "not_affected": Analysis.NOT_AFFECTED,
    "affected": Analysis.EXPLOITABLE,
    "fixed": Analysis.RESOLVED,
    "under_investigation": Analysis.IN_TRIAGE,
}
_JUSTIFICATION = {
    "component_not_present": Justification.CODE_NOT_PRESENT,
    "vulnerable_code_not_present": Justification.CODE_NOT_PRESENT,
    "vulnerable_code_not_in_execute_path": Justification.CODE_NOT_REACHABLE,
    "vulnerable_code_cannot_be_controlled_by_adversary": Justification.REQUIRES_ENVIRONMENT,
    "inline_mitigations_already_exist": Justification.PROTECTED_BY_MITIGATING_CONTROL,
}
"""OpenVEX's words in CycloneDX's, as CISA's minimum requirements for VEX hold them together."""


@dataclass(frozen=True)
class Stated:
    """What a file says of a package that is in the bill.

    Attributes:
        assessment: what.
        detail: in the file's words, on one line; may be empty.
    """

    assessment: Assessment
    detail: str


@dataclass(frozen=True)
class _Claim:
    """What a file says of one package URL."""

    vulnerability: str
    purl: str
    analysis: Analysis
    justification: Justification | None
    detail: str


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Vulnerability(_Part):
    id: str | None = Field(default=None, alias="@id")
    name: str
    description: str = ""
    aliases: list[str] = Field(default_factory=list)


class _Component(_Part):
    id: str = Field(default="", alias="@id")
    identifiers: dict[Literal["purl", "cpe22", "cpe23"], str] = Field(default_factory=dict)
    hashes: dict[str, str] = Field(default_factory=dict)

    @property
    def purl(self) -> str:
        return self.identifiers.get("purl", self.id)


class _Product(_Component):
    subcomponents: list[_Component] = Field(default_factory=list)


class _Statement(_Part):
    id: str | None = Field(default=None, alias="@id")
    version: int = 1
    vulnerability: _Vulnerability
    timestamp: str = ""
    last_updated: str = ""
    products: list[_Product] = Field(min_length=1)
    status: Literal["not_affected", "affected", "fixed", "under_investigation"]
    supplier: str = ""
    status_notes: str = ""
    justification: str | None = None
    impact_statement: str = ""
    action_statement: str = ""
    action_statement_timestamp: str = ""


class _OpenVex(_Part):
    context: Literal["https://openvex.dev/ns/v0.2.0"] = Field(alias="@context")
    id: str = Field(alias="@id")
    author: str
    role: str = ""
    timestamp: str
    last_updated: str = ""
    version: int
    tooling: str = ""
    statements: list[_Statement] = Field(min_length=1, max_length=MOST)


def read_foreign(
    data: bytes, bill: Mapping[str, Any], justification: Justification | None = None
) -> list[Stated]:
    """Return what a file says of the packages of a bill, each vulnerability of one once.

    Args:
        data: the file.
        bill: the version's bill of materials, a CycloneDX document.
        justification: why nothing is affected, where the file does not say it in a word.

    Raises:
        ConfigurationError: something in it is not understood, or it says two things of one
            vulnerability; the sentence says which.
    """
    try:
        document = parse_object(data, MAX_BYTES)
    except UnreadableJSON as error:
        raise ConfigurationError(f"Expected a VEX file, found {error}.") from error
    claims = list(_open_vex(document) if "@context" in document else _cyclonedx(document, bill))
    versions = _versions(bill)
    found: dict[tuple[str, str, str | None], Stated] = {}
    for claim in claims:
        meant = _meant(claim, versions)
        if meant is None:
            continue
        stated = _stated(claim, *meant, justification)
        key = (stated.assessment.vulnerability.upper(), *meant)
        if found.setdefault(key, stated).assessment != stated.assessment:
            raise ConfigurationError(
                f"Expected one word on {stated.assessment.vulnerability} in '{meant[0]}', found "
                f"that the file says two; take one out."
            )
    return list(found.values())


def _versions(bill: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the versions by the normalised name of a bill's Python packages."""
    found: dict[str, set[str]] = {}
    for part in every_component(bill):
        if str(part.get("purl", "")).startswith("pkg:pypi/"):
            name = canonicalize_name(str(part.get("name")))
            found.setdefault(name, set()).add(str(part.get("version", "")))
    return found


def _meant(claim: _Claim, versions: Mapping[str, set[str]]) -> tuple[str, str | None] | None:
    """Return package and version of the bill that a claim is about, or None where it has no such.

    Raises:
        ConfigurationError: what it is about is no package URL.
    """
    try:
        url = PackageURL.from_string(claim.purl)
    except ValueError as error:
        raise ConfigurationError(
            f"Expected a package URL such as pkg:pypi/numpy@1.26.4 in what is said of "
            f"{clip(claim.vulnerability, 64)}, found '{clip(claim.purl, 80)}'."
        ) from error
    name = str(canonicalize_name(url.name))
    if url.type != "pypi" or url.namespace or url.subpath or name not in versions:
        return None
    return (name, url.version) if url.version in {None, *versions[name]} else None


def _stated(
    claim: _Claim, package: str, version: str | None, justification: Justification | None
) -> Stated:
    why = claim.justification or (
        justification if claim.analysis is Analysis.NOT_AFFECTED else None
    )
    try:
        said = Assessment(
            vulnerability=claim.vulnerability,
            package=package,
            version=version,
            analysis=claim.analysis,
            justification=why,
        )
    except ValidationError as error:
        raise ConfigurationError(
            f"Expected an id such as CVE-2026-1234, found '{clip(claim.vulnerability, 80)}'."
        ) from error
    if not said.is_justified:
        raise ConfigurationError(
            f"Expected why {said.vulnerability} in '{package}' affects nothing, found no word for "
            f"it in the file; give one with --justification."
        )
    return Stated(said, clip(" ".join(claim.detail.split()), 512))


def _open_vex(document: Mapping[str, Any]) -> Iterator[_Claim]:
    try:
        read = _OpenVex.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError(f"Expected OpenVEX ({OPEN_VEX}), {_first(error)}.") from error
    for said in read.statements:
        if said.justification is not None and said.justification not in _JUSTIFICATION:
            known = ", ".join(_JUSTIFICATION)
            found = clip(said.justification, 80)
            raise ConfigurationError(f"Expected a justification of {known}, found '{found}'.")
        why = _JUSTIFICATION[said.justification] if said.justification else None
        detail = said.impact_statement or said.status_notes or said.action_statement
        for product in said.products:
            # Of a product with parts the statement is about these parts.
            for part in product.subcomponents or [product]:
                yield _Claim(said.vulnerability.name, part.purl, _STATUS[said.status], why, detail)


def _first(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"found at '{clip(where, 80)}': {clip(problem['msg'], 120)}"


def _cyclonedx(document: Mapping[str, Any], bill: Mapping[str, Any]) -> Iterator[_Claim]:
    version = str(document.get("specVersion"))
    if document.get("bomFormat") != "CycloneDX" or version not in _CYCLONEDX:
        raise ConfigurationError(
            f"Expected OpenVEX ({OPEN_VEX}) or CycloneDX of {', '.join(_CYCLONEDX)}, found "
            f"another document."
        )
    listed = document.get("vulnerabilities")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST:
        raise ConfigurationError(f"Expected 1 to {MOST} 'vulnerabilities', found others.")
    parts = [*every_component(document)]
    if len(parts) > MOST:
        raise ConfigurationError(f"Expected at most {MOST} components, found {len(parts)}.")
    if problem := schema_problem(document, version):
        raise ConfigurationError(
            f"Expected a valid CycloneDX document, found that {clip(problem, 160)}."
        )
    places = _places(document, parts) | _places(bill, every_component(bill), linked=True)
    for found in listed:
        yield from _claims(found, places)


def _places(
    document: Mapping[str, Any],
    parts: Iterable[Mapping[str, Any]],
    *,
    linked: bool = False,
) -> dict[str, str]:
    """Return the package URLs of a document's components by how a file refers to them."""
    serial = str(document.get("serialNumber", "")).removeprefix("urn:uuid:")
    link = f"urn:cdx:{serial}/{document.get('version', 1)}#" if linked else ""
    return {
        link + str(part["bom-ref"]): str(part.get("purl", ""))
        for part in parts
        if part.get("bom-ref")
    }


def _claims(found: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[_Claim]:
    id_, analysis = str(found.get("id", "")), found.get("analysis") or {}
    state, affects = analysis.get("state"), found.get("affects") or []
    if state is None or not affects:
        raise ConfigurationError(
            f"Expected 'analysis.state' and 'affects' of {clip(id_ or 'a vulnerability', 64)}, "
            f"found none."
        )
    try:
        judged = Analysis(str(state).replace("resolved_with_pedigree", "resolved"))
        why = analysis.get("justification")
        justification = Justification(why) if why is not None else None
    except ValueError as error:
        raise ConfigurationError(f"{clip(id_, 64)}: {clip(str(error), 120)}.") from error
    for target in affects:
        if target.get("versions"):
            raise ConfigurationError(
                f"Expected what {clip(id_, 64)} affects by its package URL, found a list of "
                f"versions; give the package URL with its version."
            )
        ref = str(target["ref"])
        plain = unquote(ref)
        purl = places.get(ref) or places.get(plain) or (plain if plain.startswith("pkg:") else "")
        if not purl:
            raise ConfigurationError(
                f"Expected of {clip(id_, 64)} that 'affects' names a package URL or a component "
                f"that has one, found '{clip(ref, 80)}'."
            )
        yield _Claim(id_, purl, judged, justification, str(analysis.get("detail", "")))
