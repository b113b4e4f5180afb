"""WAIT and the KILLs, each on connections of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rproxy.topology.snapshot import Endpoint
from tests.support.dispatch import Dispatch
from tests.support.fake_node import SILENCE, Command, FakeNode
from tests.support.upstream import topology_of

NO_NUMBER = b"-ERR value is not an integer or out of range\r\n"
AOF = [b"*2\r\n:1\r\n:0\r\n", b"*2\r\n:0\r\n:2\r\n", b"*2\r\n:1\r\n:1\r\n"]


def answer(nodes: list[FakeNode], name: str, *replies: bytes) -> None:
    for node, reply in zip(nodes, replies, strict=True):
        node.answers |= {"PING": b"+PONG\r\n", "CLIENT ID": b":7\r\n", name: reply}


@pytest.mark.parametrize(
    ("command", "replies", "least"),
    [
        ("WAIT 1 100", [b":2\r\n", b":1\r\n", b":3\r\n"], b":1\r\n"),
        (
            "WAITAOF 1 1 100",
            [b"*2\r\n:1\r\n:0\r\n", b"*2\r\n:0\r\n:2\r\n", b"*2\r\n:1\r\n:1\r\n"],
            b"*2\r\n:0\r\n:0\r\n",
        ),
        ("WAIT x 100", [NO_NUMBER] * 3, NO_NUMBER),
        ("WAIT 1 0", [b":1\r\n"] * 3, b":1\r\n"),
    ],
)
async def test_the_least_of_all_shards_is_waited_for(
    dispatch: Dispatch, nodes: list[FakeNode], command: str, replies: list[bytes], least: bytes
) -> None:
    answer(nodes, command.split()[0], *replies)
    assert await dispatch.call(*command.split()) == least
    for node in nodes:
        assert node.received[-2:] == [(b"PING",), tuple(command.encode().split())]
    assert not dispatch.session.is_held
    assert not dispatch.session.at_close


async def test_others_do_not_wait(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    answer(nodes, "WAIT", SILENCE, b":1\r\n", b":1\r\n")
    token = dispatch.send("WAIT", "1", "0")
    await nodes[0].heard("WAIT")
    assert dispatch.session.is_held
    assert await dispatch.call("GET", "b") == b"$1\r\nb\r\n"
    assert not dispatch.replies.of(token)
    nodes[0].peers[0].send(b":1\r\n")
    assert await dispatch.reply(token) == b":1\r\n"


@pytest.mark.parametrize(("is_error", "how"), [(True, b"ERROR"), (False, b"TIMEOUT")])
async def test_it_is_ended_at_every_shard_that_waits(
    dispatch: Dispatch, nodes: list[FakeNode], is_error: bool, how: bytes
) -> None:
    is_over = asyncio.Event()

    async def wait(_: Command) -> bytes:
        await is_over.wait()
        return b":0\r\n"

    answer(nodes, "WAIT", *[b":1\r\n"] * 3)
    waiting = (nodes[0], nodes[2])
    for node in waiting:
        node.answers |= {"WAIT": wait, "CLIENT UNBLOCK": b":1\r\n"}
    token = dispatch.send("WAIT", "1", "0")
    for node in nodes:
        await node.heard("WAIT")
    await dispatch.until(lambda: dispatch.clusters["main"].pools.pinned()[0] == 2)

    def is_asked_for() -> bool:
        assert dispatch.session.unblock is not None
        return dispatch.session.unblock(is_error) and all(node.count("CLIENT") > 1 for node in waiting)

    await dispatch.until(is_asked_for)
    for node in waiting:
        assert (b"CLIENT", b"UNBLOCK", b"7", how) in node.received
    is_over.set()
    assert await dispatch.reply(token) == b":0\r\n"
    assert nodes[1].received[-1][0] == b"WAIT"
    assert dispatch.session.unblock is None


async def test_a_kill_is_no_wait_to_be_ended(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    answer(nodes, "SCRIPT KILL", *[b"+OK\r\n"] * 3)
    token = dispatch.send("SCRIPT", "KILL")
    assert dispatch.session.is_held
    assert dispatch.session.unblock is None
    assert await dispatch.reply(token) == b"+OK\r\n"


@pytest.mark.late
async def test_a_shard_that_does_not_answer_in_time_is_an_error(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    answer(nodes, "WAIT", SILENCE, b":1\r\n", b":1\r\n")
    assert (await dispatch.call("WAIT", "1", "10")).startswith(b"-ERR upstream ")


@pytest.mark.parametrize("command", ["WAIT 1 100", "SCRIPT KILL"])
@pytest.mark.late
async def test_so_is_one_that_is_down(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode], command: str
) -> None:
    answer(nodes, command.split()[0], b":1\r\n", b":1\r\n", b":1\r\n")
    dispatch = make_dispatch({"main": topology_of((nodes[0].endpoint,), (Endpoint("127.0.0.1", 1),))})
    reply = await dispatch.call(*command.split())
    assert reply.startswith(b"-CLUSTERDOWN ") if command.startswith("WAIT") else reply == b":1\r\n"
    assert not dispatch.session.is_held


@pytest.mark.parametrize("command", ["SCRIPT KILL", "FUNCTION KILL"])
@pytest.mark.parametrize(
    ("replies", "reply"),
    [
        ([b"-NOTBUSY no\r\n", b"+OK\r\n", b"-NOTBUSY no\r\n"], b"+OK\r\n"),
        ([b"-NOTBUSY no\r\n", b"-UNKILLABLE it wrote\r\n", b"-NOTBUSY no\r\n"], b"-UNKILLABLE it wrote\r\n"),
        ([b"-NOTBUSY no\r\n"] * 3, b"-NOTBUSY no\r\n"),
    ],
)
async def test_what_runs_is_killed_wherever_it_runs(
    dispatch: Dispatch, nodes: list[FakeNode], command: str, replies: list[bytes], reply: bytes
) -> None:
    answer(nodes, command, *replies)
    assert await dispatch.call(*command.split()) == reply
    assert not dispatch.session.is_held
