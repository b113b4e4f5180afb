"""Redirections before scripted nodes: whom they are followed to, in which order, how often, and when they are not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rproxy.topology.snapshot import Endpoint, Shard
from rproxy.upstream import following
from rproxy.upstream.following import DOUBTS_MOST, HOP_LIMIT
from tests.support.fake_node import CLOSE, Command, FakeNode, echo
from tests.support.upstream import Upstream, topology_of

HIGH = 16383
"""A slot of the second of two shards."""


def moved(slot: int, endpoint: Endpoint | str) -> bytes:
    return f"-MOVED {slot} {endpoint}\r\n".encode()


def ask(slot: int, endpoint: Endpoint) -> bytes:
    return f"-ASK {slot} {endpoint}\r\n".encode()


async def two_shards(start_node: Any, make_upstream: Any, **keywords: Any) -> tuple[FakeNode, FakeNode, Upstream]:
    first, second = await start_node({"GET": echo}), await start_node({"GET": echo})
    return first, second, make_upstream(topology_of((first.endpoint,), (second.endpoint,)), **keywords)


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


async def test_a_script_waits_on_while_nodes_tell_different_topologies(
    start_node: Any, make_upstream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a failover that they hear of one after the other; each answer has everything tried again at once."""
    monkeypatch.setattr(following, "SURE_AFTER", 60.0)
    first, second, upstream = await two_shards(start_node, make_upstream)
    newcomer = await start_node({"EVAL": b"+ran\r\n"})
    first.answers["EVAL"] = moved(7, newcomer.endpoint)
    upstream.send("EVAL", "...", "1", "a", slot=7)
    for _ in range(2 * DOUBTS_MOST):
        before = first.count("EVAL")
        upstream.cluster.try_again()
        await upstream.until(lambda before=before: first.count("EVAL") > before and upstream.cluster.has_parked)
    upstream.cluster.swap(topology_of((first.endpoint, newcomer.endpoint), (second.endpoint,)))
    upstream.cluster.try_again()
    assert await upstream.replies.have(1) == [b"+ran\r\n"]


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


@pytest.mark.parametrize("kind", ["CLUSTERDOWN", "LOADING", "READONLY"])
async def test_who_was_refused_and_overtaken_has_the_error(start_node: Any, make_upstream: Any, kind: str) -> None:
    """The node is well again for the second of two commands: the first, executed after it, would undo it."""
    trouble = f"-{kind} not now\r\n".encode()
    node = await start_node({"SET": [trouble, b"+OK\r\n"]})
    upstream = make_upstream(topology_of((node.endpoint,)))
    await upstream.call("PING", slot=1)
    for value in ("1", "2"):
        upstream.send("SET", "a", value, slot=1)
    assert await upstream.replies.have(3) == [b"+OK\r\n", trouble, b"+OK\r\n"]
    assert node.count("SET") == 2
    assert (upstream.stats.error, upstream.stats.success) == (1, 2)


async def test_a_read_that_was_refused_goes_on_behind_other_reads(start_node: Any, make_upstream: Any) -> None:
    node = await start_node({"GET": [b"-LOADING not now\r\n", b"+later\r\n", b"+again\r\n"]})
    upstream = make_upstream(topology_of((node.endpoint,)))
    await upstream.call("PING", slot=1)
    for _ in range(2):
        upstream.send("GET", "a", slot=1, is_read=True)
    assert await upstream.replies.have(3) == [b"+OK\r\n", b"+again\r\n", b"+later\r\n"]


async def test_who_may_have_been_overtaken_on_a_connection_that_is_lost_has_the_error(
    start_node: Any, make_upstream: Any
) -> None:
    trouble = b"-CLUSTERDOWN not now\r\n"
    node = await start_node({"SET": [trouble, CLOSE, b"+OK\r\n"]})
    upstream = make_upstream(topology_of((node.endpoint,)))
    await upstream.call("PING", slot=1)
    for value in ("1", "2"):
        upstream.send("SET", "a", value, slot=1)
    _, first, second = await upstream.replies.have(3)
    assert (first, b"it may have been executed" in second) == (trouble, True)
    assert node.count("SET") == 2


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
