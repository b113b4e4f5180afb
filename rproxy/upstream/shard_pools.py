"""Which endpoint of a shard serves a request: its primary, or by the read policy one of those that may answer reads."""

from __future__ import annotations

from rproxy.topology.snapshot import Shard
from rproxy.upstream.pool import Pool


class ShardPools:
    """Where the requests of one shard go: ``writer``, and the reader, or several in turn, of the read policy."""

    __slots__ = ("_tiers", "_turn", "reader", "shard", "writer")

    def __init__(self, shard: Shard, writer: Pool, tiers: tuple[tuple[Pool, ...], ...]) -> None:
        self.shard = shard
        self.writer = writer
        self._tiers = tuple(tier for tier in tiers if tier)
        self._turn = 0
        self.reader: Pool | None = None
        if len(self._tiers) == 1 and len(self._tiers[0]) == 1:
            self.reader = self._tiers[0][0]

    def pools(self) -> set[Pool]:
        """All that its requests may go to."""
        return {self.writer, *(pool for tier in self._tiers for pool in tier)}

    def choose_reader(self) -> Pool | None:
        """The next endpoint in turn of the best tier that has one up and healthy; ``None`` without any endpoint.

        Where none is healthy one that is up is chosen, where none is up one of the best tier.
        """
        self._turn += 1
        unhealthy: Pool | None = None
        for tier in self._tiers:
            for step in range(len(tier)):
                pool = tier[(self._turn + step) % len(tier)]
                if pool.is_down():
                    continue
                if not pool.is_unhealthy:
                    return pool
                if unhealthy is None:
                    unhealthy = pool
        if unhealthy is not None:
            return unhealthy
        return self._tiers[0][self._turn % len(self._tiers[0])] if self._tiers else None
