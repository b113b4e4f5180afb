"""Time limits of requests, and connections that have gone silent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rproxy.topology.refresh import RefreshPolicy, RefreshSchedule
from rproxy.topology.slots import SLOT_COUNT
from rproxy.upstream.failure import TIMEOUT
from rproxy.upstream.refresher import Refresher
from tests.support.fake_node import PATIENCE, SILENCE, Command, echo
from tests.support.upstream import topology_of


async def test_a_connection_that_stays_silent_is_replaced(start_node: Any, make_upstream: Any) -> None:
    node = await start_node()
    node.answers["GET"] = lambda command: SILENCE if len(node.peers) == 1 else echo(command)
    upstream = make_upstream(topology_of((node.endpoint,)), op_timeout=0.1)
    async with asyncio.timeout(PATIENCE):
        while (reply := await upstream.call("GET", "a")).startswith(b"-"):
            assert len(node.peers) <= 2
    assert reply == b"$1\r\na\r\n"


async def test_a_reply_that_breaks_off_is_not_completed_by_the_next(start_node: Any, make_upstream: Any) -> None:
    node = await start_node()
    parts = iter([b"*2\r\n$1\r\na\r\n"])
    node.answers["GET"] = lambda command: next(parts, None) or echo(command)
    upstream = make_upstream(topology_of((node.endpoint,)), op_timeout=0.1)
    assert (await upstream.call("GET", "a")).startswith(b"-ERR upstream ")
    await node.until_closed(0)
    assert await upstream.call("GET", "b") == b"$1\r\nb\r\n"


async def test_the_topology_is_read_while_requests_are_overdue(start_node: Any, make_upstream: Any) -> None:
    silent, heir = await start_node({"GET": SILENCE}), await start_node()
    upstream = make_upstream(topology_of((silent.endpoint, heir.endpoint)), op_timeout=0.1)
    schedule = RefreshSchedule(RefreshPolicy(cluster_refresh_rate=86400))
    upstream.cluster.refresher = Refresher(upstream.cluster, [], schedule)
    for _ in range(2):  # again and again: at first its heir may not know of it
        schedule.on_refreshed(upstream.turn.tick())
        await upstream.call("GET", "a")
        assert schedule.next_refresh_at(upstream.turn.now, 0.0) <= upstream.turn.now + 1
        assert upstream.cluster.known_endpoints() == [heir.endpoint, silent.endpoint]


async def test_a_connection_that_answers_some_requests_is_kept(start_node: Any, make_upstream: Any) -> None:
    go_on = asyncio.Event()

    async def held(command: Command) -> bytes:
        await go_on.wait()
        return echo(command)

    node = await start_node({"GET": held, "SET": echo})
    upstream = make_upstream(topology_of((node.endpoint,)), op_timeout=0.1)
    for _ in range(4):
        go_on.clear()
        assert b"gave no answer in time" in await upstream.call("GET", "a")
        go_on.set()
        assert await upstream.call("SET", "a", "b") == b"$1\r\nb\r\n"
    assert len(node.peers) == 1


@pytest.mark.late
async def test_a_late_reply_is_dropped_in_its_place(start_node: Any, make_upstream: Any) -> None:
    gate = asyncio.Event()

    async def late(command: Command) -> bytes:
        await gate.wait()
        return echo(command)

    node = await start_node({"GET": echo, "SLOW": late})
    upstream = make_upstream(topology_of((node.endpoint,)))
    assert await upstream.call("SLOW", "old") == TIMEOUT.line(str(node.endpoint))
    upstream.send("GET", "new")
    await node.heard("GET")
    gate.set()
    assert await upstream.replies.have(2) == [TIMEOUT.line(str(node.endpoint)), b"$3\r\nnew\r\n"]
    assert len(node.peers) == 1
    assert upstream.cluster.failures == {"timeout": 1}


async def test_each_request_has_its_own_deadline(start_node: Any, make_upstream: Any) -> None:
    gate = asyncio.Event()

    async def late(command: Command) -> bytes:
        await gate.wait()
        return echo(command)

    node = await start_node({"GET": late})
    upstream = make_upstream(topology_of((node.endpoint,)), op_timeout=0.6)
    upstream.send("GET", "old")
    await node.heard("GET")
    await asyncio.sleep(0.5)  # so long the younger one has after the older one has met its time limit
    upstream.send("GET", "young")
    assert await upstream.replies.have(1) == [TIMEOUT.line(str(node.endpoint))]
    gate.set()
    assert await upstream.replies.have(2) == [TIMEOUT.line(str(node.endpoint)), b"$5\r\nyoung\r\n"]


@pytest.mark.late
async def test_a_stuck_endpoint_does_not_disturb_another(start_node: Any, make_upstream: Any) -> None:
    first, second = await start_node({"GET": SILENCE}), await start_node({"GET": echo})
    upstream = make_upstream(topology_of((first.endpoint,), (second.endpoint,)))
    upstream.send("GET", "stuck", slot=0)
    assert await upstream.call("GET", "a", slot=SLOT_COUNT - 1) == b"$1\r\na\r\n"
    assert upstream.replies.of(0) == []
    assert (await upstream.replies.have(2))[0] == TIMEOUT.line(str(first.endpoint))
