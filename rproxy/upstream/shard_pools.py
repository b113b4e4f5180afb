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

    def choose_reader(self) -> Pool | None:
        """The next endpoint in turn of the best tier that has one up; else of the best tier; ``None`` without any."""
        self._turn += 1
        for tier in self._tiers:
            for step in range(len(tier)):
                pool = tier[(self._turn + step) % len(tier)]
                if not pool.is_down():
                    return pool
        return self._tiers[0][self._turn % len(self._tiers[0])] if self._tiers else None
