"""``--trust``: the keys that a verifier trusts, as he gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hallmark.api.model_policy import ModelPolicy
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.files import MAX_BYTES, read_bounded, read_object
from hallmark.errors import ConfigurationError
from hallmark.keys import Purpose

if TYPE_CHECKING:
    from hallmark.verification.trusted import Trusted

Trust = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        help="What you trust, from elsewhere than the chain: seal=KEY.pem, audit=KEY.pem, "
        "approve:NAME=KEY.pem, or a ModelPolicy's file, for its keys. May be repeated.",
    ),
]


def trusted_of(texts: Sequence[str]) -> Trusted:
    """Return the keys that the options name.

    Raises:
        ConfigurationError: one of them is none, or there is no option.
    """
    with needs_the_extra():
        from hallmark.verification.trusted import Trusted, all_of
    if not texts:
        raise ConfigurationError(
            "Expected --trust: the keys that you trust, such as seal=sealing.pub, audit=audit.pub "
            "and approve:NAME=approver.pub, or the file of a ModelPolicy. What a chain says of its "
            "own keys proves nothing."
        )
    found = all_of(_trusted(text) for text in texts)
    if found == Trusted():
        raise ConfigurationError("Expected a key behind --trust, found none.")
    return found


def _trusted(text: str) -> Trusted:
    from hallmark.verification.trusted import Trusted, trusted_key

    word, equals, path = text.partition("=")
    purpose, _, approver = word.partition(":")
    if not equals:
        return Trusted.of_policy(read_object(Path(text), ModelPolicy).spec)
    if purpose not in set(Purpose) or bool(approver) != (purpose == Purpose.APPROVE):
        raise ConfigurationError(
            f"--trust: expected seal=, audit= or approve:NAME= before a key's file, found {word!r}."
        )
    try:
        pem = read_bounded(Path(path), MAX_BYTES).decode()
    except OSError as error:
        raise ConfigurationError(
            f"--trust: the key {path} cannot be read ({error.strerror})."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"--trust: expected a key in {path}, found no text.") from error
    return trusted_key(Purpose(purpose), pem, approver)
