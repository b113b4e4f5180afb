"""Connections for one client at a time: leased, given back, used again, and bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rproxy.resp import encode
from rproxy.topology.snapshot import Endpoint
from rproxy.transport.attach import Opened, attach
from rproxy.transport.connection import Turn
from rproxy.upstream import pool
from rproxy.upstream.pinned import IDLE_MOST, UNWANTED_AFTER, PinnedConnection, Pins, PinsFullError
from tests.support.fake_node import CLOSE, PATIENCE, SILENCE, FakeNode
from tests.support.upstream import Upstream, topology_of

NOWHERE = Endpoint("127.0.0.1", 1)
ID = {"CLIENT ID": b":7\r\n"}


async def pinned(start_node: Any, make_upstream: Any, **settings: Any) -> tuple[FakeNode, Upstream, Pins]:
    node = await start_node(ID)
    upstream = make_upstream(topology_of((node.endpoint,)), **settings)
    return node, upstream, upstream.cluster.pools.get(node.endpoint, is_readonly=False).pins


def lease(pins: Pins, is_resp3: bool = False) -> PinnedConnection:
    connection = pins.lease(is_resp3)
    assert connection is not None
    return connection


def packed(*lines: str) -> bytes:
    return b"".join(encode.command(line.encode().split()) for line in lines)


async def ask(connection: PinnedConnection, *lines: str) -> list[bytes] | None:
    answer: asyncio.Future[list[bytes] | None] = asyncio.get_running_loop().create_future()
    connection.ask(packed(*lines), len(lines), answer.set_result)
    async with asyncio.timeout(PATIENCE):
        return await answer


async def test_it_is_asked_while_it_is_still_being_opened(start_node: Any, make_upstream: Any) -> None:
    node, _, pins = await pinned(start_node, make_upstream)
    connection = lease(pins)
    assert not connection.was_open
    assert await ask(connection, "PING") == [b"+OK\r\n"]
    assert (connection.client_id, node.peers[0].commands) == (7, [(b"CLIENT", b"ID"), (b"PING",)])


async def test_one_that_is_closed_while_its_socket_is_attached_leaves_none(
    start_node: Any, make_upstream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asyncio takes some turns of the loop over it, and a client may leave in each."""
    node, upstream, pins = await pinned(start_node, make_upstream)

    async def close_meanwhile(turn: Turn, opened: Opened, connection: PinnedConnection) -> None:
        attaching = turn.loop.create_task(attach(turn, opened, connection))
        await asyncio.sleep(0)
        connection.close()
        await attaching

    monkeypatch.setattr(pool, "attach", close_meanwhile)
    lease(pins)
    await upstream.until(lambda: node.peers and node.peers[0].closed.is_set())
    assert (pins.count(), upstream.cluster.traffic.active) == ((0, 0), 0)


async def test_all_replies_to_a_request_come_together(start_node: Any, make_upstream: Any) -> None:
    node, _, pins = await pinned(start_node, make_upstream)
    node.answers["GET"] = (b"$1\r", b"\na\r\n")
    connection = lease(pins)
    assert await ask(connection, "MULTI", "GET a") == [b"+OK\r\n", b"$1\r\na\r\n"]


async def test_pushes_are_no_replies(start_node: Any, make_upstream: Any) -> None:
    node, _, pins = await pinned(start_node, make_upstream)
    node.answers["GET"] = b">1\r\n+news\r\n$1\r\na\r\n"
    assert await ask(lease(pins, is_resp3=True), "GET a") == [b"$1\r\na\r\n"]


async def test_what_was_given_back_is_leased_again(start_node: Any, make_upstream: Any) -> None:
    node, _, pins = await pinned(start_node, make_upstream)
    first = lease(pins)
    await ask(first, "PING")
    pins.give_back(first)
    assert pins.count() == (0, 1)
    other_version = lease(pins, is_resp3=True)
    assert other_version is not first
    assert lease(pins) is first
    assert pins.count() == (2, 0)
    await ask(other_version, "PING")
    assert len(node.peers) == 2


async def test_one_that_still_waits_for_a_reply_is_not_used_again(start_node: Any, make_upstream: Any) -> None:
    node, _, pins = await pinned(start_node, make_upstream)
    node.answers["BLPOP"] = SILENCE
    connection = lease(pins)
    answers: list[Any] = []
    connection.ask(packed("BLPOP a 0"), 1, answers.append)
    await node.heard("BLPOP")
    pins.give_back(connection)
    assert (pins.count(), answers) == ((0, 0), [None])
    await node.until_closed(0)


