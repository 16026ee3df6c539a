"""What a detector sees of a column, and the interface that every detector has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from hallmark.api.pii import PIIDetector
from hallmark.data.detectors.normal import normal_text
from hallmark.data.lazy import lazy

_UNDECOMPOSED = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})
_WORD_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SAMPLE = 20_000

_SUSPECT = "|".join(
    (
        "@",
        r"[0-9](?:[ ().\-/]{0,3}[0-9]){5}",  # phones, cards, most national ids, dates
        r"[A-Za-z]{5}[0-9]{2}",  # ids that begin with letters
        r"[A-Za-z]{2}[0-9]{2}[ -]?[A-Za-z0-9]{4}",  # IBAN
        r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",  # IP, version 4
        r"[0-9A-Fa-f]?:[0-9A-Fa-f]{0,4}:",  # IP, version 6, and MAC
        r"(?:[0-9A-Fa-f]{2}-){3}",
        r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.",
        "-----BEGIN|eyJ[A-Za-z0-9]|A[A-Z]IA[0-9A-Z]|gh[a-z]_|hub_pat_|glpat-|xox[a-z]-|[sr]k[-_]"
        "|AIza|hf_|npm_|pypi-|SG[.]|://",
        r"(?i:(?:pass|pwd|secret|token|key|credential|kennwort|contrase|senha)[^:=]{0,16}[:=])",
        r"(?i:\b(?:born|birth|dob|geb|nacid|nat[oa]|née?)\b)",
        r"\b(?:Mr|Mrs|Ms|Miss|Master|Rev|Capt|Col|Major|Sir|Lady|Dr|Prof|Herr|Frau|Mme|Madame|Monsieur|Se[nñ]ora?|Sra?|Sig)\b",
        r"[0-9] ?[a-zA-Z]?,? \p{L}|\p{L} [0-9]",  # a house number beside a word
    )
)


def folded(text: str) -> str:
    """Return the text without accents, in one case: ``Prénom`` and ``PRENOM`` are one word."""
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(character)
    )
    return plain.casefold().translate(_UNDECOMPOSED)


def vocabulary(words: str) -> frozenset[str]:
    """Return column names, given separated by white space, as ``TextColumn.meanings`` has them."""
    return frozenset(folded(word) for word in words.split())


_OWNERS = vocabulary(
    "applicant borrower buyer cardholder child client cliente contact customer debtor "
    "dependent employee father friend guardian holder home husband insured kunde main "
    "member mother office other owner paciente parent passenger patient personal primary "
    "private recipient secondary seller sender spouse staff student titular user wife "
    "work"
)


@dataclass(frozen=True)
class TextColumn:
    """A column's name and its distinct texts.

    Attributes:
        name: As it stands in the dataset.
        texts: Distinct, without nulls, as ``normal.views`` reads them.
        numeric: Whether the texts look written from numbers, which have no leading zeros.
        others: How many further distinct cells there are in which nothing can be found.
    """

    name: str
    texts: pl.Series
    numeric: bool = False
    others: int = 0

    @lazy
    def words(self) -> tuple[str, ...]:
        """The words of the name, folded, without digits."""
        spaced = _WORD_BOUNDARY.sub(" ", normal_text(self.name))
        return tuple(re.findall(r"[^\W\d_]+", folded(spaced)))

    @lazy
    def meanings(self) -> frozenset[str]:
        """Meanings of the name: its last words, joined; whose it is may follow them."""
        words = self.words
        meanings = {"".join(words[start:]) for start in range(len(words))}
        while len(words) > 1 and words[-1] in _OWNERS:
            words = words[:-1]
            meanings |= {"".join(words[start:]) for start in range(len(words))}
        return frozenset(meanings)

    def is_named(self, names: frozenset[str]) -> bool:
        """Whether the name ends with one of these words."""
        return not self.meanings.isdisjoint(names)

    @lazy
    def suspects(self) -> pl.Series:
        """The texts in which a built-in detector could find something by content alone.

        One pass over the column that most texts of most columns do not survive.
        """
        return self.texts.filter(self.texts.str.contains(_SUSPECT))

    def matching(self, pattern: str) -> pl.Series:
        """Return the suspects in which the pattern (Rust's syntax) occurs."""
        if not len(self.suspects):
            return self.suspects  # compiling a pattern takes longer than most columns
        return self.suspects.filter(self.suspects.str.contains(pattern))

    def shaped(self, pattern: str) -> pl.Series:
        """Return the texts, suspects or not, in which the pattern (Rust's syntax) occurs."""
        return self.texts.filter(self.texts.str.contains(pattern))

    def share(self, hits: pl.Series) -> float:
        """Return which share of the texts the hits are."""
        cells = len(self.texts) + self.others
        return len(hits) / cells if cells else 0.0

    def mostly(self, hits: pl.Series) -> pl.Series:
        """Return the hits if they are half of the texts or more, else nothing."""
        return hits if self.share(hits) >= 0.5 else self.texts.clear()

    def nothing(self) -> pl.Series:
        """Return no text."""
        return self.texts.clear()


class Detector(Protocol):
    """A search for one kind of personal datum."""

    @property
    def kind(self) -> PIIDetector:
        """The kind it looks for."""
        ...

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that hold such a datum; none means that the column is clear."""
        ...


def only(texts: pl.Series, holds: Callable[[str], bool]) -> pl.Series:
    """Return the texts that hold what is looked for."""
    return texts.filter(pl.Series([holds(text) for text in texts], dtype=pl.Boolean))


def by_majority(texts: pl.Series, holds: Callable[[str], bool]) -> pl.Series:
    """Return the texts that hold it, if half of them do: a checksum also passes by chance.

    Args:
        texts: Texts of one form, and nothing beside it.
        holds: Whether the checksum passes. Of many texts it is asked of an even sample, and then
            all count or none.
    """
    if len(texts) <= _SAMPLE:
        hits = only(texts, holds)
        return hits if len(hits) * 2 >= len(texts) else texts.clear()
    sample = even_sample(texts, _SAMPLE)
    return texts if len(only(sample, holds)) * 2 >= len(sample) else texts.clear()


def even_sample(texts: pl.Series, size: int) -> pl.Series:
    """Return about ``size`` texts at even distances; the same ones each time."""
    return texts.gather_every(max(1, len(texts) // size)).head(size)


def union(texts: Iterable[pl.Series]) -> pl.Series:
    """Return each text once."""
    return pl.concat(list(texts)).unique(maintain_order=True)
