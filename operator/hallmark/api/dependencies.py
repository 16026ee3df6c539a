"""What a ModelPolicy demands of a model's packages: names, licences, known vulnerabilities."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hallmark.api.assessment import PackageName, VulnerabilityId
from hallmark.api.common import ApiModel, PositiveDuration, ShortText, Timestamp
from hallmark.api.rules import SET, cel, list_map, rule
from hallmark.api.trust import ReviewerGroup

_SERIES = "([0-9]+!)?[0-9]+([.][0-9]+)*"
_VERSION = f"{_SERIES}((a|b|rc)[0-9]+)?([.]post[0-9]+)?([.]dev[0-9]+)?"
_BOUND = f"((<|<=|>|>=|==|!=){_VERSION}|(==|!=){_SERIES}[.][*])"
DENIED = f"^[a-z0-9]+(-[a-z0-9]+)*({_BOUND}(,{_BOUND})*)?$"
"""A normalised name, alone or with bounds of PEP 440; ``packaging`` reads all that fits."""


_LICENCE = "^[A-Za-z0-9.+-]+( WITH [A-Za-z0-9.-]+)?$"
LicenceList = Annotated[
    list[ShortText],
    Field(
        max_length=256,
        json_schema_extra={
            **SET,
            **cel(
                rule(
                    f"self.all(id, id.matches('{_LICENCE}') && !id.startsWith('LicenseRef-'))",
                    "Give ids of SPDX's licence list, such as 'MIT', or one with an exception, "
                    "such as 'GPL-2.0-only WITH Classpath-exception-2.0'.",
                )
            ),
        },
    ),
]


class Licences(ApiModel):
    """The licences that packages may have, by SPDX's ids.

    Of alternatives (OR) one must be accepted, of what holds together (AND) all. Where a rule is
    given, a licence that SPDX does not know, or that a package does not state, is not accepted.
    """

    allowed: LicenceList = Field(default_factory=list)
    """Those that are accepted; empty: all that are not denied. An exception (``WITH``) is accepted
    only where it is named."""
    denied: LicenceList = Field(default_factory=list)
    """Those that are not accepted, with any exception too."""

    @property
    def are_given(self) -> bool:
        """Whether any rule is given."""
        return bool(self.allowed or self.denied)


class Severity(StrEnum):
    """How bad a vulnerability is, in the words of CVSS, from least to worst."""

    NONE = "None"
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"


class VulnerabilityException(ApiModel):
    """A vulnerability of one package that is accepted for a while."""

    package: PackageName
    """The package's name, normalised (lower case, dashes)."""
    id: VulnerabilityId
    """Its id or an alias, such as ``CVE-2024-1234`` or ``GHSA-xxxx-xxxx-xxxx``."""
    reason: Annotated[str, Field(min_length=1, max_length=256)]
    """Why it does no harm here, for who asks later."""
    until: Timestamp
    """From this moment on it counts again."""


class AcceptedVex(ApiModel):
    """How reviewers lift a vulnerability of one version: by ModelApprovals that say ``Assessed``.

    Each is signed by its approver about these very bytes, and none is of who asked for the
    version. It lifts while it stands: until its end, its deletion or the revocation of its key,
    and not where another reviewer says that the vulnerability matters, or looks at it still.
    """

    minimum: Annotated[int, Field(ge=1, le=8)] = 1
    """So many people must say that it does no harm."""
    groups: Annotated[
        list[ReviewerGroup], Field(max_length=8, json_schema_extra=list_map("name"))
    ] = Field(default_factory=list)
    """From which groups they must come, for example one from ``security``; they count for
    ``minimum`` as well. Anybody's word that it matters keeps it refused."""


class Vulnerabilities(ApiModel):
    """The known vulnerabilities that packages may have, by a snapshot of OSV (ecosystem PyPI).

    The platform engineer mounts the snapshot in the operator and in sealing Jobs. Without one, or
    where a part of it cannot be read, nothing passes. A vulnerability whose severity nobody states
    is above every limit.
    """

    accepted_severity: Severity = Severity.NONE
    """The highest severity that is accepted."""
    max_feed_age: PositiveDuration | None = None
    """How long ago the newest entry of the snapshot may have been modified."""
    exceptions: Annotated[
        list[VulnerabilityException],
        Field(max_length=128, json_schema_extra=list_map("package", "id")),
    ] = Field(default_factory=list)
    """What is accepted whatever its severity, each with a reason and an end."""
    vex: AcceptedVex | None = None
    """Whether reviewers may lift a vulnerability of one version; absent: their word is shown, and
    decides nothing. Where it is given a version with known vulnerabilities is sealed all the same,
    since nobody can judge it before, and waits for them."""


class OnViolation(StrEnum):
    """What happens to a version that serves and whose packages are accepted no more."""

    REPORT = "Report"
    ROLLBACK = "Rollback"


class Dependencies(ApiModel):
    """The packages that may be in a model's image."""

    denied: Annotated[
        list[ShortText],
        Field(
            max_length=256,
            json_schema_extra={
                **SET,
                **cel(
                    rule(
                        f"self.all(name, name.matches('{DENIED}'))",
                        "Give names of packages in their normal form (lower case, with dashes), "
                        "each alone or with versions, such as 'pillow>=9,<10.3'.",
                    )
                ),
            },
        ),
    ] = Field(default_factory=list)
    """Names of Python packages, normalised (lower case, dashes), each alone or with the versions
    that are denied (PEP 440), such as ``pillow>=9,<10.3``. ``<`` and ``>`` go by the order of
    versions alone: ``<10.3`` denies 10.3rc1 too."""
    licences: Licences = Field(default_factory=Licences)
    vulnerabilities: Vulnerabilities | None = None
    """Which known vulnerabilities are accepted; absent: nobody looks for any."""
    require_hashes: bool | None = None
    """Whether each Python package must have a version, and the digest of what it was installed from
    (``hashes`` of its component in the bill of materials). One that was installed from a folder, or
    from an address without a digest, has none."""
    on_violation: OnViolation | None = None
    """Whether a version that serves is rolled back once a package of it is denied, has a licence
    that is not accepted, or a known vulnerability: whatever its Deployment says, but for a hold.
    What is only unknown (a snapshot that is missing, or too old) rolls nothing back. Absent: it is
    reported, and serves on."""

    @property
    def need_the_bill(self) -> bool:
        """Whether any rule is about what the bill of materials alone says."""
        return bool(
            self.licences.are_given or self.vulnerabilities is not None or self.require_hashes
        )
