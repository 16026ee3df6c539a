"""presidio-analyzer in pattern mode: no language model, no download, all that fits our kinds."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hallmark.api.pii import PIIDetector

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

_KINDS = {
    "EMAIL_ADDRESS": PIIDetector.EMAIL,
    "PHONE_NUMBER": PIIDetector.PHONE,
    "CREDIT_CARD": PIIDetector.PAYMENT_CARD,
    "IBAN_CODE": PIIDetector.IBAN,
    "IP_ADDRESS": PIIDetector.IP_ADDRESS,
    "MAC_ADDRESS": PIIDetector.MAC_ADDRESS,
    "DATE_TIME": PIIDetector.DATE_OF_BIRTH,
}
"""Its nearest kinds; persons and addresses need its language models, secrets it has none."""
_NATIONAL = (
    "UsSsn",
    "UsItin",
    "Nhs",
    "UkNino",
    "EsNif",
    "EsNie",
    "ItFiscalCode",
    "PlPesel",
    "FiPersonalIdentityCode",
    "InAadhaar",
    "InPan",
    "AuTfn",
    "SePersonnummer",
    "KrRrn",
    "ZaIdNumber",
    "TrNationalId",
    "ThTnin",
    "CaSin",
    "DeTaxId",
    "DeSocialSecurity",
    "SgFin",
)
"""Each version knows more countries; those that the installed one does not know are left out."""
COMPARED = frozenset(_KINDS.values()) | {PIIDetector.NATIONAL_ID}


def version() -> str | None:
    """Return the installed version, or None where there is none."""
    try:
        return importlib.metadata.version("presidio-analyzer")
    except importlib.metadata.PackageNotFoundError:
        return None


class Presidio:
    """An analyzer with every pattern recognizer of a kind that both look for."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._engine = _engine()
        self._national = {
            entity
            for recognizer in self._engine.registry.recognizers
            for entity in recognizer.supported_entities
        } - set(_KINDS)

    def kinds(self, text: str, threshold: float = 0.0) -> set[PIIDetector]:
        """Return the kinds of what it finds in a text, with a score of the threshold or more."""
        matches = self._engine.analyze(text, language="en", score_threshold=threshold)
        return {_KINDS.get(match.entity_type, PIIDetector.NATIONAL_ID) for match in matches}

    def find(self, cells: Iterable[str], threshold: float = 0.0) -> dict[PIIDetector, list[int]]:
        """Return the positions of the cells in which it finds each kind."""
        positions: dict[PIIDetector, list[int]] = {}
        for position, cell in enumerate(cells):
            for kind in self.kinds(cell, threshold):
                positions.setdefault(kind, []).append(position)
        return positions


def _engine() -> AnalyzerEngine:
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    # Its recognizer of e-mail would download the list of public suffixes; the package has a copy.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    nlp = SpacyNlpEngine()
    nlp.nlp = {"en": spacy.blank("en")}
    national = [name for name in _NATIONAL if hasattr(predefined_recognizers, f"{name}Recognizer")]
    names = ["Email", "Phone", "CreditCard", "Iban", "Ip", "MacAddress", "Date", *national]
    registry = RecognizerRegistry(supported_languages=["en"])
    for name in names:
        kind = getattr(predefined_recognizers, f"{name}Recognizer")
        registry.add_recognizer(kind(supported_language="en"))
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])