async def test_their_number_is_bounded(start_node: Any, make_upstream: Any) -> None:
    _, _, pins = await pinned(start_node, make_upstream, max_pinned_connections=2)
    first = lease(pins)
    lease(pins)
    with pytest.raises(PinsFullError, match=r"all 2 pinned connections to 127\.0\.0\.1:\d+ are in use"):
        pins.lease(False)
    first.close()
    lease(pins)


async def test_few_wait_for_the_next_client(start_node: Any, make_upstream: Any) -> None:
    _, _, pins = await pinned(start_node, make_upstream)
    leased = [lease(pins) for _ in range(IDLE_MOST + 3)]
    for connection in leased:
        await ask(connection, "PING")
    for connection in leased:
        pins.give_back(connection)
    assert pins.count() == (0, IDLE_MOST)
    pins.close_idle()
    assert pins.count() == (0, 0)


async def test_those_that_no_client_needed_for_a_time_are_closed(start_node: Any, make_upstream: Any) -> None:
    _, _, pins = await pinned(start_node, make_upstream)
    leased = [lease(pins) for _ in range(5)]
    for connection in leased:
        await ask(connection, "PING")
    for connection in leased:
        pins.give_back(connection)
    began = pins.pool.turn.tick() + UNWANTED_AFTER
    pins.tick(began)
    assert pins.count() == (0, 5)
    again = [lease(pins), lease(pins)]
    for connection in again:
        pins.give_back(connection)
    pins.tick(began + UNWANTED_AFTER / 2)
    assert pins.count() == (0, 5)
    pins.tick(began + UNWANTED_AFTER)
    assert pins.count() == (0, 2)
    assert all(connection.is_open for connection in again)
    pins.tick(began + 2 * UNWANTED_AFTER)
    assert pins.count() == (0, 0)


async def test_a_client_may_block_at_an_endpoint_that_is_used_no_more(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pins = await pinned(start_node, make_upstream, op_timeout=0.05)
    node.answers["BLPOP"] = SILENCE
    connection = lease(pins)
    answers: list[Any] = []
    connection.ask(packed("BLPOP a 0"), 1, answers.append)
    await node.heard("BLPOP")
    upstream.cluster.pools.keep([])
    until = upstream.turn.tick() + 5 * upstream.cluster.op_timeout
    await upstream.until(lambda: upstream.turn.now > until)
    node.peers[0].send(b"$1\r\nb\r\n")
    await upstream.until(lambda: answers)
    assert answers == [[b"$1\r\nb\r\n"]]
    pins.give_back(connection)
    await node.until_closed(0)
    await upstream.until(lambda: upstream.cluster.pools.every() == [])


async def test_a_lost_connection_tells_who_waits_for_it(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pins = await pinned(start_node, make_upstream)
    node.answers["BLPOP"] = CLOSE
    connection = lease(pins)
    assert await ask(connection, "BLPOP a 0") is None
    assert (connection.reason, connection.is_open, pins.count()) == ("closed by the node", False, (0, 0))
    assert upstream.cluster.traffic.active == 0


async def test_an_idle_connection_that_the_node_closes_is_forgotten(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pins = await pinned(start_node, make_upstream)
    connection = lease(pins)
    await ask(connection, "PING")
    pins.give_back(connection)
    node.peers[0].close()
    await upstream.until(lambda: pins.count() == (0, 0))


@pytest.mark.parametrize("garbage", [b"what?\r\n", b"+1\r\n+2\r\n"])
async def test_garbage_ends_it(start_node: Any, make_upstream: Any, garbage: bytes) -> None:
    node, upstream, pins = await pinned(start_node, make_upstream)
    connection = lease(pins)
    await ask(connection, "PING")
    node.peers[0].send(garbage)
    await upstream.until(lambda: not connection.is_open)
    assert connection.reason == "broke the protocol"


async def test_an_endpoint_that_cannot_be_reached_is_backed_off_from(make_upstream: Any) -> None:
    upstream = make_upstream(topology_of((NOWHERE,)))
    pins = upstream.cluster.pools.get(NOWHERE, is_readonly=False).pins
    assert await ask(lease(pins), "PING") is None
    assert pins.pool.is_down()
    assert pins.lease(False) is None


async def test_closing_one_that_is_being_opened_is_no_failure(start_node: Any, make_upstream: Any) -> None:
    _, _, pins = await pinned(start_node, make_upstream)
    lease(pins).close()
    assert not pins.pool.is_down()
    assert pins.pool.failure == ""
