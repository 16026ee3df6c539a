"""What people ask for, as the objects and annotations that say it: approvals and actions. Pure.

The command line and the dashboard write exactly these; so could kubectl.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hallmark.api.assessment import Assessment
from hallmark.api.model_approval import ModelApprovalSpec, ReviewDecision
from hallmark.api.model_deployment import Action, ActionName
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import ANNOTATION_ACTION, short_hash
from hallmark.api.texts import (
    API_VERSION,
    canonical_json,
    parse_duration,
    parse_timestamp,
    timestamp,
)
from hallmark.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)

_UNQUOTABLE = re.compile(r'["\\\x00-\x1f]')


@dataclass(frozen=True)
class Said:
    """What a reviewer says of a version.

    Attributes:
        decision: For or against it.
        reason: Why, for whoever reads the audit log.
        targets: ModelDeployments that may serve it; none are all.
        not_after: When it ends, RFC 3339.
        name: The ModelApproval's name, if not one made of the decision.
        shown_digest: The digest of what the reviewer was shown, where that is known.
        assessment: What is said of a vulnerability, where that is what was decided.
    """

    decision: ReviewDecision
    reason: str
    targets: tuple[str, ...] = ()
    not_after: str | None = None
    name: str | None = None
    shown_digest: str | None = None
    assessment: Assessment | None = None


def not_after(text: str | None, now: datetime, what: str = "--not-after") -> str | None:
    """Return the end of an approval, from a moment or from a duration counted from ``now``.

    Args:
        text: A moment such as ``2027-01-31T00:00:00Z``, a duration such as ``720h``, or None.
        now: The time (aware).
        what: How the person who gave the text knows it.

    Raises:
        ConfigurationError: ``text`` is neither, or the moment has passed.
    """
    if text is None:
        return None
    try:
        moment = now + parse_duration(text)
    except (ValueError, OverflowError):
        try:
            moment = parse_timestamp(text)
        except ValueError as error:
            raise ConfigurationError(
                f"{what}: expected a moment such as 2027-01-31T00:00:00Z or a duration such "
                f"as 720h; found {text!r}."
            ) from error
    if moment <= now:
        raise ConfigurationError(f"{what}: {text!r} has passed; name a moment to come.")
    return timestamp(moment.replace(microsecond=0))


def model_approval(version: ModelVersion, said: Said, approver: str) -> dict[str, Any]:
    """Return the ModelApproval that binds a decision to a version's uid and digests.

    Its default name is the same for the same decision, so that saying it twice is noticed.

    Raises:
        ConfigurationError: What was said does not fit a ModelApproval.
    """
    spec = checked(
        ModelApprovalSpec,
        modelVersion={"name": version.metadata.name, "uid": version.metadata.uid},
        manifestDigest=version.spec.artifact.manifest_digest,
        sbomDigest=version.spec.sbom_digest,
        gateReportDigest=version.spec.gate_report_digest,
        decision=said.decision,
        approver=approver,
        reason=said.reason,
        targets=list(said.targets),
        notAfter=said.not_after,
        shownDigest=said.shown_digest,
        assessment=said.assessment,
    ).to_wire()
    if not said.targets:
        del spec["targets"]
    about = [said.assessment.content_digest()] if said.assessment else []
    unique = short_hash(
        version.metadata.uid,
        approver,
        said.decision,
        *sorted(said.targets),
        said.not_after or "",
        *about,
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelApproval",
        "metadata": {
            "name": said.name or f"{version.metadata.name}-{said.decision.lower()}-{unique}",
            "namespace": version.metadata.namespace,
        },
        "spec": spec,
    }


def action_text(
    action: ActionName,
    identity: str,
    user: str,
    reason: str,
    target: str | None,
    until: str | None = None,
) -> str:
    """Return the JSON of the annotation in which a person asks for an action.

    Admission reads the text without a JSON parser, so that no value may need an escape.

    Raises:
        ConfigurationError: a value holds a quote, a backslash or a control character, or is too
            long.
    """
    require_one_line({"--reason": reason, "--target": target or "", "your name": user})
    asked = checked(
        Action, id=identity, action=action, by=user, reason=reason, target=target, until=until
    )
    return canonical_json(asked.to_wire()).decode()


def action_patch(text: str) -> dict[str, Any]:
    """Return the merge patch of a ModelDeployment that asks for an action."""
    return {"metadata": {"annotations": {ANNOTATION_ACTION: text}}}


def require_one_line(values: Mapping[str, str]) -> None:
    """Refuse values that would need an escape in JSON, which admission cannot read.

    Args:
        values: by what the user calls them.

    Raises:
        ConfigurationError: one holds a quote, a backslash or a control character.
    """
    for name, value in values.items():
        if _UNQUOTABLE.search(value):
            raise ConfigurationError(
                f"{name}: expected one line without double quotes and backslashes; found {value!r}."
            )


def checked(model: type[Model], /, **values: object) -> Model:
    """Return the model of the values.

    Raises:
        ConfigurationError: a value does not fit.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{where}: {first['msg']}; correct it and try again.") from error
