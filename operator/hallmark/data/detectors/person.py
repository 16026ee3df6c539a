"""Who a person is, by what a column is named and what its values look like."""

from __future__ import annotations

import re

import polars as pl

from hallmark.api.pii import PIIDetector
from hallmark.data.detectors.column import (
    TextColumn,
    even_sample,
    folded,
    only,
    union,
    vocabulary,
)
from hallmark.data.detectors.given_names import GIVEN_NAMES

_SAMPLE = 500


class PersonName:
    """A person's name.

    A column that is named so and holds words without digits; a column that is named ``name``, or
    something else, only where frequent given names say so; a title before a name in a sentence.
    """

    kind = PIIDetector.PERSON_NAME
    _names = vocabulary(
        "firstname lastname surname forename givenname familyname fullname maidenname "
        "middlename namefirst namelast namefull personname customername applicantname "
        "patientname employeename borrowername clientname contactname username "
        "accountholder accountholdername cardholder cardholdername holdername passengername "
        "studentname guestname ownername legalname beneficiaryname beneficiary nameoncard "
        "mothersmaidenname lname fname firstnames surnames vorname nachname familienname "
        "zuname rufname geburtsname mädchenname kundenname kontoinhaber ansprechpartner "
        "vollständigername prénom prénoms nomdefamille nomcomplet nomclient nomdenaissance "
        "nomdujeunefille apellido apellidos primerapellido segundoapellido nombrecompleto "
        "nombres nombrecliente cognome nomecompleto nomecognome sobrenome apelido voornaam "
        "achternaam volledigenaam imię nazwisko imięinazwisko förnamn efternamn fornavn "
        "etternavn efternavn etunimi sukunimi jméno příjmení prenume keresztnév vezetéknév "
        "ad soyad adsoyad имя фамилия отчество фио 姓名 氏名 名前 이름 성명"
    )
    _weak = vocabulary("name names nom nombre nome naam namn navn nimi nazwa person who")
    _things = vocabulary(
        "productname filename hostname columnname filepath companyname brandname modelname "
        "cityname countryname statename streetname speciesname eventname teamname username "
        "title"
    )
    _word = r"^\s*\p{L}[\p{L}\p{M}'’. ,\-]*$"
    _full = r"^\s*\p{Lu}[\p{L}\p{M}'’.\-]+,?(?: (?:\p{Lu}[\p{L}\p{M}'’.\-]*|[(\"]\p{L}+[)\"]|van|von|de|der|den|del|della|di|da|la|le|bin|al|el|zu))+\s*$"  # noqa: E501 - one pattern
    _titled = (
        r"(?:^|[^\p{L}])(?:Mr|Mrs|Ms|Dr|Prof|Herr|Frau|Mme|Madame|Monsieur|Señora?|Senora?"
        r"|Sra?|Sig)\.? \p{Lu}[\p{L}'’\-]+"
        r"|\p{Lu}[\p{L}'’\-]+, (?:Miss|Master|Rev|Capt|Col|Major|Sir|Lady)\.? \p{Lu}\p{L}+"
    )

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that are or hold names."""
        if column.numeric:
            return column.nothing()
        if column.is_named(self._names):
            hits = column.mostly(column.shaped(self._word))
            if len(hits):
                return hits
        titled = column.matching(self._titled)
        if column.is_named(self._things):
            return titled
        return union((titled, self._by_given_names(column)))

    def _by_given_names(self, column: TextColumn) -> pl.Series:
        """Look for frequent given names: at least five texts, most of them two words or more."""
        weak = column.is_named(self._weak)
        sample = even_sample(column.texts, _SAMPLE)
        full = sample.filter(sample.str.contains(self._full))
        if len(full) < (1 if weak else 5) or len(full) * 2 < len(sample):
            return column.nothing()
        given = sum(not GIVEN_NAMES.isdisjoint(_first_words(text)) for text in full)
        if given < len(full) * (0.34 if weak else 0.4):
            return column.nothing()
        return column.shaped(self._full)


def _first_words(text: str) -> list[str]:
    """Return the words that may be a given name: the first, or those after a comma."""
    before, comma, after = folded(text).partition(",")
    words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)?", after if comma else before)
    return words[:3] if comma else words[:1]


_MONTHS = r"(?:[0-9]{1,2}|\p{L}{3,9}\.?)"
_DATE = (
    r"(?:(?:1[89]|20)[0-9]{2}[-/. ]?[0-9]{1,2}[-/. ]?[0-9]{1,2}"
    rf"|[0-9]{{1,2}}[-/. ]{{1,2}}{_MONTHS}[-/., ]{{1,2}}(?:(?:1[89]|20)?[0-9]{{2}})"
    r"|\p{L}{3,9}\.? [0-9]{1,2},? (?:1[89]|20)[0-9]{2})"
)


class DateOfBirth:
    """A date of birth: a column that is named so and holds dates of people who may be alive.

    A year alone is none. In a sentence, the words before the date say it.
    """

    kind = PIIDetector.DATE_OF_BIRTH
    _names = vocabulary(
        "dateofbirth datebirth birthdate birthday birthdt dob bday bdate birthdatetime born "
        "bornon borndate dayofbirth geburtsdatum geburtstag gebdatum geboren datenaissance "
        "datedenaissance nele fechanacimiento fechadenacimiento fnacimiento fechanac "
        "datadinascita datanascita datanascimento datadenascimento geboortedatum "
        "dataurodzenia födelsedatum fødselsdato fødselsdag syntymäaika datumnarozeni "
        "doğumtarihi datanașterii датарождения 生年月日 出生日期 생년월일"
    )
    _column = rf"^\s*{_DATE}(?:$|[T ])"
    _compact = (
        r"^\s*(?:(?:19|20)[0-9]{2}[01][0-9][0-3][0-9]|[0-3]?[0-9][01][0-9](?:19|20)[0-9]{2})\s*$"
    )
    _sentence = (
        r"(?i:(?:^|[^\p{L}])(?:born(?: on)?|d\.?o\.?b\.?|date of birth|birth ?da(?:te|y)"
        r"|geboren(?: am)?|geb\.?|geburtsdatum|née? le|nacid[oa] el|nat[oa] il|nascid[oa] em"
        r"|date de naissance|fecha de nacimiento)[\s:=(]{1,3})"
        rf"{_DATE}"
    )

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that are or hold such dates."""
        if column.is_named(self._names):
            hits = column.shaped(rf"{self._column}|{self._compact}")
            return column.mostly(hits.filter(hits.map_elements(_may_live, pl.Boolean)))
        return column.nothing() if column.numeric else column.matching(self._sentence)


