"""Seeded values of every kind of personal datum, and numbers that pass their checksums."""

from __future__ import annotations

import importlib
import random
import string
from collections.abc import Callable
from datetime import date, timedelta

import phonenumbers


class Draw:
    """Random values of every kind."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.of = chance.choice

    def digits(self, count: int) -> str:
        """Return decimal digits."""
        return "".join(self.of(string.digits) for _ in range(count))

    def letters(self, count: int) -> str:
        """Return capital letters."""
        return "".join(self.of(string.ascii_uppercase) for _ in range(count))

    def hexadecimal(self, count: int) -> str:
        """Return hexadecimal digits."""
        return "".join(self.of("0123456789abcdef") for _ in range(count))

    def alphanumeric(self, count: int) -> str:
        """Return letters and digits."""
        return "".join(self.of(string.ascii_letters + string.digits) for _ in range(count))

    def day(self, first: int = 1935, last: int = 2004) -> date:
        """Return a day between the starts of two years."""
        start = date(first, 1, 1)
        return start + timedelta(self.chance.randrange((date(last, 12, 28) - start).days))

    def valid(self, module: str, make: Callable[[], str]) -> str:
        """Return a number that passes its checksum in python-stdnum."""
        is_valid = importlib.import_module(f"stdnum.{module}").is_valid
        while True:
            number = make()
            if is_valid(number):
                return number

    def email(self) -> str:
        """Return an address of e-mail."""
        who = self.of(GIVEN).lower() + self.of([".", "_", "", "+"]) + self.of(FAMILY).lower()
        host = self.of(
            ["example.org", "mail.example.co.uk", "bücher.example.com", "acme-corp.example.net"]
        )
        return f"{who}{self.of(['', '7', '1984'])}@{host}"

    def phone(self, region: str, style: int) -> str:
        """Return a number that is valid in a region, in a style of phonenumbers."""
        example = phonenumbers.example_number_for_type(
            region, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE
        ) or phonenumbers.example_number(region)
        national = str(example.national_number)
        while True:
            number = phonenumbers.PhoneNumber(
                country_code=example.country_code,
                national_number=int(national[:-4] + self.digits(4)),
                italian_leading_zero=example.italian_leading_zero,
            )
            if phonenumbers.is_valid_number(number):
                return phonenumbers.format_number(number, style)

    def card(self) -> str:
        """Return a payment card's number."""
        prefix, length = self.of(
            [("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16),
             ("3528", 16), ("36", 14), ("6221", 16)]
        )  # fmt: skip
        return self.valid("luhn", lambda: prefix + self.digits(length - len(prefix)))

    def grouped(self, card: str, by: str) -> str:
        """Return a card's number in its issuer's groups."""
        sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(card), (4, 4, 4, 4))
        parts, start = [], 0
        for size in sizes:
            parts.append(card[start : start + size])
            start += size
        return by.join(parts)

    def iban(self) -> str:
        """Return an international bank account number."""
        country, body = self.of(
            [("DE", self.digits(18)), ("GB", self.letters(4) + self.digits(14)),
             ("NL", self.letters(4) + self.digits(10)), ("CH", self.digits(17)),
             ("AT", self.digits(16)), ("IE", self.letters(4) + self.digits(14))]
        )  # fmt: skip
        as_number = "".join(str(int(character, 36)) for character in f"{body}{country}00")
        number = f"{country}{98 - int(as_number) % 97:02d}{body}"
        spaced = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
        return number if self.chance.random() < 0.5 else spaced

    def ipv4(self) -> str:
        """Return an IPv4 address."""
        parts = [self.chance.randrange(1, 254) for _ in range(4)]
        parts[0] = self.of([10, 81, 93, 172, 185, 192, 203, 217])
        return ".".join(map(str, parts))

    def ipv6(self) -> str:
        """Return an IPv6 address."""
        return self.of(["2001:db8", "2a02:8108", "fd12:3456"]) + "".join(
            f":{self.chance.randrange(1, 65535):x}" for _ in range(6)
        )

    def mac(self) -> str:
        """Return the address of a network card."""
        octets = [f"{self.chance.randrange(0, 128) * 2:02x}"]
        octets += [f"{self.chance.randrange(160, 256):02x}" for _ in range(5)]
        return self.of([":", "-"]).join(octets).upper()

    def name(self) -> str:
        """Return a person's given and family name."""
        return f"{self.of(GIVEN)} {self.of(FAMILY)}"

    def english_street(self) -> str:
        """Return a house number and a street."""
        kind = self.of(["Street", "Road", "Avenue", "Lane", "Drive"])
        return f"{self.chance.randrange(1, 400)} {self.of(STREETS)} {kind}"

    def street(self) -> str:
        """Return a street with a house number, in one of five languages."""
        number = self.chance.randrange(1, 200)
        return self.of(
            [
                self.english_street(),
                f"{self.of(['Linden', 'Garten', 'Berg', 'Schul'])}straße {number}",
                f"{number} rue de la {self.of(['Paix', 'Gare', 'Liberté'])}",
                f"Calle {self.of(['Mayor', 'Goya', 'Serrano'])} {number}",
                f"Via {self.of(['Roma', 'Garibaldi', 'Dante'])} {number}",
            ]
        )

    def sentence(self) -> str:
        """Return a sentence without personal data."""
        return self.of(SENTENCES)


