"""The docstrings beneath a model's fields, read when a JSON schema is made of it.

pydantic can read them when a class is made (``use_attribute_docstrings``): then each process that
imports the models reads and parses their sources, for texts that the generated files alone show.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from inspect import cleandoc


def field_docstrings(model: type) -> dict[str, str]:
    """Return the docstring of each field of a model that has one, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        found |= _of_module(base.__module__).get(base.__qualname__, {})
    return found


@cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """Return the fields' docstrings of the classes at the top of a module, by their names."""
    try:
        source = inspect.getsource(sys.modules[name])
    except (OSError, TypeError):
        return {}
    classes = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    return {found.name: _of_class(found) for found in classes}


def _of_class(found: ast.ClassDef) -> dict[str, str]:
    texts = {}
    for field, after in zip(found.body, found.body[1:], strict=False):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = cleandoc(text)
    return texts
