"""One connection to one endpoint: requests are appended, replies framed and delivered to the requests' sinks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rproxy.metrics.counters import CommandStats
from rproxy.resp.wire import Chunk, ReplyScanner
from rproxy.transport.connection import Connection
from rproxy.transport.phase import Phase, upstream_phase
from rproxy.upstream.doubts import Doubts
from rproxy.upstream.failure import GARBAGE, LOST, Failure
from rproxy.upstream.in_flight import InFlight
from rproxy.upstream.request import Request
from rproxy.upstream.sink import DISCARD, RELAYED, WHOLE, Sink
from rproxy.upstream.slow_log import SHOWN_MOST

if TYPE_CHECKING:
    from rproxy.upstream.pool import Pool

_ERROR = 0x2D  # '-'
_PUSH = 0x3E  # '>'
_NEVER = math.inf
_LARGE = 1024 * 1024
"""Bytes from which on a reply is relayed as it comes, and its connection takes no further clients meanwhile."""
_NEIGHBOURS_WAIT = 1.0
"""Seconds that requests of other clients may wait behind a client that does not take its reply."""


class UpstreamConnection(Connection):
    """A pipelined connection, shared by all clients of a worker.

    Requests are accepted from its creation on and leave once the socket is there (``was_open``). ``is_open`` turns
    false for good when the connection is lost or closed. While it relays a large reply it ``is_relaying``; while it
    ``is_stalled`` nothing is read, since the client that the next bytes are for has no room. Either way it ``is_busy``:
    its pool has others take its place.
    """

    __slots__ = (
        "_blocking",
        "_doubts",
        "_relayed_since",
        "_relayed_stats",
        "_relayed_to",
        "_relayed_token",
        "_stalled_for",
        "heard_at",
        "in_flight",
        "is_busy",
        "is_open",
        "is_relaying",
        "is_stalled",
        "lane",
        "pool",
        "replies",
        "silent_since",
        "slow_log",
        "stalled_at",
        "was_open",
    )

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
        self.is_busy = False
        self.is_relaying = False
        self.is_stalled = False
        self.stalled_at = 0.0
        """When the last stall began, 0 if that is long ago."""
        self.heard_at = 0.0
        """When the last piece came of a reply that is not whole yet."""
        self._doubts: Doubts | None = None
        self._blocking: Sink | None = None
        self._relayed_to: Sink = DISCARD
        self._relayed_token = 0
        self._relayed_stats: CommandStats | None = None
        self._relayed_since = 0.0
        self._stalled_for = 0.0

    @property
    def phase(self) -> Phase:
        """Where it is in its life (``transport.phase.UPSTREAM``)."""
        return upstream_phase(self.is_open, self.was_open)

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
        """Deliver every whole reply, and what has come of a large one."""
        if self.is_busy:
            start = self._carry_on(chunk, start, end)
            if self.is_busy or not self.is_open:
                return start
        return self._deliver_all(chunk, start, end)

    def _deliver_all(self, chunk: Chunk, start: int, end: int) -> int:
        replies = self.replies
        flight = self.in_flight
        outbox = self.outbox
        now = self.turn.now
        slow_after = self.slow_log.slower_than
        position = start
        while position < end:
            size = replies.next(chunk, position, end)
            if size <= 0:
                return self._on_part(size, chunk, position, end)
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
            if seconds >= slow_after or self._doubts is not None:
                slow_after = self._look_closer(first, seconds, slow_after)
            if first == _ERROR and self._redirect(chunk, position, size):
                outbox.release(flight.size)
                if not self.is_open:
                    return end
            elif outbox.release(flight.size):
                if flight.stats is not None:
                    flight.stats.record(first == _ERROR, seconds)
                full = flight.sink.deliver(flight.token, chunk, position, position + size)
                if full is not None:
                    return self._stall(full, position + size)
            else:
                self.fail(GARBAGE, "a reply before its request was sent", has_popped=True)
                return end
            position += size
            self.silent_since = 0.0
        return position

    # -- large replies and slow readers

    def _on_part(self, size: int, chunk: Chunk, start: int, end: int) -> int:
        """Deal with the beginning of a reply, or with garbage (``size`` is below 0); up to where it is used up."""
        if size < 0:
            self.fail(GARBAGE, "a reply is no RESP")
            return start
        self.heard_at = self.turn.now
        return self._begin_large(chunk, start, end) if self.replies.needed > _LARGE else start

    def _begin_large(self, chunk: Chunk, start: int, end: int) -> int:
        """Begin to relay the reply of which ``chunk[start:end]`` has come, if it can be; the position after that."""
        flight = self.in_flight
        sink = flight.peek()
        if sink is None or self.replies.first == _PUSH:
            return start
        self.pool.relieve(self)
        way = sink.takes(flight.token, self.replies.needed)
        if way != RELAYED:
            return start if way == WHOLE else self._stall(sink, start)
        flight.pop()
        self._settle_doubts(True)
        now = self.turn.now
        if now - flight.started >= self.slow_log.slower_than:
            self._note_slow(now - flight.started)
        if not self.outbox.release(flight.size):
            self.fail(GARBAGE, "a reply before its request was sent", has_popped=True)
            return end
        self.is_relaying = self.is_busy = True
        self._relayed_to = flight.sink
        self._relayed_token = flight.token
        self._relayed_stats = flight.stats
        self._relayed_since = flight.started
        return self._relay(chunk, start, end)

    def is_mid_large(self) -> bool:
        """Whether a large reply is collected."""
        return self.replies.is_mid_reply() and self.replies.needed > _LARGE

    def _carry_on(self, chunk: Chunk, start: int, end: int) -> int:
        """Go on with the reply that is relayed; nothing is used up during a stall."""
        return start if self.is_stalled else self._relay(chunk, start, end)

    def _relay(self, chunk: Chunk, start: int, end: int) -> int:
        """Hand on what belongs to the reply that is relayed; the position after that."""
        size = self.replies.pour(chunk, start, end)
        if size < 0:
            self.fail(GARBAGE, "a reply is no RESP")
            return end
        is_last = not self.replies.is_mid_reply()
        sink = self._relayed_to
        now = self.heard_at = self.turn.now
        self.silent_since = 0.0
        if is_last:
            self.is_relaying = self.is_busy = False
            self._relayed_to = DISCARD
            if self._relayed_stats is not None:
                self._relayed_stats.record(False, now - self._relayed_since)
        full = sink.relay(self._relayed_token, chunk, start, start + size, is_last) if size else None
        if full is not None:
            return self._stall(full, start + size)
        if is_last:
            self.pool.restore(self.lane)
        return start + size

    def _stall(self, sink: Sink, position: int) -> int:
        """Read no more until ``sink`` has room; ``position``, up to where all is used up."""
        self.is_stalled = self.is_busy = True
        self.stalled_at = self.turn.now
        self._blocking = sink
        if self.transport is not None:
            self.transport.pause_reading()
        self.silent_since = 0.0
        self.pool.relieve(self)
        sink.await_room(self)
        return position

    def go_on(self) -> None:
        """Read on after a stall. What is in flight is given the time that it took: the node may well have answered."""
        if not self.is_stalled or not self.is_open:
            return
        now = self.heard_at = self.turn.tick()
        self.in_flight.postpone(self.stalled_at, now)
        self._relayed_since += now - self.stalled_at
        self._stalled_for += now - self.stalled_at
        self.is_stalled = False
        self.is_busy = self.is_relaying
        self._blocking = None
        if self.inbox is not None:
            self.receive(self.inbox, self.filled)
        if not self.is_stalled and self.is_open:
            if self.transport is not None:
                self.transport.resume_reading()
            if not self.is_busy:
                self.pool.restore(self.lane)

    def look_after(self, now: float, silence_most: float) -> None:
        """The janitor's round of a connection that is busy, or was, or has a part of a reply: nobody waits for ever.

        A client that does not take its reply is closed when others have waited behind it for too long; a node that has
        gone silent in the middle of a reply has failed. It is not to go on with the next reply, which would be taken
        for the rest of this one.
        """
        slow = self._relayed_to if self._blocking is None else self._blocking
        if not self.is_busy:
            self.stalled_at = 0.0
        if not self.is_busy or not self.in_flight.affinities() - {slow.affinity()}:
            self._stalled_for = 0.0
        elif self._stalled_for + (now - self.stalled_at if self.is_stalled else 0.0) > _NEIGHBOURS_WAIT:
            slow.give_up("in_the_way")
        is_mid_reply = self.is_relaying or self.filled > 0
        if is_mid_reply and not self.is_stalled and now - self.heard_at > silence_most:
            self.fail(LOST, "silent in the middle of a reply")

    # -- errors

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

    def _look_closer(self, first: int, seconds: float, slow_after: float) -> float:
        """Take note of a reply that was slow, or came while there are doubts; when the next one is slow."""
        self._settle_doubts(first != _ERROR)
        if seconds < slow_after:
            return slow_after
        self._note_slow(seconds)
        return _NEVER

    def _redirect(self, chunk: Chunk, start: int, size: int) -> bool:
        """Have an error that is a redirection followed; false if it is an ordinary error, or nobody's."""
        flight = self.in_flight
        if flight.sink is DISCARD or flight.size > self.outbox.sent():
            return False
        request = self._request(self.outbox.copy(0, flight.size))
        line = flight.sink.cause(bytes(chunk[start : start + size]))
        return self.pool.cluster.follow(request, line, self)

    def doubt(self, request: Request) -> None:
        """The node refused ``request`` for what may be over when it comes to those behind it: do they overtake it?"""
        behind = self.in_flight.count()
        if behind and request.slot >= 0:
            if self._doubts is None:
                self._doubts = Doubts()
            request.doubt = self._doubts.add(request.slot, request.sink, request.is_read, behind)

    def _settle_doubts(self, is_executed: bool) -> None:
        """The request that was popped last has its reply."""
        flight = self.in_flight
        if self._doubts is not None and self._doubts.on_answered(flight.slot, flight.sink, flight.is_read, is_executed):
            self._doubts = None

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
            was_sent=True,
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
        had_requests = failure is GARBAGE or self.is_relaying or self.in_flight.count() > 0
        self.pool.on_connection_lost(self, reason, had_requests)
        if self.is_relaying:
            if self._relayed_stats is not None:
                self._relayed_stats.record(True, self.turn.now - self._relayed_since)
            self._relayed_to.give_up("cut")
        flight = self.in_flight
        sent = self.outbox.sent()
        offset = 0
        has_more = has_popped or flight.pop()
        while has_more:
            data = self.outbox.copy(offset, flight.size)
            offset += flight.size
            if flight.sink is not DISCARD:
                was_written = offset <= sent
                if self._doubts is not None and was_written:
                    self._doubts.on_executed(flight.slot, flight.sink, flight.is_read)
                cluster.on_request_lost(self._request(data), failure, reason, self.pool.endpoint, was_written)
            has_more = flight.pop()
        if self._doubts is not None:
            self._doubts.settle()
        self.outbox.clear()
