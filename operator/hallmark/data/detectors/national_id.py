"""National identifiers: the numbers of ``identifiers`` found in columns and sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from hallmark.api.training_run import PIIDetector
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

_WRITTEN = tuple(one for one in IDENTIFIERS if one.written)
_BARE = tuple(one for one in IDENTIFIERS if one.digits and one.checked)
_BY_NAME: dict[str, list[Identifier]] = {}
for _one in IDENTIFIERS:
    for _name in _one.names:
        _BY_NAME.setdefault(re.sub("[^\\w]", "", _name), []).append(_one)
_JOINED = frozenset(_BY_NAME)
_SPOKEN = "|".join(
    re.escape(name).replace(r"\ ", r"[ \-_]?")
    for name in sorted((name for one in IDENTIFIERS for name in one.names), key=len, reverse=True)
)


_ANY_FORM = "|".join(one.written for one in _WRITTEN if one.written)
_DIGITS = r"^\s*[0-9](?:[ .\-/]?[0-9]){8,14}\s*$"
_BESIDE = r"(?:^|[^0-9A-Za-z.\-/+])"


class NationalID:
    """A number by which a state knows a person, by checksum (python-stdnum).

    Forms of their own count wherever they stand. Bare digits count in a column that is called so,
    behind the number's name in a sentence, or where nine in ten of at least twenty texts pass one
    country's checksum and the column is not called after something else that has a checksum.
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
            return self._bare(column)
        return union((self._written(column), self._in_sentences(column), self._bare(column)))

    def _in_named_column(self, column: TextColumn) -> pl.Series:
        """Take the form for enough where the column says whose number it is."""
        identifiers = [one for name in column.called & _JOINED for one in _BY_NAME[name]]
        if identifiers:
            found = only(
                column.texts,
                lambda text: any(_has_form(one, text, column.numeric) for one in identifiers),
            )
            if column.share(found) >= 0.5:
                return found
        if column.is_called(self._passport):
            return column.mostly(column.shaped(self._passport_shape))
        if column.is_called(self._generic):
            return self._explained(column, IDENTIFIERS, column.texts, 0.8, 1)
        return column.nothing()

    def _written(self, column: TextColumn) -> pl.Series:
        hits = column.matching(rf"{_BESIDE}(?:{_ANY_FORM})(?:$|[^0-9A-Za-z])")
        if len(self._digits(column)):
            hits = hits.filter(~hits.str.contains("^[0-9]+$"))  # _bare judges them, all together
        found = [column.nothing()]
        for one in _WRITTEN:
            # Compiling a pattern in Rust costs more than a thousand searches in Python.
            few = len(hits) < 1000
            mine = hits if few else hits.filter(hits.str.contains(rf"{_BESIDE}(?:{one.written})"))
            found += self._judged(one, mine)
        return union(found)

    def _judged(self, one: Identifier, texts: pl.Series) -> Iterable[pl.Series]:
        """Judge numbers in sentences one by one, and those that stand alone together."""
        candidates = only(texts, lambda text: one.alone.search(text) is not None)
        if not len(candidates):
            return

        def holds(text: str) -> bool:
            return any(one.passes(match.group()) for match in one.alone.finditer(text))

        whole = pl.Series(
            [one.alone.fullmatch(text.strip()) is not None for text in candidates],
            dtype=pl.Boolean,
        )
        yield only(candidates.filter(~whole), holds)
        yield by_majority(candidates.filter(whole), holds)

    def _in_sentences(self, column: TextColumn) -> pl.Series:
        return only(column.matching(self._spoken_fast), self._says_so)

    def _says_so(self, text: str) -> bool:
        said = folded(text)
        for match in self._spoken.finditer(said):
            tail = said[match.end() : match.end() + 40].upper()
            for one in _BY_NAME[re.sub(r"[\s_-]", "", match.group(1))]:
                number = one.exact.search(tail)
                if number and one.passes(number.group()):
                    return True
        return False

    def _bare(self, column: TextColumn) -> pl.Series:
        if column.is_called(self._other) or len(column.shaped(self._isbn)):
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
        for one in identifiers:
            if all(
                len(sample) >= least
                and sum(_is_number(one, text) for text in sample) >= share * len(sample)
                for sample in (few, many)
            ):
                return texts
        return column.nothing()


def _has_form(one: Identifier, text: str, numeric: bool) -> bool:
    if numeric:  # leading zeros are lost
        return one.digits - 3 <= len(text) <= one.digits
    return one.exact.fullmatch(text.strip()) is not None


def _is_number(one: Identifier, text: str) -> bool:
    return one.exact.fullmatch(text.strip()) is not None and one.passes(text)
