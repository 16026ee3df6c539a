"""Numbers that lead to a person's money: payment cards and bank accounts."""

from __future__ import annotations

import re

import polars as pl

from hallmark.api.pii import PIIDetector
from hallmark.data.detectors.checksums import is_valid
from hallmark.data.detectors.column import TextColumn, by_majority, only, union, vocabulary


class PaymentCard:
    """A payment card's number: issuer's prefix, length, grouping, and the Luhn checksum.

    One number in ten passes Luhn by chance, so where texts are numbers alone, half of them must
    pass. A timestamp, a product's EAN or part of a UUID has no issuer's prefix, length or grouping.
    """

    kind = PIIDetector.PAYMENT_CARD
    _names = vocabulary(
        "card cardnumber cardno creditcard creditcardnumber creditcardno ccnumber ccnum cc "
        "pan debitcard debitcardnumber paymentcard kreditkarte kreditkartennummer "
        "kartennummer numerocarte cartedecredit cartebancaire tarjeta numerotarjeta "
        "numerodetarjeta cartadicredito numerocarta cartao numerocartao creditcardnr"
    )
    _pattern = r"(?:^|[^0-9A-Za-z.\-_/])[2-6][0-9]{3}(?:[ -]?[0-9]){9,15}(?:$|[^0-9A-Za-z_\-])"
    _alone = r"^\s*[0-9 -]+\s*$"
    _number = re.compile(
        r"(?<![0-9A-Za-z.\-_/])(?<![A-Z]{2}[0-9]{2} )(?:"
        r"[2-6][0-9]{12,18}"
        r"|[2-6][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?"
        r"|3[0-9]{3}([ -])[0-9]{6}\2[0-9]{4,5}"
        r")(?![0-9A-Za-z_]|-[0-9A-Za-z]|\.(?!0+(?![0-9A-Za-z]))[0-9A-Za-z])"
    )
    # ISO/IEC 7812 prefixes in use: Visa, Mastercard, American Express, Discover, JCB, Diners,
    # UnionPay, RuPay, Mir, Maestro.
    _issuers = re.compile(
        r"4(?:\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
        r"|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}"
        r"|3(?:0[0-5]|[689]\d)\d{11}|62\d{14,17}|60\d{14}|220[0-4]\d{12,15}"
        r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"
    )
    # Visa numbers of 13 digits are out of use, and products of Germany have such numbers.
    _short_visa = re.compile(r"4\d{12}")

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with a card's number."""
        named = column.is_named(self._names)
        candidates = column.matching(self._pattern)
        alone = candidates.str.contains(self._alone)

        def holds(text: str) -> bool:
            return self._holds(text, short=named)

        in_sentences = only(candidates.filter(~alone), holds)
        bare = candidates.filter(alone)
        return pl.concat([in_sentences, only(bare, holds) if named else by_majority(bare, holds)])

    def _holds(self, text: str, *, short: bool) -> bool:
        for match in self._number.finditer(text):
            number = re.sub("[ -]", "", match.group())
            issued = self._issuers.fullmatch(number) or (
                short and self._short_visa.fullmatch(number)
            )
            if issued and is_valid("luhn", number) and len(set(number)) > 1:
                return True
        return False


class IBAN:
    """An international bank account number, by its country's structure and checksum."""

    kind = PIIDetector.IBAN
    _countries = (
        "AD|AE|AL|AT|AZ|BA|BE|BG|BH|BR|BY|CH|CR|CY|CZ|DE|DK|DO|EE|EG|ES|FI|FO|FR|GB|GE|GI|GL|GR|GT"
        "|HR|HU|IE|IL|IQ|IS|IT|JO|KW|KZ|LB|LC|LI|LT|LU|LV|LY|MC|MD|ME|MK|MR|MT|MU|NL|NO|PK|PL|PS"
        "|PT|QA|RO|RS|SA|SC|SE|SI|SK|SM|ST|SV|TL|TN|TR|UA|VA|VG|XK"
    )
    # Without separators, or in groups of four; a UUID has other groups.
    _core = (
        rf"(?:{_countries})[0-9]{{2}}(?:[A-Z0-9]{{11,30}}"
        r"|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?|(?:-[A-Z0-9]{4}){2,7}(?:-[A-Z0-9]{1,4})?)"
    )
    _pattern = rf"(?i)(?:^|[^A-Z0-9\-]){_core}"
    _number = re.compile(rf"(?i)(?<![A-Z0-9\-]){_core}")

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with an account number."""
        return union([only(column.matching(self._pattern), self._holds)])

    def _holds(self, text: str) -> bool:
        for match in self._number.findall(text):
            compact = re.sub(r"[ -]", "", match)
            # Words after the number match as well; a country has one length.
            if any(is_valid("iban", compact[:end]) for end in range(15, len(compact) + 1)):
                return True
        return False
