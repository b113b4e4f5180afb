"""Commands to every shard: whom they reach, and what the replies become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import Plan, ResponsePolicy
from rproxy.dispatch.fan_out import INVALID_CURSOR, SPECIAL
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.routing.routes import MirrorRule, Route
from rproxy.topology.snapshot import Endpoint, Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.upstream import topology_of


def test_a_fan_out_has_a_policy_or_a_way_of_its_own() -> None:
    special = {
        spec.name for spec in SPECS if spec.plan == Plan.FAN_OUT and spec.response_policy is ResponsePolicy.SPECIAL
    }
    assert special == set(SPECIAL)


@pytest.mark.parametrize(
    ("command", "answers", "reply"),
    [
        ("DBSIZE", [b":1\r\n", b":20\r\n", b":300\r\n"], b":321\r\n"),
        ("KEYS *", [b"*1\r\n$1\r\nb\r\n", b"*0\r\n", b"*1\r\n$1\r\na\r\n"], b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
        ("FLUSHALL", [b"+OK\r\n"] * 3, b"+OK\r\n"),
        ("FLUSHALL", [b"+OK\r\n", b"-READONLY You can't write.\r\n", b"+OK\r\n"], b"-READONLY You can't write.\r\n"),
        ("SCRIPT LOAD x", [b"$1\r\nh\r\n"] * 3, b"$1\r\nh\r\n"),
        (
            "SCRIPT EXISTS h i",
            [b"*2\r\n:1\r\n:1\r\n", b"*2\r\n:1\r\n:0\r\n", b"*2\r\n:1\r\n:1\r\n"],
            b"*2\r\n:1\r\n:0\r\n",
        ),
        ("SCRIPT KILL", [b"-NOTBUSY no\r\n", b"+OK\r\n", b"-NOTBUSY no\r\n"], b"+OK\r\n"),
        ("SCRIPT KILL", [b"-NOTBUSY no\r\n"] * 3, b"-NOTBUSY no\r\n"),
    ],
)
async def test_the_replies_of_all_shards_become_one(
    dispatch: Dispatch, nodes: list[FakeNode], command: str, answers: list[bytes], reply: bytes
) -> None:
    for node, answer in zip(nodes, answers, strict=True):
        node.answers[command.split()[0]] = answer
    # READONLY is retried until its deadline, in the hope of a new primary; then it is the reply.
    assert await dispatch.call(*command.split()) == reply
    assert {word for node in nodes for word in node.received} == {tuple(command.encode().split())}


async def test_every_shard_is_asked_once(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    await dispatch.call("FLUSHDB", "ASYNC")
    assert [node.received for node in nodes] == [[(b"FLUSHDB", b"ASYNC")]] * 3
    assert [(index, stats.success) for index, stats in dispatch.clusters["main"].counted()] == [
        (spec.index, 1) for spec in SPECS if spec.name == b"FLUSHDB"
    ]


@pytest.mark.parametrize(("command", "times"), [("SCRIPT LOAD x", 1), ("SCRIPT FLUSH", 1), ("DBSIZE", 0)])
async def test_what_acts_on_nodes_reaches_the_replicas_too(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode], command: str, times: int
) -> None:
    primary, replica, other = nodes
    for node in nodes:
        node.answers["DBSIZE"] = b":1\r\n"
    dispatch = make_dispatch({"main": topology_of((primary.endpoint, replica.endpoint), (other.endpoint,))})
    await dispatch.call(*command.split())
    name = command.split()[0]
    assert [node.count(name) for node in nodes] == [1, times, 1]


async def test_clusters_of_all_routes_are_asked(
    make_dispatch: Callable[..., Dispatch], topology: Topology, nodes: list[FakeNode], start_node: Any
) -> None:
    other = await start_node({"DBSIZE": b":40\r\n"})
    for node in nodes:
        node.answers["DBSIZE"] = b":1\r\n"
    topologies = {"main": topology, "other": Topology.standalone(other.endpoint)}
    dispatch = make_dispatch(topologies, Route("main"), [Route("other", b"x:"), Route("other", b"y:")])
    assert await dispatch.call("DBSIZE") == b":43\r\n"


async def test_a_shard_that_is_down_fails_the_command(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    down = Endpoint("127.0.0.1", 1)
    dispatch = make_dispatch({"main": topology_of((nodes[0].endpoint,), (down,))})
    assert (await dispatch.call("FLUSHALL")).startswith(b"-CLUSTERDOWN ")


async def test_writes_are_copied_to_every_shard_of_a_mirror(
    make_dispatch: Callable[..., Dispatch], topology: Topology, start_node: Any
) -> None:
    copies = [await start_node() for _ in range(2)]
    topologies = {"main": topology, "mirror": topology_of(*((node.endpoint,) for node in copies))}
    dispatch = make_dispatch(topologies, Route("main", mirrors=(MirrorRule("mirror"),)))
    await dispatch.call("DBSIZE")
    await dispatch.call("FLUSHALL")
    for node in copies:
        await node.heard("FLUSHALL")
        assert node.received == [(b"FLUSHALL",)]


# -- RANDOMKEY


@pytest.mark.parametrize(("draw", "key"), [(0.0, b"b"), (0.49, b"b"), (0.5, b"a"), (0.999, b"a")])
async def test_a_random_key_is_drawn_from_the_shards_that_have_one(
    make_dispatch: Callable[..., Dispatch], topology: Topology, nodes: list[FakeNode], draw: float, key: bytes
) -> None:
    for node, own in zip(nodes, (b"b", None, b"a"), strict=True):
        node.answers["RANDOMKEY"] = encode.reply(own)
    assert await make_dispatch({"main": topology}, draw=lambda: draw).call("RANDOMKEY") == encode.bulk(key)


async def test_without_any_key_a_random_one_is_null_in_the_words_of_the_client(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    modern = Session(2, "", "", 0.0)
    modern.speak(3)
    for node in nodes:
        node.answers["RANDOMKEY"] = b"$-1\r\n"
    assert await dispatch.call("RANDOMKEY") == b"$-1\r\n"
    for node in nodes:
        node.answers["RANDOMKEY"] = b"_\r\n"
    nodes[1].answers["HELLO"] = b"*0\r\n"
    assert await dispatch.call("RANDOMKEY", session=modern) == b"_\r\n"


async def test_an_error_is_the_answer_where_no_shard_has_a_key(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for node, answer in zip(nodes, (b"$-1\r\n", b"-NOPERM no\r\n", b"$-1\r\n"), strict=True):
        node.answers["RANDOMKEY"] = answer
    assert await dispatch.call("RANDOMKEY") == b"-NOPERM no\r\n"


# -- SCAN


async def test_a_scan_walks_all_shards(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for number, node in enumerate(nodes):
        pages = [(b"17", [b"%d-0" % number]), (b"0", [b"%d-1" % number])]
        node.answers["SCAN"] = [encode.array([encode.bulk(cursor), encode.reply(keys)]) for cursor, keys in pages]
    cursor, found = b"0", []
    for _ in range(6):
        reply = await dispatch.call("SCAN", cursor, "COUNT", "1")
        cursor, key = (word for word in reply.split(b"\r\n") if word[:1] not in b"*$")
        found.append(key)
    assert cursor == b"0"
    assert found == [b"0-0", b"0-1", b"1-0", b"1-1", b"2-0", b"2-1"]
    assert [node.received for node in nodes] == [
        [(b"SCAN", b"0", b"COUNT", b"1"), (b"SCAN", b"17", b"COUNT", b"1")]
    ] * 3


async def test_a_cursor_beyond_the_shards_ends_the_walk(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await dispatch.call("SCAN", "3") == b"*2\r\n$1\r\n0\r\n*0\r\n"
    assert [node.received for node in nodes] == [[], [], []]


@pytest.mark.parametrize("cursor", ["x", "-1", "", str(1 << 64)])
async def test_what_is_no_cursor_is_refused_as_redis_does(dispatch: Dispatch, cursor: str) -> None:
    assert await dispatch.call("SCAN", cursor) == INVALID_CURSOR == b"-ERR invalid cursor\r\n"


async def test_an_error_of_a_shard_is_the_reply_of_the_scan(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["SCAN"] = b"-ERR syntax error\r\n"
    assert await dispatch.call("SCAN", "0", "NOPE") == b"-ERR syntax error\r\n"
