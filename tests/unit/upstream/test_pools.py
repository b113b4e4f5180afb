"""Which pools a cluster has, and what becomes of those that the topology has no use for any more."""

from __future__ import annotations

from typing import Any

from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.pool import PoolState
from tests.support.fake_node import SILENCE, echo
from tests.support.upstream import topology_of

FIRST, SECOND = Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)


async def test_there_is_one_for_each_endpoint_and_role(make_upstream: Any) -> None:
    pools = make_upstream().cluster.pools
    assert (pools.find(FIRST, False), pools.knows(FIRST)) == (None, False)
    primary = pools.get(FIRST, is_readonly=False)
    assert pools.get(FIRST, False) is pools.find(FIRST, False) is primary
    assert pools.get(FIRST, is_readonly=True) is not primary
    assert (pools.knows(FIRST), pools.knows(SECOND)) == (True, False)
    assert len(pools.in_force()) == 2


async def test_what_is_not_kept_closes_at_once_if_nothing_is_in_flight(make_upstream: Any) -> None:
    pools = make_upstream().cluster.pools
    kept, left = pools.get(FIRST, False), pools.get(SECOND, False)
    pools.keep([kept])
    assert (pools.in_force(), pools.every(), pools.knows(SECOND)) == ([kept], [kept, left], False)
    pools.close_retired()
    assert (left.state, pools.every()) == (PoolState.CLOSED, [kept])
    assert pools.get(SECOND, False) is not left


async def test_what_is_in_flight_is_answered_by_a_pool_that_was_not_kept(start_node: Any, make_upstream: Any) -> None:
    node = await start_node({"GET": SILENCE})
    upstream = make_upstream(topology_of((node.endpoint,)))
    pools = upstream.cluster.pools
    upstream.send("GET", "a")
    await node.heard("GET")
    pools.keep([])
    pools.close_retired()
    assert (pools.in_flight(), pools.in_force(), len(pools.every())) == (1, [], 1)
    node.peers[0].send(echo((b"GET", b"a")))
    assert await upstream.replies.have(1) == [b"$1\r\na\r\n"]
    await upstream.until(lambda: pools.every() == [])
    assert pools.pinned() == (0, 0)
