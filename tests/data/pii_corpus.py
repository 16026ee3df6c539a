"""A seeded, labelled corpus of columns with and without personal data, and how to score on it.

Every number is made up: drawn at random, and kept where its checksum passes. What must be left
alone stands beside it: measurements, order numbers, timestamps, products, digests, versions.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import phonenumbers

from hallmark.api.pii import PIIDetector
from tests.data.pii_clear import clear_columns
from tests.data.pii_draw import FAMILY, GIVEN, Draw, national_ids

CELLS = 30


@dataclass(frozen=True)
class LabelledColumn:
    """A column of the corpus.

    Attributes:
        about: What stands in it.
        name: What the dataset calls it.
        cells: Its texts.
        label: What every text with a mark holds; none where nothing must be found.
        marks: Whether each text holds it.
    """

    about: str
    name: str
    cells: tuple[str, ...]
    label: PIIDetector | None = None
    marks: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Score:
    """Counts of cells, over the whole corpus."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Which share of what was found is right; 1 where nothing was found."""
        hits = self.right + self.wrong
        return self.right / hits if hits else 1.0

    @property
    def recall(self) -> float:
        """Which share of what is there was found."""
        there = self.right + self.missed
        return self.right / there if there else 1.0


Finder = Callable[[LabelledColumn], Mapping[PIIDetector, Iterable[int]]]
"""Returns, for each kind that was found in a column, the positions of the cells."""


def score(columns: Iterable[LabelledColumn], find: Finder) -> dict[PIIDetector, Score]:
    """Return each detector's score."""
    counts = {kind: [0, 0, 0] for kind in PIIDetector}
    for column in columns:
        hits = {kind: set(cells) for kind, cells in find(column).items()}
        for kind in PIIDetector:
            there = {
                position
                for position, mark in enumerate(column.marks)
                if mark and kind is column.label
            }
            cells = hits.get(kind, set())
            counts[kind][0] += len(cells & there)
            counts[kind][1] += len(cells - there)
            counts[kind][2] += len(there - cells)
    return {kind: Score(*tally) for kind, tally in counts.items()}


def corpus(seed: int = 20) -> tuple[LabelledColumn, ...]:
    """Return the corpus; equal for equal seeds."""
    draw = Draw(random.Random(seed))  # noqa: S311 - reproducible rows
    clear = (_column(about, name, None, make) for about, name, make in clear_columns(draw))
    return (*_personal(draw), *clear)


def _column(
    about: str, name: str, kind: PIIDetector | None, make: Callable[[], str]
) -> LabelledColumn:
    cells = tuple(make() for _ in range(CELLS))
    return LabelledColumn(about, name, cells, kind, tuple(kind is not None for _ in cells))


def _notes(about: str, kind: PIIDetector, draw: Draw, make: Callable[[], str]) -> LabelledColumn:
    """Return sentences of which one in three holds a datum."""
    marks = tuple(draw.chance.random() < 1 / 3 for _ in range(CELLS))
    cells = tuple(
        f"{draw.sentence()}; {make()}".lstrip("; ") if mark else draw.sentence() for mark in marks
    )
    return LabelledColumn(about, "note", cells, kind, marks)


REGIONS = ("US", "GB", "DE", "FR", "IT", "ES", "NL", "SE", "PL", "IN", "BR", "AU", "JP", "CH")


def _personal(draw: Draw) -> Iterable[LabelledColumn]:
    kind = PIIDetector
    yield _column("addresses of e-mail", "contact", kind.EMAIL, draw.email)
    yield _notes("e-mail in sentences", kind.EMAIL, draw, lambda: f"write to <{draw.email()}>.")
    yield from _phones(draw)
    yield _column("bare card numbers", "ref", kind.PAYMENT_CARD, draw.card)
    for by, label in ((" ", "spaces"), ("-", "dashes")):
        yield _column(
            f"card numbers with {label}",
            "ref",
            kind.PAYMENT_CARD,
            lambda by=by: draw.grouped(draw.card(), by),
        )
    yield _notes(
        "cards in sentences",
        kind.PAYMENT_CARD,
        draw,
        lambda: f"paid with {draw.of([draw.card(), draw.grouped(draw.card(), ' ')])}, thanks",
    )
    yield _column("bank accounts", "account", kind.IBAN, draw.iban)
    yield _notes("bank accounts in sentences", kind.IBAN, draw, lambda: f"send to {draw.iban()}")
    yield _column("IPv4 addresses", "source", kind.IP_ADDRESS, draw.ipv4)
    yield _column("IPv6 addresses", "client", kind.IP_ADDRESS, draw.ipv6)
    yield _notes("IP in sentences", kind.IP_ADDRESS, draw, lambda: f"login from {draw.ipv4()}.")
    yield _column("MAC addresses", "device", kind.MAC_ADDRESS, draw.mac)
    yield _notes("MAC in sentences", kind.MAC_ADDRESS, draw, lambda: f"card {draw.mac()} joined")
    for country, (called, make, written) in national_ids(draw).items():
        yield _column(
            f"{country} in a column called so", f"customer {called}", kind.NATIONAL_ID, make
        )
        yield _column(f"{country} in a column called ref", "ref", kind.NATIONAL_ID, make)
        yield _notes(
            f"{country} in sentences that name it",
            kind.NATIONAL_ID,
            draw,
            lambda called=called, make=make: f"{called}: {make()}",
        )
        if written:
            yield _notes(
                f"{country} in sentences",
                kind.NATIONAL_ID,
                draw,
                lambda make=make: f"see {make()}.",
            )
    yield from _persons(draw)
    yield from _secrets(draw)


