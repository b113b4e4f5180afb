"""The lanes of a pool whose connections are busy: other clients go on over another connection of the lane.

A connection that relays a large reply, or waits for a slow reader, would make everybody behind it wait. It is
*relieved*: it keeps what it was sent, and the sessions that have some of that; all others get a fresh connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rproxy.upstream.connection import UpstreamConnection

RELIEVED_MOST = 32
"""Relieved connections of an endpoint; at the bound clients wait behind the busy one, if not for long."""
SPARE_FOR = 1.0
"""Seconds that a relieved connection with nothing left to do is kept for the next relief."""


class Lane:
    """What serves a lane while some of its connections are busy.

    A session whose requests are in flight on a busy connection stays there until they are answered: the order of its
    commands is kept, and it cannot be answered sooner in any case.
    """

    def __init__(self, current: UpstreamConnection) -> None:
        self.current: UpstreamConnection | None = current
        """Who takes the requests of all others; ``None``: it has yet to be opened."""
        self.relieved: list[UpstreamConnection] = []
        self.relieved_at = 0.0
        self._stays: dict[int, UpstreamConnection] = {}

    def relieve(self, connection: UpstreamConnection, now: float) -> None:
        """Have others take the place of ``connection``, which is the current one."""
        self.current = None
        self.relieved_at = now
        self.relieved.append(connection)
        for affinity in connection.in_flight.affinities():
            self._stays.setdefault(affinity, connection)

    def pick(self, affinity: int) -> UpstreamConnection | None:
        """The connection of a session; ``None``: one has to be opened."""
        if affinity in self._stays:
            connection = self._stays[affinity]
            if connection.is_open and connection.in_flight.has_affinity(affinity):
                return connection
            del self._stays[affinity]
        self.restore()
        return self.current

    def restore(self) -> None:
        """Take back a connection that is busy no more, if nobody has taken its place yet."""
        if self.current is None:
            for connection in self.relieved:
                if not is_occupied(connection):
                    self.current = connection
                    self.relieved.remove(connection)
                    return

    def remove(self, connection: UpstreamConnection) -> None:
        """A connection is gone."""
        if connection is self.current:
            self.current = None
        elif connection in self.relieved:
            self.relieved.remove(connection)

    def connections(self) -> list[UpstreamConnection]:
        """All of them."""
        return [*self.relieved, *([self.current] if self.current is not None else [])]

    def idle(self, now: float) -> list[UpstreamConnection]:
        """The relieved connections that have had nothing to do for a while."""
        if now - self.relieved_at < SPARE_FOR:
            return []
        return [c for c in self.relieved if not is_occupied(c) and not c.in_flight.count()]


def is_occupied(connection: UpstreamConnection) -> bool:
    """Whether a large reply is under way, or a slow reader is waited for."""
    return connection.is_busy or connection.is_mid_large()
