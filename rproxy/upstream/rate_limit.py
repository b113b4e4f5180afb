"""How many connections a second may be opened to an endpoint, so that a node which comes back is not stormed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rproxy.upstream.pinned import PinnedConnection

if TYPE_CHECKING:
    from rproxy.upstream.cluster import Cluster
    from rproxy.upstream.connection import UpstreamConnection


class TokenBucket:
    """``rate`` tokens come in a second; as many are kept, and there at the beginning. Pure; times are in seconds."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: int, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate)
        self._at = now

    def take(self, now: float) -> float:
        """Take a token: 0.0 if there was one, else the seconds until there is."""
        self._tokens = min(self._tokens + (now - self._at) * self._rate, self._rate)
        self._at = now
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self._rate
        self._tokens -= 1.0
        return 0.0


class Gate:
    """What every connection to one endpoint passes before it is opened."""

    __slots__ = ("_bucket", "_cluster", "_line")

    def __init__(self, cluster: Cluster, rate: int) -> None:
        self._cluster = cluster
        self._bucket = TokenBucket(rate, cluster.turn.tick())
        self._line = asyncio.Lock()

    async def let_pass(self, connection: UpstreamConnection | PinnedConnection) -> None:
        """Wait until ``connection`` may be opened; one that is not wanted any more takes nobody's place.

        Pinned connections stand in line, since there may be many. A shared one does not: all clients wait for it.
        """
        if isinstance(connection, PinnedConnection):
            async with self._line:
                await self._take(connection)
        else:
            await self._take(connection)

    async def _take(self, connection: UpstreamConnection | PinnedConnection) -> None:
        is_counted = False
        while connection.is_open and (wait := self._bucket.take(self._cluster.turn.tick())):
            if not is_counted:
                self._cluster.rate_limited += 1
                is_counted = True
            await asyncio.sleep(wait)
