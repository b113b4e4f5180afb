"""Commands that rproxy has to understand before they go anywhere: keys that move, routes, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import CommandSpec, Plan
from rproxy.dispatch.placement import CROSS_ROUTE, CROSS_SLOT
from rproxy.dispatch.whole import HANDLERS
from rproxy.resp import encode
from rproxy.routing.routes import MirrorRule, Route
from rproxy.topology.snapshot import Topology
from rproxy.upstream.failure import NO_ROUTE, NO_TOPOLOGY
from tests.support.dispatch import Dispatch
from tests.support.fake_node import SILENCE, FakeNode


def heard_by(nodes: list[FakeNode]) -> list[int]:
    """How many commands each node got."""
    return [len(node.received) for node in nodes]


def test_every_plan_has_a_handler() -> None:
    assert set(HANDLERS) == set(Plan)


# -- keys


@pytest.mark.parametrize(
    ("command", "shard"),
    [
        (["EVAL", "return 1", "2", "b", "{b}2", "c"], 0),
        (["ZUNION", "2", "c", "{c}2", "WEIGHTS", "1", "2"], 1),
        (["BITOP", "AND", "b", "{b}1", "{b}2"], 0),
        (["XREAD", "COUNT", "1", "STREAMS", "c", "{c}2", "0", "0"], 1),
        (["SORT", "b", "BY", "c", "STORE", "{b}2"], 0),
        (["OBJECT", "FREQ", "c"], 1),
        (["RENAME", "d", "{d}2"], 2),
    ],
)
async def test_a_command_goes_to_the_shard_of_its_keys(
    dispatch: Dispatch, nodes: list[FakeNode], command: list[str], shard: int
) -> None:
    assert await dispatch.call(*command) == b"+OK\r\n"
    assert nodes[shard].received == [tuple(word.encode() for word in command)]


@pytest.mark.parametrize(
    "command",
    [
        ["EVAL", "return 1", "2", "b", "c"],
        ["RENAME", "b", "c"],
        ["ZUNIONSTORE", "b", "1", "c"],
        ["SORT", "b", "STORE", "c"],
        ["PFCOUNT", "b", "c"],
        ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "b", "c", ">", ">"],
        ["MSETNX", "b", "1", "c", "2"],
    ],
)
async def test_keys_in_several_slots_are_refused_as_redis_does(
    dispatch: Dispatch, nodes: list[FakeNode], command: list[str]
) -> None:
    assert await dispatch.call(*command) == CROSS_SLOT == b"-CROSSSLOT Keys in request don't hash to the same slot\r\n"
    assert heard_by(nodes) == [0, 0, 0]


@pytest.mark.parametrize("command", [["EVAL", "return 1", "0"], ["LOLWUT"], ["SCRIPT", "SHOW", "x"]])
async def test_a_command_without_keys_goes_to_the_shard_that_is_drawn(
    make_dispatch: Callable[..., Dispatch], topology: Topology, nodes: list[FakeNode], command: list[str]
) -> None:
    draws = iter([0.99, 0.0, 0.5])
    dispatch = make_dispatch({"main": topology}, draw=lambda: next(draws))
    for expected in ([0, 0, 1], [1, 0, 1], [1, 1, 1]):
        assert await dispatch.call(*command) == b"+OK\r\n"
        assert heard_by(nodes) == expected


@pytest.mark.parametrize(
    "command", [["EVAL", "x", "9", "b"], ["ZUNION", "zero", "b"], ["XREAD", "COUNT", "STREAMS", "b"]]
)
async def test_the_server_words_the_error_of_a_command_that_makes_no_sense(
    dispatch: Dispatch, nodes: list[FakeNode], command: list[str]
) -> None:
    nodes[0].answers[command[0]] = b"-ERR says the server\r\n"
    assert await dispatch.call(*command) == b"-ERR says the server\r\n"


async def test_a_command_that_would_block_has_a_connection_of_its_own(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    nodes[0].answers["XREAD"] = lambda command: SILENCE if b"BLOCK" in command else encode.OK
    waiting = dispatch.send("XREAD", "BLOCK", "0", "STREAMS", "b", "$")
    await nodes[0].heard("XREAD")
    assert await dispatch.call("XREAD", "STREAMS", "b", "$") == b"+OK\r\n"
    nodes[0].peers[0].send(b"*-1\r\n")
    assert await dispatch.reply(waiting) == b"*-1\r\n"
    assert [node.count("XREAD") for node in nodes] == [2, 0, 0]


async def test_without_a_topology_every_command_is_told_so(make_dispatch: Callable[..., Dispatch]) -> None:
    dispatch = make_dispatch({"main": Topology.empty()})
    for command in (["GET", "b"], ["MGET", "b"], ["EVAL", "", "0"], ["DBSIZE"], ["SCAN", "0"], ["RANDOMKEY"]):
        assert await dispatch.call(*command) == NO_TOPOLOGY.line("main")
    assert await dispatch.call("MGET", "b", "c") == NO_TOPOLOGY.line("main")
    assert await dispatch.call("PING") == b"+PONG\r\n"


# -- what is not supported


def words_of(spec: CommandSpec) -> list[bytes]:
    """A command that has the arity of ``spec``."""
    name = spec.name.split(b"|")
    return name + [b"1"] * (abs(spec.arity) - len(name))


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.refusal is not None], ids=repr)
async def test_what_is_not_supported_is_refused_by_name(
    make_dispatch: Callable[..., Dispatch], spec: CommandSpec
) -> None:
    dispatch = make_dispatch({"main": Topology.empty()})
    reply = await dispatch.call(*words_of(spec))
    name = spec.name.replace(b"|", b" ")
    assert reply.startswith((b"-ERR %b is not supported by rproxy" % name, b"-ERR %b is not available through" % name))


# -- routes


@pytest.fixture
async def routed(
    make_dispatch: Callable[..., Dispatch], topology: Topology, nodes: list[FakeNode], start_node: Any
) -> Any:
    """Keys of ``x:`` belong to a cluster that knows them without it, those of ``y:`` to one that does not, or none."""
    short, whole = await start_node(nodes[0].answers), await start_node(nodes[0].answers)
    topologies = {"short": Topology.standalone(short.endpoint), "whole": Topology.standalone(whole.endpoint)}
    routes = [Route("short", b"x:", remove_prefix=True), Route("whole", b"y:")]

    def make(has_catch_all: bool = True) -> Dispatch:
        catch_all = Route("main") if has_catch_all else None
        return make_dispatch(topologies | {"main": topology}, catch_all, routes)

    return make, short, whole


async def test_a_prefix_leads_to_its_cluster(routed: Any, nodes: list[FakeNode]) -> None:
    make, short, whole = routed
    dispatch = make()
    assert await dispatch.call("GET", "x:b") == b"$1\r\nb\r\n"
    assert await dispatch.call("GET", "y:b") == b"$3\r\ny:b\r\n"
    assert await dispatch.call("GET", "b") == b"$1\r\nb\r\n"
    await dispatch.call("EVAL", "script", "2", "x:k", "x:{k}", "x:argument")
    assert short.received == [(b"GET", b"b"), (b"EVAL", b"script", b"2", b"k", b"{k}", b"x:argument")]
    assert whole.received == [(b"GET", b"y:b")]
    assert nodes[0].received == [(b"GET", b"b")]


async def test_keys_of_several_routes_do_not_go_together(routed: Any) -> None:
    make, short, whole = routed
    assert await make().call("RENAME", "x:b", "y:b") == CROSS_ROUTE
    assert heard_by([short, whole]) == [0, 0]


async def test_a_key_without_a_route_is_refused(routed: Any, nodes: list[FakeNode]) -> None:
    make, short, whole = routed
    dispatch = make(has_catch_all=False)
    for command in (["GET", "b"], ["MGET", "x:b", "b"], ["EVAL", "", "1", "b"]):
        assert await dispatch.call(*command) == NO_ROUTE.line()
    assert heard_by([short, whole, *nodes]) == [0] * 5


async def test_without_a_catch_all_a_command_without_keys_takes_the_first_route(routed: Any) -> None:
    make, short, whole = routed
    assert await make(has_catch_all=False).call("PUBLISH", "b", "x") == b"+OK\r\n"
    assert heard_by([short, whole]) == [1, 0]


async def test_a_command_is_split_over_routes(routed: Any, nodes: list[FakeNode]) -> None:
    make, short, whole = routed
    dispatch = make()
    assert await dispatch.call("MGET", "y:1", "b", "x:1", "c", "x:2", "x:{1}") == encode.reply(
        [b"y:1", b"b", b"1", b"c", b"2", b"{1}"]
    )
    assert short.received == [(b"MGET", b"1", b"{1}"), (b"MGET", b"2")]
    assert whole.received == [(b"MGET", b"y:1")]
    assert heard_by(nodes) == [1, 1, 0]
    assert sum(stats.success for cluster in dispatch.clusters.values() for _, stats in cluster.counted()) == 1


async def test_pairs_are_split_over_routes(routed: Any, nodes: list[FakeNode]) -> None:
    make, short, whole = routed
    dispatch = make()
    assert await dispatch.call("MSET", "x:b", "1", "b", "2") == b"+OK\r\n"
    assert short.received == [(b"MSET", b"b", b"1")]
    assert nodes[0].received == [(b"MSET", b"b", b"2")]
    assert await dispatch.call("MSET", "x:b", "1", "b") == encode.error(
        "ERR wrong number of arguments for 'mset' command"
    )
    assert heard_by([short, whole, *nodes]) == [1, 0, 1, 0, 0]


async def test_a_command_over_routes_is_copied_by_the_mirrors_of_each(
    make_dispatch: Callable[..., Dispatch], topology: Topology, nodes: list[FakeNode], start_node: Any
) -> None:
    short, mirror = await start_node(nodes[0].answers), await start_node()
    topologies = {"main": topology, "short": Topology.standalone(short.endpoint)}
    topologies["mirror"] = Topology.standalone(mirror.endpoint)
    drawn: list[float] = []

    def draw() -> float:
        drawn.append(0.0)
        return 0.0

    route = Route("short", b"x:", remove_prefix=True, mirrors=(MirrorRule("mirror"),))
    dispatch = make_dispatch(topologies, Route("main"), [route], draw=draw)
    await dispatch.call("DEL", "x:1", "b", "x:2")
    await mirror.heard("DEL", 2)
    assert mirror.received == [(b"DEL", b"1"), (b"DEL", b"2")]
    assert len(drawn) == 1
    assert dispatch.mirror(route).sent == 2
