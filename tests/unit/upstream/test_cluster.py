"""A cluster before scripted nodes: retries, lost connections and swaps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.snapshot import NO_SHARD, Endpoint, Shard, Topology
from rproxy.upstream.failure import LOST, NO_TOPOLOGY, QUEUE_FULL, UNREACHABLE, UNSERVED_SLOT
from rproxy.upstream.request import Request
from rproxy.upstream.sink import MIRRORED
from tests.support.fake_node import CLOSE, SILENCE, Command, FakeNode, echo
from tests.support.upstream import Upstream, topology_of

NOWHERE = Endpoint("127.0.0.1", 1)
"""Where nobody listens."""
HIGH = 16383
"""A slot of the second of two shards."""


async def two_shards(start_node: Any, make_upstream: Any, **keywords: Any) -> tuple[FakeNode, FakeNode, Upstream]:
    first, second = await start_node({"GET": echo}), await start_node({"GET": echo})
    return first, second, make_upstream(topology_of((first.endpoint,), (second.endpoint,)), **keywords)


async def test_a_request_goes_to_the_primary_of_its_slot(start_node: Any, make_upstream: Any) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    assert await upstream.call("GET", "a", slot=0) == b"$1\r\na\r\n"
    assert await upstream.call("GET", "b", slot=HIGH) == b"$1\r\nb\r\n"
    assert (first.received, second.received) == ([(b"GET", b"a")], [(b"GET", b"b")])


async def test_a_request_without_keys_goes_to_any_shard(start_node: Any, make_upstream: Any) -> None:
    first, _, upstream = await two_shards(start_node, make_upstream)
    await upstream.call("WAIT", slot=-1)
    assert first.received == [(b"WAIT",)]


# -- what cannot be sent


async def test_before_a_topology_is_known_every_request_is_answered_so(make_upstream: Any) -> None:
    upstream = make_upstream()
    assert await upstream.call("GET", "a") == NO_TOPOLOGY.line("main")
    assert await upstream.call("DBSIZE", slot=-1) == NO_TOPOLOGY.line("main")
    assert upstream.cluster.failures == {"no_topology": 2}
    assert (upstream.stats.error, upstream.stats.success) == (2, 0)


async def test_a_slot_that_no_shard_serves_is_answered_so(start_node: Any, make_upstream: Any) -> None:
    node = await start_node()
    upstream = make_upstream(Topology((Shard(node.endpoint),), (0,) + (NO_SHARD,) * 16383))
    assert await upstream.call("GET", "a", slot=1) == UNSERVED_SLOT.line()
    assert await upstream.call("GET", "a", slot=0) == b"+OK\r\n"


def without_high(topology: Topology) -> Topology:
    """The same with ``HIGH`` served by nobody."""
    return Topology(topology.shards, (*topology.slots[:HIGH], NO_SHARD))


async def test_requests_of_a_slot_that_lost_its_owner_wait_for_the_next_in_order(
    start_node: Any, make_upstream: Any
) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    whole = upstream.cluster.topology
    upstream.cluster.swap(without_high(whole))
    upstream.send("SET", "a", "1", slot=HIGH)
    upstream.send("SET", "a", "2", slot=HIGH)
    assert await upstream.call("GET", "b", slot=0) == b"$1\r\nb\r\n"
    assert len(upstream.cluster.parking) == 2
    upstream.cluster.swap(whole)
    upstream.send("SET", "a", "3", slot=HIGH)
    assert await upstream.replies.have(4) == [b"+OK\r\n", b"+OK\r\n", b"$1\r\nb\r\n", b"+OK\r\n"]
    assert second.received == [(b"SET", b"a", value) for value in (b"1", b"2", b"3")]
    assert first.received == [(b"GET", b"b")]
    assert upstream.cluster.failures == {}


async def test_the_line_for_a_slot_that_lost_its_owner_is_bounded(start_node: Any, make_upstream: Any) -> None:
    *_, upstream = await two_shards(start_node, make_upstream, max_parked=1)
    whole = upstream.cluster.topology
    upstream.cluster.swap(without_high(whole))
    upstream.send("GET", "a", slot=HIGH)
    assert await upstream.call("GET", "b", slot=HIGH) == QUEUE_FULL.line("main")
    upstream.cluster.swap(whole)
    assert await upstream.replies.have(2) == [b"$1\r\na\r\n", QUEUE_FULL.line("main")]


@pytest.mark.late
async def test_a_slot_that_stays_without_an_owner_is_soon_answered_as_by_redis(
    start_node: Any, make_upstream: Any
) -> None:
    *_, upstream = await two_shards(start_node, make_upstream)
    upstream.cluster.swap(without_high(upstream.cluster.topology))
    waited = await upstream.call("GET", "a", slot=HIGH)
    assert waited in (UNSERVED_SLOT.line(), UNREACHABLE.line("main", "nothing serves the slot"))
    await upstream.until(lambda: not upstream.cluster.awaits_owners())
    upstream.send("GET", "a", slot=HIGH)
    assert upstream.replies.delivered[-1] == (1, UNSERVED_SLOT.line())


@pytest.mark.late
async def test_a_request_waits_for_its_endpoint_until_its_deadline(make_upstream: Any) -> None:
    upstream = make_upstream(topology_of((NOWHERE,)))
    answer = await upstream.call("SET", "a", "1")
    assert answer.startswith(
        b"-CLUSTERDOWN no endpoint of cluster 'main' could take the command in time (127.0.0.1:1: "
    )
    assert answer.endswith(b"it was not executed\r\n")
    assert upstream.cluster.traffic.failed


async def test_a_request_that_waits_is_served_when_the_endpoint_comes_back(start_node: Any, make_upstream: Any) -> None:
    node = await start_node()
    await node.stop()
    upstream = make_upstream(topology_of((node.endpoint,)))
    upstream.send("SET", "a", "1")
    await upstream.until(lambda: upstream.cluster.traffic.failed)
    await node.start()
    assert await upstream.replies.have(1) == [b"+OK\r\n"]


async def test_a_waiting_request_is_sent_on_when_its_slot_gets_a_new_primary(
    start_node: Any, make_upstream: Any
) -> None:
    promoted = await start_node()
    upstream = make_upstream(topology_of((NOWHERE, promoted.endpoint)))
    upstream.send("SET", "a", "1")
    await upstream.until(lambda: upstream.cluster.traffic.failed)
    upstream.cluster.swap(topology_of((promoted.endpoint,)))
    assert await upstream.replies.have(1) == [b"+OK\r\n"]
    assert not upstream.cluster.has_parked


async def test_the_line_of_waiting_requests_is_bounded(make_upstream: Any) -> None:
    upstream = make_upstream(topology_of((NOWHERE,)), max_parked=2)
    upstream.send("GET", "a")
    await upstream.until(lambda: upstream.cluster.traffic.failed)
    upstream.send("GET", "b")
    upstream.send("GET", "c")
    assert upstream.replies.delivered == [(2, QUEUE_FULL.line("main"))]
    assert len(upstream.cluster.parking) == 2


async def test_a_full_connection_makes_requests_wait(start_node: Any, make_upstream: Any) -> None:
    gate = asyncio.Event()

    async def later(command: Command) -> bytes:
        await gate.wait()
        return echo(command)

    node = await start_node({"GET": later})
    upstream = make_upstream(topology_of((node.endpoint,)), max_in_flight=1)
    for key in "abc":
        upstream.send("GET", key)
    await node.heard("GET")
    assert len(upstream.cluster.parking) == 2
    gate.set()
    assert await upstream.replies.have(3) == [b"$1\r\na\r\n", b"$1\r\nb\r\n", b"$1\r\nc\r\n"]
    assert [command[1] for command in node.received] == [b"a", b"b", b"c"]


# -- lost connections


async def test_a_write_in_flight_may_have_been_executed(start_node: Any, make_upstream: Any) -> None:
    node = await start_node({"SET": CLOSE})
    upstream = make_upstream(topology_of((node.endpoint,)))
    assert await upstream.call("SET", "a", "1") == LOST.line(str(node.endpoint), "closed by the node")
    assert node.count("SET") == 1
    assert upstream.cluster.failures == {"connection_lost": 1}
    assert upstream.stats.error == 1


async def test_a_read_in_flight_is_sent_again(start_node: Any, make_upstream: Any) -> None:
    node = await start_node({"GET": [CLOSE, b"$1\r\nv\r\n"]})
    upstream = make_upstream(topology_of((node.endpoint,)))
    assert await upstream.call("GET", "a", is_read=True) == b"$1\r\nv\r\n"
    assert node.count("GET") == 2
    assert upstream.cluster.retries == 1


async def test_a_read_that_kills_every_connection_is_given_up(start_node: Any, make_upstream: Any) -> None:
    node = await start_node({"GET": CLOSE})
    upstream = make_upstream(topology_of((node.endpoint,)))
    assert await upstream.call("GET", "a", is_read=True) == LOST.line(str(node.endpoint), "closed by the node")
    assert node.count("GET") == 2


async def test_after_a_loss_the_next_request_opens_a_new_connection(start_node: Any, make_upstream: Any) -> None:
    node = await start_node({"SET": [CLOSE, b"+OK\r\n"]})
    upstream = make_upstream(topology_of((node.endpoint,)))
    await upstream.call("SET", "a", "1")
    assert await upstream.call("SET", "a", "2") == b"+OK\r\n"
    assert len(node.peers) == 2
    assert (upstream.cluster.traffic.opened, upstream.cluster.traffic.active) == (2, 1)


async def test_of_a_lost_connection_every_request_gets_its_own_answer(start_node: Any, make_upstream: Any) -> None:
    gate = asyncio.Event()

    async def die(command: Command) -> bytes:
        await gate.wait()
        return CLOSE

    node = await start_node({"GET": echo, "DIE": die})
    upstream = make_upstream(topology_of((node.endpoint,)))
    upstream.send("DIE")
    upstream.send("SET", "a", "1", slot=1)
    upstream.send("GET", "b", slot=2, is_read=True)
    upstream.send("SET", "c", "1", slot=3)
    await node.heard("SET", 2)
    gate.set()
    lost = LOST.line(str(node.endpoint), "closed by the node")
    assert await upstream.replies.have(4) == [lost, lost, b"$1\r\nb\r\n", lost]
    assert node.count("SET") == 2


# -- read policies and mirrors


async def test_reads_go_to_replicas_after_readonly_and_writes_never_do(start_node: Any, make_upstream: Any) -> None:
    primary, replica = await start_node(), await start_node()
    upstream = make_upstream(topology_of((primary.endpoint, replica.endpoint)), read_policy=ReadPolicy.REPLICA)
    await upstream.call("GET", "a", is_read=True)
    await upstream.call("SET", "a", "1")
    assert replica.received == [(b"READONLY",), (b"GET", b"a")]
    assert primary.received == [(b"SET", b"a", b"1")]


async def test_a_read_prefers_an_endpoint_that_is_up(start_node: Any, make_upstream: Any) -> None:
    primary = await start_node()
    upstream = make_upstream(topology_of((primary.endpoint, NOWHERE)), read_policy=ReadPolicy.PREFER_REPLICA)
    assert await upstream.call("GET", "a", is_read=True) == b"+OK\r\n"
    assert primary.received == [(b"GET", b"a")]


async def test_reads_take_turns_among_replicas(start_node: Any, make_upstream: Any) -> None:
    replicas = [await start_node(), await start_node()]
    topology = topology_of((NOWHERE, *(replica.endpoint for replica in replicas)))
    upstream = make_upstream(topology, read_policy=ReadPolicy.REPLICA)
    for _ in range(6):
        await upstream.call("GET", "a", is_read=True)
    assert [replica.count("GET") for replica in replicas] == [3, 3]


@pytest.mark.late
async def test_a_replica_policy_without_replicas_never_reads_from_the_primary(
    start_node: Any, make_upstream: Any
) -> None:
    primary = await start_node()
    upstream = make_upstream(topology_of((primary.endpoint,)), read_policy=ReadPolicy.REPLICA)
    line = UNREACHABLE.line("main", "read_policy replica and no replica")
    assert await upstream.call("GET", "a", is_read=True) == line
    assert primary.received == []


async def test_replica_connections_are_those_of_replicas_that_are_up(start_node: Any, make_upstream: Any) -> None:
    primary, replica = await start_node(), await start_node()
    upstream = make_upstream(topology_of((primary.endpoint, NOWHERE, replica.endpoint)))
    assert len(upstream.cluster.replica_connections(0)) == 2
    await upstream.until(lambda: upstream.cluster.traffic.failed)
    (connection,) = upstream.cluster.replica_connections(0)
    assert connection.pool.endpoint == replica.endpoint
    await replica.heard("READONLY")


async def test_a_mirrored_request_never_waits(make_upstream: Any) -> None:
    upstream = make_upstream(topology_of((NOWHERE,)))
    upstream.send("GET", "a")
    await upstream.until(lambda: upstream.cluster.traffic.failed)
    now = upstream.turn.tick()
    upstream.cluster.submit(Request(b"x", MIRRORED, 0, None, 0, False, 0, now))
    assert len(upstream.cluster.parking) == 1
    assert upstream.cluster.failures["queue_full"] == 1


# -- swaps


async def test_a_swap_keeps_the_pools_that_stay_and_retires_others_without_losing_replies(
    start_node: Any, make_upstream: Any
) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    gate = asyncio.Event()

    async def later(command: Command) -> bytes:
        await gate.wait()
        return echo(command)

    first.answers["GET"] = second.answers["GET"] = later
    upstream.send("GET", "a", slot=0)
    upstream.send("GET", "b", slot=HIGH)
    await first.heard("GET")
    await second.heard("GET")
    upstream.cluster.swap(topology_of((first.endpoint,)))
    second.answers["GET"] = first.answers["GET"] = echo
    upstream.send("GET", "c", slot=HIGH)
    gate.set()
    assert await upstream.replies.have(3) == [b"$1\r\na\r\n", b"$1\r\nb\r\n", b"$1\r\nc\r\n"]
    assert len(first.peers) == 1
    assert second.count("GET") == 1
    await upstream.until(lambda: upstream.cluster.traffic.active == 1)
    assert upstream.cluster.pools.in_flight() == 0


async def test_a_promoted_replica_gets_connections_without_readonly(start_node: Any, make_upstream: Any) -> None:
    primary, replica = await start_node(), await start_node()
    upstream = make_upstream(topology_of((primary.endpoint, replica.endpoint)), read_policy=ReadPolicy.REPLICA)
    await upstream.call("GET", "a", is_read=True)
    upstream.cluster.swap(topology_of((replica.endpoint, primary.endpoint)))
    await upstream.call("SET", "a", "1")
    assert [peer.commands for peer in replica.peers] == [[(b"READONLY",), (b"GET", b"a")], [(b"SET", b"a", b"1")]]
    await upstream.call("GET", "a", is_read=True)
    assert primary.received == [(b"READONLY",), (b"GET", b"a")]


async def test_the_same_topology_again_changes_nothing(start_node: Any, make_upstream: Any) -> None:
    node = await start_node()
    upstream = make_upstream(topology_of((node.endpoint,)))
    await upstream.call("GET", "a")
    upstream.cluster.swap(topology_of((node.endpoint,)))
    await upstream.call("GET", "a")
    assert len(node.peers) == 1


# -- for the rest of the proxy


async def test_it_says_whether_one_shard_serves_all_slots(start_node: Any, make_upstream: Any) -> None:
    upstream = make_upstream(topology_of((NOWHERE,)))
    assert upstream.cluster.is_single
    upstream.cluster.swap(topology_of((NOWHERE,), (Endpoint("127.0.0.1", 2),)))
    assert not upstream.cluster.is_single
    assert upstream.cluster.shard_slots() == [0, 8192]


async def test_closing_answers_what_is_in_flight(start_node: Any, make_upstream: Any) -> None:
    first, _, upstream = await two_shards(start_node, make_upstream)
    first.answers["SET"] = SILENCE
    upstream.send("SET", "a", "1", slot=0)
    await first.heard("SET")
    upstream.cluster.close()
    assert upstream.replies.delivered == [(0, LOST.line(str(first.endpoint), "rproxy is stopping"))]
    assert upstream.cluster.traffic.active == 0


async def test_its_description_names_endpoints_roles_and_failures(start_node: Any, make_upstream: Any) -> None:
    primary = await start_node()
    upstream = make_upstream(topology_of((primary.endpoint, NOWHERE)), read_policy=ReadPolicy.REPLICA, op_timeout=0.05)
    await upstream.call("SET", "a", "1")
    await upstream.call("GET", "a", is_read=True)
    described = upstream.cluster.describe()
    assert (described["name"], described["read_policy"]) == ("main", "replica")
    assert (described["covered_slots"], described["parked"]) == (16384, 0)
    up, down = sorted(described["endpoints"], key=lambda endpoint: endpoint["role"])
    assert up == {
        "address": str(primary.endpoint),
        "role": "primary",
        "state": "up",
        "connections": 1,
        "in_flight": 0,
        "pinned": 0,
        "failure": "",
    }
    assert (down["address"], down["role"], down["state"], down["connections"]) == ("127.0.0.1:1", "replica", "down", 0)
    assert down["failure"]
    assert upstream.cluster.known_endpoints() == [primary.endpoint, NOWHERE]


async def test_of_a_primary_that_is_down_the_replicas_are_known_first(start_node: Any, make_upstream: Any) -> None:
    """One of them takes its place, and is the first to know."""
    other, replica = await start_node(), await start_node()
    upstream = make_upstream(topology_of((other.endpoint,), (NOWHERE, replica.endpoint)))
    upstream.send("SET", "b", "1", slot=16383)
    await upstream.until(lambda: upstream.cluster.traffic.failed)
    assert upstream.cluster.known_endpoints() == [replica.endpoint, other.endpoint, NOWHERE]