GIVEN = (
    "Anna",
    "Peter",
    "Maria",
    "Thomas",
    "Julia",
    "Michael",
    "Sarah",
    "David",
    "Laura",
    "Daniel",
    "Sofia",
    "Martin",
    "Elena",
    "Paul",
    "Claire",
    "Ahmed",
    "Fatima",
    "Priya",
    "Rahul",
    "Ivan",
    "Olga",
    "Marco",
    "Giulia",
    "Carlos",
    "Lucia",
    "Jan",
    "Katarzyna",
)
FAMILY = (
    "Schmidt",
    "Miller",
    "Garcia",
    "Rossi",
    "Dubois",
    "Kowalski",
    "Novak",
    "Jensen",
    "Larsson",
    "Virtanen",
    "Nagy",
    "Popescu",
    "Silva",
    "Yilmaz",
    "Sharma",
    "Tanaka",
    "Kim",
    "Murphy",
    "Janssen",
    "Huber",
)
STREETS = ("Baker", "Church", "Station", "Kings", "Mill", "Maple", "Oak", "Washington")
SENTENCES = (
    "the parcel was delivered late",
    "asked for a refund of 49.90 EUR",
    "invoice 2024-00173 is overdue",
    "3 items, 2 of them broken",
    "please close ticket 88213 by 2024-06-30",
    "wants the blue chair instead",
    "meeting moved from 10:30 to 14:15",
    "the pump failed at 3.7 bar after 1200 hours",
    "",
    "renewed for 24 months at 3.5% on 1/4/2024",
    "order #4000123412 shipped in 2 boxes",
)


