"""How connections to one endpoint are spread over time: the tokens, and who gets them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.upstream.pinned import PinnedConnection
from rproxy.upstream.pool import Pool
from rproxy.upstream.rate_limit import TokenBucket
from tests.support.fake_node import FakeNode
from tests.support.upstream import HandSet, Upstream, topology_of

RATE = 4


@pytest.mark.parametrize(
    ("moments", "waits"),
    [
        # When tokens are asked for, of 4 a second, and how long each has to be waited for.
        ([0, 0, 0, 0], [0, 0, 0, 0]),
        ([0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0.25, 0.25]),
        ([0, 0, 0, 0, 0, 0.25, 0.25], [0, 0, 0, 0, 0.25, 0, 0.25]),
        ([0, 0, 0, 0, 0.125, 0.25], [0, 0, 0, 0, 0.125, 0]),
        ([0, 0, 0, 0, 0.5, 0.5, 0.5], [0, 0, 0, 0, 0, 0, 0.25]),
        ([0, 0, 100, 100, 100, 100, 100], [0, 0, 0, 0, 0, 0, 0.25]),
    ],
)
def test_tokens(moments: list[float], waits: list[float]) -> None:
    bucket = TokenBucket(RATE, 0.0)
    assert [bucket.take(now) for now in moments] == waits


class Gated:
    """A pool whose connections pass a gate, with a clock that is set."""

    def __init__(self, node: FakeNode, make_upstream: Any) -> None:
        self.turn = HandSet(asyncio.get_running_loop())
        self.upstream: Upstream = make_upstream(
            topology_of((node.endpoint,)),
            turn=self.turn,
            connections_per_endpoint=8,
            connection_rate_limit_per_sec=RATE,
        )
        self.cluster = self.upstream.cluster
        self.pool: Pool = self.cluster.pools.get(node.endpoint, is_readonly=False)

    async def opened(self, count: int) -> None:
        """Wait until ``count`` connections have opened, and see that no more do."""
        await self.upstream.until(lambda: self.cluster.traffic.opened >= count)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert self.cluster.traffic.opened == count

    def lease(self) -> PinnedConnection:
        connection = self.pool.pins.lease(is_resp3=False)
        assert connection is not None
        return connection


@pytest.fixture
async def gated(start_node: Any, make_upstream: Callable[..., Upstream]) -> Gated:
    return Gated(await start_node(), make_upstream)


async def test_connections_above_the_rate_wait_for_their_turn(gated: Gated) -> None:
    shared = [gated.pool.pick(affinity) for affinity in range(RATE + 3)]
    await gated.opened(RATE)
    assert gated.cluster.rate_limited == 3
    for more in range(1, 4):
        gated.turn.now += 1.01 / RATE
        await gated.opened(RATE + more)
    assert all(connection is not None and connection.was_open for connection in shared)
    assert gated.cluster.rate_limited == 3


async def test_what_was_sent_to_a_connection_that_waits_leaves_when_it_is_there(gated: Gated) -> None:
    for affinity in range(RATE):
        gated.pool.pick(affinity)
    await gated.opened(RATE)
    token = gated.upstream.send("SET", "a", "1", affinity=RATE)
    await gated.opened(RATE)
    assert gated.upstream.replies.of(token) == []
    gated.turn.now += 1.01 / RATE
    assert await gated.upstream.replies.have(1) == [b"+OK\r\n"]


async def test_pinned_connections_are_opened_in_the_order_in_which_they_were_wanted(gated: Gated) -> None:
    pinned = [gated.lease() for _ in range(RATE + 4)]
    await gated.opened(RATE)
    for more in range(1, 5):
        gated.turn.now += 1.01 / RATE
        await gated.opened(RATE + more)
        assert [connection.was_open for connection in pinned] == [True] * (RATE + more) + [False] * (4 - more)


async def test_one_that_is_not_wanted_any_more_takes_nobodys_place(gated: Gated) -> None:
    pinned = [gated.lease() for _ in range(RATE + 4)]
    await gated.opened(RATE)
    for connection in pinned[RATE : RATE + 3]:
        connection.close()
    gated.turn.now += 1.01 / RATE
    await gated.opened(RATE + 1)
    assert pinned[-1].was_open


async def test_a_shared_connection_does_not_stand_behind_pinned_ones(gated: Gated) -> None:
    pinned = [gated.lease() for _ in range(RATE + 50)]
    await gated.opened(RATE)
    shared = gated.pool.pick(0)
    assert shared is not None
    for more in range(1, 3):  # the first in line and the shared one ask for the same tokens
        gated.turn.now += 1.01 / RATE
        await gated.opened(RATE + more)
    assert shared.was_open
    assert sum(connection.was_open for connection in pinned) == RATE + 1


async def test_a_pool_that_is_closed_leaves_nobody_in_line(gated: Gated) -> None:
    for _ in range(RATE + 3):
        gated.lease()
    await gated.opened(RATE)
    tasks = len(asyncio.all_tasks())
    gated.pool.close()
    await gated.upstream.until(lambda: len(asyncio.all_tasks()) <= tasks - 3)


async def test_without_a_limit_nobody_waits(start_node: Any, make_upstream: Any) -> None:
    node = await start_node()
    upstream = make_upstream(topology_of((node.endpoint,)), connections_per_endpoint=8)
    pool = upstream.cluster.pools.get(node.endpoint, is_readonly=False)
    for affinity in range(16):
        pool.pick(affinity)
    await upstream.until(lambda: upstream.cluster.traffic.opened == 16)
    assert upstream.cluster.rate_limited == 0
