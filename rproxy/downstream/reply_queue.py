"""The replies of one client, in the order of its commands.

The Python form of ``reply_queue.pyx``. The sink of client commands: a token is a *place*. The reply of the oldest place
goes straight to the client's outbox; one that comes early is kept until those before it have come.
"""

from __future__ import annotations

from rproxy.resp.wire import Chunk
from rproxy.transport.connection import Connection
from rproxy.upstream.sink import LATER, RELAYED, WHOLE, Sink

UNBOUNDED = 1 << 60


class ReplyQueue(Sink):
    """Places are opened in the order of commands and filled in any order, each exactly once.

    ``held`` counts the bytes kept for places that are not the oldest. While ``is_watched``, the connection is told of
    every delivery (``on_delivered``): it waits for room, or for the last reply. A client for whom more than ``most``
    bytes wait is full: its connection is told so (``on_full``). ``reserved`` is for large replies that are collected
    upstream. ``begun`` counts the bytes of a large reply of which a part has gone out.
    """

    __slots__ = (
        "_head",
        "_kept",
        "_reservations",
        "_stopped_at",
        "_tail",
        "begun",
        "connection",
        "feeders",
        "held",
        "is_closed",
        "is_watched",
        "most",
        "reserved",
    )

    def __init__(self, connection: Connection, most: int = UNBOUNDED) -> None:
        self.connection = connection
        self.most = most
        self.held = 0
        self.reserved = 0
        self.is_watched = False
        self.is_closed = False
        self.begun = 0
        self.feeders: list[tuple[Connection, int]] | None = None
        """The upstream connections that wait, each with the place at which it had to."""
        self._stopped_at = 0
        self._reservations: dict[int, int] = {}
        self._head = 0
        self._tail = 0
        self._kept: dict[int, bytes] = {}

    def open(self) -> int:
        """A new place, after all others."""
        token = self._tail
        self._tail = token + 1
        return token

    def pending(self) -> int:
        """How many places wait for their reply."""
        return self._tail - self._head

    def answered(self) -> int:
        """How many replies have gone into the outbox."""
        return self._head

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> Sink | None:
        """Fill place ``token`` with ``chunk[start:end]``. Raises ``ValueError`` if it was filled before."""
        if self.is_closed:
            return None
        if token != self._head:
            if not self._head < token < self._tail or token in self._kept:
                raise ValueError(f"place {token} is not waiting for a reply")
            self._kept[token] = bytes(chunk[start:end])
            self.held += end - start
        else:
            connection = self.connection
            connection.outbox.append(chunk, start, end)
            self._head += 1
            if self._kept:
                self._advance()
            if not connection.is_dirty:
                connection.turn.mark(connection)
        if self.is_watched:
            self.connection.on_delivered()
        if self.connection.outbox.unsent() + (self.held if token >= self._head else 0) > self.most:
            self._stopped_at = token
            self.connection.on_full()
            return self
        return None

    def takes(self, token: int, size: int) -> int:
        """Only the oldest place can have its reply relayed; whose client is gone, has it dropped as it comes."""
        self._stopped_at = token
        self._reservations.pop(token, None)
        self._reserve()
        if self.is_closed or token == self._head:
            return RELAYED
        if self.connection.outbox.unsent() + self.held + self.reserved + size > self.most:
            return LATER
        self._reservations[token] = size
        self._reserve()
        return WHOLE

    def _reserve(self) -> None:
        """Count what is collected upstream for places that still wait for it."""
        for token in [token for token in self._reservations if token < self._head or token in self._kept]:
            del self._reservations[token]
        self.reserved = sum(self._reservations.values())

    def relay(self, token: int, chunk: Chunk, start: int, end: int, is_last: bool) -> Sink | None:
        """Send the next piece of the reply of the oldest place."""
        if self.is_closed:
            return None
        connection = self.connection
        self.begun += end - start
        connection.outbox.append(chunk, start, end)
        if is_last:
            self.begun = 0
            self._head += 1
            if self._kept:
                self._advance()
        if not connection.is_dirty:
            connection.turn.mark(connection)
        if is_last and self.is_watched:
            connection.on_delivered()
        self._stopped_at = token
        return self if connection.outbox.unsent() > self.most else None

    def await_room(self, feeder: Connection) -> None:
        """Have ``feeder``, which was told that there is none, go on when there is, or the client is gone."""
        if self.feeders is None:
            self.feeders = []
        self.feeders.append((feeder, self._stopped_at))
        self.connection.on_full()

    def wake(self) -> None:
        """Have those go on that were waiting for what is true now.

        Replies that are kept for later do not hold up the connection that brings the oldest place's.
        """
        if self.reserved:
            self._reserve()
        feeders, self.feeders = self.feeders, None
        for feeder, token in feeders or ():
            if self._has_room(token):
                self.connection.turn.loop.call_soon(feeder.go_on)
            else:
                self.feeders = self.feeders or []
                self.feeders.append((feeder, token))

    def _has_room(self, token: int) -> bool:
        unsent = self.connection.outbox.unsent()
        waiting = unsent if token <= self._head else unsent + self.held + self.reserved
        return self.is_closed or waiting <= self.most // 2

    def give_up(self, reason: str) -> None:
        """Have the client closed."""
        if not self.is_closed:
            self.connection.give_up(reason)

    def affinity(self) -> int:
        """That of the connection's session."""
        session = getattr(self.connection, "session", None)
        return session.affinity if session is not None and not self.is_closed else -1

    def asker(self) -> tuple[str, bytes]:
        """The connection's client."""
        session = getattr(self.connection, "session", None)
        return (session.address, session.name) if session is not None else ("", b"")

    def _advance(self) -> None:
        while (reply := self._kept.pop(self._head, None)) is not None:
            self.connection.outbox.write(reply)
            self.held -= len(reply)
            self._head += 1

    def close(self) -> None:
        """Drop what is kept and what is still to come: the client is gone."""
        self.is_closed = True
        self.held = self.reserved = 0
        self._kept.clear()
        self._reservations.clear()