def national_ids(draw: Draw) -> dict[str, tuple[str, Callable[[], str], bool]]:
    """Return each country's number.

    That is: what it is called, how to draw one, and whether the form alone gives it away.
    """

    def born(pattern: str) -> str:
        return draw.day().strftime(pattern)

    def checked(module: str, *parts: Callable[[], str]) -> Callable[[], str]:
        return lambda: draw.valid(module, lambda: "".join(part() for part in parts))

    def digits(count: int) -> Callable[[], str]:
        return lambda: draw.digits(count)

    def dated(pattern: str) -> Callable[[], str]:
        return lambda: born(pattern)

    def text(value: str) -> Callable[[], str]:
        return lambda: value

    def cpf() -> str:
        n = draw.valid("br.cpf", digits(11))
        return f"{n[:3]}.{n[3:6]}.{n[6:9]}-{n[9:]}"

    def rut() -> str:
        n = draw.valid("cl.rut", digits(9))
        return f"{n[:2]}.{n[2:5]}.{n[5:8]}-{n[8]}"

    def ahv() -> str:
        n = draw.valid("ch.ssn", lambda: "756" + draw.digits(10))
        return f"756.{n[3:7]}.{n[7:11]}.{n[11:]}"

    def belgian() -> str:
        n = draw.valid("be.nn", lambda: born("%y%m%d") + draw.digits(5))
        return f"{n[:2]}.{n[2:4]}.{n[4:6]}-{n[6:9]}.{n[9:]}"

    def cuit() -> str:
        n = draw.valid("ar.cuit", lambda: draw.of(["20", "27"]) + draw.digits(9))
        return f"{n[:2]}-{n[2:10]}-{n[10]}"

    return {
        "US": (
            "SSN",
            checked("us.ssn", digits(3), text("-"), digits(2), text("-"), digits(4)),
            True,
        ),
        "GB": ("NHS number", checked("gb.nhs", digits(10)), False),
        "DE": ("Steuer-ID", checked("de.idnr", digits(11)), False),
        "FR": (
            "NIR",
            checked("fr.nir", lambda: draw.of("12"), dated("%y%m"), text("75"), digits(8)),
            True,
        ),
        "ES": ("DNI", checked("es.dni", digits(8), lambda: draw.letters(1)), True),
        "IT": ("codice fiscale", lambda: _codice_fiscale(draw), True),
        "NL": ("BSN", checked("nl.bsn", digits(9)), False),
        "BE": ("rijksregisternummer", belgian, True),
        "CH": ("AHV", ahv, True),
        "AT": ("SVNR", checked("at.vnr", digits(4), dated("%d%m%y")), False),
        "SE": (
            "personnummer",
            checked("se.personnummer", dated("%y%m%d"), text("-"), digits(4)),
            True,
        ),
        "NO": ("fodselsnummer", checked("no.fodselsnummer", dated("%d%m%y"), digits(5)), True),
        "FI": (
            "henkilotunnus",
            checked(
                "fi.hetu",
                dated("%d%m%y"),
                text("-"),
                digits(3),
                lambda: draw.of("0123456789ABCDEFHJKLMNPRSTUVWXY"),
            ),
            True,
        ),
        "PL": ("PESEL", checked("pl.pesel", dated("%y%m%d"), digits(5)), False),
        "CZ": ("rodne cislo", checked("cz.rc", dated("%y%m%d"), text("/"), digits(4)), True),
        "RO": ("CNP", checked("ro.cnp", lambda: draw.of("12"), dated("%y%m%d"), digits(6)), True),
        "BG": ("EGN", checked("bg.egn", dated("%y%m%d"), digits(4)), False),
        "EE": (
            "isikukood",
            checked("ee.ik", lambda: draw.of("34"), dated("%y%m%d"), digits(4)),
            False,
        ),
        "TR": ("TC kimlik", checked("tr.tckimlik", digits(11)), False),
        "IE": ("PPS number", checked("ie.pps", digits(7), lambda: draw.letters(1)), True),
        "CA": ("SIN", checked("ca.sin", digits(9)), False),
        "BR": ("CPF", cpf, True),
        "CL": ("RUT", rut, True),
        "AR": ("CUIL", cuit, True),
        "IN": ("Aadhaar", checked("in_.aadhaar", digits(12)), False),
        "CN": (
            "resident identity card",
            checked("cn.ric", text("110105"), dated("%Y%m%d"), digits(4)),
            True,
        ),
        "KR": ("RRN", checked("kr.rrn", dated("%y%m%d"), text("-1"), digits(6)), True),
        "TH": ("Thai ID", checked("th.pin", lambda: draw.of("12345"), digits(12)), False),
        "ZA": (
            "SA ID number",
            checked("za.idnr", dated("%y%m%d"), digits(4), text("08"), digits(1)),
            True,
        ),
        "AU": ("TFN", checked("au.tfn", digits(9)), False),
    }


def _codice_fiscale(draw: Draw) -> str:
    consonants = "BCDFGLMNPRST"
    letters = "".join(draw.of(consonants) for _ in range(6))
    day, month = draw.chance.randrange(1, 29), draw.of("ABCDEHLMPRST")
    body = f"{letters}{draw.digits(2)}{month}{day:02d}{draw.of('ABCDEFGHIL')}{draw.digits(3)}"
    check = importlib.import_module("stdnum.it.codicefiscale").calc_check_digit
    return body + str(check(body))
