"""CONFIG through rproxy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.dispatch.parameters import Parameter, fixed, integer
from rproxy.metrics.samples import Sample
from rproxy.resp import encode
from rproxy.topology.snapshot import Endpoint, Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.upstream import topology_of

NODES = encode.reply([b"maxmemory", b"100", b"requirepass", b"secret", b"databases", b"16"])


@pytest.fixture
def written(dispatch: Dispatch) -> list[str]:
    """What was written to rproxy's own parameter ``timeout``."""
    texts = ["7"]
    dispatch.context.parameters |= {
        b"timeout": Parameter(lambda: texts[-1], lambda text: texts.append(str(integer(text)))),
        b"maxclients": fixed("10"),
    }
    return texts


# -- GET


async def test_the_nodes_parameters_are_shown_under_rproxys_own(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["CONFIG GET"] = NODES
    reply = await dispatch.call("CONFIG", "GET", "*")
    assert reply.startswith(b"*")
    assert encode.reply([b"maxmemory", b"100", b"requirepass", b"", b"databases", b"1"])[4:] in reply
    assert b"secret" not in reply
    assert [node.count("CONFIG") for node in nodes] == [1, 0, 0]


async def test_several_patterns_are_asked_one_by_one(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["CONFIG GET"] = lambda command: encode.reply([command[2], b"v"])
    reply = await dispatch.call("CONFIG", "GET", "MaxMemory", "save", "databases")
    assert reply == encode.reply([b"maxmemory", b"v", b"save", b"v", b"databases", b"1"])
    assert nodes[0].received == [(b"CONFIG", b"GET", b"maxmemory"), (b"CONFIG", b"GET", b"save")]


async def test_in_resp3_they_are_a_map(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers |= {"CONFIG GET": b"%1\r\n$4\r\nsave\r\n$0\r\n\r\n", "HELLO": b"*0\r\n"}
    dispatch.session.speak(3)
    assert await dispatch.call("CONFIG", "GET", "save") == b"%1\r\n$4\r\nsave\r\n$0\r\n\r\n"


async def test_no_node_is_asked_for_what_is_rproxys(
    dispatch: Dispatch, nodes: list[FakeNode], written: list[str]
) -> None:
    assert await dispatch.call("CONFIG", "GET", "TIMEOUT") == encode.reply([b"timeout", b"7"])
    assert nodes[0].received == []


@pytest.mark.parametrize("refusal", [b"-NOPERM no\r\n", b"-ERR unknown command 'CONFIG'\r\n"])
async def test_where_nodes_do_not_tell_rproxys_own_are_left(
    dispatch: Dispatch, nodes: list[FakeNode], refusal: bytes
) -> None:
    nodes[0].answers["CONFIG GET"] = refusal
    assert await dispatch.call("CONFIG", "GET", "*bases") == encode.reply([b"databases", b"1"])
    assert await dispatch.call("CONFIG", "GET", "maxmemory") == b"*0\r\n"


@pytest.mark.late
async def test_a_node_that_is_down_is_not_asked_again(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    nodes[0].answers["CONFIG GET"] = encode.reply([b"save", b""])
    dispatch = make_dispatch({"main": topology_of((Endpoint("127.0.0.1", 1),), (nodes[0].endpoint,))})
    assert (await dispatch.call("CONFIG", "GET", "save")).startswith(b"-CLUSTERDOWN ")
    assert await dispatch.call("CONFIG", "GET", "save") == encode.reply([b"save", b""])


async def test_without_nodes_rproxys_own_are_left(make_dispatch: Callable[..., Dispatch]) -> None:
    dispatch = make_dispatch({"main": Topology.empty()})
    assert await dispatch.call("CONFIG", "GET", "databases", "save") == encode.reply([b"databases", b"1"])


# -- SET


async def test_the_nodes_parameters_are_set_on_all(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    shards = topology_of((nodes[0].endpoint, nodes[1].endpoint), (nodes[2].endpoint,))
    dispatch = make_dispatch({"main": shards})
    assert await dispatch.call("CONFIG", "SET", "MaxMemory", "1gb", "save", "") == b"+OK\r\n"
    for node in nodes:
        assert (b"CONFIG", b"SET", b"maxmemory", b"1gb", b"save", b"") in node.received


async def test_rproxys_own_are_set_here(dispatch: Dispatch, nodes: list[FakeNode], written: list[str]) -> None:
    assert await dispatch.call("CONFIG", "SET", "timeout", "30") == b"+OK\r\n"
    assert await dispatch.call("CONFIG", "GET", "timeout") == encode.reply([b"timeout", b"30"])
    assert [node.received for node in nodes] == [[], [], []]
    assert await dispatch.call("CONFIG", "SET", "save", "", "timeout", "40") == b"+OK\r\n"
    assert nodes[1].received == [(b"CONFIG", b"SET", b"save", b"")]
    assert written[-1] == "40"


async def test_nothing_is_set_here_if_a_node_refuses(
    dispatch: Dispatch, nodes: list[FakeNode], written: list[str]
) -> None:
    nodes[1].answers["CONFIG SET"] = b"-ERR CONFIG SET failed (possibly related to argument 'x') - no\r\n"
    assert (await dispatch.call("CONFIG", "SET", "x", "1", "timeout", "40")).endswith(b"'x') - no\r\n")
    assert written == ["7"]


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ("timeout", b"-ERR wrong number of arguments for 'config|set' command\r\n"),
        ("a 1 b", b"-ERR syntax error\r\n"),
        ("a 1 A 2", b"-ERR CONFIG SET failed (possibly related to argument 'a') - duplicate parameter\r\n"),
        (
            "save x maxclients 2",
            b"-ERR CONFIG SET failed (possibly related to argument 'maxclients') - "
            b"it is set in the configuration of rproxy\r\n",
        ),
        (
            "timeout x",
            b"-ERR CONFIG SET failed (possibly related to argument 'timeout') - "
            b"argument couldn't be parsed into an integer\r\n",
        ),
        (
            "timeout -1",
            b"-ERR CONFIG SET failed (possibly related to argument 'timeout') - "
            b"argument must be between 0 and 2147483647 inclusive\r\n",
        ),
    ],
)
async def test_what_cannot_be_set_is_refused_in_redis_words(
    dispatch: Dispatch, nodes: list[FakeNode], written: list[str], arguments: str, refusal: bytes
) -> None:
    assert await dispatch.call("CONFIG", "SET", *arguments.split()) == refusal
    assert [node.received for node in nodes] == [[], [], []]
    assert written == ["7"]


# -- the others


async def test_resetting_counts_resets_those_of_nodes_and_of_info(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    samples: list[Sample] = [
        ("rproxy_commands_total", ("main", "get", "success"), 90),
        ("rproxy_downstream_connections_active", ("redis",), 3),
    ]
    dispatch.context.samples = lambda: samples
    assert await dispatch.call("CONFIG", "RESETSTAT") == b"+OK\r\n"
    assert [node.received for node in nodes] == [[(b"CONFIG", b"RESETSTAT")]] * 3
    samples[0] = ("rproxy_commands_total", ("main", "get", "success"), 95)
    assert b"total_commands_processed:5\r\n" in await dispatch.call("INFO", "stats")
    assert b"connected_clients:3\r\n" in await dispatch.call("INFO", "clients")


async def test_rewriting_is_refused(dispatch: Dispatch) -> None:
    assert await dispatch.call("CONFIG", "REWRITE") == (
        b"-ERR CONFIG REWRITE is not available through rproxy: it acts on one node\r\n"
    )


@pytest.mark.late
async def test_a_change_is_never_partial(make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]) -> None:
    shards = topology_of((nodes[0].endpoint,), (Endpoint("127.0.0.1", 1),))
    dispatch = make_dispatch({"main": shards}, proxy_settings={"fan_out_partial": True})
    for command in ("CONFIG SET save x", "CONFIG RESETSTAT", "BGSAVE", "FUNCTION FLUSH", "SCRIPT LOAD x"):
        assert (await dispatch.call(*command.split())).startswith(b"-CLUSTERDOWN "), command
