"""What moves bytes, seen from either side of a socket: connections, their transports, and the loop turn they share.

A *turn* is what a worker does between two waits of its event loop: read the sockets that are ready, let commands and
replies flow, then write each connection that has something to say once, upstream first.
"""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop
from time import monotonic

from rproxy.resp.wire import Chunk
from rproxy.transport.outbox import Outbox

log = logging.getLogger("rproxy.transport")


class Traffic:
    """Connections and bytes of one side of the proxy: a listener, or a cluster."""

    __slots__ = ("active", "failed", "opened", "received_bytes", "sent_bytes")

    def __init__(self) -> None:
        self.opened = 0
        self.active = 0
        self.failed = 0
        self.received_bytes = 0
        self.sent_bytes = 0


class Transport:
    """One open socket. What it reads goes to its connection's ``receive``; losses to ``on_eof`` and ``on_lost``."""

    __slots__ = ()

    def flush(self, connection: Connection) -> None:
        """Send what the connection's outbox holds, now or when the socket takes it again."""

    def send_now(self, chunk: Chunk, start: int, end: int) -> int:
        """Send ``chunk[start:end]`` past an empty outbox, without a copy; how many bytes the socket took."""
        return 0

    def backlog(self) -> int:
        """Bytes taken from the outbox that the socket has not taken yet."""
        return 0

    def pause_reading(self) -> None:
        """Read no more until ``resume_reading``."""

    def resume_reading(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Close the socket at once; the connection hears no more of it."""

    def leave(self) -> None:
        """As ``close``, but the peer notices nothing: another process has the socket too, and serves it."""
        self.close()


class Turn:
    """The connections with something to send in this loop turn, and the turn's time in seconds (monotonic)."""

    __slots__ = ("_downstream", "_upstream", "is_running", "loop", "now")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.now = monotonic()
        self.is_running = False
        self._upstream: list[Connection] = []
        self._downstream: list[Connection] = []

    def tick(self) -> float:
        """Read the clock: for what happens outside of reading sockets."""
        self.now = monotonic()
        return self.now

    def mark(self, connection: Connection) -> None:
        """Have ``connection`` flushed at the end of the turn."""
        if connection.is_dirty:
            return
        connection.is_dirty = True
        if not self.is_running:
            self.is_running = True
            self.loop.call_soon(self.finish)
        if connection.is_upstream:
            self._upstream.append(connection)
        else:
            self._downstream.append(connection)

    def finish(self) -> None:
        """Flush what was marked: requests first, since what fails there is answered in the same turn."""
        for marked in (self._upstream, self._downstream):
            index = 0
            while index < len(marked):
                connection = marked[index]
                index += 1
                connection.is_dirty = False
                if connection.transport is not None:
                    try:
                        connection.transport.flush(connection)
                    except Exception:  # whatever it is, the others are flushed
                        _give_up(connection)
            marked.clear()
        self.is_running = False
        if self._upstream:
            self.is_running = True
            self.loop.call_soon(self.finish)


def _give_up(connection: Connection) -> None:
    """Close a connection that failed in an unforeseen way."""
    log.exception("a connection failed in an unforeseen way and is closed")
    if connection.transport is not None:
        connection.transport.close()
    connection.on_lost("internal error")


class Connection:
    """A protocol on a transport: the base of downstream and upstream connections.

    Bytes that ``on_bytes`` did not consume (the beginning of a command or a reply) are kept in ``inbox``, which exists
    only while there are any: an idle connection has no buffer. One that *awaits sent* is told of
    every flush that left nothing behind.
    """

    __slots__ = ("awaits_sent", "filled", "inbox", "is_dirty", "is_upstream", "outbox", "traffic", "transport", "turn")

    def __init__(self, turn: Turn, traffic: Traffic, is_upstream: bool) -> None:
        self.turn = turn
        self.traffic = traffic
        self.is_upstream = is_upstream
        self.outbox = Outbox(is_upstream)
        self.transport: Transport | None = None
        self.inbox: bytearray | None = None
        self.filled = 0
        self.is_dirty = False
        self.awaits_sent = False

    def receive(self, chunk: Chunk, end: int) -> None:
        """Take ``chunk[:end]``: new bytes, or the inbox with new bytes at its end."""
        consumed = self.on_bytes(chunk, 0, end)
        rest = end - consumed
        if rest == 0 or self.transport is None:
            self.inbox = None
            self.filled = 0
            return
        if self.inbox is None:
            self.inbox = bytearray(chunk[consumed:end])
        elif consumed:
            del self.inbox[:consumed]
        self.filled = rest

    def on_bytes(self, chunk: Chunk, start: int, end: int) -> int:
        """Consume from ``chunk[start:end]`` and return the position up to which it was."""
        return end

    def on_eof(self) -> None:
        """The peer will send no more."""

    def on_lost(self, reason: str) -> None:
        """The socket failed: ``reason`` in the system's words. The transport is closed already."""

    def on_sent(self) -> None:
        """The outbox was sent: told if it was awaited, or had been too full for the socket."""

    def on_delivered(self) -> None:
        """A reply was delivered: told of a connection whose reply queue is watched."""

    def on_full(self) -> None:
        """So many bytes of replies wait for it that no more should come until some were sent."""

    def give_up(self, reason: str) -> None:
        """Close a client that replies cannot be brought to, for a ``reason`` in a word."""

    def go_on(self) -> None:
        """Read on after a stall: the client that it waited for has room, or is gone."""
