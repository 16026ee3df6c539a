"""The annotation in which a person asks the operator for something."""

from __future__ import annotations

import re

from hallmark.api.common import canonical_json
from hallmark.api.model_deployment import Action, ActionName
from hallmark.cli.validation import checked
from hallmark.errors import ConfigurationError

_UNQUOTABLE = re.compile(r'["\\\x00-\x1f]')


def action_text(
    action: ActionName, identity: str, user: str, reason: str, target: str | None
) -> str:
    """Return the annotation's JSON.

    Admission reads the text without a JSON parser, so that no value may need an escape.

    Raises:
        ConfigurationError: a value holds a quote, a backslash or a control character, or is too
            long.
    """
    for what, value in (("--reason", reason), ("--target", target or ""), ("your name", user)):
        if _UNQUOTABLE.search(value):
            raise ConfigurationError(
                f"{what}: expected one line without double quotes and backslashes; found {value!r}."
            )
    asked = checked(Action, id=identity, action=action, by=user, reason=reason, target=target)
    return canonical_json(asked.to_wire()).decode()
