"""Connections that are busy with a large reply, and who goes on over which connection meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from rproxy.upstream import relief
from rproxy.upstream.pool import Pool
from rproxy.upstream.sink import RELAYED, Sink
from tests.support.fake_node import Command, FakeNode, echo
from tests.support.upstream import Upstream, topology_of

SIZE = 4_000_000
SLOW, STAYING, OTHER = 2, 4, 6
"""Affinities of sessions on one lane."""


class Slow(Sink):
    """A client that takes a large reply when it is told to."""

    def __init__(self) -> None:
        self.taken = 0
        self.has_room = False
        self.feeders: list[Any] = []

    def takes(self, token: int, size: int) -> int:
        return RELAYED

    def relay(self, token: int, chunk: Any, start: int, end: int, is_last: bool) -> Sink | None:
        self.taken += end - start
        return None if self.has_room else self

    def await_room(self, feeder: Any) -> None:
        self.feeders.append(feeder)

    def affinity(self) -> int:
        return SLOW

    def read_on(self) -> None:
        self.has_room = True
        for feeder in self.feeders:
            feeder.go_on()


class Staying(Sink):
    """Keeps its reply."""

    def __init__(self) -> None:
        self.reply = b""

    def deliver(self, token: int, chunk: Any, start: int, end: int) -> None:
        self.reply += bytes(chunk[start:end])

    def affinity(self) -> int:
        return STAYING


def large(command: Command) -> bytes:
    return b"$%d\r\n%b\r\n" % (SIZE, b"x" * SIZE) if command[1] == b"large" else echo(command)


async def send(upstream: Upstream, key: bytes, sink: Sink, affinity: int) -> Any:
    """Send a GET on the session's connection, which is given back."""
    connection = upstream.cluster.connection_for(0, True, affinity)
    data = b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key)
    connection.send(data, 0, len(data), sink, 0, None, 0, True)
    return connection


async def stalled(start_node: Any, make_upstream: Any) -> tuple[FakeNode, Upstream, Pool, Slow, Staying]:
    """A connection that waits for a slow reader, with a request of another session behind."""
    node = await start_node({"GET": large})
    upstream = make_upstream(topology_of((node.endpoint,)), op_timeout=60.0)
    slow, staying = Slow(), Staying()
    await send(upstream, b"large", slow, SLOW)
    await send(upstream, b"small", staying, STAYING)
    await upstream.until(lambda: slow.feeders)
    return node, upstream, upstream.cluster.pools.get(node.endpoint, False), slow, staying


async def test_others_go_on_over_another_connection(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool, slow, staying = await stalled(start_node, make_upstream)
    assert await upstream.call("GET", "b", affinity=OTHER) == b"$1\r\nb\r\n"
    assert (len(node.peers), len(pool.connections())) == (2, 2)
    assert staying.reply == b""
    assert pool.describe()["connections"] == 2
    slow.read_on()
    await upstream.until(lambda: staying.reply)
    assert slow.taken == len(large((b"GET", b"large")))


async def test_who_waits_behind_it_stays_there_so_that_its_order_is_kept(start_node: Any, make_upstream: Any) -> None:
    _, upstream, pool, slow, staying = await stalled(start_node, make_upstream)
    busy = slow.feeders[0]
    assert pool.pick(STAYING) is busy
    assert pool.pick(OTHER) is not busy
    slow.read_on()
    await upstream.until(lambda: staying.reply)
    assert pool.pick(STAYING) is pool.pick(OTHER) is not busy


async def test_a_connection_that_nobody_replaced_is_the_lanes_again(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool, slow, staying = await stalled(start_node, make_upstream)
    busy = slow.feeders[0]
    slow.read_on()
    await upstream.until(lambda: staying.reply)
    assert pool.pick(OTHER) is busy
    assert len(node.peers) == 1


async def test_what_is_left_over_is_closed_after_a_while(start_node: Any, make_upstream: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(relief, "SPARE_FOR", 0.05)
    node, upstream, pool, slow, staying = await stalled(start_node, make_upstream)
    await upstream.call("GET", "b", affinity=OTHER)
    slow.read_on()
    await upstream.until(lambda: len(pool.connections()) == 1)
    assert staying.reply
    assert upstream.cluster.traffic.active == 1
    async with asyncio.timeout(5):
        await node.peers[0].closed.wait()
    assert await upstream.call("GET", "c", affinity=OTHER) == b"$1\r\nc\r\n"
    assert len(node.peers) == 2


async def test_so_many_are_relieved_and_no_more(start_node: Any, make_upstream: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("rproxy.upstream.pool.RELIEVED_MOST", 1)
    _, upstream, pool, slow, staying = await stalled(start_node, make_upstream)
    second = Slow()
    await send(upstream, b"large", second, OTHER)
    await upstream.until(lambda: second.feeders)
    assert pool.pick(OTHER) is second.feeders[0]
    for client in (slow, second):
        client.read_on()
    await upstream.until(lambda: staying.reply and second.taken > SIZE)


async def test_a_busy_connection_that_is_lost_is_forgotten(start_node: Any, make_upstream: Any) -> None:
    _, upstream, pool, slow, staying = await stalled(start_node, make_upstream)
    await upstream.call("GET", "b", affinity=OTHER)
    slow.feeders[0].on_lost("gone")
    assert len(pool.connections()) == 1
    await upstream.until(lambda: staying.reply)  # a read is sent again
    assert staying.reply == b"$5\r\nsmall\r\n"


async def test_a_retired_pool_keeps_what_is_busy(start_node: Any, make_upstream: Any) -> None:
    _, upstream, pool, slow, staying = await stalled(start_node, make_upstream)
    await upstream.call("GET", "b", affinity=OTHER)
    assert not pool.retire()
    assert pool.connections() == [slow.feeders[0]]
    slow.read_on()
    await upstream.until(lambda: staying.reply)
    assert pool.retire()
