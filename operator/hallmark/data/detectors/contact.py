"""Ways to reach a person: e-mail and telephone."""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from hallmark.api.pii import PIIDetector
from hallmark.data.detectors.column import TextColumn, by_majority, only, union, vocabulary


class Email:
    """An address of e-mail."""

    kind = PIIDetector.EMAIL
    _pattern = (
        r"[\p{L}0-9._%+'-]*[\p{L}0-9_%+'-]@"
        r"(?:[\p{L}0-9](?:[\p{L}0-9-]*[\p{L}0-9])?\.)+(?:xn--[a-z0-9-]+|\p{L}{2,})"
    )
    # What stands between '://' and '@' is a login.
    _login = r"://[^/\s@]*@"
    # 'logo@2x.png' is the name of a picture.
    _file = r"(?i)@[0-9.]+x\.(?:png|jpe?g|gif|svg|webp|avif|css|js)\b"

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with an address."""
        hits = column.matching("@")
        hits = hits.filter(hits.str.replace_all(self._login, " ").str.contains(self._pattern))
        return hits.filter(~hits.str.contains(self._file))


_WORDS = (
    "phone|telephone|tel|tele|mobile|mob|mobil|cell|cellphone|fax|whatsapp|call|text|ring|dial|sms"
    "|telefon|handy|rufnummer|telefono|móvil|movil|celular|téléphone|portable|telefone|cellulare"
    "|telefoon|puhelin|numer|телефон"
)


class Phone:
    """A telephone number (phonenumbers), international or national.

    In a column that is named so the form is enough, if it is not that of a fraction. Elsewhere:
    an international number; a national one that is written with separators in its country's
    grouping; bare digits only behind a word such as 'call'.
    """

    kind = PIIDetector.PHONE
    _names = vocabulary(
        "phone phonenumber phoneno phonenr telephone telephonenumber tel telno telnr mobile "
        "mobilenumber mobileno mobilephone mobilephonenumber cellphone cell cellnumber fax "
        "faxnumber faxno whatsapp telefon telefonnummer telefonnr handy handynummer "
        "rufnummer mobilnummer mobil mobiltelefon telefono numerotelefono telefonomovil "
        "movil celular téléphone numérotéléphone numérodetéléphone telportable telefone "
        "telefonecelular telemóvel cellulare telefoon telefoonnummer gsm puhelin "
        "puhelinnumero matkapuhelin numertelefonu телефон 電話番号 电话 手机 전화번호"
    )
    _shape = (
        r"^\s*(?:\+|00)?[(]?[0-9](?:[ ().\-/]{0,3}[0-9]){6,14}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?\s*$"
    )
    _decimal = r"^\s*(?:0|[1-9][0-9]?)\.[0-9]+\s*$"
    _before = r"(?:^|[^0-9A-Za-z.\-_/+#$€£=])"
    _after = r"(?:$|[^0-9A-Za-z\-_/=]|[.\-]\s)"
    _international = rf"{_before}(?:\+[1-9]|00[1-9][0-9]{{0,2}}[ ().\-/])[0-9 ().\-/]{{5,20}}[0-9]"
    _american = (
        rf"{_before}(?:\+?1[ .\-])?(?:\([2-9][0-9]{{2}}\) ?|[2-9][0-9]{{2}}[-.])"
        rf"[2-9][0-9]{{2}}[-.][0-9]{{4}}{_after}"
    )
    _national = rf"{_before}\(?0[1-9][0-9]{{0,4}}\)?[ \-/.](?:[ \-/.]?[0-9]){{5,9}}{_after}"
    _national_exact = re.compile(
        r"(?<![0-9A-Za-z.\-_/+#$€£=])(?<![0-9][ -])"
        r"\(?0[1-9][0-9]{0,4}\)?[ \-/.](?:[ \-/.]?[0-9]){5,9}(?![0-9A-Za-z_/=]|-[0-9A-Za-z])"
    )
    _account = re.compile(r"[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}")
    _spoken = re.compile(
        rf"(?i)(?<!\w)(?:{_WORDS})(?!\w)[^0-9+(]{{0,14}}([+(]?[0-9][0-9 ().\-/]{{5,20}}[0-9])"
    )
    _spoken_fast = rf"(?i)(?:{_WORDS})[^0-9+(]{{0,14}}[+(]?[0-9]"
    # A date, or an American social security number.
    _other = re.compile(r"\(?[0-9]{2}[./-][0-9]{2}[./-][0-9]{4}|[0-9]{3}-[0-9]{2}-[0-9]{4}$")
    _whole = r"^[0-9 ().\-/+]+$"
    _trunk_regions = ("GB", "DE", "FR", "IT", "NL", "AU", "SE", "CH", "BE", "IN", "ZA")
    _any_region = (None, "US", *_trunk_regions, "ES", "PL", "BR", "MX", "PT", "DK", "NO")

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with a number."""
        if column.is_named(self._names):
            shaped = column.shaped(self._shape)
            hits = column.mostly(shaped.filter(~shaped.str.contains(self._decimal)))
            if len(hits):
                return hits
        if column.numeric:
            return column.nothing()
        return union(
            (
                only(column.matching(self._international), self._international_holds),
                self._written(
                    column.matching(self._american), lambda text: _holds(text, ("US",), 1)
                ),
                self._written(column.matching(self._national), self._national_holds),
                only(column.matching(self._spoken_fast), self._spoken_holds),
            )
        )

    def _written(self, texts: pl.Series, holds: Callable[[str], bool]) -> pl.Series:
        """Return the texts that hold: in sentences one by one, numbers alone by their majority."""
        alone = texts.str.contains(self._whole)
        return pl.concat(
            [only(texts.filter(~alone), holds), by_majority(texts.filter(alone), holds)]
        )

    @staticmethod
    def _international_holds(text: str) -> bool:
        if "+" not in text:
            text = re.sub(r"(?<![0-9])00(?=[1-9])", "+", text)
        return _holds(text, (None,), 1)

    def _national_holds(self, text: str) -> bool:
        # Grouped as the country groups it; a date is no number, nor is a bank account's tail.
        numbers = self._national_exact.findall(self._account.sub(" ", text))
        return any(
            not self._other.match(number) and _holds(number, self._trunk_regions, 2)
            for number in numbers
        )

    def _spoken_holds(self, text: str) -> bool:
        return any(
            not self._other.match(number) and _holds(number, self._any_region, 1)
            for number in self._spoken.findall(text)
        )


def _holds(text: str, regions: tuple[str | None, ...], leniency: int) -> bool:
    import phonenumbers  # 60 ms, and only a few columns need it

    return any(
        phonenumbers.PhoneNumberMatcher(text, region, leniency=leniency, max_tries=8).has_next()
        for region in regions
    )