def _may_live(date: str) -> bool:
    """Whether the year, where four digits tell it, is one in which a living person was born.

    The end is fixed, so that equal data have equal verdicts at all times.
    """
    years = re.findall(r"(?<![0-9])(?:[0-9]{4})(?![0-9])", date)
    compact = date.strip()
    if not years and compact.isdecimal():
        years = [compact[:4], compact[-4:]]  # the year first, or the day
    return not years or any(1900 <= int(year) < 2100 for year in years)


class PostalAddress:
    """A postal address: a column that is named so, with a number beside words or a street's name.

    A city, a state or a postal code alone is none. In a sentence, a house number with a capitalised
    street.
    """

    kind = PIIDetector.POSTAL_ADDRESS
    _names = vocabulary(
        "address addresses addr addressline streetaddress street postaladdress "
        "mailingaddress homeaddress billingaddress shippingaddress residence "
        "residentialaddress streetname deliveryaddress propertyaddress adresse "
        "anschrift straße strasse strassehausnummer wohnort wohnadresse lieferadresse "
        "rechnungsadresse rue adressepostale voie domicile dirección direccion domicilio "
        "calle indirizzo via residenza endereço endereco morada rua adres ulica straat "
        "straatnaam gata gatuadress postadress vej osoite katuosoite adresa адрес улица 住所 "
        "地址 주소"
    )
    _other_words = vocabulary(
        "email mail e ip mac web url site memory wallet bitcoin btc eth contract crypto"
    )
    _street = (
        r"(?:(?i:\b(?:street|avenue|road|lane|boulevard|drive|court|square|terrace|highway|parkway"
        r"|crescent|close|rue|chemin|impasse|all[ée]e|quai|calle|avenida|paseo|plaza|via|viale|corso"
        r"|piazza|rua|travessa|ulica|aleja|st|ave|rd|ln|blvd|dr|ct|sq|hwy|pkwy|apt|suite|ul)\b)"
        r"|(?i:stra(?:ß|ss)e|str\.|gasse|platz|weg|allee|straat|laan|gracht|v[äa]gen|gatan|vej|katu"
        r"|tie)\b"
        r"|(?i:p\.? ?o\.? box|postfach|bo[îi]te postale|apartado))"
    )
    _numbered = (
        r"^\s*[0-9]{1,5} ?[A-Za-z]?(?:[-/][0-9]+)?,? +\p{L}{2}"
        r"|\p{L}{2,}\.?,? +[0-9]{1,5} ?[A-Za-z]?(?:[,;\s]|$)"
    )
    _cjk = r"[\p{Han}\p{Hangul}].*[0-9]|[省市区町村道号號동로]"
    _sentence = (
        r"(?:^|[^0-9A-Za-z.,])[0-9]{1,5}[A-Za-z]? (?:(?:N|S|E|W|North|South|East|West)\.? )?"
        r"(?:\p{Lu}[\p{L}'’]+ ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Boulevard|Blvd|Drive|Dr"
        r"|Court|Ct|Square|Sq|Terrace|Place|Pl|Way|Close|Crescent)(?:$|[^\p{L}])"
        r"|(?:^|[^\p{L}])\p{Lu}\p{Ll}+(?:stra(?:ß|ss)e|str\.|gasse|platz|weg|allee|straat|laan) [0-9]{1,4} ?[a-z]?(?:$|[^\p{L}0-9])"  # noqa: E501 - one pattern
        r"|(?:^|[^0-9\p{L}])[0-9]{1,4}(?: ?bis| ?ter)?,? (?:rue|avenue|boulevard|chemin|impasse"
        r"|quai|place) (?:(?:de|du|des|la|le|les) |l['’]|d['’])*\p{Lu}\p{L}+"
        r"|(?:^|[^\p{L}])(?:Calle|Avenida|Via|Viale|Rua|Piazza) (?:\p{L}+ ){0,3}\p{Lu}\p{L}+,? (?:n[.º°] ?)?[0-9]{1,4}(?:$|[^0-9.])"  # noqa: E501 - one pattern
    )

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts that are or hold addresses."""
        if column.numeric:
            return column.nothing()
        if column.is_named(self._names) and self._other_words.isdisjoint(column.words):
            hits = union(
                (
                    only(column.shaped(self._numbered), _has_letters_enough),
                    self._streets(column),
                    column.shaped(self._cjk),
                )
            )
            hits = column.mostly(hits)
            if len(hits):
                return hits
        return column.matching(self._sentence)

    def _streets(self, column: TextColumn) -> pl.Series:
        """Return texts of two words or more with a street's word."""
        streets = column.shaped(self._street)
        return streets.filter(streets.str.contains(r"\p{L}{2}.*\s|stra|gasse|weg|platz"))


def _has_letters_enough(text: str) -> bool:
    return (
        sum(character.isalpha() for character in text) >= 4
        and "@" not in text
        and "://" not in text
    )
