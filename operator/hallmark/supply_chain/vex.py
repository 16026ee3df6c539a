"""What a reviewer says of a vulnerability in a sealed model: signed VEX beside the bundle.

A CycloneDX 1.6 document of one vulnerability (https://cyclonedx.org/capabilities/vex/), as the
predicate of an in-toto statement about the manifest and the bill of materials, in a DSSE envelope
by an approver's key. It is no part of what is sealed: it comes later, and nothing is sealed anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

from hallmark.api.artifacts import MANIFEST, SLOT_SBOM, Manifest, final_name
from hallmark.api.common import canonical_json, clip, parse_timestamp, sha256_digest, timestamp
from hallmark.api.model_policy import ApproverKey
from hallmark.errors import ConfigurationError
from hallmark.keys import Signer, UnusableKey, usable_key
from hallmark.supply_chain.components import every_component
from hallmark.supply_chain.dsse import (
    IN_TOTO,
    MalformedEnvelope,
    is_signed_by,
    open_envelope,
    sign_envelope,
)
from hallmark.supply_chain.signing import STATEMENT_TYPE
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

FOLDER = "vex"
"""In a bundle's folder: each envelope in a file that is named by its digest."""
MAX_BYTES = 64 << 10
"""A longer envelope is refused unread."""
MOST = 256
"""So many envelopes of one version are looked at."""
PREDICATE_TYPE = "https://cyclonedx.org/bom"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}")
_NAME = re.compile(r"[a-f0-9]{64}\.json")
_LONGEST = 1024


class Analysis(StrEnum):
    """What was found of a vulnerability; the values are CycloneDX's."""

    RESOLVED = "resolved"
    EXPLOITABLE = "exploitable"
    IN_TRIAGE = "in_triage"
    FALSE_POSITIVE = "false_positive"
    NOT_AFFECTED = "not_affected"


class Justification(StrEnum):
    """Why a vulnerability does not matter; the values are CycloneDX's."""

    CODE_NOT_PRESENT = "code_not_present"
    CODE_NOT_REACHABLE = "code_not_reachable"
    REQUIRES_CONFIGURATION = "requires_configuration"
    REQUIRES_DEPENDENCY = "requires_dependency"
    REQUIRES_ENVIRONMENT = "requires_environment"
    PROTECTED_BY_COMPILER = "protected_by_compiler"
    PROTECTED_AT_RUNTIME = "protected_at_runtime"
    PROTECTED_AT_PERIMETER = "protected_at_perimeter"
    PROTECTED_BY_MITIGATING_CONTROL = "protected_by_mitigating_control"


@dataclass(frozen=True)
class Assessment:
    """What is said of one vulnerability.

    Attributes:
        vulnerability: its id, such as ``CVE-2026-1234``.
        parts: the bom-refs of the components that are meant, sorted.
        analysis: what was found.
        justification: why it does not matter; there is one where nothing is affected.
        detail: in the reviewer's words.
        at: when it was said (aware).
    """

    vulnerability: str
    parts: tuple[str, ...]
    analysis: Analysis
    justification: Justification | None
    detail: str
    at: datetime


@dataclass(frozen=True)
class Sealed:
    """What a statement is about: digests of the manifest and the bill, and the bill itself."""

    manifest: Manifest
    manifest_digest: str
    bill: Mapping[str, Any]

    @property
    def subject(self) -> list[dict[str, Any]]:
        """The statement's subject."""
        name = final_name(SLOT_SBOM, self.manifest.run_id)
        bill = self.manifest.file(name)
        digests = {MANIFEST: self.manifest_digest, name: bill.digest if bill else ""}
        return [
            {"name": file, "digest": {"sha256": digest.removeprefix("sha256:")}}
            for file, digest in digests.items()
        ]


@dataclass(frozen=True)
class Heard:
    """An assessment that counts: an approver's key signed it about this very version."""

    assessment: Assessment
    approver: str
    key_id: str

    def sentence(self) -> str:
        """Return who says what of which parts."""
        said = self.assessment
        named = (part.partition("@")[0].rpartition("/")[2] for part in said.parts)
        names = ", ".join(dict.fromkeys(named))
        why = f" ({said.justification})" if said.justification else ""
        return (
            f"{said.vulnerability} in {clip(names)}: {said.analysis}{why}, says {self.approver} "
            f"since {said.at:%Y-%m-%d}: {said.detail}"
        )


