"""Connections that serve one client at a time: its command blocks there, or what it watches is the connection's state.

Clients share all other connections. These are leased, given back and leased again, never more than a bound of them; to
open one per transaction would cost more than the transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from rproxy.errors import RproxyError
from rproxy.resp import encode
from rproxy.resp.wire import Chunk, ReplyScanner
from rproxy.transport.connection import Connection
from rproxy.transport.outbox import Outbox
from rproxy.transport.phase import Phase, upstream_phase

if TYPE_CHECKING:
    from rproxy.upstream.pool import Pool

Then = Callable[[list[bytes] | None], None]
"""Takes the replies to a request, or ``None`` if the connection was lost before the last."""

IDLE_MOST = 64
"""Connections that wait for the next client; more are closed when they are given back."""
UNWANTED_AFTER = 60.0
"""Seconds after which those are closed that no client has needed meanwhile."""
_PUSH = 0x3E  # '>'
_CLIENT_ID = encode.command([b"CLIENT", b"ID"])


class PinsFullError(RproxyError):
    """Every pinned connection of an endpoint is in use."""


class PinnedConnection(Connection):
    """One client's connection. ``client_id`` is what the node calls it (0 until known), for ``CLIENT UNBLOCK``.

    ``unblocking`` is how many of those are on their way.
    """

    def __init__(self, pins: Pins, is_resp3: bool) -> None:
        Connection.__init__(self, pins.pool.turn, pins.pool.traffic, True)
        self.pins = pins
        self.is_resp3 = is_resp3
        self.is_open = True
        self.was_open = False
        self.client_id = 0
        self.unblocking = 0
        self.reason = ""
        self._replies = ReplyScanner()
        self._asked: deque[tuple[int, Then]] = deque()
        self._answers: list[bytes] = []
        self._when_sent: Callable[[], None] | None = None
        self.outbox = Outbox()  # nothing is sent again from here
        self.ask(_CLIENT_ID, 1, self._on_client_id)

    @property
    def phase(self) -> Phase:
        """Where it is in its life (``transport.phase.UPSTREAM``)."""
        return upstream_phase(self.is_open, self.was_open)

    def ask(self, data: bytes, replies: int, then: Then) -> None:
        """Send ``data``, commands that get as many ``replies``, now or when the connection is there."""
        self._asked.append((replies, then))
        self.outbox.write(data)
        self.turn.mark(self)

    def call_when_sent(self, then: Callable[[], None]) -> None:
        """Call ``then``, once, when everything in the outbox has been sent."""
        self._when_sent = then
        self.awaits_sent = True

    def on_sent(self) -> None:
        """The outbox was sent."""
        then, self._when_sent = self._when_sent, None
        self.awaits_sent = False
        if then is not None:
            then()

    def _on_client_id(self, replies: list[bytes] | None) -> None:
        if replies is not None and replies[0].startswith(b":"):
            self.client_id = int(replies[0][1:])

    def on_bytes(self, chunk: Chunk, start: int, end: int) -> int:
        """Collect replies, and hand them over when a request has all of its."""
        position = start
        while position < end:
            size = self._replies.next(chunk, position, end)
            if size == 0:
                break
            if size < 0 or not self._asked:
                self.close("broke the protocol")
                return end
            position += size
            if self._replies.first == _PUSH:
                continue
            self._answers.append(bytes(chunk[position - size : position]))
            count, then = self._asked[0]
            if len(self._answers) == count:
                self._asked.popleft()
                answers, self._answers = self._answers, []
                then(answers)
                if not self.is_open:
                    return end
        return position

    @property
    def is_idle(self) -> bool:
        """Whether every request has its replies, the one for its client id aside, and nothing is to come for others."""
        if self.unblocking:
            return False
        return not self._asked or (len(self._asked) == 1 and self._asked[0][1] == self._on_client_id)

    def on_eof(self) -> None:
        """The node closed the connection."""
        self.close("closed by the node")

    def on_lost(self, reason: str) -> None:
        """The socket failed, or could not be opened."""
        self.close(reason)

    def close(self, reason: str = "") -> None:
        """Close for good; who waits for a reply is told. Without a ``reason`` it is meant so, and no failure."""
        if not self.is_open:
            return
        self.is_open = False
        self.reason = reason
        if self.transport is not None:
            self.transport.close()
        self.outbox.clear()
        self.pins.on_closed(self)
        asked = list(self._asked)
        self._asked.clear()
        for _, then in asked:
            then(None)


class Pins:
    """The pinned connections of one endpoint: those in use, and those that wait for the next client."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._idle: list[PinnedConnection] = []  # the coldest first
        self._leased: set[PinnedConnection] = set()
        self._unwanted = 0  # the fewest that were idle since the janitor last closed some
        self._close_unwanted_at = 0.0

    def lease(self, is_resp3: bool) -> PinnedConnection | None:
        """A connection for one client; ``None`` while the endpoint is backed off from. Raises ``PinsFullError``."""
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].is_resp3 == is_resp3:
                connection = self._idle.pop(index)
                self._unwanted = min(self._unwanted, len(self._idle))
                self._leased.add(connection)
                return connection
        most = self.pool.cluster.settings.max_pinned_connections
        if len(self._leased) >= most:
            raise PinsFullError(f"all {most} pinned connections to {self.pool.endpoint} are in use")
        if not self.pool.may_dial():
            return None
        connection = PinnedConnection(self, is_resp3)
        self._leased.add(connection)
        self.pool.open(connection, is_resp3)
        return connection

    def give_back(self, connection: PinnedConnection) -> None:
        """Take back a connection whose state is nobody's: it serves the next client, or is closed."""
        if connection not in self._leased:
            return
        if not connection.is_idle or not connection.was_open or len(self._idle) >= IDLE_MOST or self.pool.is_retired:
            connection.close()
            return
        self._leased.discard(connection)
        self._idle.append(connection)

    def on_closed(self, connection: PinnedConnection) -> None:
        """A connection is gone, or could not be opened."""
        self._leased.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
            self._unwanted = min(self._unwanted, len(self._idle))
        self.pool.on_pin_closed(connection)

    def count(self) -> tuple[int, int]:
        """How many are in use and how many wait for a client."""
        return len(self._leased), len(self._idle)

    def tick(self, now: float) -> None:
        """The janitor's round: after a rush, let go of what it left."""
        if now < self._close_unwanted_at:
            return
        for connection in self._idle[: self._unwanted]:
            connection.close()
        self._unwanted = len(self._idle)
        self._close_unwanted_at = now + UNWANTED_AFTER

    def close_idle(self) -> None:
        """Close those that serve nobody."""
        for connection in list(self._idle):
            connection.close()

    def close(self) -> None:
        """Close all."""
        for connection in [*self._idle, *self._leased]:
            connection.close("rproxy is stopping")
