"""Errors as people and programs read them: problem+json (RFC 9457), or a page that says the same.

Each problem is a sentence; where fields are wrong, each says what was expected and found; where a
right is missing, it says which verb on which object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hallmark.api.texts import GROUP, clip
from hallmark.cluster.cluster import ApiError

MEDIA_TYPE = "application/problem+json"
_PASSED_ON = frozenset({400, 403, 404, 409, 413, 422, 429})


@dataclass(frozen=True)
class Right:
    """A verb on an object; an empty name is any of the kind, an empty namespace all of them."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    group: str = GROUP

    def sentence(self) -> str:
        """Say the right as Kubernetes names it."""
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        one = f" '{self.name}'" if self.name else ""
        where = f" in namespace '{self.namespace}'" if self.namespace else ""
        return f"the verb '{self.verb}' on {what}{one}{where}"

    def wire(self) -> dict[str, str]:
        """Return it as JSON; what is empty is left out."""
        found = {
            "verb": self.verb,
            "resource": self.resource,
            "group": self.group,
            "namespace": self.namespace,
            "name": self.name,
        }
        return {key: value for key, value in found.items() if value}


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with a field."""

    field: str
    expected: str
    found: str


@dataclass
class Problem(Exception):
    """Why a request is not answered as asked.

    Attributes:
        status: The HTTP status.
        detail: A sentence: what happened, and what to do.
        errors: The fields that are wrong.
        missing: The rights that the caller lacks.
        retry_after: Seconds to wait before trying again.
    """

    status: int
    detail: str
    errors: Sequence[FieldProblem] = ()
    missing: Sequence[Right] = ()
    retry_after: int | None = None
    title: str = field(default="")

    def __post_init__(self) -> None:
        """Give it the status' own words as a title."""
        self.title = self.title or HTTPStatus(self.status).phrase
        super().__init__(self.detail)

    def wire(self) -> dict[str, Any]:
        """Return the problem+json object."""
        found: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            found["errors"] = [vars(error) for error in self.errors]
        if self.missing:
            found["missing"] = [right.wire() for right in self.missing]
        return found


class ProblemField(BaseModel):
    """A field that is wrong, as the API's description has it."""

    field: str
    expected: str
    found: str


class ProblemModel(BaseModel):
    """A problem, as the API's description has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Forbidden",
                    "status": 403,
                    "detail": "You (vera) lack the verb 'approve' on modelversions.hallmark.dev "
                    "'loan-v2' in namespace 'credit'; ask whoever grants roles there.",
                    "missing": [
                        {
                            "verb": "approve",
                            "resource": "modelversions",
                            "group": "hallmark.dev",
                            "namespace": "credit",
                            "name": "loan-v2",
                        }
                    ],
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ProblemField] = Field(default_factory=list)
    missing: list[dict[str, str]] = Field(default_factory=list)


def lacking(user: str, rights: Sequence[Right]) -> Problem:
    """Return the problem of somebody who lacks rights; all of them are named."""
    named = ", and ".join(right.sentence() for right in rights)
    return Problem(
        HTTPStatus.FORBIDDEN,
        f"You ({user}) lack {named}; ask whoever grants roles there.",
        missing=tuple(rights),
    )


def not_found(kind: str, namespace: str | None, name: str) -> Problem:
    """Return the problem of an object that is not there."""
    where = clip(f"{namespace}/{name}" if namespace else name, 128)
    return Problem(
        HTTPStatus.NOT_FOUND,
        f"Expected {kind} {where}, found none; it was deleted, or the name is another one.",
    )


def from_api_error(error: ApiError) -> Problem:
    """Return what the API server answered; its own words decide."""
    said = clip(str(error), 1024)
    if error.status in _PASSED_ON:
        causes = getattr(error, "causes", ())
        wrong = [FieldProblem(cause.field, cause.message, "") for cause in causes]
        return Problem(error.status, said, wrong)
    if error.status == HTTPStatus.UNAUTHORIZED:
        return Problem(HTTPStatus.UNAUTHORIZED, "The API server does not know this token any more.")
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"The API server cannot be asked now; nothing is known to have been done. {said}",
        retry_after=5,
    )


def shown(value: object) -> str:
    """Return a found value in a few words; what may be long or a row is not repeated."""
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, str):
        return clip(repr(value), 64)
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    return f"a {type(value).__name__}"
