"""Texts as detectors read them: the many signs for one digit, space or dash become the usual one.

A person reads a full-width digit, a no-break space or a hyphen that does not break as the digit,
space or hyphen that it looks like, and does not see zero-width characters and soft hyphens at all.
So what is looked for is looked for in the text that a person sees.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import polars as pl

_ODD = r"[^\x20-\x7e\n\r]"
_UNSEEN = r"[\p{Cf}\p{M}\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\x{115f}\x{1160}\x{3164}\x{ffa0}]"
"""Marks on a letter that has no form of its own with them are taken away, too."""
_SPACES = r"[\s\x{2800}&&[^\n\r]]"
_DASHES = r"[\p{Pd}\x{2212}\x{2043}\x{02d7}\x{2796}]"
_OTHER_DIGITS = r"[\p{N}--[0-9]]"
_SOFT_HYPHEN = r"([\p{Nd}\p{L}])\x{ad}([\p{Nd}\p{L}])"
_LIKE = {
    "。": ".",
    "·": ".",
    "∕": "/",
    "⁄": "/",
    "∶": ":",
    "➕": "+",
}
"""Signs that look like another and that compatibility (NFKC) leaves alone."""
_ALPHABETS = r"[\p{Cyrillic}\p{Greek}]"
_LATIN = {
    **dict(zip("АВЕКМНОРСТУХІЅЈаеорсухіѕј", "ABEKMHOPCTYXISJaeopcyxisj", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)),
}
"""Letters of two alphabets that look like Latin ones."""
_BEFORE, _AFTER = "^[\\s=\"'`]*", "[\\s\"'`]*$"
"""A spreadsheet's signs that a cell is a text."""
_WHOLE = rf"{_BEFORE}([+-]?(?:[0-9]+|[0-9]{{1,3}}(?:[,'_][0-9]{{3}})+))(?:[.,]0*)?{_AFTER}"
_EXPONENT = rf"{_BEFORE}([+-]?[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]{{1,2}}){_AFTER}"
_PLUS = r"^\s*\+([0-9]+)\s*$"
_INTEGRAL = 2**53


def views(texts: pl.Series) -> list[pl.Series]:
    """Return the ways to read texts, each of the same length.

    Whole numbers that are written as fractions, in groups of three, with an exponent or with a
    spreadsheet's signs around them become digits. A soft hyphen may stand for nothing or for a
    hyphen, a plus before digits may belong to the number or not, and a Cyrillic or Greek letter
    may be the Latin one that it looks like.

    Args:
        texts: Distinct texts without nulls.
    """
    seen = normal(texts)
    first = _as_digits(seen)
    readings = [first]
    if first.str.contains(_PLUS).any():
        readings.append(first.str.replace(_PLUS, "$1"))
    if seen is texts:  # plain ASCII has one reading
        return readings
    if texts.str.contains(_SOFT_HYPHEN).any():
        # Twice, for a sign between two of them belongs to both.
        hyphens = texts.str.replace_all(_SOFT_HYPHEN, "$1-$2")
        readings.append(_as_digits(normal(hyphens.str.replace_all(_SOFT_HYPHEN, "$1-$2"))))
    if first.str.contains(_ALPHABETS).any():
        readings.append(first.str.replace_many(_LATIN))
    return readings


def normal(texts: pl.Series) -> pl.Series:
    """Return the texts with one sign for each digit, space and dash, and nothing unseen.

    The form is NFKC (Unicode Standard Annex 15). Plain ASCII, as most texts are, stays as it is.

    Args:
        texts: Without nulls.
    """
    odd = texts.str.contains(_ODD).arg_true()
    if not len(odd):
        return texts
    return texts.clone().scatter(odd, _normal(texts.gather(odd)))


def normal_text(text: str) -> str:
    """Return one text as ``normal`` does."""
    plain = text.isascii() and text.isprintable()
    return text if plain else str(normal(pl.Series([text], dtype=pl.String)).item())


def _normal(texts: pl.Series) -> pl.Series:
    texts = texts.str.normalize("NFKC").str.replace_all(_UNSEEN, "")
    texts = texts.str.replace_all(_SPACES, " ").str.replace_all(_DASHES, "-")
    texts = texts.str.replace_many(_LIKE)
    if texts.str.contains(_OTHER_DIGITS).any():
        texts = texts.str.replace_many(_digits())
    return texts


@cache
def _digits() -> dict[str, str]:
    """Return each sign of a digit that is none of ASCII, and its digit."""
    signs = map(chr, range(128, sys.maxunicode + 1))
    return {
        sign: str(digit) for sign in signs if (digit := unicodedata.digit(sign, None)) is not None
    }


def _as_digits(texts: pl.Series) -> pl.Series:
    """Return whole numbers such as ``12.0``, ``1,200``, ``="12"`` and ``1.2e1`` as their digits."""
    numbers = texts.str.contains(f"{_WHOLE}|{_EXPONENT}") & ~texts.str.contains("^[0-9]+$")
    places = numbers.arg_true()
    if not len(places):
        return texts
    written = texts.gather(places)
    digits = written.str.extract(_WHOLE, 1).str.replace_all("[,'_]", "")
    value = written.str.extract(_EXPONENT, 1).str.strip_prefix("+").cast(pl.Float64, strict=False)
    exact = (value == value.floor()) & (value.abs() <= _INTEGRAL)
    short = pl.select(
        pl.coalesce(
            pl.lit(digits),
            pl.when(pl.lit(exact)).then(pl.lit(value).cast(pl.Int64, strict=False)).cast(pl.String),
            pl.lit(written),
        )
    ).to_series()
    return texts.clone().scatter(places, short)
