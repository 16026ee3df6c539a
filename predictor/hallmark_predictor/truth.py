"""What became true of answers: read from a request, held against receipts, and counted.

A request that is no list of outcomes is refused as a whole. Of one that is, each outcome is counted
or refused by itself, so that a batch that is sent again does no harm.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus

import msgspec
from msgspec import Struct, field

from hallmark.api.bounds import EARLIER_VERSIONS
from hallmark.api.documents import Feedback
from hallmark.api.texts import parse_duration
from hallmark.classification import scored_class
from hallmark.drift.outcome_counter import Outcome, OutcomeCounter
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.json_body import parse_object
from hallmark_predictor.problems import MAX_PROBLEMS, BadRequest, describe, refuse, shown
from hallmark_predictor.receipts import KEY, LEAST, TOKEN, Receipt, Receipts

MAX_OUTCOMES = 5000
"""Of one request."""
MAX_BYTES = 1024 * 1024
"""Of its body."""
TURN = 200
"""So many are judged before others have their turn."""
_MEMBERS = {"receipt", "outcome", "group"}


class Fault(StrEnum):
    """Why an outcome is not counted."""

    FORGED = "Forged"
    """Its receipt was not made by this Deployment."""
    OTHER_VERSION = "OtherVersion"
    """Another version gave the answer, and is not counted here (now)."""
    OTHER_CLASSES = "OtherClasses"
    """Another version gave the answer, which has other classes."""
    TOO_OLD = "TooOld"
    """The answer is older than the spec allows."""
    REPEATED = "Repeated"
    """Its receipt was counted before."""
    UNKNOWN_OUTCOME = "UnknownOutcome"
    """It is none of the model's classes."""
    UNKNOWN_GROUP = "UnknownGroup"
    """It is none of the declared groups."""


class Judged(Struct):
    """What a request's outcomes came to."""

    counted: int = 0
    refused: Counter[Fault] = field(default_factory=Counter)
    details: list[dict[str, object]] = field(default_factory=list)

    def refuse(self, index: int, fault: Fault, sentence: str) -> None:
        """Take that an outcome is not counted, and why."""
        self.refused[fault] += 1
        if len(self.details) < MAX_PROBLEMS:
            self.details.append({"outcome": index, "reason": fault, "error": sentence})

    def body(self) -> bytes:
        """Return the answer's JSON."""
        told = {"counted": self.counted, "refused": self.refused.total(), "details": self.details}
        return msgspec.json.encode(told)