def _phones(draw: Draw) -> Iterable[LabelledColumn]:
    kind, form = PIIDetector.PHONE, phonenumbers.PhoneNumberFormat

    def number(style: int, *regions: str) -> Callable[[], str]:
        return lambda: draw.phone(draw.of(regions or REGIONS), style)

    yield _column("international numbers", "contact", kind, number(form.INTERNATIONAL))
    yield _column("international numbers without spaces", "contact", kind, number(form.E164))
    yield _column(
        "national numbers in a column called so", "mobile_phone", kind, number(form.NATIONAL)
    )
    yield _column(
        "bare digits in a column called so",
        "telefon_kunde",
        kind,
        lambda: "0" + draw.of("123") + draw.digits(8),
    )
    yield _column("North American numbers", "contact", kind, number(form.NATIONAL, "US"))
    for region in ("GB", "FR", "DE", "IT", "AU", "NL"):
        yield _column(
            f"national numbers of {region}", "contact", kind, number(form.NATIONAL, region)
        )
    yield _notes(
        "international numbers in sentences",
        kind,
        draw,
        lambda: f"is at {number(form.INTERNATIONAL)()} until six",
    )
    yield _notes(
        "North American numbers in sentences",
        kind,
        draw,
        lambda: f"reach her: {draw.phone('US', form.NATIONAL)}",
    )
    yield _notes(
        "national numbers behind a word",
        kind,
        draw,
        lambda: f"please call {number(form.NATIONAL, 'US', 'GB', 'DE', 'FR')()}",
    )


def _persons(draw: Draw) -> Iterable[LabelledColumn]:
    kind = PIIDetector
    for name in ("first_name", "Vorname", "prénom", "nombres"):
        yield _column("given names", name, kind.PERSON_NAME, lambda: draw.of(GIVEN))
    for name in ("LastName", "nachname", "apellidos", "cognome", "nazwisko"):
        yield _column("family names", name, kind.PERSON_NAME, lambda: draw.of(FAMILY))
    for name in ("name", "customer", "applicantName", "c7"):
        yield _column("full names", name, kind.PERSON_NAME, draw.name)
    yield _column(
        "names with titles",
        "passenger",
        kind.PERSON_NAME,
        lambda: f"{draw.of(FAMILY)}, {draw.of(['Mr', 'Mrs', 'Miss'])}. {draw.of(GIVEN)}",
    )
    for name, form in (
        ("date_of_birth", "%Y-%m-%d"),
        ("Geburtsdatum", "%d.%m.%Y"),
        ("dob", "%m/%d/%Y"),
        ("date_naissance", "%d/%m/%Y"),
        ("birthDate", "%Y%m%d"),
    ):
        yield _column(
            "dates of birth", name, kind.DATE_OF_BIRTH, lambda form=form: draw.day().strftime(form)
        )
    yield _notes(
        "births in sentences",
        kind.DATE_OF_BIRTH,
        draw,
        lambda: f"{draw.of(['born on', 'DOB:', 'geboren am'])} {draw.day():%d.%m.%Y}",
    )
    for name in ("address", "street_address", "Anschrift", "adresse_client", "indirizzo"):
        yield _column("streets", name, kind.POSTAL_ADDRESS, draw.street)
    yield _notes(
        "streets in sentences", kind.POSTAL_ADDRESS, draw, lambda: f"ship to {draw.street()}"
    )


def _secrets(draw: Draw) -> Iterable[LabelledColumn]:
    def made() -> str:
        return draw.of(
            [
                lambda: (
                    "AKIA" + "".join(draw.of(string.ascii_uppercase + "234567") for _ in range(16))
                ),
                lambda: "ghp_" + draw.alphanumeric(36),
                lambda: (
                    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx{draw.alphanumeric(6)}.{draw.alphanumeric(43)}"
                ),
                lambda: "-----BEGIN RSA PRIVATE KEY----- MIIE" + draw.alphanumeric(40),
                lambda: f"password={draw.alphanumeric(6)}7x!",
                lambda: f"api_key: '{draw.alphanumeric(24)}9q'",
                lambda: f"postgres://app:{draw.alphanumeric(12)}@db.example.org/loans",
            ]
        )()

    yield _notes("secrets in sentences", PIIDetector.SECRET, draw, made)
    yield _column(
        "passwords", "user_password", PIIDetector.SECRET, lambda: draw.alphanumeric(11) + "4x"
    )
