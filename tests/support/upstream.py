"""A cluster under test without clients: requests go in as the dispatcher sends them, and replies can be awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from rproxy.config.models import ClusterConfig
from rproxy.metrics.counters import CommandStats
from rproxy.resp import encode
from rproxy.resp.wire import Chunk
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.slots import SLOT_COUNT
from rproxy.topology.snapshot import Endpoint, Shard, Topology
from rproxy.transport.attach import make_turn, stop_turn
from rproxy.transport.connection import Turn
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.request import Request
from rproxy.upstream.sink import Sink
from tests.support.fake_node import PATIENCE

OP_TIMEOUT = 0.5
"""Seconds that a request may take where some are to be late."""
ROUND = 0.005
"""Seconds between the janitor's rounds."""
_TURNS_TO_CATCH_UP = 50
"""Loop turns in which a request and its answer, redirected or dialled for, come and go."""


class Replies(Sink):
    """Keeps what is delivered, in order, with its token."""

    def __init__(self) -> None:
        self.delivered: list[tuple[int, bytes]] = []
        self._came = asyncio.Event()

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Keep a copy."""
        self.delivered.append((token, bytes(chunk[start:end])))
        self._came.set()

    def of(self, token: int) -> list[bytes]:
        """Everything that was delivered for ``token``: one reply, if all is well."""
        return [reply for found, reply in self.delivered if found == token]

    async def have(self, count: int) -> list[bytes]:
        """Wait for ``count`` replies in all; every reply so far, by token. Raises ``TimeoutError``."""
        async with asyncio.timeout(PATIENCE):
            while len(self.delivered) < count:
                self._came.clear()
                await self._came.wait()
        return [reply for _, reply in sorted(self.delivered)]


class HandSet(Turn):
    """A turn whose clock stands still until it is set."""

    def tick(self) -> float:
        """The time as it was set."""
        return self.now


async def janitor(*clusters: Cluster) -> None:
    """Every cluster's rounds, without end.

    After a time in which this process got no processor, what came meanwhile is taken first: it is not late.
    """
    while True:
        expected = time.monotonic() + ROUND
        await asyncio.sleep(ROUND)
        while time.monotonic() - expected > ROUND:
            expected = time.monotonic() + ROUND
            for _ in range(_TURNS_TO_CATCH_UP):
                await asyncio.sleep(0)
        for cluster in clusters:
            cluster.tick()


class Upstream:
    """A cluster with a sink for all its replies, and a janitor. ``token`` counts what was sent."""

    def __init__(
        self,
        topology: Topology | None = None,
        *,
        read_policy: ReadPolicy = ReadPolicy.PRIMARY,
        op_timeout: float = PATIENCE,
        follows_redirections: bool = True,
        turn: Turn | None = None,
        **settings: Any,
    ) -> None:
        self.turn = turn or make_turn(asyncio.get_running_loop())
        self.cluster = Cluster(
            ClusterConfig.model_validate(
                {"name": "main", "endpoints": ["127.0.0.1:1"], "connect_timeout": PATIENCE, **settings}
            ),
            read_policy,
            self.turn,
            op_timeout=op_timeout,
            follows_redirections=follows_redirections,
            draw=lambda: 0.0,
        )
        self.replies = Replies()
        self.stats = CommandStats()
        self.token = -1
        self._janitor = asyncio.create_task(janitor(self.cluster))
        if topology is not None:
            self.cluster.swap(topology)

    def send(self, *arguments: str, slot: int = 0, is_read: bool = False, affinity: int = 0) -> int:
        """Send a command the way the dispatcher does, straight if its connection is there; its token."""
        self.token += 1
        data = encode.command([argument.encode() for argument in arguments])
        self.turn.tick()
        connection = self.cluster.connection_for(slot, is_read, affinity) if slot >= 0 else None
        if connection is not None:
            connection.send(data, 0, len(data), self.replies, self.token, self.stats, slot, is_read)
        else:
            now = self.turn.now
            self.cluster.submit(
                Request(data, self.replies, self.token, self.stats, slot, is_read, affinity, now),
            )
        return self.token

    async def call(self, *arguments: str, slot: int = 0, is_read: bool = False, affinity: int = 0) -> bytes:
        """Send a command and wait for its reply."""
        count = len(self.replies.delivered)
        token = self.send(*arguments, slot=slot, is_read=is_read, affinity=affinity)
        while not self.replies.of(token):
            count += 1
            await self.replies.have(count)
        return self.replies.of(token)[0]

    async def until(self, is_true: Callable[[], object]) -> None:
        """Turn the loop until something holds that no event tells of. Raises ``TimeoutError``."""
        async with asyncio.timeout(PATIENCE):
            while not is_true():
                await asyncio.sleep(ROUND)

    async def close(self) -> None:
        """Close everything; no token may have been answered twice."""
        assert not self._janitor.done(), "the janitor has failed"
        self._janitor.cancel()
        if self.cluster.refresher is not None:
            await self.cluster.refresher.stop()
        self.cluster.close()
        stop_turn(self.turn)
        tokens = [token for token, _ in self.replies.delivered]
        assert len(tokens) == len(set(tokens)), "a request was answered twice"
        assert len(tokens) == self.token + 1, "a request was not answered"


def topology_of(*shards: tuple[Endpoint, ...]) -> Topology:
    """Shards, each a primary and its replicas, that divide the slots evenly."""
    indexes = tuple(slot * len(shards) // SLOT_COUNT for slot in range(SLOT_COUNT))
    return Topology(tuple(Shard(primary, replicas) for primary, *rest in shards for replicas in [tuple(rest)]), indexes)
