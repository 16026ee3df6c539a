"""What counts as a personal datum: one detector per kind, behind one small interface.

Each detector gets a column's distinct texts and returns those that hold what it looks for. A
regular expression picks candidates (fast, in Rust); checksums and structure decide on them.
Precision counts as much as recall: bare digits are a phone number or a national id only where the
column's name or a large share of valid checksums says so.
"""

from __future__ import annotations

import importlib
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Protocol

import polars as pl

from hallmark.api.training_run import PIIDetector


@dataclass(frozen=True)
class TextColumn:
    """A column's name and its distinct texts."""

    name: str
    texts: pl.Series

    @cached_property
    def called(self) -> frozenset[str]:
        """What the name may mean: its last words, joined, in lower case, without digits."""
        spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", self.name)
        words = re.findall(r"[a-z]+", spaced.lower())
        return frozenset("".join(words[start:]) for start in range(len(words)))

    def is_called(self, *names: str) -> bool:
        """Tell whether the name ends with one of these words."""
        return not self.called.isdisjoint(names)

    def matching(self, pattern: str) -> pl.Series:
        """Return the texts in which the pattern (Rust's syntax) occurs."""
        return self.texts.filter(self.texts.str.contains(pattern))

    def share(self, found: pl.Series) -> float:
        """Return which share of the texts was found."""
        return len(found) / len(self.texts) if len(self.texts) else 0.0


class Detector(Protocol):
    """Looks for one kind of personal datum."""

    kind: PIIDetector

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that hold such a datum; none means that the column is clear."""
        ...


def _only(texts: pl.Series, holds: Callable[[str], bool]) -> pl.Series:
    return texts.filter(pl.Series([holds(text) for text in texts], dtype=pl.Boolean))


def _nothing(column: TextColumn) -> pl.Series:
    return column.texts.clear()


class Email:
    """An address of e-mail."""

    kind = PIIDetector.EMAIL
    _pattern = r"[\p{L}0-9._%+'-]+@(?:[\p{L}0-9](?:[\p{L}0-9-]*[\p{L}0-9])?\.)+\p{L}{2,}"

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with an address."""
        return column.matching(self._pattern)


class Phone:
    """A telephone number: international, in North American form, or in a column called so."""

    kind = PIIDetector.PHONE
    _names = ("phone", "phonenumber", "telephone", "tel", "mobile", "mobilenumber", "cell", "fax",
              "phoneno", "telefon", "handy", "telefono")  # fmt: skip
    _international = r"(?:^|[^0-9A-Za-z.])(?:\+|00)[1-9][0-9 ().\-/]{6,20}[0-9]"
    _american = r"(?:^|[^0-9.\-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-.])[2-9][0-9]{2}[-.][0-9]{4}(?:$|[^0-9.\-])"  # noqa: E501
    _regions = ("US", "GB", "DE", "FR", "IN")

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with a number."""
        if column.is_called(*self._names):
            candidates = column.matching(r"[0-9][0-9 ().\-/]{5,}[0-9]")
            return _only(candidates, lambda text: _holds_phone(text, (None, *self._regions)))
        international = _only(
            column.matching(self._international),
            lambda text: _holds_phone(re.sub(r"(?<![0-9])00(?=[1-9])", "+", text), (None,)),
        )
        american = _only(column.matching(self._american), lambda text: _holds_phone(text, ("US",)))
        return pl.concat([international, american]).unique(maintain_order=True)


def _holds_phone(text: str, regions: tuple[str | None, ...]) -> bool:
    import phonenumbers  # 60 ms, and only a few columns need it

    return any(
        phonenumbers.PhoneNumberMatcher(text, region, max_tries=8).has_next() for region in regions
    )


class PaymentCard:
    """A payment card's number: issuer's prefix and length, and the Luhn checksum.

    One number in ten passes Luhn by chance, so where a column's texts are bare numbers of such a
    length, half of them must pass.
    """

    kind = PIIDetector.PAYMENT_CARD
    _pattern = r"(?:^|[^0-9.])[2-6](?:[ -]?[0-9]){11,18}(?:$|[^0-9])"
    _bare = r"^[0-9]{13,19}$"
    _number = re.compile(r"(?<![0-9.])[2-6](?:[ -]?[0-9]){11,18}(?![0-9])")
    _issuers = re.compile(
        r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
        r"|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}"
        r"|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}|(?:50|5[6-9]|6[0-9])\d{14}"
    )

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with a card's number."""
        found = _only(column.matching(self._pattern), self._holds)
        bare = column.matching(self._bare)
        valid_bare = found.filter(found.str.contains(self._bare))
        if len(valid_bare) * 2 < len(bare):
            return found.filter(~found.str.contains(self._bare))
        return found

    def _holds(self, text: str) -> bool:
        numbers = (re.sub(r"[ -]", "", match) for match in self._number.findall(text))
        return any(
            bool(self._issuers.fullmatch(number)) and _is_valid("luhn", number)
            for number in numbers
        )


