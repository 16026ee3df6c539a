"""What a reviewer says of one known vulnerability in a version; the words are CycloneDX's (VEX)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from hallmark.api.common import ApiModel
from hallmark.api.rules import cel, rule

PackageName = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=128)]
"""A Python package's name, normalised (lower case, dashes)."""
VulnerabilityId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$", max_length=64)
]
"""An id, such as ``CVE-2024-1234`` or ``GHSA-xxxx-xxxx-xxxx``."""


class Analysis(StrEnum):
    """What was found of a vulnerability."""

    RESOLVED = "resolved"
    """It was mended in these very bytes."""
    EXPLOITABLE = "exploitable"
    """It matters."""
    IN_TRIAGE = "in_triage"
    """Nobody knows yet."""
    FALSE_POSITIVE = "false_positive"
    """It is not there: whoever named it was wrong."""
    NOT_AFFECTED = "not_affected"
    """It is there and cannot be used."""

    @property
    def excuses(self) -> bool:
        """Whether the vulnerability does no harm, by this word."""
        return self not in {Analysis.EXPLOITABLE, Analysis.IN_TRIAGE}


class Justification(StrEnum):
    """Why a vulnerability does not matter."""

    CODE_NOT_PRESENT = "code_not_present"
    CODE_NOT_REACHABLE = "code_not_reachable"
    REQUIRES_CONFIGURATION = "requires_configuration"
    REQUIRES_DEPENDENCY = "requires_dependency"
    REQUIRES_ENVIRONMENT = "requires_environment"
    PROTECTED_BY_COMPILER = "protected_by_compiler"
    PROTECTED_AT_RUNTIME = "protected_at_runtime"
    PROTECTED_AT_PERIMETER = "protected_at_perimeter"
    PROTECTED_BY_MITIGATING_CONTROL = "protected_by_mitigating_control"


class Assessment(ApiModel):
    """What is said of one vulnerability of one package."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "self.analysis != 'not_affected' || has(self.justification)",
                "Say in 'justification' why nothing is affected, such as 'code_not_reachable'.",
                field="justification",
            )
        )
    )

    vulnerability: VulnerabilityId
    """Its id or an alias."""
    package: PackageName
    """The package that has it."""
    version: Annotated[str, Field(pattern=r"^[!-~]+$", max_length=64)] | None = None
    """In which version of the package; absent: in each that the bill of materials has."""
    analysis: Analysis
    """What was found. Where it is ``exploitable`` or ``in_triage``, nobody else's word lifts it."""
    justification: Justification | None = None
    """Why it does not matter; needed where nothing is affected."""

    @property
    def is_justified(self) -> bool:
        """Whether there is a reason where one is needed; admission asks for it too."""
        return self.analysis is not Analysis.NOT_AFFECTED or self.justification is not None

    def sentence(self) -> str:
        """Return what is said, without who says it."""
        why = f" ({self.justification})" if self.justification else ""
        version = f" {self.version}" if self.version else ""
        return f"{self.vulnerability} in '{self.package}'{version}: {self.analysis}{why}"

    def is_about(self, package: str, version: str) -> bool:
        """Whether it speaks of a package in a version."""
        return self.package == package and self.version in (None, version)
