"""The way of a command: straight to its endpoint where it can go, else to the plan of its row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch.placement import CROSS_SLOT
from rproxy.dispatch.session import Session, State
from rproxy.metrics.counters import CommandStats
from rproxy.resp import encode
from rproxy.routing.routes import MirrorRule, Route
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.snapshot import Topology
from tests.support.described import INDEX_1, entry, key_spec, keynum
from tests.support.dispatch import Dispatch
from tests.support.fake_node import Command, FakeNode, Said, echo
from tests.support.upstream import topology_of


def stats_of(dispatch: Dispatch, name: bytes) -> CommandStats | None:
    return dict(dispatch.clusters["main"].counted()).get(COMMANDS.get(name).index)


# -- the fast path


@pytest.mark.parametrize(("key", "shard"), [("b", 0), ("c", 1), ("a", 2), ("{b}x", 0)])
async def test_a_command_goes_to_the_shard_of_its_key(
    dispatch: Dispatch, nodes: list[FakeNode], key: str, shard: int
) -> None:
    assert await dispatch.call("GET", key) == encode.bulk(key.encode())
    assert [node.received for node in nodes] == [[(b"GET", key.encode())] if i == shard else [] for i in range(3)]


async def test_the_bytes_that_came_are_forwarded(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await dispatch.call("sEt", "b", b"\r\n\0$5\r\n\xff") == b"+OK\r\n"
    assert nodes[0].received == [(b"sEt", b"b", b"\r\n\0$5\r\n\xff")]
    assert dispatch.clusters["main"].traffic.sent_bytes == len(encode.command([b"sEt", b"b", b"\r\n\0$5\r\n\xff"]))


async def test_the_bytes_of_the_reply_are_relayed(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    odd = b"*3\r\n$-1\r\n*-1\r\n*2\r\n:-0\r\n+a b\r\n"
    nodes[0].answers["LRANGE"] = odd
    assert await dispatch.call("LRANGE", "b", "0", "-1") == odd


async def test_an_error_of_a_node_is_the_reply_and_counted(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["GET"] = [b"-WRONGTYPE no\r\n", b"$-1\r\n"]
    assert await dispatch.call("GET", "b") == b"-WRONGTYPE no\r\n"
    assert await dispatch.call("GET", "b") == b"$-1\r\n"
    stats = stats_of(dispatch, b"GET")
    assert stats is not None
    assert (stats.success, stats.error, sum(stats.counts)) == (1, 1, 2)


async def test_commands_are_only_counted_where_it_is_wanted(
    make_dispatch: Callable[..., Dispatch], topology: Topology
) -> None:
    dispatch = make_dispatch({"main": topology}, counts_commands=False)
    for command in (["GET", "b"], ["MGET", "b", "c"], ["EVAL", "", "1", "b"]):
        await dispatch.call(*command)
    assert dispatch.clusters["main"].counted() == []


async def test_a_learned_command_goes_where_its_keys_are(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    counted = entry(b"x.union", "readonly movablekeys", (0, 0, 0), specs=(key_spec(INDEX_1, keynum()),))
    one, *_ = dispatch.context.catalog.learn([entry(b"json.set"), counted, entry(b"x.m", keys=(1, -1, 1))])
    assert await dispatch.call("json.set", "b", "$", "1") == b"+OK\r\n"
    assert await dispatch.call("X.UNION", "2", "{b}1", "{b}2") == b"+OK\r\n"
    assert nodes[0].received == [(b"json.set", b"b", b"$", b"1"), (b"X.UNION", b"2", b"{b}1", b"{b}2")]
    assert await dispatch.call("X.UNION", "2", "a", "b") == CROSS_SLOT
    assert await dispatch.call("X.M", "a", "b") == CROSS_SLOT
    assert await dispatch.call("JSON.SET") == b"-ERR wrong number of arguments for 'json.set' command\r\n"
    assert dict(dispatch.clusters["main"].counted())[one.index].success == 1


async def test_an_unknown_command_is_told_to_who_may_learn_it(dispatch: Dispatch) -> None:
    missed: list[bool] = []
    dispatch.context.catalog.on_unknown.append(lambda: missed.append(True))
    assert (await dispatch.call("JSON.SET", "a", "$", "1")).startswith(b"-ERR unknown command 'JSON.SET'")
    assert (await dispatch.call("OBJECT", "NOPE")).startswith(b"-ERR unknown subcommand 'NOPE'")
    assert (await dispatch.call("GET")).startswith(b"-ERR wrong number of arguments")
    assert missed == [True]


async def test_keys_that_share_a_slot_go_whole(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await dispatch.call("MGET", "b", "{b}1", "{b}2") == encode.reply([b"b", b"{b}1", b"{b}2"])
    assert nodes[0].received == [(b"MGET", b"b", b"{b}1", b"{b}2")]


async def test_reads_go_to_replicas_and_writes_never_do(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    primary, replica, _ = nodes
    topology = topology_of((primary.endpoint, replica.endpoint))
    dispatch = make_dispatch({"main": topology}, read_policy=ReadPolicy.REPLICA)
    for command in (["GET", "b"], ["SET", "b", "1"], ["MGET", "a", "b"], ["DEL", "a", "b"], ["EVAL", "", "1", "b"]):
        await dispatch.call(*command)
    assert {command[0] for command in primary.received} == {b"SET", b"DEL", b"EVAL"}
    assert [command[0] for command in replica.received] == [b"READONLY", b"GET", b"MGET", b"MGET"]


async def test_commands_of_a_client_keep_their_order_on_a_shard(
    make_dispatch: Callable[..., Dispatch], topology: Topology, nodes: list[FakeNode]
) -> None:
    dispatch = make_dispatch({"main": topology}, settings={"main": {"connections_per_endpoint": 3}})
    for number in range(50):
        dispatch.send("SET", "b", str(number))
        dispatch.send("EVAL", "", "1", "b", str(number))
    await dispatch.replies.have(100)
    assert [command[-1] for command in nodes[0].received] == [b"%d" % (n // 2) for n in range(100)]
    assert len(nodes[0].peers) == 1


async def test_a_reply_finds_its_command_whatever_the_delays(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    gate = asyncio.Event()

    async def late(command: Command) -> Said:
        await gate.wait()
        return echo(command)

    nodes[0].answers["GET"] = late
    first = dispatch.send("GET", "b")
    second = dispatch.send("GET", "c")
    assert await dispatch.reply(second) == b"$1\r\nc\r\n"
    assert not dispatch.replies.of(first)
    gate.set()
    assert await dispatch.reply(first) == b"$1\r\nb\r\n"


async def test_a_client_with_state_is_off_the_fast_path_and_served_alike(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    dispatch.session.enter(State.PAUSED)
    assert await dispatch.call("GET", "b") == b"$1\r\nb\r\n"
    assert await dispatch.call("MGET", "b", "c") == encode.reply([b"b", b"c"])
    assert nodes[0].received == [(b"GET", b"b"), (b"MGET", b"b")]


async def test_a_client_of_resp3_is_served_from_a_connection_that_speaks_it(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    modern = Session(2, "", "", 0.0)
    modern.speak(3)
    nodes[0].answers["HGETALL"] = b"%1\r\n$1\r\nf\r\n_\r\n"
    assert await dispatch.call("HGETALL", "b", session=modern) == b"%1\r\n$1\r\nf\r\n_\r\n"
    assert await dispatch.call("GET", "b") == b"$1\r\nb\r\n"
    assert [peer.commands for peer in nodes[0].peers] == [[(b"HELLO", b"3"), (b"HGETALL", b"b")], [(b"GET", b"b")]]


# -- errors in Redis's words


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (["GET"], "wrong number of arguments for 'get' command"),
        (["get", "a", "b"], "wrong number of arguments for 'get' command"),
        (["MGET"], "wrong number of arguments for 'mget' command"),
        (["MSET", "a", "1", "b"], "wrong number of arguments for 'mset' command"),
        (["MSET", "a", "1", "{a}"], None),
        (["PING", "a", "b"], "wrong number of arguments for 'ping' command"),
        (["OBJECT", "FREQ"], "wrong number of arguments for 'object|freq' command"),
        (["NOPE", "a", "b c"], "unknown command 'NOPE', with args beginning with: 'a' 'b c' "),
        (["nope"], "unknown command 'nope', with args beginning with: "),
        (["x" * 200], f"unknown command '{'x' * 128}', with args beginning with: "),
        (["OBJECT", "nope", "a"], "unknown subcommand 'nope'. Try OBJECT HELP."),
        (["no\r\npe"], "unknown command 'no  pe', with args beginning with: "),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused(
    dispatch: Dispatch, nodes: list[FakeNode], command: list[str], error: str | None
) -> None:
    reply = await dispatch.call(*command)
    if error is not None:
        assert reply == encode.error(f"ERR {error}")
        assert [node.received for node in nodes] == [[], [], []]
    else:  # keys of one slot: the server's to refuse
        assert nodes[2].received == [(b"MSET", b"a", b"1", b"{a}")]


# -- splitting


async def test_a_command_is_split_by_slot_and_its_replies_are_put_together(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    keys = ["a", "b", "c", "{a}2", "d", "b"]
    assert await dispatch.call("MGET", *keys) == encode.reply([key.encode() for key in keys])
    assert nodes[0].received == [(b"MGET", b"b", b"b")]
    assert nodes[1].received == [(b"MGET", b"c")]
    assert nodes[2].received == [(b"MGET", b"a", b"{a}2"), (b"MGET", b"d")]
    stats = stats_of(dispatch, b"MGET")
    assert stats is not None
    assert (stats.success, stats.error) == (1, 0)


async def test_pairs_stay_together(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await dispatch.call("mset", "a", "1", "b", "2", "{a}", "3") == b"+OK\r\n"
    assert nodes[0].received == [(b"MSET", b"b", b"2")]
    assert nodes[2].received == [(b"MSET", b"a", b"1", b"{a}", b"3")]


async def test_counts_of_fragments_are_added(dispatch: Dispatch) -> None:
    assert await dispatch.call("DEL", "a", "b", "c", "d", "{d}") == b":5\r\n"


async def test_an_error_of_one_fragment_is_the_reply(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[1].answers["MGET"] = b"-OOM no\r\n"
    assert await dispatch.call("MGET", "a", "b", "c") == b"-OOM no\r\n"
    stats = stats_of(dispatch, b"MGET")
    assert stats is not None
    assert (stats.success, stats.error) == (0, 1)


@pytest.mark.late
async def test_a_fragment_that_finds_no_endpoint_fails_the_command(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    await nodes[1].stop()
    dispatch = make_dispatch({"main": topology_of(*((node.endpoint,) for node in nodes))})
    assert (await dispatch.call("MGET", "a", "b", "c")).startswith(b"-CLUSTERDOWN ")


# -- mirrors, straight from the client's bytes


@pytest.fixture
async def mirrored(
    make_dispatch: Callable[..., Dispatch], topology: Topology, start_node: Callable[..., object]
) -> tuple[Dispatch, FakeNode]:
    """A dispatcher with one standalone mirror, whose node it is."""
    node = await start_node()  # type: ignore[misc]
    topologies = {"main": topology, "mirror": Topology.standalone(node.endpoint)}
    return make_dispatch(topologies, Route("main", mirrors=(MirrorRule("mirror"),))), node


@pytest.mark.parametrize(
    "command",
    [["sEt", "b", "\r\n"], ["GET", "b"], ["MSET", "a", "1", "b", "2"], ["EVAL", "", "0"], ["RENAME", "b", "{b}"]],
)
async def test_a_mirror_gets_what_the_client_sent(mirrored: tuple[Dispatch, FakeNode], command: list[str]) -> None:
    dispatch, mirror = mirrored
    await dispatch.call(*command)
    await mirror.heard(command[0])
    assert mirror.received == [tuple(word.encode() for word in command)]


async def test_a_mirror_that_is_a_cluster_gets_fragments(
    make_dispatch: Callable[..., Dispatch], topology: Topology, start_node: Callable[..., object]
) -> None:
    low, high = await start_node(), await start_node()  # type: ignore[misc]
    topologies = {"main": topology, "mirror": topology_of((low.endpoint,), (high.endpoint,))}
    dispatch = make_dispatch(topologies, Route("main", mirrors=(MirrorRule("mirror"),)))
    await dispatch.call("MSET", "a", "1", "b", "2", "{a}", "3")
    await asyncio.gather(low.heard("MSET"), high.heard("MSET"))
    assert low.received == [(b"MSET", b"b", b"2")]
    assert high.received == [(b"MSET", b"a", b"1", b"{a}", b"3")]
