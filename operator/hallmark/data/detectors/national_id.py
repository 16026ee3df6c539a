"""National identifiers: the numbers of ``identifiers`` found in columns and sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from hallmark.api.pii import PIIDetector
from hallmark.data.detectors.column import (
    TextColumn,
    by_majority,
    even_sample,
    folded,
    only,
    union,
    vocabulary,
)
from hallmark.data.detectors.identifiers import IDENTIFIERS, Identifier

_WRITTEN = tuple(identifier for identifier in IDENTIFIERS if identifier.written)
_BARE = tuple(identifier for identifier in IDENTIFIERS if identifier.digits and identifier.checked)
_BY_NAME: dict[str, list[Identifier]] = {}
for _identifier in IDENTIFIERS:
    for _name in _identifier.names:
        _BY_NAME.setdefault(re.sub("[^\\w]", "", _name), []).append(_identifier)
_JOINED = frozenset(_BY_NAME)
_SPOKEN = "|".join(
    re.escape(name).replace(r"\ ", r"[ \-_]?")
    for name in sorted(
        (name for identifier in IDENTIFIERS for name in identifier.names), key=len, reverse=True
    )
)


_ANY_FORM = "|".join(identifier.written for identifier in _WRITTEN if identifier.written)
_DIGITS = r"^\s*[0-9](?:[ .\-/]?[0-9]){8,14}\s*$"
_BESIDE = r"(?:^|[^0-9A-Za-z.\-/+])"


class NationalID:
    """A number by which a state knows a person, by checksum (python-stdnum).

    Forms of their own count wherever they stand. Bare digits count in a column that is named so,
    behind the number's name in a sentence, or where nine in ten of at least twenty texts pass one
    country's checksum and the column is not named after something else that has a checksum.
    """

    kind = PIIDetector.NATIONAL_ID
    _generic = vocabulary(
        "nationalid nationalidnumber nationalidentifier nationalidentitynumber personalid "
        "personalidnumber personalidentitynumber personalnumber idnumber identitynumber "
        "identificationnumber identitycard idcard idcardnumber citizenid taxid taxidnumber "
        "tin taxpayerid personalausweis personalausweisnummer ausweisnummer "
        "numerodeidentificacion numeroidentificacion documentodeidentidad numerodocumento "
        "carteidentite numerocni cartaidentita documento"
    )
    _passport = vocabulary(
        "passport passportnumber passportno passportnr reisepass reisepassnummer passnummer "
        "pasaporte numeropasaporte passeport numeropasseport passaporto паспорт"
    )
    _other = vocabulary(
        "order orderno ordernumber orderid invoice invoiceno invoicenumber sku ean ean13 "
        "upc gtin isbn issn barcode siren siret duns lei npi ein vat vatid vatnumber "
        "routing routingnumber aba imei imo price amount total timestamp time version "
        "serial serialnumber part partnumber"
    )
    _passport_shape = r"^\s*[A-Za-z]{0,3}[0-9]{6,9}[A-Za-z]?\s*$"
    # A book's old number has the same checksum as the NHS's, but one in eleven ends with X.
    _isbn = r"^[0-9]{9}[Xx]$"
    _spoken_fast = rf"(?i)(?:{_SPOKEN}|numéro|sécurité|cédula|cartão|rodné|číslo)"
    _spoken = re.compile(rf"(?<!\w)({_SPOKEN})(?!\w)")

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with such a number."""
        named = self._in_named_column(column)
        if len(named):
            return named
        if column.numeric:
            many = len(self._digits(column))
            return self._bare(column) if many else self._written(column)
        return union((self._written(column), self._in_sentences(column), self._bare(column)))

    def _in_named_column(self, column: TextColumn) -> pl.Series:
        """Return the texts in the form, which is enough where the column names the number."""
        identifiers = [
            identifier for name in column.meanings & _JOINED for identifier in _BY_NAME[name]
        ]
        if identifiers:
            hits = only(
                column.texts,
                lambda text: any(
                    _has_form(identifier, text, column.numeric) for identifier in identifiers
                ),
            )
            if column.share(hits) >= 0.5:
                return hits
        if column.is_named(self._passport):
            return column.mostly(column.shaped(self._passport_shape))
        if column.is_named(self._generic):
            return self._explained(column, IDENTIFIERS, column.texts, 0.8, 1)
        return column.nothing()

    def _written(self, column: TextColumn) -> pl.Series:
        hits = column.matching(rf"(?i){_BESIDE}(?:{_ANY_FORM})(?:$|[^0-9A-Za-z])")
        if len(self._digits(column)):
            hits = hits.filter(~hits.str.contains("^[0-9]+$"))  # _bare looks at them, all together
        passing = [column.nothing()]
        for identifier in _WRITTEN:
            # Compiling a pattern in Rust costs more than a thousand searches in Python.
            few = len(hits) < 1000
            mine = (
                hits
                if few
                else hits.filter(hits.str.contains(rf"(?i){_BESIDE}(?:{identifier.written})"))
            )
            passing += self._passing(identifier, mine)
        return union(passing)

    def _passing(self, identifier: Identifier, texts: pl.Series) -> Iterable[pl.Series]:
        """Yield the texts that pass: in sentences one by one, numbers alone by their majority."""
        candidates = only(texts, lambda text: identifier.alone.search(text) is not None)
        if not len(candidates):
            return

        def holds(text: str) -> bool:
            return any(
                identifier.passes(match.group()) for match in identifier.alone.finditer(text)
            )

        whole = pl.Series(
            [identifier.alone.fullmatch(text.strip()) is not None for text in candidates],
            dtype=pl.Boolean,
        )
        yield only(candidates.filter(~whole), holds)
        yield by_majority(candidates.filter(whole), holds)

    def _in_sentences(self, column: TextColumn) -> pl.Series:
        return only(column.matching(self._spoken_fast), self._has_named_number)

    def _has_named_number(self, text: str) -> bool:
        said = folded(text)
        for match in self._spoken.finditer(said):
            tail = said[match.end() : match.end() + 40].upper()
            for identifier in _BY_NAME[re.sub(r"[\s_-]", "", match.group(1))]:
                number = identifier.exact.search(tail)
                if number and identifier.passes(number.group()):
                    return True
        return False

    def _bare(self, column: TextColumn) -> pl.Series:
        if column.is_named(self._other) or len(column.shaped(self._isbn)):
            return column.nothing()
        digits = self._digits(column)
        return self._explained(column, _BARE, digits, 0.9, 20)

    @staticmethod
    def _digits(column: TextColumn) -> pl.Series:
        """Return the texts of digits and separators alone, where they are half of many."""
        digits = column.shaped(_DIGITS)
        return column.mostly(digits) if len(digits) >= 20 else column.nothing()

    def _explained(
        self,
        column: TextColumn,
        identifiers: Iterable[Identifier],
        texts: pl.Series,
        share: float,
        least: int,
    ) -> pl.Series:
        """Return the texts if one country's checksum passes enough of them."""
        few, many = even_sample(texts, 50).to_list(), even_sample(texts, 1000).to_list()
        for identifier in identifiers:
            if all(
                len(sample) >= least
                and sum(_is_number(identifier, text, column.numeric) for text in sample)
                >= share * len(sample)
                for sample in (few, many)
            ):
                return texts
        return column.nothing()


def _has_form(identifier: Identifier, text: str, numeric: bool) -> bool:
    if numeric:  # leading zeros are lost
        return text.isdecimal() and identifier.digits - 3 <= len(text) <= identifier.digits
    return identifier.exact.fullmatch(text.strip()) is not None


def _is_number(identifier: Identifier, text: str, numeric: bool) -> bool:
    if numeric and _has_form(identifier, text, numeric):
        text = text.zfill(identifier.digits)
    return identifier.exact.fullmatch(text.strip()) is not None and identifier.passes(text)
