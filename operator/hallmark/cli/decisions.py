"""A reviewer's decision on the very ModelVersion that was read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from hallmark.api.common import API_VERSION, parse_duration, parse_timestamp, timestamp
from hallmark.api.model_approval import Decision, ModelApprovalSpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import short_hash
from hallmark.cli.validation import checked
from hallmark.errors import ConfigurationError

Obj = dict[str, Any]


def read_version(obj: Obj) -> ModelVersion:
    """Return the ModelVersion that the API server sent.

    Raises:
        ConfigurationError: it has another form than this command line knows.
    """
    try:
        return ModelVersion.model_validate(obj)
    except ValidationError as error:
        name = obj.get("metadata", {}).get("name", "")
        raise ConfigurationError(
            f"ModelVersion {name} has a form that this command does not know; bring the command "
            "and crds/ to the same version."
        ) from error


def not_after(text: str | None, now: datetime) -> str | None:
    """Return the end of an approval, from a moment or from a duration counted from ``now``.

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
                "--not-after: expected a moment such as 2027-01-31T00:00:00Z or a duration such "
                f"as 720h; found {text!r}."
            ) from error
    if moment <= now:
        raise ConfigurationError(f"--not-after: {text!r} has passed; name a moment to come.")
    return timestamp(moment.replace(microsecond=0))


def model_approval(
    version: ModelVersion,
    decision: Decision,
    approver: str,
    reason: str,
    targets: list[str],
    end: str | None,
    name: str | None = None,
) -> Obj:
    """Return the ModelApproval that binds a decision to a version's uid and digests.

    Its default name is the same for the same decision, so that saying it twice is noticed.
    """
    spec = checked(
        ModelApprovalSpec,
        modelVersion={"name": version.metadata.name, "uid": version.metadata.uid},
        manifestDigest=version.spec.artifact.manifest_digest,
        sbomDigest=version.spec.sbom_digest,
        gateReportDigest=version.spec.gate_report_digest,
        decision=decision,
        approver=approver,
        reason=reason,
        targets=targets,
        notAfter=end,
    ).to_wire()
    if not targets:
        del spec["targets"]
    unique = short_hash(version.metadata.uid, approver, decision, *sorted(targets), end or "")
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelApproval",
        "metadata": {
            "name": name or f"{version.metadata.name}-{decision.lower()}-{unique}",
            "namespace": version.metadata.namespace,
        },
        "spec": spec,
    }
