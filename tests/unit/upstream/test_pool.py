"""The pool of an endpoint: which connection a session gets, how it is opened, and what follows a failure."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.pool import BACKOFF_FIRST, BACKOFF_MOST, Pool
from tests.support.fake_node import SILENCE, FakeNode
from tests.support.upstream import HandSet, Upstream, topology_of

NOWHERE = Endpoint("127.0.0.1", 1)


def pool_of(upstream: Upstream, endpoint: Endpoint, is_readonly: bool = False) -> Pool:
    return upstream.cluster.pools.get(endpoint, is_readonly)


async def connected(start_node: Any, make_upstream: Any, **settings: Any) -> tuple[FakeNode, Upstream, Pool]:
    node = await start_node()
    upstream = make_upstream(topology_of((node.endpoint,)), **settings)
    return node, upstream, pool_of(upstream, node.endpoint)


async def test_nothing_is_opened_before_it_is_needed(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool = await connected(start_node, make_upstream)
    assert (pool.connections(), node.peers, upstream.cluster.traffic.opened) == ([], [], 0)


async def test_a_session_keeps_its_connection_and_its_resp_version(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool = await connected(start_node, make_upstream, connections_per_endpoint=2)
    for affinity in range(8):
        await upstream.call("GET", str(affinity), affinity=affinity)
    assert len(pool.connections()) == 4
    by_first_key = {peer.commands[-1][1]: peer.commands for peer in node.peers}
    assert [by_first_key[key] for key in (b"4", b"5", b"6", b"7")] == [
        [(b"GET", b"0"), (b"GET", b"4")],
        [(b"HELLO", b"3"), (b"GET", b"1"), (b"GET", b"5")],
        [(b"GET", b"2"), (b"GET", b"6")],
        [(b"HELLO", b"3"), (b"GET", b"3"), (b"GET", b"7")],
    ]


async def test_a_connection_takes_requests_while_it_is_being_opened(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool = await connected(start_node, make_upstream, password="secret", username="app")
    first, again = pool.pick(0), pool.pick(0)
    assert first is again
    assert not first.was_open
    upstream.send("GET", "a")
    upstream.send("GET", "b")
    await upstream.replies.have(2)
    assert node.received == [(b"AUTH", b"app", b"secret"), (b"GET", b"a"), (b"GET", b"b")]
    assert first.was_open


async def test_replicas_are_spoken_to_after_readonly_in_either_version(start_node: Any, make_upstream: Any) -> None:
    node, upstream, _ = await connected(start_node, make_upstream)
    pool = pool_of(upstream, node.endpoint, is_readonly=True)
    for affinity in (0, 1):
        connection = pool.pick(affinity)
        await upstream.until(lambda: connection.was_open)  # noqa: B023 - awaited within the turn of the loop
    assert [peer.commands for peer in node.peers] == [[(b"READONLY",)], [(b"HELLO", b"3"), (b"READONLY",)]]


async def test_a_full_connection_is_not_picked(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool = await connected(start_node, make_upstream, max_in_flight=2)
    node.answers["GET"] = SILENCE
    for key in "ab":
        upstream.send("GET", key)
    assert pool.pick(0) is None
    assert pool.pick(1) is not None
    assert pool.in_flight() == 2


async def test_an_endpoint_that_cannot_be_reached_is_backed_off_from(make_upstream: Any) -> None:
    turn = HandSet(asyncio.get_running_loop())
    upstream = make_upstream(topology_of((NOWHERE,)), turn=turn)
    pool = pool_of(upstream, NOWHERE)
    pauses = [min(BACKOFF_FIRST * 2**failures, BACKOFF_MOST) / 2 for failures in range(8)]  # the least of the jitter
    assert pauses[-1] == BACKOFF_MOST / 2
    for pause in pauses:
        assert pool.pick(0) is not None
        await upstream.until(lambda: not pool.connections())
        assert (pool.is_down(), pool.failure) == (True, "Connection refused")
        turn.now += 0.99 * pause
        assert pool.pick(0) is None
        turn.now += 0.02 * pause
    assert upstream.cluster.traffic.failed == len(pauses)


async def test_the_first_success_ends_the_back_off(
    start_node: Any, make_upstream: Any, caplog: pytest.LogCaptureFixture
) -> None:
    node, upstream, pool = await connected(start_node, make_upstream)
    await node.stop()
    with caplog.at_level(logging.INFO, "rproxy.upstream"):
        upstream.send("GET", "a")
        await upstream.until(pool.is_down)
        await upstream.until(lambda: upstream.cluster.traffic.failed > 2)
        await node.start()
        await upstream.replies.have(1)
    assert (pool.is_down(), pool.failure) == (False, "")
    assert caplog.messages == [
        f"cluster main: {node.endpoint}: Connection refused",
        f"cluster main: {node.endpoint} can be reached again",
    ]


@pytest.mark.late
async def test_a_refused_handshake_counts_as_a_failure(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool = await connected(start_node, make_upstream, password="secret")
    node.answers["AUTH"] = b"-WRONGPASS invalid username-password pair\r\n"
    answer = await upstream.call("SET", "a", "1")
    assert b"AUTH was refused: WRONGPASS invalid username-password pair" in answer
    assert b"secret" not in answer
    assert node.count("SET") == 0
    assert pool.is_down()


@pytest.mark.late
async def test_a_refusal_is_logged_once(start_node: Any, make_upstream: Any, caplog: pytest.LogCaptureFixture) -> None:
    node, upstream, _ = await connected(start_node, make_upstream, password="secret")
    node.answers["AUTH"] = b"-WRONGPASS invalid\r\n"
    upstream.send("SET", "a", "1")
    upstream.send("SET", "a", "1", affinity=1)
    await upstream.until(lambda: node.count("AUTH") > 1)
    (record,) = caplog.records
    assert record.getMessage() == f"cluster main: {node.endpoint}: AUTH was refused: WRONGPASS invalid"
    await upstream.replies.have(2)


async def test_a_lost_connection_is_no_reason_to_back_off(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool = await connected(start_node, make_upstream)
    await upstream.call("GET", "a")
    node.peers[0].close()
    await upstream.until(lambda: not pool.connections())
    assert (pool.failure, pool.is_down()) == ("closed by the node", False)
    assert await upstream.call("GET", "a") == b"+OK\r\n"


async def test_a_retired_pool_closes_when_its_last_reply_has_come(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool = await connected(start_node, make_upstream)
    node.answers["GET"] = SILENCE
    upstream.send("GET", "a")
    await node.heard("GET")
    assert not pool.retire()
    assert pool.pick(1) is None
    node.peers[0].send(b"+LATE\r\n")
    await upstream.replies.have(1)
    assert pool.retire()
    assert upstream.cluster.traffic.active == 0


async def test_a_pool_may_be_retired_while_it_dials(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool = await connected(start_node, make_upstream, password="x")
    node.answers["AUTH"] = [SILENCE, b"+OK\r\n"]
    connection = pool.pick(0)
    await node.heard("AUTH")
    assert pool.retire()
    node.peers[0].send(b"+OK\r\n")
    await node.until_closed(0)
    assert not connection.was_open
    assert upstream.cluster.traffic.active == 0


async def test_closing_ends_attempts_too(start_node: Any, make_upstream: Any) -> None:
    node, upstream, _ = await connected(start_node, make_upstream, password="x")
    node.answers["AUTH"] = SILENCE
    upstream.send("SET", "a", "1")
    await node.heard("AUTH")
    upstream.cluster.close()
    assert b"rproxy is stopping" in (await upstream.replies.have(1))[0]
    await node.until_closed(0)


async def test_its_description(start_node: Any, make_upstream: Any) -> None:
    node, upstream, pool = await connected(start_node, make_upstream)
    node.answers["SET"] = SILENCE
    upstream.send("SET", "a", "1")
    await node.heard("SET")
    described = {
        "address": str(node.endpoint),
        "role": "primary",
        "state": "up",
        "connections": 1,
        "in_flight": 1,
        "pinned": 0,
        "failure": "",
    }
    assert pool.describe() == described