def parts_named(bill: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the bom-refs of a bill's components that have a name, sorted."""
    found = {
        str(part.get("bom-ref"))
        for part in every_component(bill)
        if part.get("name") == name and part.get("bom-ref")
    }
    return tuple(sorted(found))


def require_sense(said: Assessment) -> None:
    """Raise unless an assessment says something that can be read back.

    Raises:
        ConfigurationError: it does not; the sentence says what is missing.
    """
    if not _ID.fullmatch(said.vulnerability):
        found = clip(said.vulnerability, 80)
        raise ConfigurationError(f"Expected an id such as CVE-2026-1234, found '{found}'.")
    if not said.parts:
        raise ConfigurationError("Expected a component that is meant, found none.")
    if said.analysis is Analysis.NOT_AFFECTED and said.justification is None:
        known = ", ".join(Justification)
        raise ConfigurationError(f"Expected a justification, found none: one of {known}.")
    if not said.detail.strip() or len(said.detail) > _LONGEST or not said.detail.isprintable():
        raise ConfigurationError(
            f"Expected a detail on one line, 1 to {_LONGEST} characters, found another text."
        )


def sign_vex(key: Signer, sealed: Sealed, said: Assessment) -> bytes:
    """Return the envelope of an assessment; its file is named by ``file_name``.

    Raises:
        ConfigurationError: the assessment makes no sense, or the key cannot sign.
    """
    require_sense(said)
    return canonical_json(sign_envelope(key, IN_TOTO, _statement(sealed, said)))


def file_name(envelope: bytes) -> str:
    """Return an envelope's place in the bundle's folder."""
    return f"{FOLDER}/{sha256_digest(envelope).removeprefix('sha256:')}.json"


def is_named(name: str) -> bool:
    """Tell whether a name in the bundle's folder is one that ``file_name`` gives."""
    folder, _, file = name.rpartition("/")
    return folder == FOLDER and _NAME.fullmatch(file) is not None


def read_vex(
    data: bytes, sealed: Sealed, keys: Iterable[ApproverKey], now: datetime
) -> Heard | str:
    """Return what an envelope says, or why it counts for nothing. Never raises for bad bytes.

    Args:
        data: The envelope.
        sealed: What it must be about.
        keys: Approvers' keys that are trusted.
        now: The moment at which the key must be valid (aware): nobody vouches for another one.
    """
    try:
        payload, signature = open_envelope(parse_object(data, MAX_BYTES), IN_TOTO)
    except (UnreadableJSON, MalformedEnvelope) as error:
        return f"Expected a signed envelope, found {clip(str(error))}."
    signer = _signer(payload, signature, keys, now)
    if signer is None:
        return "No trusted key of an approver, valid today, made its signature."
    try:
        said = _assessment(parse_object(payload, MAX_BYTES))
        if _statement(sealed, said) == payload:
            return Heard(said, signer.approver, signer.key_id)
    except (ConfigurationError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        pass
    return f"{clip(signer.approver, 64)} signed something else than VEX about these bytes."


def _signer(
    payload: bytes, signature: bytes, keys: Iterable[ApproverKey], now: datetime
) -> ApproverKey | None:
    for entry in keys:
        key = usable_key(entry, now)
        if not isinstance(key, UnusableKey) and is_signed_by(key, IN_TOTO, payload, signature):
            return entry
    return None


def _statement(sealed: Sealed, said: Assessment) -> bytes:
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": sealed.subject,
            "predicateType": PREDICATE_TYPE,
            "predicate": document(said, str(sealed.bill.get("serialNumber", ""))),
        }
    )


def document(said: Assessment, serial: str) -> dict[str, Any]:
    """Return an assessment as a CycloneDX document.

    Args:
        said: The assessment.
        serial: The serial number of the bill whose components are meant (``urn:uuid:...``).
    """
    link = f"urn:cdx:{serial.removeprefix('urn:uuid:')}/1#"
    why = {"justification": said.justification.value} if said.justification else {}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": timestamp(said.at)},
        "vulnerabilities": [
            {
                "id": said.vulnerability,
                "analysis": {"state": said.analysis.value, "detail": said.detail, **why},
                "affects": [{"ref": link + quote(part, safe="")} for part in said.parts],
            }
        ],
    }


def _assessment(statement: Mapping[str, Any]) -> Assessment:
    """Return what a statement says; whoever calls makes it again and compares.

    Raises:
        ConfigurationError: it makes no sense.
        ValueError: a word of it is none of CycloneDX's.
        KeyError: a part of it is not there.
        TypeError: a part of it has another form.
    """
    predicate = statement["predicate"]
    found = predicate["vulnerabilities"][0]
    analysis = found["analysis"]
    why = analysis.get("justification")
    said = Assessment(
        vulnerability=found["id"],
        parts=tuple(unquote(target["ref"].partition("#")[2]) for target in found["affects"]),
        analysis=Analysis(analysis["state"]),
        justification=Justification(why) if why is not None else None,
        detail=analysis["detail"],
        at=parse_timestamp(predicate["metadata"]["timestamp"]),
    )
    require_sense(said)
    return said
