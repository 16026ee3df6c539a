"""Answers small predictions on the connection itself, without a task and a scope for each.

That is most of what a request costs. Only a whole request in one piece is taken, on a connection
where nothing else is under way; anything else, and everything that is refused, goes uvicorn's way,
to the same application. A head is read by httptools, once: clients send the same bytes with each
request of a length.
"""

from __future__ import annotations

import time

from hallmark_predictor.guarded import GuardedProtocol
from hallmark_predictor.heads import MOST_BYTES
from hallmark_predictor.overload import MOST_WAITING
from hallmark_predictor.problems import BadRequest
from hallmark_predictor.request_counter import own_seconds

_END = b"\r\n\r\n"


class DirectProtocol(GuardedProtocol):
    """A connection that answers small predictions itself."""

    _asked = 0.0
    """When something was asked here last, by the loop's clock."""

    def data_received(self, data: bytes) -> None:
        """Answer a whole request, or let uvicorn read what came."""
        if not (self._since is None and len(data) <= MOST_BYTES and self._answer(data)):
            super().data_received(data)

    def timeout_keep_alive_handler(self) -> None:
        """End an idle connection; one on which was asked meanwhile gets the rest of its time."""
        rest = self._asked + self.timeout_keep_alive - self.loop.time()
        if rest > 0:
            self._let_live(rest)
        else:
            super().timeout_keep_alive_handler()

    def _let_live(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def _answer(self, data: bytes) -> bool:
        """Answer, if this is a request that is answered here; tell whether it was."""
        serving = self._serving
        heads, answer_heads = serving.heads, serving.answer_heads
        if (
            heads is None
            or answer_heads is None
            or not self._is_idle
            or not serving.answers_directly
        ):
            return False
        end = data.find(_END)
        head = heads.read(data[:end]) if end > 0 else None
        if head is None or len(data) != end + 4 + head.length:
            return False
        start = time.perf_counter()
        if serving.turn.waited(start, self.loop.call_soon) > MOST_WAITING:
            return False
        began = time.thread_time()
        try:
            answer = head.method(data[end + 4 :], None)
        except Exception:
            return False  # It is asked again, and told of, on the other way.
        if isinstance(answer, BadRequest) or answer.json_length is not None:
            return False
        own = own_seconds(time.thread_time() - began, answer.count)
        body, client = answer.body, self.client[0] if self.client else ""
        self.transport.write(answer_heads.of(len(body), self.server_state.default_headers) + body)
        if serving.copier is not None:
            infer = head.method == heads.plane.infer
            serving.copier.offer(data[end + 4 :], answer, client, infer=infer, json_length=None)
        seconds = time.perf_counter() - start
        serving.ended(answer, (head.route, seconds, client, own), self.loop.call_soon)
        if head.trace is not None:
            serving.log.ended(head.trace, head.route, 200, seconds)
        self.server_state.total_requests += 1
        self._asked = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._let_live(self.timeout_keep_alive)
        return True

    @property
    def _is_idle(self) -> bool:
        """Whether no other request is under way, and the client takes what it is sent."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            return False
        stopped = self._is_deaf or self.transport.is_closing()
        return not (stopped or self.pipeline or self.flow.write_paused)
