"""The replies of one client, in the order of its commands.

The Python form of ``reply_queue.pyx``. The sink of client commands: a token is a *place*. The reply of the oldest place
goes straight to the client's outbox; one that comes early is kept until those before it have come.
"""

from __future__ import annotations

from rproxy.resp.wire import Chunk
from rproxy.transport.connection import Connection
from rproxy.upstream.sink import Sink


class ReplyQueue(Sink):
    """Places are opened in the order of commands and filled in any order, each exactly once.

    ``held`` counts the bytes kept for places that are not the oldest. While ``is_watched``, the connection is told of
    every delivery (``on_delivered``): it waits for room, or for the last reply.
    """

    __slots__ = ("_head", "_kept", "_tail", "connection", "held", "is_closed", "is_watched")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.held = 0
        self.is_watched = False
        self.is_closed = False
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

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Fill place ``token`` with ``chunk[start:end]``. Raises ``ValueError`` if it was filled before."""
        if self.is_closed:
            return
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
        self.held = 0
        self._kept.clear()
