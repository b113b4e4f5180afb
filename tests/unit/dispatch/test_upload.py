"""Commands with a large argument: handed on as they come, on a connection of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rproxy.dispatch.upload import KEPT
from tests.support.client import pack
from tests.support.downstream import Downstream
from tests.support.fake_node import Command, FakeNode

VALUE = b"v" * 3_000_000
TOO_LARGE_TO_KEEP = b"v" * (KEPT + 1)


async def test_a_large_command_leaves_on_a_connection_of_its_own_between_its_neighbours(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    client = await make().client()
    client.send(pack("GET", "b") + pack("SET", "b", VALUE) + pack("GET", "b"))
    assert [await client.reply() for _ in range(3)] == [b"$1\r\nb\r\n", b"+OK\r\n", b"$1\r\nb\r\n"]
    asked = [[command[0] for command in peer.commands] for peer in nodes[0].peers]
    assert asked[1] == [b"CLIENT", b"EXISTS", b"ASKING", b"SET"]
    assert (b"SET", b"b", VALUE) in nodes[0].received


async def test_what_follows_a_large_command_is_not_read_far_ahead_of_its_reply(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make()
    client = await downstream.client()
    is_open = asyncio.Event()

    async def when_open(_command: Command) -> bytes:
        await is_open.wait()
        return b"+OK\r\n"

    nodes[0].answers["SET"] = when_open
    follower = b"y" * 4 * len(VALUE)
    client.send(pack("SET", "b", VALUE) + pack("SET", "b", follower))
    await nodes[0].heard("SET")
    connection = await downstream.connection()
    await downstream.until(lambda: connection.is_throttled)
    assert connection.filled < len(follower) / 2
    is_open.set()
    assert [await client.reply(), await client.reply()] == [b"+OK\r\n"] * 2
    assert nodes[0].received[-1] == (b"SET", b"b", follower)


@pytest.mark.parametrize("piece", [1, 3, 10**9])
async def test_what_follows_a_large_argument_is_handed_on_too(
    make: Callable[..., Downstream], nodes: list[FakeNode], piece: int
) -> None:
    command = ("HSET", "b", "x", VALUE, "y", "1", "z", VALUE, "end", "2")
    nodes[0].answers["HSET"] = b":4\r\n"
    client = await make().client()
    data = pack(*command) + pack("PING")
    tail = len(data) - 40
    client.send(data[:tail])
    for first in range(tail, len(data), piece):
        client.send(data[first : first + piece])
        await asyncio.sleep(0)
    assert [await client.reply(), await client.reply()] == [b":4\r\n", b"+PONG\r\n"]
    wanted = tuple(each if isinstance(each, bytes) else each.encode() for each in command)
    assert [said for said in nodes[0].received if said[0] == b"HSET"] == [wanted]


async def test_what_is_no_good_behind_a_large_argument_reaches_no_node(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    client = await make().client()
    client.send(pack("SET", "b", VALUE, "EX", "10").replace(b"$2\r\nEX", b":2\r\nEX"))
    assert await client.rest() == b"-ERR Protocol error: expected '$', got ':'\r\n"
    assert b"SET" not in [said[0] for said in nodes[0].received]


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (b"-MOVED 3300 %b\r\n", b"-TRYAGAIN the slot moved while the command was on its way: it was not executed\r\n"),
        (b"-OOM no\r\n", b"-OOM no\r\n"),
    ],
)
async def test_an_error_after_a_large_command_is_the_clients_and_a_move_is_learned(
    make: Callable[..., Downstream], nodes: list[FakeNode], answer: bytes, reply: bytes
) -> None:
    nodes[0].answers["SET"] = answer.replace(b"%b", str(nodes[1].endpoint).encode())
    client = await make().client()
    assert await client.call("SET", "b", TOO_LARGE_TO_KEEP) == reply
    assert await client.call("GET", "b") == b"$1\r\nb\r\n"
    assert nodes[1].count("GET") == (1 if answer.startswith(b"-MOVED") else 0)


@pytest.mark.parametrize(
    ("answer", "where", "before"),
    [(b"-MOVED 3300 %b\r\n", 1, b"CLIENT"), (b"-ASK 3300 %b\r\n", 1, b"ASKING"), (b"-CLUSTERDOWN no\r\n", 0, b"SET")],
)
async def test_a_large_command_that_can_be_kept_follows_its_slot(
    make: Callable[..., Downstream], nodes: list[FakeNode], answer: bytes, where: int, before: bytes
) -> None:
    downstream = make()
    refusal = answer.replace(b"%b", str(nodes[1].endpoint).encode())
    nodes[0].answers["SET"] = refusal if where else [refusal, b"+OK\r\n"]
    client = await downstream.client()
    client.send(pack("SET", "b", VALUE, "EX", "10") + pack("PING"))
    assert [await client.reply(), await client.reply()] == [b"+OK\r\n", b"+PONG\r\n"]
    (peer,) = (peer for peer in nodes[where].peers if peer.commands and peer.commands[-1][0] == b"SET")
    assert peer.commands[-1] == (b"SET", b"b", VALUE, b"EX", b"10")
    assert peer.commands[-2][0] == before
    assert downstream.clusters["main"].pools.pinned()[0] == 0


async def test_a_large_command_whose_node_is_lost_was_not_executed_and_the_next_one_is_understood(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make()
    client = await downstream.client()
    data = pack("SET", "b", VALUE)
    client.send(data[:-1_000_000])
    await downstream.until(lambda: nodes[0].count("ASKING"))
    nodes[0].peers[-1].close()
    await downstream.until(lambda: downstream.clusters["main"].pools.pinned()[0] == 0)
    client.send(data[-1_000_000:] + pack("PING"))
    reply = await client.reply()
    assert b"was lost" in reply
    assert reply.endswith(b"before the command was whole: it was not executed\r\n")
    assert await client.reply() == b"+PONG\r\n"


async def test_a_client_that_leaves_within_a_large_command_leaves_nothing_behind(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make()
    client = await downstream.client()
    client.send(pack("SET", "b", VALUE)[:-1])
    await downstream.until(lambda: nodes[0].count("ASKING"))
    client.end_sending()
    assert await client.rest() == b""
    await downstream.until(lambda: downstream.clusters["main"].pools.pinned() == (0, 0))
    assert nodes[0].count("SET") == 0
