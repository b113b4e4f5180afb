"""The connections to one endpoint in one role: primaries are spoken to plainly, replicas after ``READONLY``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

from rproxy.topology.snapshot import Endpoint
from rproxy.transport.attach import attach
from rproxy.upstream.connection import UpstreamConnection
from rproxy.upstream.dial import DialError, RefusedError, dial, handshake
from rproxy.upstream.pinned import PinnedConnection, Pins
from rproxy.upstream.rate_limit import Gate
from rproxy.upstream.relief import RELIEVED_MOST, Lane

if TYPE_CHECKING:
    from rproxy.upstream.cluster import Cluster

BACKOFF_FIRST = 0.025
BACKOFF_MOST = 1.0
"""Seconds between attempts to reach an endpoint: doubled from the first to the most, each with jitter."""

log = logging.getLogger("rproxy.upstream")


class PoolState(Enum):
    """What a pool knows of its endpoint, or what is left for it to do."""

    UP = "up"
    """Nothing speaks against the endpoint: it has not been tried yet, or could be reached."""
    DOWN = "down"
    """The last attempt to reach it failed, and the next is not due or has not succeeded."""
    RETIRED = "retired"
    """It is needed no more: it opens nothing, and closes as what is in flight is answered."""
    CLOSED = "closed"


MOVES: Mapping[PoolState, frozenset[PoolState]] = {
    PoolState.UP: frozenset({PoolState.DOWN, PoolState.RETIRED, PoolState.CLOSED}),
    PoolState.DOWN: frozenset({PoolState.UP, PoolState.RETIRED, PoolState.CLOSED}),
    PoolState.RETIRED: frozenset({PoolState.CLOSED}),
    PoolState.CLOSED: frozenset(),
}
"""An endpoint that comes back after its pool was retired gets another pool."""


class Pool:
    """A fixed number of connections per RESP version, opened when first picked and again after a loss, with back-off.

    A session always gets the same connection (by its affinity), so its commands keep their order at the endpoint. The
    lowest bit of an affinity is the RESP version: even ones get RESP2 connections, odd ones RESP3. A connection that is
    busy with a large reply is relieved (``upstream.relief``).
    """

    __slots__ = (
        "_close_at",
        "_connections",
        "_dials",
        "_down_until",
        "_failures",
        "_gate",
        "_is_down",
        "_lanes",
        "_size",
        "cluster",
        "endpoint",
        "failure",
        "is_readonly",
        "is_unhealthy",
        "max_in_flight",
        "pins",
        "state",
        "traffic",
        "turn",
    )

    def __init__(self, cluster: Cluster, endpoint: Endpoint, is_readonly: bool) -> None:
        self.cluster = cluster
        self.endpoint = endpoint
        self.is_readonly = is_readonly
        self.turn = cluster.turn
        self.traffic = cluster.traffic
        self.max_in_flight = cluster.settings.max_in_flight
        self._size = 2 * cluster.settings.connections_per_endpoint
        self._connections: list[UpstreamConnection | None] = [None] * self._size
        self._lanes: dict[int, Lane] = {}
        self._dials: set[asyncio.Task[None]] = set()
        self._down_until = 0.0
        self._failures = 0
        self.failure = ""
        self._set_state(PoolState.UP)
        self.is_unhealthy = cluster.health.is_unhealthy(endpoint)
        """Whether reads should go to another endpoint (``upstream.health``)."""
        rate = cluster.settings.connection_rate_limit_per_sec
        self._gate = Gate(cluster, rate) if rate else None
        self.pins = Pins(self)
        self._close_at = 0.0

    def pick(self, affinity: int) -> UpstreamConnection | None:
        """The session's connection; ``None`` while the endpoint is backed off from, or the connection is full."""
        connection = self._connections[affinity % self._size]
        if connection is None:
            connection = self._find(affinity)
        if connection is None or connection.in_flight.count() >= self.max_in_flight:
            return None
        return connection

    def is_down(self) -> bool:
        """Whether the last attempt to reach the endpoint failed, and the next is not due or has not succeeded."""
        return self._is_down

    @property
    def is_retired(self) -> bool:
        """Whether it opens no more connections."""
        return self.state in (PoolState.RETIRED, PoolState.CLOSED)

    def _set_state(self, state: PoolState) -> None:
        """Be in ``state``, which ``MOVES`` leads to."""
        self.state = state
        self._is_down = state is PoolState.DOWN  # every read under a policy that may choose asks for it

    def _find(self, affinity: int) -> UpstreamConnection | None:
        """The session's connection where it is not the only one of its lane, or has yet to be opened."""
        index = affinity % self._size
        lane = self._lanes.get(index)
        connection = lane.pick(affinity) if lane is not None else None
        if connection is None and self.may_dial():
            connection = UpstreamConnection(self, index)
            if lane is not None:
                lane.current = connection
            else:
                self._connections[index] = connection
            self.open(connection, index % 2 == 1)
        return connection

    def relieve(self, connection: UpstreamConnection) -> None:
        """Send no more on ``connection`` for now, except for the sessions that wait for replies there."""
        index = connection.lane
        lane = self._lanes.get(index)
        current = lane.current if lane is not None else self._connections[index]
        is_full = sum(len(lane.relieved) for lane in self._lanes.values()) >= RELIEVED_MOST
        if connection is not current or is_full or self.is_retired:
            return
        if lane is None:
            lane = self._lanes[index] = Lane(connection)
            self._connections[index] = None
        lane.relieve(connection, self.turn.now)

    def restore(self, index: int) -> None:
        """Look whether the connections of lane ``index`` are busy no more."""
        lane = self._lanes.get(index)
        if lane is None:
            return
        lane.restore()
        for connection in lane.idle(self.turn.now):
            lane.remove(connection)
            self._let_go(connection)
        if not lane.relieved:
            del self._lanes[index]
            self._connections[index] = lane.current

    def _let_go(self, connection: UpstreamConnection) -> None:
        """Close a connection that has nothing in flight."""
        connection.is_open = False
        if connection.was_open:
            self.traffic.active -= 1
        if connection.transport is not None:
            connection.transport.close()

    def may_dial(self) -> bool:
        """Whether another connection may be opened now: not while the endpoint is backed off from."""
        return not self.is_retired and self.turn.tick() >= self._down_until

    def dial_again(self) -> None:
        """Dial an endpoint that could not be reached, when it is due: while others serve for it, no request would."""
        if self.is_down() and self._connections[0] is None and self.may_dial():
            self._find(0)

    def open(self, connection: UpstreamConnection | PinnedConnection, is_resp3: bool) -> None:
        """Connect ``connection``; if that fails it is lost."""
        task = self.turn.loop.create_task(self._dial(connection, is_resp3))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _dial(self, connection: UpstreamConnection | PinnedConnection, is_resp3: bool) -> None:
        settings = self.cluster.settings
        if self._gate is not None:
            await self._gate.let_pass(connection)
        if not connection.is_open:
            return
        try:
            commands = handshake(settings, self.endpoint, self.is_readonly, is_resp3)
            opened = await dial(self.endpoint, commands, settings.connect_timeout, self.cluster.tls)
        except DialError as error:
            self.traffic.failed += 1
            reason = str(error)
            if isinstance(error, RefusedError) and self._is_down and self.failure != reason:
                self._log_failure(reason)
            connection.on_lost(reason)
            return
        if not connection.is_open:
            opened.close()
            return
        await attach(self.turn, opened, connection)
        if not connection.is_open:  # its client left meanwhile, or the system would not serve the socket
            return
        connection.was_open = True
        self._failures = 0
        self.failure = ""
        if self._is_down:
            self._set_state(PoolState.UP)
            log.info("cluster %s: %s can be reached again", self.cluster.name, self.endpoint)
        self.traffic.opened += 1
        self.traffic.active += 1
        self.turn.mark(connection)
        self.cluster.on_endpoint_up(self)

    def answered(self) -> float:
        """When the newest request that was answered on one of the connections was begun; 0.0 without any."""
        return max((connection.in_flight.started for connection in self.connections()), default=0.0)

    def on_connection_lost(self, connection: UpstreamConnection, reason: str, had_requests: bool) -> None:
        """A connection failed, or could not be opened; called before its requests are handed on."""
        lane = self._lanes.get(connection.lane)
        if connection not in self.connections():
            return
        answered = self.answered()
        if lane is not None:
            lane.remove(connection)
            self.restore(connection.lane)
        else:
            self._connections[connection.lane] = None
        if connection.was_open and had_requests:
            self.cluster.health.on_failures(self, 1, self.turn.tick(), answered, reason)
        self._note_loss(connection.was_open, reason)

    def on_pin_closed(self, connection: PinnedConnection) -> None:
        """A pinned connection was closed by either side, or could not be opened."""
        if connection.was_open:
            self.traffic.active -= 1
        elif connection.reason and not self.is_retired:
            self._note_loss(False, connection.reason)

    def _note_loss(self, was_open: bool, reason: str) -> None:
        if was_open:
            self.traffic.active -= 1
        else:
            backoff = min(BACKOFF_FIRST * 2 ** min(self._failures, 10), BACKOFF_MOST)
            self._failures += 1
            self._down_until = self.turn.tick() + backoff * (0.5 + self.cluster.draw() / 2)
            if self.state is PoolState.UP:
                # Once: as long as it is down it gets no reads in any case, and is tried again.
                self.cluster.health.on_failures(self, 1, self.turn.tick(), self.answered(), reason)
                self._set_state(PoolState.DOWN)
                self._log_failure(reason)
        self.failure = reason
        self.cluster.on_failure()

    def _log_failure(self, reason: str) -> None:
        log.warning("cluster %s: %s: %s", self.cluster.name, self.endpoint, reason)

    def connections(self) -> list[UpstreamConnection]:
        """The connections that are open or being opened."""
        relieved = [connection for lane in self._lanes.values() for connection in lane.connections()]
        return [connection for connection in self._connections if connection is not None] + relieved

    def is_silent(self) -> bool:
        """Whether requests were overdue on a connection that has answered none since."""
        return any(connection.silent_since for connection in self.connections())

    def in_flight(self) -> int:
        """Requests that wait for a reply."""
        return sum(connection.in_flight.count() for connection in self.connections())

    def describe(self) -> dict[str, object]:
        """The state of the pool for operators: JSON-able."""
        return {
            "address": str(self.endpoint),
            "role": "replica" if self.is_readonly else "primary",
            "state": self.state.value,
            "connections": sum(connection.was_open for connection in self.connections()),
            "in_flight": self.in_flight(),
            "pinned": sum(self.pins.count()),
            "failure": self.failure,
        }

    def retire(self) -> bool:
        """Open no more connections and close those with nothing in flight; true when none is left.

        What is in flight has been answered at the latest when its time is over: then the rest is closed too, but for
        the pinned connections in use, since clients may block for ever.
        """
        if not self.is_retired:
            self._set_state(PoolState.RETIRED)
            self.pins.close_idle()
            self._close_at = self.turn.tick() + 2 * self.cluster.op_timeout
        elif self.turn.now > self._close_at and not any(connection.is_busy for connection in self.connections()):
            for connection in self.connections():
                connection.on_lost("the endpoint is used no more")
        for connection in self.connections():
            if connection.in_flight.count() == 0 and not connection.is_busy:
                lane = self._lanes.get(connection.lane)
                if lane is not None:
                    lane.remove(connection)
                    self.restore(connection.lane)
                else:
                    self._connections[connection.lane] = None
                self._let_go(connection)
        if self.connections() or self.pins.count()[0]:
            return False
        self._set_state(PoolState.CLOSED)
        return True

    def close(self) -> None:
        """Close every connection and end every attempt."""
        self._set_state(PoolState.CLOSED)
        for task in self._dials:
            task.cancel()
        self.pins.close()
        for connection in self.connections():
            connection.on_lost("rproxy is stopping")
