"""What the predictor serves at the moment; read and changed on the event loop's thread alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from hallmark.drift.counts import Rows
from hallmark.drift.refusals import Refusals
from hallmark_predictor.apart import apart
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.heads import AnswerHeads, Heads
from hallmark_predictor.memory import ALL, Allowance, Room, budget, memory_left
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.overload import Inbox, Lane, Turn
from hallmark_predictor.request_counter import Ended
from hallmark_predictor.traces import RequestLog

if TYPE_CHECKING:
    from hallmark_predictor.feed import Copied


class Records(Protocol):
    """Takes what was answered and what was refused (``DriftRecorder``)."""

    rows: int
    """Rows that were recorded since the start."""

    def record(self, rows: Rows, client: str = "", said: Rows | None = None) -> None:
        """Take answered rows, the address of who sent them, and what was said of them."""

    def record_packed(self, rows: Sequence[bytes], clients: Sequence[str]) -> None:
        """Take answered rows as float32 in the machine's order, each of a request of its own."""

    def refuse(self, refusals: Refusals, client: str = "") -> None:
        """Take the rows at fault in a refused request, and the address of who sent them."""


class Copies(Protocol):
    """Copies requests to a candidate (``Copier``)."""

    def offer(
        self, body: bytes, answer: Answer, client: str, *, infer: bool, json_length: int | None
    ) -> None:
        """Copy a request that was answered, if it is its turn and there is room."""


class TakesTruth(Protocol):
    """Takes what became true of answers (``Truth``)."""

    async def answer(self, body: bytes) -> tuple[int, bytes]:
        """Take a request's body; return the answer's status and JSON."""


class Serving:
    """Loading, then one model until the end."""

    def __init__(self, metrics: Metrics, allowance: Allowance = ALL) -> None:
        """Start without a model.

        Args:
            metrics: Counts what is answered.
            allowance: The memory that this process may take.
        """
        self.metrics = metrics
        self.log = RequestLog()
        self.allowance = allowance
        """What is taken from when a model starts to serve."""
        self.exposition: Callable[[], Awaitable[bytes]] = self._exposition
        """Returns all metrics in Prometheus' text format."""
        self.plane: DataPlane | None = None
        self.recorder: Records | None = None
        self.truth: TakesTruth | None = None
        """Where feedback is declared."""
        self.copier: Copies | None = None
        """While a candidate gets copies of requests."""
        self.count_copies: Callable[[Copied], None] = lambda copied: None
        """Takes what became of copies that another process made."""
        self.heads: Heads | None = None
        self.answer_heads: AnswerHeads | None = None
        self.waiting_for = "The model is being verified."
        """A sentence, while there is no model."""
        self.active_digest: str | None = None
        """The version that has the traffic, as far as known."""
        self.room = Room(budget(memory_left(allowance)))
        """The memory for requests in flight."""
        self.inbox = Inbox(self.room.max_unread)
        """And for what came of others."""
        self.turn, self.lane = Turn(), Lane()
        self._ended: list[tuple[Answer, Ended]] = []
        """What was answered in this turn of the loop and is not counted yet."""
        self.connections: Collection[object] = ()
        """Those that are open, as the server knows them."""
        self.draining = False
        """The Pod is being ended: it still answers, but wants no new clients."""

    @property
    def not_ready(self) -> str | None:
        """Why it is not ready, or None."""
        if self.draining:
            return "The predictor is being ended."
        return None if self.plane else self.waiting_for

    @property
    def is_crowded(self) -> bool:
        """Whether there are too many clients for all to be answered soon."""
        return len(self.connections) > self.room.max_connections

    @property
    def answers_directly(self) -> bool:
        """Whether nothing but its body decides how a request is answered."""
        return not (self.ends_connections or self.is_crowded)

    @property
    def ends_connections(self) -> bool:
        """Whether clients should connect anew, to reach a Pod that stays in service."""
        if self.draining:
            return True
        if self.plane is None or self.active_digest is None:
            return False
        return self.active_digest != self.plane.model.trust.manifest_digest

    def start(self, plane: DataPlane, recorder: Records) -> None:
        """Serve a verified model."""
        trust = plane.model.trust
        self.plane, self.recorder = plane, recorder
        self.heads, self.answer_heads = Heads(plane), AnswerHeads(plane)
        self.room = Room(budget(memory_left(self.allowance)))  # the model has its part by now
        self.inbox = Inbox(self.room.max_unread)
        if plane.model.watch is not None:
            self.metrics.oddities(plane.model.watch.counted)
        self.metrics.model(plane.name, trust.model_version, trust.manifest_digest)

    def answered(self, answer: Answer, client: str) -> None:
        """Count rows that were answered, and whose they were: an address."""
        many = answer.many
        apart(self.metrics.answered, answer.count)
        if self.recorder is None:
            return
        if many is None:
            apart(self.recorder.record_packed, [answer.packed + answer.said], [client])
        else:
            apart(self.recorder.record, many, client, answer.said_of_many)

    def ended(
        self, answer: Answer, ended: Ended, when_over: Callable[[Callable[[], None]], object]
    ) -> None:
        """Count an answered request when the loop's turn is over, together with its others.

        Args:
            answer: What was sent.
            ended: Its request.
            when_over: Calls what it is given when the turn is over.
        """
        if not self._ended:
            when_over(self._count_ended)
        self._ended.append((answer, ended))

    def _count_ended(self) -> None:
        ended, self._ended = self._ended, []
        rows, clients = [], []
        for answer, (_, _, client, _) in ended:
            if answer.many is None:
                rows.append(answer.packed + answer.said)
                clients.append(client)
            else:
                self.answered(answer, client)
        if rows:
            apart(self.metrics.answered, 1, len(rows))
            if self.recorder is not None:
                apart(self.recorder.record_packed, rows, clients)
        apart(self.metrics.requests, [request for _, request in ended])

    def count(self, rows: Rows, client: str) -> None:
        """Count rows, with what was said of them, that another process answered."""
        apart(self.metrics.answered, len(rows))
        if self.recorder:
            apart(self.recorder.record, rows, client)

    def refused(self, refusals: Refusals, client: str) -> None:
        """Count the rows at fault in a refused request, and whose they were."""
        if not refusals.rows:
            return
        apart(self.metrics.refused, refusals)
        if self.recorder:
            apart(self.recorder.refuse, refusals, client)

    async def _exposition(self) -> bytes:
        return self.metrics.exposition()
