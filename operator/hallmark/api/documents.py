"""The documents that a predictor reads: taken quickly where right, else judged by the models.

Their classes are the models of the same names to a type checker, and at run time the structs that
are generated of them (``struct_source``). What a struct does not take is read again by pydantic,
which takes it or says what is wrong; a struct takes nothing that its model refuses. So pydantic is
imported only for what is unusual.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import convert
from msgspec.json import decode

from hallmark.api.document import UNREADABLE

if TYPE_CHECKING:
    from pydantic import ValidationError

    from hallmark.api.artifacts import DownloadURLs, Manifest, ManifestFile
    from hallmark.api.common import ApiModel
    from hallmark.api.drift import Drift, Rejections, RequestLimits
    from hallmark.api.feedback import Feedback
    from hallmark.api.served import (
        Baseline,
        BaselineFeature,
        ServedFeature,
        ServedSchema,
        TrainingRegion,
    )
    from hallmark.api.trust import ReviewerGroup, Trust, TrustApproval, TrustedKey
else:
    from hallmark.api.structs import (
        Baseline,
        BaselineFeature,
        DownloadURLs,
        Drift,
        Feedback,
        Manifest,
        ManifestFile,
        Rejections,
        RequestLimits,
        ReviewerGroup,
        ServedFeature,
        ServedSchema,
        TrainingRegion,
        Trust,
        TrustApproval,
        TrustedKey,
    )

__all__ = [
    "Baseline",
    "BaselineFeature",
    "DownloadURLs",
    "Drift",
    "Feedback",
    "Manifest",
    "ManifestFile",
    "Rejections",
    "RequestLimits",
    "ReviewerGroup",
    "ServedFeature",
    "ServedSchema",
    "TrainingRegion",
    "Trust",
    "TrustApproval",
    "TrustedKey",
    "UnreadableDocument",
    "model_of",
    "quickly",
    "read",
]

if TYPE_CHECKING:
    Form = TypeVar("Form", bound=ApiModel)
else:
    Form = TypeVar("Form")


class UnreadableDocument(ValueError):
    """The bytes are no such document.

    Attributes:
        title: The document's model.
        where: The first thing that is wrong, as a path of fields.
        what: What is wrong there, never a value.
    """

    def __init__(self, error: ValidationError) -> None:
        """Say what pydantic found."""
        first = error.errors(include_input=False, include_url=False)[0]
        self.title = error.title
        self.where = ".".join(map(str, first["loc"])) or "the document"
        self.what: str = first["msg"]
        super().__init__(f"{self.title}: {self.where}: {self.what}")


def read(form: type[Form], data: bytes) -> Form:
    """Return the document in some bytes.

    Args:
        form: One of this module's classes.
        data: JSON.

    Raises:
        UnreadableDocument: it is none.
    """
    return quickly(form, data) or _judged(form, data)


def quickly(form: type[Form], data: bytes) -> Form | None:
    """Return the document if the bytes are one without any doubt, else None: ask the model.

    Args:
        form: One of this module's classes.
        data: JSON.
    """
    try:
        return decode(data, type=form)
    except UNREADABLE:
        return None


def model_of(form: type[Form]) -> type[Form]:
    """Return the model of a struct; pydantic is imported for it."""
    module = import_module(cast("Any", form).MODEL)
    model: type[Form] = getattr(module, form.__name__)
    return model


def _judged(form: type[Form], data: bytes) -> Form:
    """Return the document as its model reads it.

    Raises:
        UnreadableDocument: it refuses.
    """
    from pydantic import ValidationError

    try:
        found = model_of(form).model_validate_json(data)
    except ValidationError as error:
        raise UnreadableDocument(error) from error
    return convert(found.model_dump(by_alias=True), type=form)
