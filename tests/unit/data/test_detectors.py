"""What each detector finds, and what it must leave alone."""

from __future__ import annotations

import random

import polars as pl
import pytest

from hallmark.api.pii import PIIDetector
from hallmark.data.detectors import DETECTORS, TextColumn

EMAIL, PHONE, CARD, IBAN, IP, ID, NAME, BIRTH = (
    PIIDetector.EMAIL,
    PIIDetector.PHONE,
    PIIDetector.PAYMENT_CARD,
    PIIDetector.IBAN,
    PIIDetector.IP_ADDRESS,
    PIIDetector.NATIONAL_ID,
    PIIDetector.PERSON_NAME,
    PIIDetector.DATE_OF_BIRTH,
)


def found(name: str, *texts: str) -> set[PIIDetector]:
    column = TextColumn(name, pl.Series(name, texts, dtype=pl.String).unique(maintain_order=True))
    return {detector.kind for detector in DETECTORS if len(detector.find(column))}


FOUND = {
    "an address alone": ("contact", ["ann.lee+x@mail.example.co.uk"], EMAIL),
    "an address in a sentence": ("note", ["write to <ann@example.org>, please"], EMAIL),
    "an address with an umlaut": ("note", ["jörg@bücher.example"], EMAIL),
    "an international number": ("note", ["call +44 20 7946 0958 after six"], PHONE),
    "an international number with 00": ("note", ["tel. 0049 30 901820"], PHONE),
    "a North American number in parentheses": ("note", ["(212) 555-2368"], PHONE),
    "a North American number with dashes": ("note", ["ring 212-555-2368 now"], PHONE),
    "bare digits in a column called phone": ("home_phone", ["2125552368"], PHONE),
    "bare digits in a column called mobile1": ("Mobile1", ["07911123456"], PHONE),
    "a card in a sentence": ("note", ["paid by 4111 1111 1111 1111"], CARD),
    "a card with dashes": ("note", ["5500-0000-0000-0004"], CARD),
    "a card of fifteen digits": ("ref", ["378282246310005", "x"], CARD),
    "a bare card among short numbers": ("ref", ["12", "15", "4111111111111111"], CARD),
    "an account number with spaces": ("note", ["DE89 3704 0044 0532 0130 00 is mine"], IBAN),
    "an account number in lower case": ("note", ["gb82west12345698765432"], IBAN),
    "an IPv4 address": ("note", ["from 203.0.113.7."], IP),
    "an IPv6 address": ("client", ["2001:db8::8a2e:370:7334"], IP),
    "an American social security number": ("note", ["SSN 536-90-4399"], ID),
    "bare digits in a column called ssn": ("ssn", ["536904399", "536904398"], ID),
    "a British national insurance number": ("note", ["HH 12 34 56 D"], ID),
    "a Spanish identity number": ("note", ["54362315K"], ID),
    "an Italian tax code": ("note", ["RCCMNL83S18D969H"], ID),
    "a Finnish identity code": ("note", ["131052-308T"], ID),
    "a Swedish personal number": ("note", ["880320-0016"], ID),
    "a Brazilian CPF": ("note", ["390.533.447-05"], ID),
    "a column called first_name": ("first_name", ["Ann", "Bob", "Zoë"], NAME),
    "a column called applicantName": ("applicantName", ["Ann Lee", "Bob O'Hara"], NAME),
    "a column called name with capitalised words": ("name", ["Ann Lee", "Bob O'Hara"], NAME),
    "a column called dob": ("DOB", ["1970-01-31", "1980-12-24"], BIRTH),
    "a column called date of birth with points": ("date of birth", ["31.1.1970"], BIRTH),
}


@pytest.mark.parametrize("case", FOUND.values(), ids=FOUND)
def test_found(case: tuple[str, list[str], PIIDetector]) -> None:
    name, texts, expected = case
    assert expected in found(name, *texts)


def sequence(start: int, step: int, count: int = 200) -> list[str]:
    return [str(start + step * i) for i in range(count)]


RANDOM = random.Random(20)  # noqa: S311 - reproducible rows

