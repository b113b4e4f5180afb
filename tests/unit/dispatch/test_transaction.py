"""Transactions before scripted nodes: what leaves, and what becomes of it when slots move and nodes die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.resp import encode
from rproxy.routing.routes import MirrorRule, Route
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import CLOSE, SILENCE, Answer, Command, FakeNode
from tests.support.upstream import topology_of

QUEUED = b"+QUEUED\r\n"
DONE = encode.array([b"+OK\r\n", b":2\r\n"])
IN_MULTI: dict[str, Answer] = {"SET": QUEUED, "INCR": QUEUED, "GET": QUEUED, "EXEC": DONE}
UNIT: list[Command] = [(b"MULTI",), (b"SET", b"b", b"1"), (b"INCR", b"b"), (b"EXEC",)]
ABORTED = b"-EXECABORT Transaction discarded because of previous errors.\r\n"


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    return [await start_node(IN_MULTI) for _ in range(3)]


async def execute(dispatch: Dispatch) -> bytes:
    for command in (["MULTI"], ["SET", "b", "1"], ["INCR", "b"]):
        await dispatch.call(*command)
    return await dispatch.call("EXEC")


def moved(node: FakeNode, kind: bytes = b"MOVED") -> bytes:
    return b"-%b 3300 %b\r\n" % (kind, str(node.endpoint).encode())


async def test_nothing_is_sent_before_exec(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await dispatch.call("MULTI") == b"+OK\r\n"
    assert await dispatch.call("SET", "b", "1") == QUEUED
    assert nodes[0].received == []
    assert await dispatch.call("DISCARD") == b"+OK\r\n"
    assert nodes[0].received == []


async def test_it_leaves_as_one_unit_on_the_shared_connection(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await execute(dispatch) == DONE
    nodes[0].answers["GET"] = b"$1\r\n2\r\n"
    assert await dispatch.call("GET", "b") == b"$1\r\n2\r\n"
    (peer,) = nodes[0].peers
    assert peer.commands == [*UNIT, (b"GET", b"b")]


async def test_replies_stay_with_their_requests(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["STRLEN"] = encode.integer(9)
    tokens = [
        dispatch.send(*words) for words in (["STRLEN", "b"], ["MULTI"], ["SET", "b", "1"], ["EXEC"], ["STRLEN", "b"])
    ]
    assert [await dispatch.reply(token) for token in tokens] == [b":9\r\n", b"+OK\r\n", QUEUED, DONE, b":9\r\n"]


async def test_it_follows_its_slot_as_a_whole(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers |= {"SET": moved(nodes[1]), "INCR": moved(nodes[1]), "EXEC": ABORTED}
    assert await execute(dispatch) == DONE
    assert nodes[0].received == nodes[1].received == UNIT


async def test_it_follows_a_slot_that_moved_between_queueing_and_exec(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    nodes[0].answers |= {"EXEC": moved(nodes[1])}
    assert await execute(dispatch) == DONE
    assert nodes[1].received == UNIT


@pytest.mark.parametrize("kind", [b"ASK", b"TRYAGAIN"])
async def test_it_waits_while_its_slot_is_on_the_way(dispatch: Dispatch, nodes: list[FakeNode], kind: bytes) -> None:
    nodes[0].answers |= {
        "INCR": [moved(nodes[1], kind), moved(nodes[1], kind), QUEUED],
        "EXEC": [ABORTED, ABORTED, DONE],
    }
    assert await execute(dispatch) == DONE
    assert nodes[0].received == UNIT * 3
    assert nodes[1].received == []


async def test_an_error_of_the_node_is_the_clients(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers |= {"INCR": b"-OOM command not allowed\r\n", "EXEC": ABORTED}
    assert await execute(dispatch) == ABORTED


async def test_what_went_wrong_once_is_forgotten_the_next_time(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers |= {"INCR": [moved(nodes[1]), b"-OOM\r\n"], "EXEC": ABORTED}
    nodes[1].answers |= {"INCR": moved(nodes[0]), "EXEC": ABORTED}
    assert await execute(dispatch) == ABORTED
    assert (nodes[0].count("EXEC"), nodes[1].count("EXEC")) == (2, 1)


async def test_one_that_was_cut_off_is_never_sent_again(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["EXEC"] = CLOSE
    reply = await execute(dispatch)
    assert reply.startswith(b"-ERR upstream connection to ")
    assert b"it may have been executed" in reply
    assert nodes[0].count("EXEC") == 1


@pytest.mark.late
async def test_one_that_is_not_answered_times_out(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["EXEC"] = SILENCE
    assert b"gave no answer in time" in await execute(dispatch)


async def test_prefixes_are_removed_inside(make_dispatch: Callable[..., Dispatch], topology: Topology) -> None:
    dispatch = make_dispatch(
        {"main": topology}, None, [Route("main", b"app:", remove_prefix=True), Route("main", b"x:")]
    )
    await dispatch.call("MULTI")
    assert await dispatch.call("SET", "app:b", "1") == QUEUED
    assert (await dispatch.call("SET", "x:b", "1")).startswith(b"-CROSSSLOT ")
    assert await dispatch.call("DISCARD") == b"+OK\r\n"
    await dispatch.call("MULTI")
    await dispatch.call("SET", "app:b", "1")
    assert await dispatch.call("INCR", "app:b") == QUEUED
    assert await dispatch.call("EXEC") == DONE


# -- mirrors


@pytest.mark.parametrize(("command", "is_copied"), [(["INCR", "b"], True), (["GET", "b"], False)])
async def test_a_transaction_is_mirrored_whole_or_not_at_all(
    make_dispatch: Callable[..., Dispatch], topology: Topology, start_node: Any, command: list[str], is_copied: bool
) -> None:
    mirror: FakeNode = await start_node(IN_MULTI)
    route = Route("main", mirrors=(MirrorRule("mirror", exclude_read_commands=True),))
    dispatch = make_dispatch({"main": topology, "mirror": topology_of((mirror.endpoint,))}, route)
    for words in (["MULTI"], ["GET", "b"], command):
        await dispatch.call(*words)
    assert await dispatch.call("EXEC") == DONE
    if is_copied:
        await mirror.heard("EXEC")
        assert mirror.received == [(b"MULTI",), (b"GET", b"b"), (b"INCR", b"b"), (b"EXEC",)]
    assert dispatch.mirror(route).sent == is_copied


@pytest.mark.parametrize(("reply", "is_copied"), [(DONE, True), (b"*-1\r\n", False)])
async def test_a_watched_transaction_is_mirrored_if_it_was_executed(
    make_dispatch: Callable[..., Dispatch],
    topology: Topology,
    nodes: list[FakeNode],
    start_node: Any,
    reply: bytes,
    is_copied: bool,
) -> None:
    mirror: FakeNode = await start_node(IN_MULTI)
    route = Route("main", mirrors=(MirrorRule("mirror"),))
    dispatch = make_dispatch({"main": topology, "mirror": topology_of((mirror.endpoint,))}, route)
    nodes[0].answers["EXEC"] = reply
    await dispatch.call("WATCH", "b")
    assert await execute(dispatch) == reply
    if is_copied:
        await mirror.heard("EXEC")
        assert mirror.received == UNIT
    assert dispatch.mirror(route).sent == is_copied