class IBAN:
    """An international bank account number, by its country's structure and checksum."""

    kind = PIIDetector.IBAN
    _pattern = r"(?i)(?:^|[^A-Z0-9])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}"
    _number = re.compile(r"(?i)(?<![A-Z0-9])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}")

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with an account number."""
        return _only(column.matching(self._pattern), self._holds)

    def _holds(self, text: str) -> bool:
        for match in self._number.findall(text):
            compact = re.sub(r"[ -]", "", match)
            # Words after the number match as well; a country has one length.
            if any(_is_valid("iban", compact[:end]) for end in range(15, len(compact) + 1)):
                return True
        return False


class IPAddress:
    """An address of the Internet Protocol, version 4 or 6; not a software's version."""

    kind = PIIDetector.IP_ADDRESS
    _pattern = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{1,4}::?[0-9A-Fa-f:.]*:|::[0-9A-Fa-f]"
    _token = re.compile(r"(?<![0-9A-Za-z.:])[0-9A-Fa-f:.]{3,45}(?![0-9A-Za-z:])")

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with an address."""
        if column.is_called("version", "release", "build"):
            return _nothing(column)
        return _only(column.matching(self._pattern), self._holds)

    def _holds(self, text: str) -> bool:
        return any(self._is_address(token.rstrip(".")) for token in self._token.findall(text))

    @staticmethod
    def _is_address(token: str) -> bool:
        if token.count(".") != 3 and token.count(":") < 2:
            return False
        try:
            address = ipaddress.ip_address(token)
        except ValueError:
            return False
        return not address.is_unspecified


@dataclass(frozen=True)
class WrittenID:
    """How one country's number is written where letters or separators give it away.

    Attributes:
        module: Its checksum in python-stdnum.
        core: The number's form.
        beside: The characters that may stand neither before nor after it.
    """

    module: str
    core: str
    beside: str

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that hold a valid number in this form."""
        candidates = column.matching(f"(?:^|[^{self.beside}])(?:{self.core})(?:$|[^{self.beside}])")
        exact = re.compile(f"(?<![{self.beside}])(?:{self.core})(?![{self.beside}])")
        return _only(
            candidates,
            lambda text: any(_is_valid(self.module, match) for match in exact.findall(text)),
        )


