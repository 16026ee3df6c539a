"""Words on vulnerabilities as people give them to a command: one of their own, or a file's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from packaging.utils import canonicalize_name

from hallmark.api.assessment import Analysis, Assessment, Justification
from hallmark.api.model_version import ModelVersion
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.files import read_bounded
from hallmark.cli.output import plain
from hallmark.errors import ConfigurationError
from hallmark.policies.model_version.records import MAX_RECORDS
from hallmark.resources.decisions import checked

_LONGEST = 1024

VulnerabilityOption = Annotated[
    str | None, typer.Option("--vulnerability", help="Its id, such as CVE-2026-1234.")
]
PackageOption = Annotated[
    str | None,
    typer.Option(
        "--package", help="The package, as 'hallmark sbom' names it: numpy, or numpy==2.1.0."
    ),
]
AnalysisOption = Annotated[Analysis | None, typer.Option("--analysis", help="What was found.")]
DetailOption = Annotated[
    str | None, typer.Option("--detail", help="In your words, for whoever reads it.")
]
JustificationOption = Annotated[
    Justification | None, typer.Option("--justification", help="Why it does not matter.")
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from", help="Take over what a file says of this version (OpenVEX, CycloneDX VEX)."
    ),
]


@dataclass(frozen=True)
class Words:
    """What a reviewer says, before it is known of which bytes.

    Attributes:
        own: one assessment with its reason, or
        file: where the assessments of others stand that are taken over.
        justification: why nothing is affected, where the file does not say it.
    """

    own: tuple[Assessment, str] | None
    file: Path | None
    justification: Justification | None

    def about(
        self, version: ModelVersion, bill: Mapping[str, Any], approver: str
    ) -> list[tuple[Assessment, str]]:
        """Return each assessment of a version with its reason.

        Args:
            version: what it is said of.
            bill: its bill of materials; only a file's words are held against it.
            approver: who says it; what he said before in the same words is no further word.

        Raises:
            ConfigurationError: there is none, it makes no sense, or the version cannot hold them.
        """
        found = [self.own] if self.own else self._taken_over(bill)
        said = [(approver, assessment) for assessment, _ in found]
        records = version.status.approvals
        held = sum((record.approver, record.assessment) not in said for record in records)
        if held + len(said) > MAX_RECORDS:
            raise ConfigurationError(
                f"Expected at most {max(0, MAX_RECORDS - held)} words on "
                f"{version.metadata.name}, which holds {MAX_RECORDS} decisions and has {held} "
                f"others, found {len(said)}; say only what 'hallmark scan' refuses, and withdraw "
                f"words that are no longer needed."
            )
        return found

    def _taken_over(self, bill: Mapping[str, Any]) -> list[tuple[Assessment, str]]:
        with needs_the_extra():
            from hallmark.supply_chain.foreign_vex import MAX_BYTES, read_foreign
        file = self.file or Path()
        try:
            data = read_bounded(file, MAX_BYTES)
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read ({error.strerror}).") from error
        found = read_foreign(data, bill, self.justification)
        if not found:
            raise ConfigurationError(
                f"Expected a word in {file} on a package of this version, found none: each names "
                f"its package and version by a package URL such as pkg:pypi/numpy@1.26.4."
            )
        return [
            (one.assessment, f"From {plain(file.name)}: {one.detail or 'no words'}"[:_LONGEST])
            for one in found
        ]


def words_given(
    vulnerability: str | None,
    package: str | None,
    analysis: Analysis | None,
    detail: str | None,
    justification: Justification | None,
    file: Path | None,
) -> Words:
    """Return what the options of a command say.

    Raises:
        ConfigurationError: they are not one whole word, or a file, or one of them makes no sense.
    """
    own = (vulnerability, package, analysis, detail)
    if any(own) == (file is not None) or (file is None and not all(own)):
        raise ConfigurationError(
            "Expected --from with a VEX file, or all of --vulnerability, --package, --analysis and "
            "--detail."
        )
    if file is not None:
        return Words(None, file, justification)
    said = _own(str(vulnerability), str(package), analysis, justification)
    return Words((said, str(detail)), None, justification)


def _own(
    vulnerability: str,
    package: str,
    analysis: Analysis | None,
    justification: Justification | None,
) -> Assessment:
    name, pinned, version = package.partition("==")
    said = checked(
        Assessment,
        vulnerability=vulnerability,
        package=str(canonicalize_name(name.strip())),
        version=version.strip() if pinned else None,
        analysis=analysis,
        justification=justification,
    )
    if not said.is_justified:
        known = ", ".join(Justification)
        raise ConfigurationError(f"Expected --justification, found none: one of {known}.")
    return said
