"""A cluster before scripted nodes: redirections, retries, order, lost connections and swaps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.snapshot import NO_SHARD, Endpoint, Shard, Topology
from rproxy.upstream.cluster import HOP_LIMIT
from rproxy.upstream.failure import LOST, NO_TOPOLOGY, QUEUE_FULL, UNREACHABLE, UNSERVED_SLOT
from rproxy.upstream.request import Request
from rproxy.upstream.sink import MIRRORED
from tests.support.fake_node import CLOSE, SILENCE, Command, FakeNode, echo
from tests.support.upstream import Upstream, topology_of

NOWHERE = Endpoint("127.0.0.1", 1)
"""Where nobody listens."""
HIGH = 16383
"""A slot of the second of two shards."""


def moved(slot: int, endpoint: Endpoint | str) -> bytes:
    return f"-MOVED {slot} {endpoint}\r\n".encode()


def ask(slot: int, endpoint: Endpoint) -> bytes:
    return f"-ASK {slot} {endpoint}\r\n".encode()


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


# -- redirections


async def test_moved_is_followed_and_the_slot_corrected(start_node: Any, make_upstream: Any) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    first.answers["GET"] = moved(7, second.endpoint)
    assert await upstream.call("GET", "a", slot=7) == b"$1\r\na\r\n"
    assert await upstream.call("GET", "b", slot=7) == b"$1\r\nb\r\n"
    assert len(first.received) == 1
    assert upstream.cluster.topology.shard_of(7).primary == second.endpoint
    assert upstream.cluster.topology.shard_of(8).primary == first.endpoint
    assert upstream.cluster.redirections == {"moved": 1}
    assert upstream.cluster.retries == 1


async def test_moved_of_a_command_whose_key_was_not_known(start_node: Any, make_upstream: Any) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    first.answers["NEW"] = moved(HIGH, second.endpoint)
    assert await upstream.call("NEW", "key", slot=-1) == b"+OK\r\n"
    assert second.received == [(b"NEW", b"key")]


async def test_moved_to_an_endpoint_that_was_not_known(start_node: Any, make_upstream: Any) -> None:
    first, _, upstream = await two_shards(start_node, make_upstream)
    third = await start_node({"GET": echo})
    first.answers["GET"] = moved(7, third.endpoint)
    assert await upstream.call("GET", "a", slot=7) == b"$1\r\na\r\n"
    assert upstream.cluster.topology.shard_of(7) == Shard(third.endpoint)


async def test_a_script_does_not_lead_to_an_endpoint_that_is_not_known(start_node: Any, make_upstream: Any) -> None:
    first, _, upstream = await two_shards(start_node, make_upstream)
    stranger = await start_node()
    for line in (moved(7, stranger.endpoint), ask(7, stranger.endpoint)):
        first.answers["EVAL"] = line
        assert await upstream.call("EVAL", "return redis.error_reply(...)", "1", "a", slot=7) == line
    assert stranger.peers == []
    assert upstream.cluster.topology.shard_of(7).primary == first.endpoint


async def test_a_script_does_not_move_the_slot_of_another_key(start_node: Any, make_upstream: Any) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    first.answers["EVAL"] = moved(8, second.endpoint)
    assert await upstream.call("EVAL", "...", "1", "a", slot=7) == moved(8, second.endpoint)
    assert upstream.cluster.topology.shard_of(8).primary == first.endpoint


async def test_a_script_follows_its_slot_to_an_endpoint_that_others_were_sent_to(
    start_node: Any, make_upstream: Any
) -> None:
    first, _, upstream = await two_shards(start_node, make_upstream)
    newcomer = await start_node({"EVAL": b"+ran\r\n"})
    first.answers["EVAL"] = first.answers["GET"] = ask(7, newcomer.endpoint)
    await upstream.call("GET", "a", slot=7)
    assert await upstream.call("EVAL", "...", "1", "a", slot=7) == b"+ran\r\n"


@pytest.mark.parametrize("line", [moved, ask])
async def test_a_script_is_sent_on_when_its_node_says_the_same_of_the_key(
    start_node: Any, make_upstream: Any, line: Any
) -> None:
    """As in a failover that no other node knows of yet."""
    first, _, upstream = await two_shards(start_node, make_upstream)
    newcomer = await start_node({"EVAL": b"+ran\r\n"})
    first.answers["EVAL"] = first.answers["EXISTS"] = line(7, newcomer.endpoint)
    assert await upstream.call("EVAL", "...", "1", "a", slot=7) == b"+ran\r\n"
    assert (b"EXISTS", b"a") in first.received
    assert newcomer.received.count((b"EVAL", b"...", b"1", b"a")) == 1


async def test_moved_without_a_host_means_the_host_that_was_asked(start_node: Any, make_upstream: Any) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    first.answers["GET"] = moved(7, f":{second.endpoint.port}")
    assert await upstream.call("GET", "a", slot=7) == b"$1\r\na\r\n"
    assert second.received == [(b"GET", b"a")]


async def test_a_moved_that_makes_no_sense_is_an_ordinary_error(start_node: Any, make_upstream: Any) -> None:
    first, _, upstream = await two_shards(start_node, make_upstream)
    first.answers["GET"] = b"-MOVED 7 nowhere\r\n"
    assert await upstream.call("GET", "a", slot=7) == b"-MOVED 7 nowhere\r\n"
    assert upstream.stats.error == 1


async def test_moved_in_a_circle_ends_after_the_hop_limit_with_the_error_itself(
    start_node: Any, make_upstream: Any
) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    first.answers["GET"], second.answers["GET"] = moved(7, second.endpoint), moved(7, first.endpoint)
    answer = await upstream.call("GET", "a", slot=7)
    assert answer in (moved(7, first.endpoint), moved(7, second.endpoint))
    assert len(first.received) + len(second.received) == HOP_LIMIT + 1


async def test_the_reply_of_a_redirected_request_is_counted_once(start_node: Any, make_upstream: Any) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    first.answers["GET"] = moved(7, second.endpoint)
    await upstream.call("GET", "a", slot=7)
    assert (upstream.stats.success, upstream.stats.error) == (1, 0)


async def test_redirections_go_to_the_client_when_they_are_not_to_be_followed(
    start_node: Any, make_upstream: Any
) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream, follows_redirections=False)
    first.answers["GET"] = moved(7, second.endpoint)
    assert await upstream.call("GET", "a", slot=7) == moved(7, second.endpoint)
    assert second.received == []
    assert upstream.cluster.redirections == {}


async def test_the_order_of_a_slot_is_kept_while_it_moves(start_node: Any, make_upstream: Any) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    first.answers["RPUSH"] = moved(7, second.endpoint)
    # What is already in flight when the first MOVED comes is followed by what is sent after it.
    for number in range(20):
        upstream.send("RPUSH", "a", str(number), slot=7)
    await upstream.replies.have(1)
    for number in range(20, 40):
        upstream.send("RPUSH", "a", str(number), slot=7)
    await upstream.replies.have(40)
    assert [int(command[2]) for command in second.received] == list(range(40))


async def test_what_the_former_owner_has_yet_to_redirect_is_waited_for(start_node: Any, make_upstream: Any) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    may_answer = asyncio.Event()

    async def slowly(command: Command) -> bytes:
        if command[2] != b"0":
            await may_answer.wait()
        return moved(7, second.endpoint)

    first.answers["RPUSH"] = slowly
    for number in range(3):
        upstream.send("RPUSH", "a", str(number), slot=7)
    await upstream.until(lambda: upstream.cluster.has_parked)
    upstream.cluster.tick()
    for number in range(3, 6):
        upstream.send("RPUSH", "a", str(number), slot=7)
    assert await upstream.call("GET", "b", slot=HIGH) == b"$1\r\nb\r\n"
    may_answer.set()
    await upstream.replies.have(7)
    assert [int(command[2]) for command in second.received if command[0] == b"RPUSH"] == list(range(6))


async def test_ask_is_followed_once_with_asking_just_before_the_command(start_node: Any, make_upstream: Any) -> None:
    first, second, upstream = await two_shards(start_node, make_upstream)
    first.answers["GET"] = ask(7, second.endpoint)
    for key in "abc":
        upstream.send("GET", key, slot=7)
        upstream.send("GET", "other", slot=HIGH)
    assert await upstream.replies.have(6)
    asked = [index for index, command in enumerate(second.received) if command[1:] in [(b"a",), (b"b",), (b"c",)]]
    assert len(asked) == 3
    assert all(second.received[index - 1] == (b"ASKING",) for index in asked)
    assert second.count("ASKING") == 3
    assert len(second.peers) == 1
    assert upstream.cluster.topology.shard_of(7).primary == first.endpoint
    assert [upstream.replies.of(token)[0] for token in (0, 2, 4)] == [b"$1\r\na\r\n", b"$1\r\nb\r\n", b"$1\r\nc\r\n"]


async def test_who_is_asked_on_does_not_overtake_who_waits(start_node: Any, make_upstream: Any) -> None:
    """Half of the keys of a command have moved, and what is in flight behind it is about one of those."""
    first, second, upstream = await two_shards(start_node, make_upstream)
    half_way = b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n"
    first.answers |= {"MSET": [*[half_way] * (HOP_LIMIT + 1), ask(7, second.endpoint)], "GET": ask(7, second.endpoint)}
    upstream.send("MSET", "a", "1", "b", "1", slot=7)
    upstream.send("GET", "a", slot=7)
    assert await upstream.replies.have(2)
    assert [command[0] for command in second.received if command[0] != b"ASKING"] == [b"MSET", b"GET"]
    assert upstream.replies.of(1) == [b"$1\r\na\r\n"]


@pytest.mark.parametrize("kind", ["TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"])
async def test_a_passing_trouble_is_waited_for(start_node: Any, make_upstream: Any, kind: str) -> None:
    trouble = f"-{kind} not now\r\n".encode()
    node = await start_node({"SET": [trouble, trouble, b"+DONE\r\n"]})
    upstream = make_upstream(topology_of((node.endpoint,)))
    assert await upstream.call("SET", "a", "1") == b"+DONE\r\n"
    assert node.count("SET") == 3
    assert upstream.cluster.redirections == {kind.lower(): 2}


@pytest.mark.late
async def test_a_trouble_that_does_not_pass_is_answered_in_the_nodes_own_words(
    start_node: Any, make_upstream: Any
) -> None:
    node = await start_node({"SET": b"-LOADING Redis is loading the dataset in memory\r\n"})
    upstream = make_upstream(topology_of((node.endpoint,)))
    assert await upstream.call("SET", "a", "1") == b"-LOADING Redis is loading the dataset in memory\r\n"
    assert node.count("SET")
    assert (upstream.stats.error, upstream.stats.success) == (1, 0)


async def test_waiting_does_not_use_up_the_hops_of_a_request(start_node: Any, make_upstream: Any) -> None:
    """A failover: the node is in trouble for many rounds, then the slot has moved."""
    first, second, upstream = await two_shards(start_node, make_upstream)
    first.answers["GET"] = [b"-CLUSTERDOWN The cluster is down\r\n"] * (HOP_LIMIT + 1) + [moved(7, second.endpoint)]
    assert await upstream.call("GET", "a", slot=7) == b"$1\r\na\r\n"


async def test_who_waits_is_not_overtaken_in_its_slot(start_node: Any, make_upstream: Any) -> None:
    node = await start_node({"RPUSH": [b"-TRYAGAIN not now\r\n", b"+OK\r\n"]})
    upstream = make_upstream(topology_of((node.endpoint,)))
    upstream.send("RPUSH", "a", "0", slot=1)
    await upstream.until(lambda: upstream.cluster.has_parked)
    for number in range(1, 5):
        upstream.send("RPUSH", "a", str(number), slot=1)
    await upstream.call("GET", "b", slot=2)
    assert upstream.replies.delivered == [(5, b"+OK\r\n")]
    await upstream.replies.have(6)
    assert [int(command[2]) for command in node.received if command[0] == b"RPUSH"] == [0, 0, 1, 2, 3, 4]


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
    assert upstream.cluster.in_flight() == 0


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