_ALPHANUMERIC = "A-Za-z0-9"
_DIGIT_OR_DASH = "0-9-"
WRITTEN_IDS = (
    WrittenID("us.ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", _DIGIT_OR_DASH),
    WrittenID("it.codicefiscale", r"[A-Za-z]{6}[0-9]{2}[A-Za-z][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z]",
              _ALPHANUMERIC),
    WrittenID("es.dni", r"[0-9]{8}-?[A-Za-z]", _ALPHANUMERIC),
    WrittenID("es.nie", r"[XYZxyz]-?[0-9]{7}-?[A-Za-z]", _ALPHANUMERIC),
    WrittenID("fi.hetu", r"[0-9]{6}[-+A][0-9]{3}[0-9A-Y]", _ALPHANUMERIC),
    WrittenID("se.personnummer", r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}", _DIGIT_OR_DASH),
    WrittenID("dk.cpr", r"[0-9]{6}-[0-9]{4}", _DIGIT_OR_DASH),
    WrittenID("br.cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", "0-9"),
    WrittenID("mx.curp", r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[0-9A-Z][0-9]", _ALPHANUMERIC),
    WrittenID("kr.rrn", r"[0-9]{6}-[1-8][0-9]{6}", _DIGIT_OR_DASH),
    WrittenID("ch.ssn", r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}", "0-9"),
)  # fmt: skip


class NationalID:
    """A number by which a state knows a person, by checksum (python-stdnum).

    Forms with letters or separators of their own count wherever they stand. Bare digits count in
    a column called so, or where nine in ten of at least twenty texts pass one country's checksum.
    """

    kind = PIIDetector.NATIONAL_ID
    _names = ("ssn", "socialsecuritynumber", "socialsecurity", "nationalid", "nationalidnumber",
              "personalid", "idnumber", "nino", "nationalinsurancenumber", "taxid", "steuerid",
              "personnummer", "pesel", "bsn", "cpf", "curp", "dni", "nie", "aadhaar",
              "codicefiscale", "passport", "passportnumber", "identitynumber", "pps")  # fmt: skip
    _digits = ("de.idnr", "fr.nir", "nl.bsn", "pl.pesel", "no.fodselsnummer", "br.cpf",
               "in_.aadhaar", "us.ssn", "ca.sin", "tr.tckimlik", "be.nn", "se.personnummer",
               "dk.cpr", "ro.cnp", "bg.egn", "cz.rc", "gb.nhs")  # fmt: skip
    # The British national insurance number has a form but no checksum.
    _british = (
        r"(?i)(?:^|[^A-Z0-9])[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?(?:[0-9]{2} ?){3}[A-D]"
        r"(?:$|[^A-Z0-9])"
    )
    _min_texts = 20

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with such a number."""
        if column.is_called(*self._names):
            named = _only(column.matching(r"[0-9]{2}"), self._is_plausible)
            if column.share(named) >= 0.5:
                return named
        found = [written.find(column) for written in WRITTEN_IDS]
        found += [column.matching(self._british), self._bare(column)]
        return pl.concat(found).unique(maintain_order=True)

    def _is_plausible(self, text: str) -> bool:
        number = text.strip()
        modules = (*self._digits, *(written.module for written in WRITTEN_IDS))
        return bool(re.fullmatch(r"[A-Z0-9]{6,14}", number)) or any(
            _is_valid(module, number) for module in modules
        )

    def _bare(self, column: TextColumn) -> pl.Series:
        digits = column.matching(r"^[0-9]{9,15}$")
        if len(digits) < self._min_texts or column.share(digits) < 0.9:
            return _nothing(column)
        sample = digits.head(1000).to_list()
        for module in self._digits:
            if sum(_is_valid(module, text) for text in sample) >= 0.9 * len(sample):
                return digits
        return _nothing(column)


class PersonName:
    """A person's name: a column that is called so and holds words without digits."""

    kind = PIIDetector.PERSON_NAME
    _names = ("firstname", "lastname", "surname", "forename", "givenname", "familyname",
              "fullname", "maidenname", "middlename", "personname", "customername",
              "applicantname", "patientname", "employeename", "borrowername", "clientname",
              "contactname", "vorname", "nachname", "familienname", "prenom", "nomdefamille",
              "apellido", "apellidos", "cognome")  # fmt: skip
    _word = r"^\p{L}[\p{L}\p{M}'’. \-]*$"
    _capitalised = r"^\p{Lu}[\p{L}'’.\-]+( \p{Lu}[\p{L}'’.\-]*){1,3}$"

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that are names."""
        if column.is_called(*self._names):
            found = column.matching(self._word)
        elif column.name.lower() == "name":
            found = column.matching(self._capitalised)
        else:
            return _nothing(column)
        return found if column.share(found) >= 0.5 else _nothing(column)


class DateOfBirth:
    """A date of birth: a column that is called so and holds dates."""

    kind = PIIDetector.DATE_OF_BIRTH
    _names = ("dateofbirth", "birthdate", "birthday", "dob", "birthdt", "geburtsdatum",
              "geburtstag", "datenaissance", "datedenaissance", "fechanacimiento",
              "fechadenacimiento", "datadinascita")  # fmt: skip
    _date = (
        r"^(?:[0-9]{4}[-/.]?[0-9]{2}[-/.]?[0-9]{2}"
        r"|[0-9]{1,2}[-/. ][0-9A-Za-z]{1,9}[-/. ][0-9]{2,4})"
    )

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that are dates."""
        if not column.is_called(*self._names):
            return _nothing(column)
        found = column.matching(self._date)
        return found if column.share(found) >= 0.5 else _nothing(column)


@cache
def _validator(module: str) -> Callable[[str], bool]:
    validator: Callable[[str], bool] = importlib.import_module(f"stdnum.{module}").is_valid
    return validator


def _is_valid(module: str, number: str) -> bool:
    return _validator(module)(number)


DETECTORS: tuple[Detector, ...] = (
    Email(),
    PaymentCard(),
    IBAN(),
    Phone(),
    NationalID(),
    IPAddress(),
    PersonName(),
    DateOfBirth(),
)
