"""A request on a pinned connection to the node that serves a slot: found, redirected, until it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from rproxy.resp import encode
from rproxy.resp.wire import Chunk
from rproxy.topology.redirection import ASKING, Redirection, RedirectionKind, classify
from rproxy.upstream.failure import LOST, PINS_FULL, TIMEOUT, UNREACHABLE
from rproxy.upstream.pinned import PinnedConnection, PinsFullError
from rproxy.upstream.pool import Pool
from rproxy.upstream.request import Request
from rproxy.upstream.sink import Sink

if TYPE_CHECKING:
    from rproxy.upstream.cluster import Cluster

Answered = Callable[[PinnedConnection | None, bytes], None]
"""Takes the reply and the connection that gave it, which is still leased; ``None`` with an error of rproxy's own."""

RETRY_DELAY = 0.05
"""Seconds before the owner of the slot is looked for again."""
HOP_LIMIT = 16
_UNBLOCKED = b":1\r\n"
_DEMOTED = b"-UNBLOCKED force unblock"
"""How a node lets go of blocked clients when it becomes a replica: they were not served."""


def _tell_nobody(connection: PinnedConnection | None, reply: bytes) -> None:
    """Whom a call that is over answers."""


class PinnedCall:
    """``request`` makes the bytes to send, anew for every node it is sent to. It is answered once, unless cancelled.

    ``is_over``: it was answered, or cancelled. A node is looked for until the cluster's ``op_timeout`` is over. Its
    answer is awaited for ``patience`` seconds, for ever if ``None``: that is the command's own business. Of several
    ``replies`` the last is the answer.
    """

    def __init__(
        self,
        cluster: Cluster,
        slot: int,
        request: Callable[[], bytes],
        answered: Answered,
        *,
        is_read: bool = False,
        is_resp3: bool = False,
        patience: float | None = None,
        replies: int = 1,
    ) -> None:
        self.connection: PinnedConnection | None = None
        self._cluster = cluster
        self._slot = slot
        self._request = request
        self._answered = answered
        self._is_read = is_read
        self._is_resp3 = is_resp3
        self._patience = patience
        self._replies = replies
        self._seeking_since = 0.0
        self._hops = 0
        self._asked_by: Pool | None = None
        self._last_error = b""
        self._timer: asyncio.TimerHandle | None = None
        self.is_over = False

    def start(self) -> None:
        """Begin."""
        self._seeking_since = self._cluster.turn.tick()
        self._seek()

    def cancel(self) -> None:
        """Nobody wants the answer any more: what blocks is ended by closing its connection."""
        if not self.is_over:
            self._end()
            if self.connection is not None:
                self.connection.close()

    def unblock(self, is_error: bool) -> bool:
        """Have the node end the wait, with an error or as if its time were over; false if it is over."""
        if self.is_over:
            return False
        Unblocking(self, is_error).ask()
        return True

    def _seek(self) -> None:
        """Send the request to the node that serves the slot, or look again a little later."""
        pool = self._asked_by or self._cluster.pool_of(self._slot, self._is_read)
        try:
            connection = pool.pins.lease(self._is_resp3) if pool is not None else None
        except PinsFullError as error:
            self._fail(self._cluster.counted_line(PINS_FULL, str(error)))
            return
        if connection is None:
            self._asked_by = None
            self._seek_later()
            return
        self.connection = connection
        data = self._request()
        if self._asked_by is not None:
            self._asked_by = None
            connection.ask(ASKING + data, 1 + self._replies, self._on_replies)
        else:
            connection.ask(data, self._replies, self._on_replies)
        if self._patience is not None:
            self._set_timer(self._patience, self._on_timeout)

    def _seek_later(self) -> None:
        turn = self._cluster.turn
        if turn.tick() - self._seeking_since > self._cluster.op_timeout:
            trouble = self._cluster.trouble(self._slot, self._is_read)
            self._fail(self._last_error or self._cluster.counted_line(UNREACHABLE, self._cluster.name, trouble))
        else:
            self._set_timer(RETRY_DELAY, self._seek)

    def _on_replies(self, replies: list[bytes] | None) -> None:
        connection = self.connection
        if self.is_over or connection is None:
            return
        self._set_timer(None, None)
        place = connection.pins.pool.endpoint
        if replies is None:
            self.connection = None
            if connection.was_open:
                self._fail(self._cluster.counted_line(LOST, str(place), connection.reason))
            else:
                self._seek_later()
            return
        reply = replies[-1]
        if reply.startswith(_DEMOTED):
            self._again(connection, None, reply)
            return
        redirection = classify(reply, place) if self._cluster.follows_redirections and reply[:1] == b"-" else None
        if redirection is None or self._hops >= HOP_LIMIT:
            self._end()(connection, reply)
        else:
            self._again(connection, redirection, reply)

    def _again(self, connection: PinnedConnection, redirection: Redirection | None, line: bytes) -> None:
        """Go to where a redirection leads, or ask again a little later; a client that blocked has new patience."""
        self.connection = None
        connection.pins.give_back(connection)
        self._last_error = line
        now = self._cluster.turn.tick()
        if redirection is None:
            self._seeking_since = now
            self._seek_later()
            return
        self._cluster.redirections[redirection.kind.value] += 1
        if not redirection.kind.has_target:
            self._seek_later()
            return
        self._hops += 1
        self._seeking_since = now
        if redirection.kind is RedirectionKind.MOVED:
            self._cluster.move_slot(redirection.slot, redirection.endpoint)
        else:
            self._asked_by = self._cluster.pools.get(redirection.endpoint, is_readonly=False)
        self._seek()

    def _on_timeout(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            self._fail(self._cluster.counted_line(TIMEOUT, str(connection.pins.pool.endpoint)))
            connection.close()

    def _fail(self, line: bytes) -> None:
        self._end()(None, line)

    def _end(self) -> Answered:
        """Be over, and know whom to tell no more: they know one another, and what they hold is not to wait for the
        garbage collector.
        """
        self.is_over = True
        self._set_timer(None, None)
        answered = self._answered
        self._answered, self._request = _tell_nobody, bytes
        return answered

    def _set_timer(self, seconds: float | None, then: Callable[[], None] | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None and then is not None:
            self._timer = self._cluster.turn.loop.call_later(seconds, then)


class Unblocking(Sink):
    """CLIENT UNBLOCK for what waits on a pinned connection, wherever that is, until the wait is over.

    It goes on another connection, so it may come before what it is to end, and is sent again then; or after the end,
    and would hit the next client there: while it is on its way the pinned connection is not lent to one.
    """

    __slots__ = ("_call", "_connection", "_how")

    def __init__(self, call: PinnedCall, is_error: bool) -> None:
        self._call = call
        self._connection: PinnedConnection | None = None
        self._how = b"ERROR" if is_error else b"TIMEOUT"

    def ask(self) -> None:
        """Ask the node that the call waits for, on a connection that is shared; later, if there is none yet."""
        if self._call.is_over:
            return
        connection = self._call.connection
        if connection is None or not connection.client_id:
            self._ask_later()
            return
        pool = connection.pins.pool
        shared = pool.cluster.pools.get(pool.endpoint, pool.is_readonly).pick(0)  # its own may be retired
        if shared is None:
            self._ask_later()
            return
        self._connection = connection
        connection.unblocking += 1
        data = encode.command([b"CLIENT", b"UNBLOCK", b"%d" % connection.client_id, self._how])
        shared.resend(Request(data, self, 0, None, -1, False, 0, connection.turn.tick()))

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the node's answer."""
        if self._connection is not None:
            self._connection.unblocking -= 1
        if bytes(chunk[start:end]) != _UNBLOCKED:
            self._ask_later()

    def _ask_later(self) -> None:
        asyncio.get_running_loop().call_later(RETRY_DELAY, self.ask)
