"""What counts as a personal datum: one detector per kind, behind one small interface.

Each detector gets a column's distinct texts and returns those that hold what it looks for. A
regular expression picks candidates (fast, in Rust); checksums and structure decide on them.
Precision counts as much as recall: bare digits are a phone number or a national id only where the
column's name, the words beside them or a large share of valid checksums says so.
"""

from hallmark.data.detectors.column import Detector, TextColumn
from hallmark.data.detectors.contact import Email, Phone
from hallmark.data.detectors.finance import IBAN, PaymentCard
from hallmark.data.detectors.national_id import NationalID
from hallmark.data.detectors.network import IPAddress, MACAddress
from hallmark.data.detectors.person import DateOfBirth, PersonName, PostalAddress
from hallmark.data.detectors.secret import Secret

DETECTORS: tuple[Detector, ...] = (
    Email(),
    PaymentCard(),
    IBAN(),
    Phone(),
    NationalID(),
    IPAddress(),
    MACAddress(),
    PersonName(),
    DateOfBirth(),
    PostalAddress(),
    Secret(),
)

__all__ = ["DETECTORS", "Detector", "TextColumn"]