CLEAR = {
    "measurements": ("pressure", [f"{RANDOM.uniform(-1e6, 1e6):.6f}" for _ in range(300)]),
    "measurements in exponent form": ("x", ["1.25e-10", "6.02214076e+23", "4.1e15"]),
    "order numbers of ten digits": ("order", sequence(2125550000, 7)),
    "order numbers of sixteen digits": ("order", sequence(4000123412340000, 13)),
    "random numbers of sixteen digits": (
        "reference",
        [str(RANDOM.randrange(4 * 10**15, 5 * 10**15)) for _ in range(300)],
    ),
    "random numbers of nine digits": (
        "reference",
        [str(RANDOM.randrange(10**8, 10**9)) for _ in range(300)],
    ),
    "random numbers of eleven digits": (
        "reference",
        [str(RANDOM.randrange(10**10, 10**11)) for _ in range(300)],
    ),
    "order numbers with a dash": ("order", [f"2024-{i:06d}" for i in range(100)]),
    "invoice numbers": ("invoice", [f"INV-{i:05d}-{i % 97:02d}" for i in range(100)]),
    "seconds since 1970": ("seen", sequence(1700000000, 61)),
    "milliseconds since 1970": ("seen", sequence(1700000000000, 61_003)),
    "nanoseconds since 1970": ("seen", sequence(1700000000000000000, 61_000_003)),
    "timestamps": ("seen", [f"2024-05-{day:02d}T12:{day:02d}:59Z" for day in range(1, 29)]),
    "times of day": ("at", ["12:30:45", "08:15:00"]),
    "dates": ("opened", ["2024-01-31", "31.12.2023", "1/2/2024"]),
    "a date column that is no birth": ("rebirth_rate", ["2024-01-31"]),
    "years of birth": ("birth_year", ["1970", "1980"]),
    "software versions": ("app_version", ["1.2.3.4", "10.0.19045.1"]),
    "coordinates": ("position", ["52.520008, 13.404954", "-33.868820, 151.209290"]),
    "amounts": ("amount", ["1,234,567.89", "-12.50", "$1200"]),
    "ranges and scores": ("score", ["10-20", "100-200", "300-4000"]),
    "hexadecimal digests": ("digest", ["9f86d081884c7d659a2feaa0c55ad015", "de89" * 8]),
    "uuids": (
        "id",
        ["123e4567-e89b-12d3-a456-426614174000", "00000000-1111-4222-8333-444444444444"],
    ),
    "mentions without an address": ("note", ["meet @noon", "a@b", "user@", "@example.com"]),
    "a car's number": ("plate", ["AB12 CDE", "XY99 ZZZ"]),
    "product names": ("product_title", ["Blue Chair", "Oak Table"]),
    "codes in a column called name": ("name", ["sensor-1", "sensor-2"]),
    "a flag that a name is missing": ("first_name_missing", ["yes", "no"]),
    "hotel is not tel": ("hotel", ["2125552368", "2125552369"]),
    "a company's returns are not its phone": ("mobil", ["-0.078431", "0.215132456", "12.0299615"]),
    "a cell count is not a cell phone": ("cell_count", ["2125552368"]),
    "categories": ("chist", ["no", "yes", "late"]),
    "postcodes": ("zip", ["02139-4307", "10001", "SW1A 1AA"]),
    "ratios": ("ratio", ["3:4", "16:9", "1:2:3"]),
    "book numbers": ("isbn", ["978-3-16-148410-0", "9783161484100"]),
    "a time span with plus": ("offset", ["+01:00", "+5", "+1234.5678"]),
    "empty": ("empty", []),
}


@pytest.mark.parametrize("case", CLEAR.values(), ids=CLEAR)
def test_clear(case: tuple[str, list[str]]) -> None:
    name, texts = case
    assert found(name, *texts) == set()


def test_one_card_in_a_thousand_sentences_is_found() -> None:
    texts = [f"order {i} was delivered" for i in range(1000)]
    assert found("note", *texts, "card 4111111111111111 declined") == {CARD}


def test_a_column_of_bare_identity_numbers_is_found_by_its_checksums() -> None:
    from stdnum.nl import bsn

    numbers = [
        str(number) for number in range(100_000_000, 100_003_000) if bsn.is_valid(str(number))
    ]
    assert len(numbers) > 100
    assert found("reference", *numbers) == {ID}
