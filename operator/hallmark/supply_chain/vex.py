"""What reviewers say of a version's vulnerabilities, and as CycloneDX VEX for tools of others.

A CycloneDX 1.6 document of vulnerabilities alone (https://cyclonedx.org/capabilities/vex/), whose
links lead into the version's bill of materials. It is not signed: the ModelApprovals are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name

from hallmark.api.assessment import Assessment
from hallmark.api.texts import timestamp
from hallmark.supply_chain.components import every_component


@dataclass(frozen=True)
class Word:
    """What a reviewer says of a vulnerability, where it counts today.

    Attributes:
        said: what.
        by: who.
        until: when it ends, RFC 3339; None: never.
    """

    said: Assessment
    by: str
    until: str | None = None

    def sentence(self) -> str:
        """Return who says what, and until when."""
        end = f" until {self.until}" if self.until else ""
        return f"{self.said.sentence()}, says {self.by}{end}."


def parts_meant(bill: Mapping[str, Any], said: Assessment) -> tuple[str, ...]:
    """Return the bom-refs of the components of a bill that something is said of, sorted."""
    found = {
        str(part.get("bom-ref"))
        for part in every_component(bill)
        if part.get("bom-ref")
        and said.is_about(
            str(canonicalize_name(str(part.get("name")))), str(part.get("version", ""))
        )
    }
    return tuple(sorted(found))


def document(words: Iterable[Word], bill: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return what is said as a CycloneDX document; what is about no part of the bill is left out.

    Args:
        words: what reviewers say.
        bill: the version's bill of materials.
        now: when it is said here (aware).
    """
    serial = str(bill.get("serialNumber", "")).removeprefix("urn:uuid:")
    link = f"urn:cdx:{serial}/{bill.get('version', 1)}#"
    found = ((word, parts_meant(bill, word.said)) for word in words)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": timestamp(now)},
        "vulnerabilities": [
            {
                "id": word.said.vulnerability,
                "analysis": _analysis(word),
                "affects": [{"ref": link + quote(part, safe="")} for part in parts],
            }
            for word, parts in found
            if parts
        ],
    }


def _analysis(word: Word) -> dict[str, str]:
    why = {"justification": word.said.justification.value} if word.said.justification else {}
    until = f" until {word.until}" if word.until else ""
    return {"state": word.said.analysis.value, **why, "detail": f"Said by {word.by}{until}."}
