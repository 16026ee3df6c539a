"""Objects in files, as people write them: read strictly, so that a typing error is said."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from hallmark.api.common import ApiModel, Resource
from hallmark.audit.files import replace_file
from hallmark.errors import ConfigurationError
from hallmark.files import read_first

MAX_BYTES = 4 << 20
"""A longer manifest is none."""

Object = TypeVar("Object", bound=Resource)


def read_object(file: Path, kind: type[Object], *, namespace: str = "default") -> Object:
    """Return the object of a kind in a YAML or JSON file.

    Args:
        file: It may hold other objects beside it.
        kind: Which one is looked for.
        namespace: Where it is, if it does not say so.

    Raises:
        ConfigurationError: The file has none, more than one, or one with an error in it; the
            sentence names the field.
    """
    name = str(kind.model_fields["kind"].default)
    found = [document for document in read_documents(file) if document.get("kind") == name]
    if len(found) != 1:
        raise ConfigurationError(
            f"Expected one {name} in {file}, found {len(found) or 'none'}; "
            f"'hallmark init data.csv' writes a TrainingRun to begin with."
        )
    return parse_object(found[0], kind, str(file), namespace)


def parse_object(
    document: Mapping[str, Any], kind: type[Object], where: str, namespace: str = "default"
) -> Object:
    """Return the object that a document describes.

    Raises:
        ConfigurationError: A field is unknown, missing or wrong.
    """
    unknown = next(unknown_fields(document, kind), None)
    if unknown is not None:
        raise ConfigurationError(f"{where}: {unknown}")
    metadata = document.get("metadata")
    if isinstance(metadata, Mapping) and kind.model_fields["metadata"].annotation is not None:
        document = {**document, "metadata": {"namespace": namespace, **metadata}}
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        more = error.error_count() - 1
        raise ConfigurationError(
            f"{where}: {place}: {first['msg']}{f' (and {more} more errors)' if more else ''}; "
            "correct it and try again. All fields: docs/reference.md."
        ) from error


def read_bounded(file: Path, most: int) -> bytes:
    """Return the bytes of a file, or of one that is longer than ``most`` the first, one more.

    Raises:
        OSError: It cannot be read.
    """
    return read_first(file, most + 1)


def read_documents(file: Path) -> list[dict[str, Any]]:
    """Return the documents in a YAML or JSON file.

    Raises:
        ConfigurationError: It cannot be read, or is no YAML.
    """
    try:
        data = read_bounded(file, MAX_BYTES)
        if len(data) > MAX_BYTES:
            raise ConfigurationError(
                f"Expected a manifest of at most {MAX_BYTES} bytes in {file}, found more."
            )
        documents = list(yaml.safe_load_all(data.decode()))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise ConfigurationError(f"{file} is no YAML: {problem}{place}.") from error
    return [document for document in documents if isinstance(document, dict)]


def write_text(file: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a file whole or not at all: where the disk is full, what was there is there still.

    Raises:
        FileExistsError: It is there already, and is not to be overwritten.
        OSError: It cannot be written.
    """
    if not overwrite:
        file.touch(exist_ok=False)
    elif file.exists() and not file.is_file():
        _write_through(file, text.encode())
        return
    try:
        replace_file(Path(os.path.realpath(file)), text.encode(), os.fsync)
    except OSError:
        if not overwrite:
            file.unlink()
        raise


def _write_through(file: Path, data: bytes) -> None:
    """Write to a device, or to a pipe that somebody reads: nobody else is waited for."""
    descriptor = os.open(file, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(data)


def unknown_fields(document: object, model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Yield a sentence on each field that a document has and its kind has not."""
    if not isinstance(document, Mapping):
        return
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    open_ended = model.__name__.endswith("Meta")
    for key, value in document.items():
        place = f"{path}.{key}" if path else str(key)
        field = fields.get(str(key))
        if field is None:
            if not open_ended and place not in {"apiVersion", "kind"}:
                near = difflib.get_close_matches(str(key), fields, n=1)
                instead = f"did you mean '{near[0]}'?" if near else f"known are: {_some(fields)}."
                yield f"Expected known fields, found '{place}'; {instead}"
            continue
        inner = _model_in(field.annotation)
        if inner is None:
            continue
        parts = value if isinstance(value, list) else [value]
        for number, part in enumerate(parts):
            where = f"{place}[{number}]" if isinstance(value, list) else place
            yield from unknown_fields(part, inner, where)


def _model_in(annotation: object) -> type[ApiModel] | None:
    """Return the model in ``Model``, ``Model | None``, ``list[Model]`` or Annotated of these."""
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return annotation
    found = (_model_in(part) for part in get_args(annotation))
    return next((model for model in found if model is not None), None)


def _some(names: Mapping[str, object]) -> str:
    return ", ".join(list(names)[:12])