class Truth:
    """Takes what became true of answers, for one Pod: of its version, and of those before it."""

    def __init__(
        self,
        plane: DataPlane,
        receipts: Receipts,
        feedback: Feedback,
        counter: OutcomeCounter,
        on_window: Callable[[], None] = lambda: None,
        serves_alone: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare.

        Args:
            plane: Knows the classes and which version answers.
            receipts: Read what comes back.
            feedback: Groups, and how old an answer may be.
            counter: Counts.
            on_window: Told whenever a window was closed.
            serves_alone: Tells whether no other version has any traffic, as far as known.
        """
        schema = plane.model.schema
        self._plane = plane
        self._receipts = receipts
        self._feedback = feedback
        self._groups = frozenset(feedback.groups)
        self._oldest = parse_duration(feedback.max_age).total_seconds()
        self._classes = {name: index for index, name in enumerate(schema.classes)}
        positive = None if schema.positive is None else self._classes[schema.positive]
        self._scored = scored_class(len(schema.classes), positive)
        self._on_window = on_window
        self._serves_alone = serves_alone
        self.counter = counter
        self.faults = Counter[Fault]()
        """Since the start."""

    async def answer(self, body: bytes) -> tuple[int, bytes]:
        """Count the outcomes of a request's body; return the answer's status and JSON."""
        judged = await self.take(body)
        if isinstance(judged, BadRequest):
            return judged.status, msgspec.json.encode(judged.body())
        return HTTPStatus.OK, judged.body()

    async def take(self, body: bytes) -> Judged | BadRequest:
        """Count the outcomes of a request's body."""
        told = _outcomes(body)
        if isinstance(told, BadRequest):
            return told
        judged, before = Judged(), len(self.counter.kept) and self.counter.kept[-1].number
        for index, one in enumerate(told):
            if index and index % TURN == 0:
                await asyncio.sleep(0)
            self._judge(index, one, judged)
        self.faults.update(judged.refused)
        self.counter.refused += judged.refused.total()
        kept = self.counter.kept
        if kept and kept[-1].number != before:
            self._on_window()
        return judged

    def _judge(self, index: int, told: Mapping[str, str | None], judged: Judged) -> None:
        receipt = self._receipts.read(told["receipt"] or "")
        if receipt is None:
            judged.refuse(
                index,
                Fault.FORGED,
                "Expected a receipt as this Deployment's answers have it, found another text; its "
                f"key is the entry '{KEY}' of the Deployment's Secret, and may have changed since.",
            )
            return
        if refused := self._not_here(receipt):
            judged.refuse(index, *refused)
            return
        now = self._receipts.clock()
        if now - receipt.at > self._oldest:
            judged.refuse(
                index,
                Fault.TOO_OLD,
                f"Expected an answer of the last {self._feedback.max_age}, as "
                f"'drift.feedback.maxAge' says, found one of {_when(receipt.at)}.",
            )
            return
        label = self._classes.get(told["outcome"] or "")
        if label is None:
            known = ", ".join(f"'{name}'" for name in list(self._classes)[:10])
            judged.refuse(
                index,
                Fault.UNKNOWN_OUTCOME,
                f"Expected one of the model's classes ({known}) as 'outcome', found another text.",
            )
            return
        group = told.get("group") or ""
        if group and group not in self._groups:
            judged.refuse(
                index,
                Fault.UNKNOWN_GROUP,
                "Expected one of the groups that 'drift.feedback.groups' declares, found another.",
            )
            return
        scored = receipt.label if self._scored is None else self._scored
        outcome = Outcome(
            number=receipt.number,
            correct=label == receipt.label,
            score=receipt.score,
            happened=label == scored,
            group=group,
        )
        if self._count(receipt, outcome, datetime.fromtimestamp(now, UTC)):
            judged.counted += 1
        else:
            judged.refuse(
                index,
                Fault.REPEATED,
                "Expected each receipt once, found one that was counted before.",
            )

    def _not_here(self, receipt: Receipt) -> tuple[Fault, str] | None:
        """Return why the answer of another version is not counted here, or None."""
        if receipt.version == self._receipts.version:
            return None
        other, serving = receipt.version.hex(), self._plane.model.trust
        expected = (
            f"Expected the receipt of an answer of '{serving.model_version}' "
            f"({serving.manifest_digest[:23]}), found one of the version sha256:{other}"
        )
        if not self._serves_alone():
            return Fault.OTHER_VERSION, (
                f"{expected}, which may serve beside it or in its place; send it again on a new "
                f"connection."
            )
        if receipt.classes != self._receipts.classes:
            return Fault.OTHER_CLASSES, (
                f"{expected}, which has other classes; its outcomes count while it serves."
            )
        if not self.counter.takes(other):
            return Fault.OTHER_VERSION, (
                f"{expected}; this Pod counts {EARLIER_VERSIONS} earlier versions already."
            )
        return None

    def _count(self, receipt: Receipt, outcome: Outcome, now: datetime) -> bool:
        if receipt.version == self._receipts.version:
            return self.counter.add(outcome, now)
        return self.counter.add_earlier(receipt.version.hex(), outcome)


def truth_of(
    plane: DataPlane,
    on_window: Callable[[], None] = lambda: None,
    serves_alone: Callable[[], bool] = lambda: True,
) -> Truth | None:
    """Return what takes the truth about a version's answers, where feedback is declared."""
    feedback = plane.model.trust.drift.feedback
    if feedback is None or plane.receipts is None:
        return None
    counter = OutcomeCounter(feedback)
    return Truth(plane, plane.receipts, feedback, counter, on_window, serves_alone)


def unauthorized(header: bytes | None, receipts: Receipts) -> BadRequest | None:
    """Return why who asks may not tell the truth, or None.

    Args:
        header: ``Authorization``.
        receipts: Know the Secret.
    """
    known = receipts.files.current()
    if known.token is None or known.key is None:
        return refuse(
            "feedback",
            f"the Deployment's Secret '<name>-feedback' with '{TOKEN}' and '{KEY}' of at least "
            f"{LEAST} characters each",
            "none (yet)",
            HTTPStatus.SERVICE_UNAVAILABLE,
        )
    scheme, _, token = (header or b"").partition(b" ")
    if scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), known.token):
        return None
    return refuse(
        "Authorization",
        f"'Bearer' and the '{TOKEN}' of the Deployment's Secret '<name>-feedback'",
        "none" if header is None else "another",
        HTTPStatus.UNAUTHORIZED,
    )


def _outcomes(body: bytes) -> Sequence[Mapping[str, str | None]] | BadRequest:
    """Return a request's outcomes, or why it is no list of them."""
    # An outcome has three commas and a brace, and classes may have commas in their names.
    request = parse_object(body, 8 * MAX_OUTCOMES)
    if isinstance(request, BadRequest):
        return request
    if request.keys() != {"outcomes"}:
        return refuse("the body", "an object with 'outcomes' alone", describe(request))
    told = request["outcomes"]
    if not isinstance(told, list) or not 1 <= len(told) <= MAX_OUTCOMES:
        return refuse("outcomes", f"a list of 1 to {MAX_OUTCOMES} outcomes", describe(told))
    for index, one in enumerate(told):
        if wrong := _problem_of(one):
            where, expected, found = wrong
            return refuse(f"outcomes[{index}]{where}", expected, found)
    return told


def _problem_of(told: object) -> tuple[str, str, str] | None:
    """Return where an outcome is none, what was expected and found, or None."""
    if not isinstance(told, dict):
        return "", "an object with 'receipt' and 'outcome'", describe(told)
    for name in ("receipt", "outcome"):
        if not isinstance(told.get(name), str):
            return f".{name}", "a text", describe(told[name]) if name in told else "none"
    if not isinstance(told.get("group"), str | None):
        return ".group", "a text, or none", describe(told["group"])
    if strange := told.keys() - _MEMBERS:
        return "", "no other members than 'receipt', 'outcome' and 'group'", shown(min(strange))
    return None


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
