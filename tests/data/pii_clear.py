"""Columns that look like personal data and are none; what must be left alone."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable

from tests.data.pii_draw import GIVEN, Draw

PRODUCTS = (
    ("Blue", "Oak", "Steel", "Royal"),
    ("Chair", "Table", "Lamp", "Pump"),
    ("S", "XL", "Pro"),
)
CARS = (("Mazda", "Fiat", "Volvo", "Toyota"), ("Corona", "Corolla", "Europa", "Civic"))


Clear = tuple[str, str, Callable[[], str]]
"""What stands in a column, its name, and how to draw a text."""


def clear_columns(draw: Draw) -> Iterable[Clear]:
    chance = draw.chance

    def clear(about: str, name: str, make: Callable[[], str]) -> Clear:
        return about, name, make

    yield clear("measurements", "pressure", lambda: f"{chance.uniform(-1e6, 1e6):.6f}")
    yield clear("measurements in exponent form", "x", lambda: f"{chance.uniform(-1e9, 1e9):.8e}")
    for count in range(7, 20):
        yield clear(
            f"order numbers of {count} digits", "order", lambda count=count: draw.digits(count)
        )
        yield clear(
            f"references of {count} digits",
            "ref",
            lambda count=count: draw.of("123456789") + draw.digits(count - 1),
        )
    yield clear("order numbers in a row", "order_no", iter_of(4_000_123_412_340_000, 13))
    yield clear(
        "order numbers with letters", "order", lambda: f"ORD-{draw.digits(4)}-{draw.digits(6)}"
    )
    yield clear("order numbers with a dash", "reference", lambda: f"2024-{draw.digits(6)}")
    yield clear(
        "part numbers", "part", lambda: f"{draw.digits(3)}-{draw.digits(4)}-{draw.letters(1)}"
    )
    yield clear("tracking numbers", "tracking", lambda: f"1Z{draw.letters(3)}{draw.digits(13)}")
    yield clear("seconds since 1970", "seen", lambda: str(1_700_000_000 + chance.randrange(10**7)))
    yield clear(
        "milliseconds since 1970", "seen", lambda: str(1_700_000_000_000 + chance.randrange(10**10))
    )
    yield clear(
        "microseconds since 1970",
        "seen",
        lambda: str(1_700_000_000_000_000 + chance.randrange(10**13)),
    )
    yield clear(
        "nanoseconds since 1970",
        "seen",
        lambda: str(1_700_000_000_000_000_000 + chance.randrange(10**16)),
    )
    yield clear(
        "timestamps",
        "seen",
        lambda: f"{draw.day(2020, 2024)}T12:{chance.randrange(60):02d}:59.123Z",
    )
    yield clear(
        "timestamps without separators",
        "seen",
        lambda: f"{draw.day(2020, 2024):%Y%m%d}{draw.digits(2)}3015",
    )
    yield clear("dates", "opened", lambda: f"{draw.day(2020, 2024):%d.%m.%Y}")
    yield clear("American dates", "closed", lambda: f"{draw.day(2020, 2024):%m/%d/%Y}")
    yield clear(
        "times of day", "at", lambda: f"{chance.randrange(24):02d}:{chance.randrange(60):02d}:30"
    )
    yield clear("prices", "price", lambda: f"{chance.randrange(1, 10**6):,}.{draw.digits(2)} EUR")
    yield clear("amounts", "amount", lambda: f"{chance.uniform(0, 1e7):.2f}")
    yield clear(
        "amounts with spaces",
        "amount",
        lambda: f"{chance.randrange(1, 999)} {draw.digits(3)} {draw.digits(3)}",
    )
    yield clear("UUIDs", "id", lambda: str(uuid.UUID(int=chance.getrandbits(128), version=4)))
    yield clear(
        "UUIDs of digits",
        "id",
        lambda: "-".join(draw.digits(length) for length in (8, 4, 4, 4, 12)),
    )
    yield clear("SHA-256", "digest", lambda: hashlib.sha256(draw.digits(9).encode()).hexdigest())
    yield clear("MD5", "checksum", lambda: draw.hexadecimal(32))
    yield clear("commits", "commit", lambda: draw.hexadecimal(40))
    yield clear(
        "versions",
        "release",
        lambda: (
            f"{chance.randrange(20)}.{chance.randrange(30)}.{chance.randrange(30)}.{chance.randrange(9)}"
        ),
    )
    yield clear(
        "versions in a column called v",
        "v",
        lambda: (
            f"{chance.randrange(20)}.{chance.randrange(30)}.{chance.randrange(30)}.{chance.randrange(9)}"
        ),
    )
    yield clear(
        "versions in sentences",
        "note",
        lambda: (
            f"updated to version 10.{chance.randrange(99)}.{chance.randrange(200)}.1, build 7001"
        ),
    )
    yield clear(
        "ISBN-10",
        "isbn",
        lambda: draw.valid("isbn", lambda: draw.digits(9) + draw.of("0123456789X")),
    )
    yield clear("ISBN-10 in a column called code", "code", iter_of_isbn(draw))
    yield clear("ISBN-13", "book", lambda: draw.valid("ean", lambda: "978" + draw.digits(10)))
    yield clear("EAN-13", "product", lambda: draw.valid("ean", lambda: "4" + draw.digits(12)))
    yield clear("EAN-8 and UPC", "upc", lambda: draw.valid("ean", lambda: draw.digits(12)))
    yield clear("companies' numbers", "siren", lambda: draw.valid("luhn", lambda: draw.digits(9)))
    yield clear(
        "coordinates",
        "position",
        lambda: f"{chance.uniform(-90, 90):.6f}, {chance.uniform(-180, 180):.6f}",
    )
    yield clear(
        "coordinates in a column of numbers", "lat", lambda: f"{chance.uniform(-90, 90):.12f}"
    )
    yield clear("ranges", "range", lambda: f"{chance.randrange(500)}-{chance.randrange(500, 9999)}")
    yield clear(
        "ratios",
        "ratio",
        lambda: f"{chance.randrange(20)}:{chance.randrange(20)}:{chance.randrange(20)}",
    )
    yield clear(
        "names in programs",
        "symbol",
        lambda: draw.of(["std::vector", "a::b", "dead::beef", "Foo::Bar", "x::y::z"]),
    )
    yield clear("pictures", "icon", lambda: f"logo@{chance.randrange(2, 4)}x.png")
    yield clear(
        "mentions",
        "note",
        lambda: (
            f"thanks @{draw.of(GIVEN).lower()} for v{chance.randrange(9)}.{chance.randrange(9)}"
        ),
    )
    yield clear(
        "car numbers", "plate", lambda: f"{draw.letters(2)}{draw.digits(2)} {draw.letters(3)}"
    )
    yield clear("flights", "flight", lambda: f"{draw.letters(2)}{draw.digits(4)}")
    yield clear(
        "postal codes",
        "zip",
        lambda: draw.of([draw.digits(5), f"{draw.digits(5)}-{draw.digits(4)}", "SW1A 1AA"]),
    )
    yield clear(
        "products",
        "name",
        lambda: " ".join(draw.of(words) for words in PRODUCTS),
    )
    yield clear(
        "cars",
        "name",
        lambda: " ".join(draw.of(words) for words in CARS),
    )
    yield clear(
        "cities",
        "city",
        lambda: draw.of(["San Jose", "New York", "Saint Louis", "Paris", "Santa Maria"]),
    )
    yield clear("pavements", "Street", lambda: draw.of(["Pave", "Grvl"]))
    yield clear(
        "occupations",
        "job_title",
        lambda: draw.of(["Senior Manager", "Data Analyst", "Sales Clerk"]),
    )
    yield clear(
        "flags that a name is missing", "first_name_missing", lambda: draw.of(["yes", "no"])
    )
    yield clear("years of birth", "birth_year", lambda: str(chance.randrange(1940, 2005)))
    yield clear("sentences without personal data", "note", draw.sentence)
    yield clear(
        "logs",
        "line",
        lambda: f"12:30:07.{draw.digits(3)} INFO took {draw.digits(4)} ms, 0x{draw.hexadecimal(8)}",
    )
    yield clear(
        "loopback and masks",
        "host",
        lambda: draw.of(["127.0.0.1", "224.0.0.1", "255.255.255.0", "::1"]),
    )
    yield clear(
        "talk of passwords",
        "note",
        lambda: draw.of(
            [
                "password: required",
                "token: none",
                "the password was reset",
                "secret: <redacted>",
                "password = ${DB_PASSWORD}",
                "tokens: 1500",
            ]
        ),
    )
    yield clear("words called tokens", "token", lambda: draw.of(["the", "cat", "sat", "on", "mat"]))
    yield clear(
        "serial numbers", "serial", lambda: f"{draw.letters(2)}{draw.digits(9)}{draw.letters(1)}"
    )
    yield clear("base64", "payload", lambda: draw.alphanumeric(43) + "=")
    yield clear("DNA", "sequence", lambda: "".join(draw.of("ACGT") for _ in range(40)))


def iter_of(start: int, step: int) -> Callable[[], str]:
    numbers = iter(range(start, start + step * 10**6, step))
    return lambda: str(next(numbers))


def iter_of_isbn(draw: Draw) -> Callable[[], str]:
    """Return a maker of ISBN-10 of which the first ends in X, as one in eleven does."""
    ends = iter(["X"])

    def make() -> str:
        end = next(ends, "")
        return draw.valid("isbn", lambda: draw.digits(9) + (end or draw.of("0123456789")))

    return make
