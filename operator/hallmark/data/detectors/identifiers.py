"""The numbers by which states know persons: form, checksum (python-stdnum) and their names.

A form with letters or separators of its own, or with a checksum and a date of birth that hardly
any other number passes, is ``written``: it counts wherever it stands. All others are bare digits,
which count only where something says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hallmark.data.detectors.checksums import is_valid
from hallmark.data.detectors.column import folded
from hallmark.data.lazy import lazy


@dataclass(frozen=True)
class Identifier:
    """A kind of number.

    Attributes:
        country: ISO 3166-1 alpha-2.
        module: Its checksum in python-stdnum; none where the form is all there is.
        digits: How many digits it has where it is written bare; 0 where it never is.
        aliases: Its names in use, separated by commas.
        written: The form that gives it away (a regular expression that Rust and Python read).
        checked: Whether the number has a checksum or a date that most numbers fail.
    """

    country: str
    module: str | None
    digits: int
    aliases: str
    written: str | None = None
    checked: bool = True

    @lazy
    def names(self) -> tuple[str, ...]:
        """Its names, folded, with spaces."""
        return tuple(folded(name.strip()) for name in self.aliases.split(","))

    @lazy
    def exact(self) -> re.Pattern[str]:
        """The number in a text, in its form or as digits with separators."""
        forms = [self.written] if self.written else []
        if self.digits:
            forms.append(rf"[0-9](?:[ .\-/]?[0-9]){{{self.digits - 1}}}")
        return re.compile(rf"(?i)(?<![0-9A-Za-z])(?:{'|'.join(forms)})(?![0-9A-Za-z])")

    @lazy
    def alone(self) -> re.Pattern[str]:
        """The number in the form that gives it away, and no part of a longer one."""
        beside = r"0-9A-Za-z.\-/+"
        return re.compile(
            rf"(?i)(?<![{beside}])(?<![0-9] )(?:{self.written})"
            r"(?! [0-9]|[0-9A-Za-z]|[.\-/][0-9A-Za-z])"
        )

    def passes(self, number: str) -> bool:
        """Whether the checksum, or else the form alone, lets the number pass."""
        return self.module is None or is_valid(self.module, number)


IDENTIFIERS = (
    Identifier("AR", "ar.cuit", 11, "cuit, cuil", r"(?:20|23|24|27)-[0-9]{8}-[0-9]"),
    Identifier("AR", "ar.dni", 0, "documento nacional", r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}", False),
    Identifier("AT", "at.vnr", 10, "svnr, sozialversicherungsnummer, versicherungsnummer"),
    Identifier("AU", "au.tfn", 9, "tfn, tax file number"),
    Identifier("BE", "be.nn", 11, "rijksregisternummer, insz, niss, numero national",
               r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}"),
    Identifier("BG", "bg.egn", 10, "egn, егн"),
    Identifier("BR", "br.cpf", 11, "cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
    Identifier("CA", "ca.sin", 9, "sin, sin number, social insurance number"),
    Identifier("CH", "ch.ssn", 13, "ahv, ahvnummer, avs, numero avs",
               r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}|756[0-9]{10}"),
    Identifier("CL", "cl.rut", 0, "rut, run", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]"),
    Identifier("CN", "cn.ric", 0, "resident identity card, 身份证, 身份证号",
               r"[1-9][0-9]{5}(?:19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx]"),
    Identifier("CR", "cr.cpf", 10, "cedula de persona fisica", None, False),
    Identifier("CU", "cu.ni", 11, "carne de identidad", None, False),
    Identifier("CZ", "cz.rc", 10, "rodne cislo", r"[0-9]{2}[01235678][0-9]{3}/[0-9]{4}"),
    Identifier("DE", "de.idnr", 11, "steuer id, steuerid, steueridentifikationsnummer, "
               "idnr, steuerliche identifikationsnummer"),
    Identifier("DK", "dk.cpr", 10, "cpr, cpr nummer, cpr number", None, False),
    Identifier("DO", "do.cedula", 11, "cedula", r"[0-9]{3}-[0-9]{7}-[0-9]"),
    Identifier("EC", "ec.ci", 10, "cedula de identidad"),
    Identifier("EE", "ee.ik", 11, "isikukood"),
    Identifier("ES", "es.dni", 0, "dni, nif", r"[0-9]{8}-?[A-Za-z]"),
    Identifier("ES", "es.nie", 0, "nie", r"[XYZxyz]-?[0-9]{7}-?[A-Za-z]"),
    Identifier("FI", "fi.hetu", 0, "hetu, henkilotunnus",
               r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-Y]"),
    Identifier("FR", "fr.nir", 15, "nir, numero de securite sociale, securite sociale, numero secu",
               r"[12] ?[0-9]{2} ?(?:[0-9]{2}) ?(?:[0-9]{2}|2[ABab]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"),
    Identifier("GB", None, 0, "nino, ni number, national insurance, national insurance number",
               r"(?:A[ABEGHJ-NPR-TW-Z]|B[ABEHJ-NPR-TW-Z]|[CEHJ-MOPR-TWX-Z][A-CEGHJ-NPR-TW-Z]"
               r"|G[ACEGHJ-NPR-TW-Z]|N[A-CEGHJLMPR-SW-Z]|T[A-CEGHJ-MPR-TW-Z])"
               r" ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]", False),
    Identifier("GB", "gb.nhs", 10, "nhs, nhs number, nhs no"),
    Identifier("GR", "gr.amka", 11, "amka, αμκα"),
    Identifier("HR", "hr.oib", 11, "oib"),
    Identifier("ID", "id.nik", 16, "nik, nomor induk kependudukan", None, False),
    Identifier("IE", "ie.pps", 0, "pps, ppsn, pps number, pps no",
               r"[0-9]{7}[A-Wa-w][ABHWTXabhwtx]?"),
    Identifier("IL", "il.idnr", 9, "teudat zehut, mispar zehut, תעודת זהות"),
    Identifier("IN", "in_.aadhaar", 12, "aadhaar, aadhar, uidai, aadhaar number",
               r"[2-9][0-9]{3} [0-9]{4} [0-9]{4}"),
    Identifier("IN", "in_.pan", 0, "pan, pan card", r"[A-Z]{3}P[A-Z][0-9]{4}[A-Z]", False),
    Identifier("IS", "is_.kennitala", 10, "kennitala", r"[0-3][0-9][01][0-9]{3}-[0-9]{4}"),
    Identifier("IT", "it.codicefiscale", 0, "codice fiscale, codicefiscale",
               r"[A-Za-z]{6}[0-9]{2}[A-EHLMPR-Ta-ehlmpr-t][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z]"),
    Identifier("JP", "jp.in_", 12, "my number, individual number, マイナンバー, 個人番号"),
    Identifier("KR", "kr.rrn", 13, "rrn, resident registration number, 주민등록번호",
               r"[0-9]{2}[01][0-9][0-3][0-9]-[1-8][0-9]{6}"),
    Identifier("LT", "lt.asmens", 11, "asmens kodas"),
    Identifier("LV", "lv.pvn", 11, "personas kods",
               r"(?:[0-3][0-9][01][0-9]{3}|32[0-9]{4})-[0-9]{5}"),
    Identifier("MU", "mu.nid", 0, "nid", r"[A-Z][0-9]{12}[0-9A-Z]"),
    Identifier("MX", "mx.curp", 0, "curp", r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[0-9A-Z][0-9]"),
    Identifier("MX", "mx.rfc", 0, "rfc", r"[A-Z]{4}[0-9]{6}[A-Z0-9]{3}", False),
    Identifier("MY", "my.nric", 12, "nric, mykad, ic number",
               r"[0-9]{2}[01][0-9][0-3][0-9]-[0-9]{2}-[0-9]{4}",
               False),
    Identifier("NL", "nl.bsn", 9, "bsn, burgerservicenummer, sofinummer"),
    Identifier("NO", "no.fodselsnummer", 11, "fodselsnummer, personnummer, fnr",
               r"[0-7][0-9][0-9]{4} ?[0-9]{5}"),
    Identifier("PE", "pe.cui", 0, "cui", r"[0-9]{8}-[0-9A-K]"),
    Identifier("PK", "pk.cnic", 13, "cnic", r"[1-7][0-9]{4}-[0-9]{7}-[0-9]", False),
    Identifier("PL", "pl.pesel", 11, "pesel"),
    Identifier("PT", "pt.cc", 0, "cartao de cidadao", r"[0-9]{8} ?[0-9] ?[A-Z0-9]{2}[0-9]"),
    Identifier("PT", "pt.nif", 9, "nif, contribuinte, numero de contribuinte"),
    Identifier("RO", "ro.cnp", 13, "cnp, cod numeric personal", r"[1-9][0-9]{12}"),
    Identifier("RU", "ru.inn", 12, "inn, инн"),
    Identifier("SE", "se.personnummer", 10, "personnummer, personal identity number",
               r"(?:19|20)?[0-9]{2}[01][0-9][0-3][0-9][-+][0-9]{4}"),
    Identifier("SI", "si.emso", 13, "emso, jmbg", r"[0-3][0-9][01][0-9]{10}"),
    Identifier("SK", "sk.rc", 10, "rodne cislo", r"[0-9]{2}[01235678][0-9]{3}/[0-9]{4}"),
    Identifier("TH", "th.pin", 13, "thai id, เลขประจำตัวประชาชน",
               r"[1-8]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]"),
    Identifier("TR", "tr.tckimlik", 11, "tc kimlik, tckn, tc kimlik no, kimlik no"),
    Identifier("UA", "ua.rntrc", 10, "rntrc, рнокпп"),
    Identifier("US", "us.ssn", 9, "ssn, social security, social security number, "
               "social security no, socsec, ss number", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", False),
    Identifier("US", "us.itin", 9, "itin", r"9[0-9]{2}-[0-9]{2}-[0-9]{4}", False),
    Identifier("ZA", "za.idnr", 13, "rsa id, sa id number, said",
               r"[0-9]{2}[01][0-9][0-3][0-9]{5}[01][0-9]{2}"),
)  # fmt: skip
