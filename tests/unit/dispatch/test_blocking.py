"""Blocking commands before scripted nodes: one client's wait on one connection."""

from __future__ import annotations

import asyncio

import pytest

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch.blocking import timeout_position
from rproxy.dispatch.command import Command
from rproxy.dispatch.session import Session
from tests.support.dispatch import Dispatch
from tests.support.fake_node import SILENCE, FakeNode
from tests.support.upstream import Replies

GOT = b"*2\r\n$1\r\nb\r\n$1\r\nx\r\n"


@pytest.mark.parametrize(
    ("line", "position"),
    [
        ("BLPOP a b 7", 3),
        ("BLMOVE a b LEFT RIGHT 7", 5),
        ("BRPOPLPUSH a b 7", 3),
        ("BLMPOP 7 1 a LEFT", 1),
        ("BZMPOP 7 1 a MIN", 1),
        ("XREAD COUNT 1 block 7 STREAMS a 0", 4),
        ("XREADGROUP GROUP g c BLOCK 7 STREAMS a >", 5),
    ],
)
def test_where_the_time_out_stands(line: str, position: int) -> None:
    args = line.encode().split()
    command = Command(COMMANDS.get(args[0]), args, b"", Session(1, "", "", 0.0), Replies(), 0)
    assert timeout_position(command) == position


@pytest.fixture
def gate() -> asyncio.Event:
    """Set when ``x`` is pushed to ``b``."""
    return asyncio.Event()


@pytest.fixture
def node(nodes: list[FakeNode], gate: asyncio.Event) -> FakeNode:
    """The owner of ``b``, where clients wait for ``gate``."""

    async def wait(command: tuple[bytes, ...]) -> bytes:
        await gate.wait()
        return GOT

    nodes[0].answers |= {"BLPOP": wait, "CLIENT ID": b":42\r\n", "CLIENT UNBLOCK": b":1\r\n"}
    return nodes[0]


async def blocked(dispatch: Dispatch, node: FakeNode) -> int:
    token = dispatch.send("BLPOP", "b", "0")
    await node.heard("BLPOP")
    assert dispatch.session.is_held
    return token


async def test_a_wait_holds_the_client_until_it_is_answered(
    dispatch: Dispatch, node: FakeNode, gate: asyncio.Event
) -> None:
    token = await blocked(dispatch, node)
    gate.set()
    assert await dispatch.reply(token) == GOT
    assert not dispatch.session.is_held
    assert (dispatch.session.unblock, dispatch.session.at_close) == (None, set())


@pytest.mark.late
async def test_op_timeout_does_not_apply(dispatch: Dispatch, node: FakeNode, gate: asyncio.Event) -> None:
    token = await blocked(dispatch, node)
    node.answers["GET"] = SILENCE
    assert b"gave no answer in time" in await dispatch.call("GET", "b")
    assert dispatch.replies.of(token) == []
    gate.set()
    assert await dispatch.reply(token) == GOT


async def test_a_client_that_leaves_ends_its_wait(dispatch: Dispatch, node: FakeNode) -> None:
    token = await blocked(dispatch, node)
    dispatch.session.let_go()
    await node.until_closed(0)
    dispatch.replies.deliver(token, b"gone", 0, 4)


@pytest.mark.parametrize(("is_error", "how"), [(True, b"ERROR"), (False, b"TIMEOUT")])
async def test_a_wait_is_ended_by_the_node_that_knows_it(
    dispatch: Dispatch, node: FakeNode, is_error: bool, how: bytes
) -> None:
    token = await blocked(dispatch, node)
    await dispatch.until(lambda: dispatch.session.unblock(is_error))  # type: ignore[misc]
    await node.heard("CLIENT", 2)
    assert node.received[-1] == (b"CLIENT", b"UNBLOCK", b"42", how)
    node.peers[0].send(b"*-1\r\n")
    assert await dispatch.reply(token) == b"*-1\r\n"


async def test_an_end_that_came_too_early_is_asked_for_again(dispatch: Dispatch, node: FakeNode) -> None:
    node.answers["CLIENT UNBLOCK"] = [b":0\r\n", b"-ERR no\r\n", b":1\r\n"]
    token = await blocked(dispatch, node)
    await dispatch.until(lambda: dispatch.session.unblock(False))  # type: ignore[misc]
    await node.heard("CLIENT", 4)
    node.peers[0].send(b"*-1\r\n")
    assert await dispatch.reply(token) == b"*-1\r\n"


async def test_a_connection_is_lent_to_nobody_while_an_end_is_on_its_way(dispatch: Dispatch, node: FakeNode) -> None:
    node.answers["CLIENT UNBLOCK"] = SILENCE
    token = await blocked(dispatch, node)
    await dispatch.until(lambda: dispatch.session.unblock(False))  # type: ignore[misc]
    await node.heard("CLIENT", 2)
    node.peers[0].send(GOT)
    assert await dispatch.reply(token) == GOT
    await node.until_closed(0)


async def test_the_time_that_has_passed_counts_when_it_is_sent_again(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    demoted = b"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n"
    nodes[0].answers["BLPOP"] = [demoted, GOT]
    assert await dispatch.call("BLPOP", "b", "100") == GOT
    first, again = (command for command in nodes[0].received if command[0] == b"BLPOP")
    assert first[2] == b"100"
    assert 90 < float(again[2]) < 100


async def test_in_a_transaction_it_does_not_wait(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers |= {"BLPOP": b"+QUEUED\r\n", "EXEC": b"*1\r\n*-1\r\n"}
    for words in (["MULTI"], ["BLPOP", "b", "0"]):
        await dispatch.call(*words)
    assert await dispatch.call("EXEC") == b"*1\r\n*-1\r\n"
    assert not dispatch.session.is_held
