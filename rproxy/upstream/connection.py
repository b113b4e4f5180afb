"""One connection to one endpoint: requests are appended, replies framed and delivered to the requests' sinks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rproxy.metrics.counters import CommandStats
from rproxy.resp.wire import Chunk, ReplyScanner
from rproxy.transport.connection import Connection
from rproxy.upstream.failure import GARBAGE, LOST, Failure
from rproxy.upstream.in_flight import InFlight
from rproxy.upstream.request import Request
from rproxy.upstream.sink import DISCARD, Sink
from rproxy.upstream.slow_log import SHOWN_MOST

if TYPE_CHECKING:
    from rproxy.upstream.pool import Pool

_ERROR = 0x2D  # '-'
_PUSH = 0x3E  # '>'
_NEVER = math.inf


class UpstreamConnection(Connection):
    """A pipelined connection, shared by all clients of a worker.

    Requests are accepted from its creation on and leave once the socket is there (``was_open``). ``is_open`` turns
    false for good when the connection is lost or closed.
    """

    __slots__ = ("in_flight", "is_open", "lane", "pool", "replies", "silent_since", "slow_log", "was_open")

    def __init__(self, pool: Pool, lane: int) -> None:
        Connection.__init__(self, pool.turn, pool.traffic, True)
        self.pool = pool
        self.lane = lane
        self.in_flight = InFlight()
        self.replies = ReplyScanner()
        self.slow_log = pool.cluster.slow_log
        self.is_open = True
        self.was_open = False
        self.silent_since = 0.0
        """When a request was first overdue since the last reply, 0 if none is."""

    def send(
        self,
        chunk: Chunk,
        start: int,
        end: int,
        sink: Sink,
        token: int,
        stats: CommandStats | None,
        slot: int,
        is_read: bool,
    ) -> None:
        """Send the request ``chunk[start:end]``; its reply is delivered to ``sink`` with ``token``."""
        # What ``enlist`` does, without a call more: this is done for every command.
        self.outbox.append(chunk, start, end)
        self.in_flight.push(sink, token, stats, end - start, self.turn.now, slot, is_read, 0, 1)
        if not self.is_dirty:
            self.turn.mark(self)

    def enlist(
        self,
        sink: Sink,
        token: int,
        stats: CommandStats | None,
        size: int,
        started: float,
        slot: int,
        is_read: bool,
        hops: int,
        replies: int,
    ) -> None:
        """Expect a reply for the ``size`` bytes that were just appended to the outbox as one request."""
        self.in_flight.push(sink, token, stats, size, started, slot, is_read, hops, replies)
        if not self.is_dirty:
            self.turn.mark(self)

    def resend(self, request: Request) -> None:
        """Send a request that has its own bytes, keeping its deadline and its hops."""
        self.outbox.write(request.data)
        self.enlist(
            request.sink,
            request.token,
            request.stats,
            len(request.data),
            request.started,
            request.slot,
            request.is_read,
            request.hops,
            request.replies,
        )

    def on_bytes(self, chunk: Chunk, start: int, end: int) -> int:
        """Deliver every whole reply."""
        replies = self.replies
        flight = self.in_flight
        outbox = self.outbox
        now = self.turn.now
        slow_after = self.slow_log.slower_than
        position = start
        while position < end:
            size = replies.next(chunk, position, end)
            if size <= 0:
                if size < 0:
                    self.fail(GARBAGE, "a reply is no RESP")
                break
            first = replies.first
            if first == _PUSH:
                position += size
                continue
            rest = flight.answer()
            if rest:
                if not self._absorb(rest, chunk, position, size):
                    return end
                position += size
                continue
            seconds = now - flight.started
            if seconds >= slow_after:
                slow_after = _NEVER
                self._note_slow(seconds)
            if first == _ERROR and self._redirect(chunk, position, size):
                outbox.release(flight.size)
                if not self.is_open:
                    return end
            elif outbox.release(flight.size):
                if flight.stats is not None:
                    flight.stats.record(first == _ERROR, seconds)
                flight.sink.deliver(flight.token, chunk, position, position + size)
            else:
                self.fail(GARBAGE, "a reply before its request was sent", has_popped=True)
                return end
            position += size
            self.silent_since = 0.0
        return position

    def _absorb(self, rest: int, chunk: Chunk, start: int, size: int) -> bool:
        """Take a reply after which its request still needs ``rest``; false if it is no request's."""
        if rest < 0:
            self.fail(GARBAGE, "a reply without a request")
        elif self.replies.first == _ERROR:
            self.in_flight.sink.absorb(self.in_flight.token, bytes(chunk[start : start + size]))
        return rest > 0

    def _note_slow(self, seconds: float) -> None:
        """Keep the request that was just answered in the slow log: at most one of each read."""
        flight = self.in_flight
        if flight.size <= self.outbox.sent() and self.slow_log.has_time(self.turn.now):
            self.slow_log.note(self.outbox.copy(0, min(flight.size, SHOWN_MOST)), flight.sink, seconds)

    def _redirect(self, chunk: Chunk, start: int, size: int) -> bool:
        """Have an error that is a redirection followed; false if it is an ordinary error, or nobody's."""
        flight = self.in_flight
        if flight.sink is DISCARD or flight.size > self.outbox.sent():
            return False
        request = self._request(self.outbox.copy(0, flight.size))
        line = flight.sink.cause(bytes(chunk[start : start + size]))
        return self.pool.cluster.follow(request, line, self)

    def _request(self, data: bytes) -> Request:
        """The entry that was popped last, off the fast path."""
        flight = self.in_flight
        return Request(
            data,
            flight.sink,
            flight.token,
            flight.stats,
            flight.slot,
            flight.is_read,
            self.lane,
            flight.started,
            flight.hops,
            replies=flight.replies,
        )

    def expire(self, before: float) -> list[tuple[Sink, int, CommandStats | None]]:
        """Give up the requests started before ``before``; their late replies are dropped."""
        return self.in_flight.expire(before)

    def on_eof(self) -> None:
        """The node closed the connection."""
        self.fail(LOST, "closed by the node")

    def on_lost(self, reason: str) -> None:
        """The socket failed, or could not be opened."""
        self.fail(LOST, reason)

    def fail(self, failure: Failure, reason: str, has_popped: bool = False) -> None:
        """Close, and hand every request in flight to the cluster, oldest first, to be retried or answered.

        ``has_popped``: the oldest was popped already, with its bytes still in the outbox.
        """
        if not self.is_open:
            return
        self.is_open = False
        if self.transport is not None:
            self.transport.close()
        cluster = self.pool.cluster
        self.pool.on_connection_lost(self, reason)
        flight = self.in_flight
        sent = self.outbox.sent()
        offset = 0
        has_more = has_popped or flight.pop()
        while has_more:
            data = self.outbox.copy(offset, flight.size)
            offset += flight.size
            if flight.sink is not DISCARD:
                was_written = offset <= sent
                cluster.on_request_lost(self._request(data), failure, reason, self.pool.endpoint, was_written)
            has_more = flight.pop()
        self.outbox.clear()
