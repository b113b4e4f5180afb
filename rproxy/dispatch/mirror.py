"""Copies of commands for a second cluster: sent and forgotten. Whatever becomes of them, the client never knows."""

from __future__ import annotations

from collections.abc import Callable

from rproxy.commands.spec import CommandSpec
from rproxy.resp.wire import Chunk
from rproxy.routing.routes import MirrorRule
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.connection import UpstreamConnection
from rproxy.upstream.sink import MIRRORED

BYTES_MOST = 64 * 1024**2
"""Bytes of unanswered copies on one connection to a mirror; further ones are dropped, however few they are."""


class Mirror:
    """One mirror of one route. ``sent`` and ``dropped`` count requests: what finds no room is dropped at once."""

    __slots__ = ("cluster", "draw", "dropped", "queue_limit", "rule", "sent")

    def __init__(self, cluster: Cluster, rule: MirrorRule, draw: Callable[[], float]) -> None:
        self.cluster = cluster
        self.rule = rule
        self.draw = draw
        self.queue_limit = cluster.settings.mirror_queue_limit
        self.sent = 0
        self.dropped = 0

    def wants(self, spec: CommandSpec) -> bool:
        """Draw whether this command is copied: once per command, not per fragment."""
        return self.rule.wants(not spec.is_write, self.draw())

    def wants_unit(self, is_write: bool) -> bool:
        """Draw whether a transaction is copied: whole, if any of its commands writes, or reads are copied too."""
        return self.rule.wants(not is_write, self.draw())

    def copy(self, spec: CommandSpec, chunk: Chunk, start: int, end: int, slot: int) -> None:
        """Send ``chunk[start:end]`` to the mirror's primary of ``slot`` if there is room for it."""
        connection = self._connection(slot, end - start)
        if connection is not None:
            connection.send(chunk, start, end, MIRRORED, 0, self.cluster.stats_of(spec), slot, False)

    def copy_unit(self, spec: CommandSpec, data: bytes, slot: int, replies: int) -> None:
        """Send a unit of several commands, as ``copy`` does with one."""
        connection = self._connection(slot, len(data))
        if connection is not None:
            stats, now = self.cluster.stats_of(spec), self.cluster.turn.now
            connection.outbox.write(data)
            connection.enlist(MIRRORED, 0, stats, len(data), now, slot, False, 0, replies)

    def _connection(self, slot: int, size: int) -> UpstreamConnection | None:
        """The connection to the mirror's primary of ``slot``; ``None``, and counted, if ``size`` bytes find no room."""
        connection = self.cluster.connection_for(slot, False, 0)
        if (
            connection is None
            or connection.in_flight.count() >= self.queue_limit
            or connection.outbox.size() + size > BYTES_MOST
        ):
            self.dropped += 1
            return None
        self.sent += 1
        return connection
